// Single-line and multi-line responses.
#include "tests/bench/mdload/pop3_client.h"

#include "libmailcore/codec/number.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace mailcore::mdload {

namespace {
constexpr std::string_view body_end = "\r\n.\r\n";
constexpr std::size_t line_octets_max = 4096;
} // namespace

void Pop3Client::open(const mdload::User& user, std::function<void()> ready) {
    user_ = user;
    done_ = std::move(ready);
    state_ = State::Greeting;
    partial_.clear();
    in_body_ = false;
    ++life_;
    wire_.open(endpoint_);
}

void Pop3Client::secured() {
    if (state_ != State::StartTls) return;
    state_ = State::User;
    wire_.send(fmt::format("USER {}\r\n", user_.name));
}

void Pop3Client::fail(const std::string& why) {
    ++life_;
    wire_.close();
    on_failed(why);
}

void Pop3Client::quit() {
    wire_.send("QUIT\r\n");
    ++life_;
    wire_.close();
}

void Pop3Client::received(std::string_view octets) {
    const auto life = life_;
    while (!octets.empty() && life == life_) {
        if (in_body_) {
            octets = body(octets);
            continue;
        }
        const auto end = octets.find('\n');
        partial_ += octets.substr(0, end);
        if (end == std::string_view::npos) {
            if (partial_.size() > line_octets_max) fail("a line without end");
            return;
        }
        octets.remove_prefix(end + 1);
        auto text = std::exchange(partial_, {});
        if (text.ends_with('\r')) text.pop_back();
        line(text);
    }
}

void Pop3Client::line(std::string_view text) {
    if (!text.starts_with("+OK")) return fail(std::string(text));
    switch (state_) {
    case State::Greeting:
        if (endpoint_.security == Security::StartTls) {
            state_ = State::StartTls;
            wire_.send("STLS\r\n");
            return;
        }
        state_ = State::User;
        wire_.send(fmt::format("USER {}\r\n", user_.name));
        return;
    case State::StartTls: wire_.start_tls(); return;
    case State::User:
        state_ = State::Pass;
        wire_.send(fmt::format("PASS {}\r\n", user_.password));
        return;
    case State::Pass:
        state_ = State::Stat;
        wire_.send("STAT\r\n");
        return;
    case State::Stat: {
        text.remove_prefix(std::min<std::size_t>(4, text.size()));
        messages_ = codec::take_number<std::uint32_t>(text).value_or(0);
        state_ = State::Ready;
        if (auto done = std::exchange(done_, nullptr)) done();
        return;
    }
    case State::Ready: return fail(fmt::format("out of turn: {}", text));
    case State::Retrieving:
        in_body_ = true;
        tail_ = "\r\n";
        virtual_ = 2;
        if (on_letter) check_.begin();
        return;
    }
}

void Pop3Client::retrieve_all(std::size_t ahead, std::function<void()> done) {
    state_ = State::Retrieving;
    ahead_ = std::max<std::size_t>(ahead, 1);
    asked_ = answered_ = 0;
    octets_ = 0;
    done_ = std::move(done);
    ask_more();
}

void Pop3Client::ask_more() {
    std::string commands;
    while (asked_ < messages_ && asked_ - answered_ < ahead_)
        commands += fmt::format("RETR {}\r\n", ++asked_);
    if (!commands.empty()) wire_.send(commands);
}

void Pop3Client::pass(std::string_view octets) {
    const auto skipped = std::min(virtual_, octets.size());
    virtual_ -= skipped;
    octets.remove_prefix(skipped);
    octets_ += octets.size();
    if (on_letter) check_.feed(octets);
}

/// Takes octets of a message and returns what follows its end.
std::string_view Pop3Client::body(std::string_view octets) {
    // The end may lie across what is kept and what has come.
    auto joint = tail_ + std::string(octets.substr(0, body_end.size() - 1));
    std::string_view rest;
    if (const auto at = joint.find(body_end); at != std::string::npos) {
        pass(std::string_view(joint).substr(0, at + 2));
        rest = octets.substr(at + body_end.size() - tail_.size());
    } else {
        const auto* found = static_cast<const char*>(
            ::memmem(octets.data(), octets.size(), body_end.data(), body_end.size()));
        if (found == nullptr) {
            const auto keep = body_end.size() - 1;
            if (octets.size() < keep) {
                joint = tail_ + std::string(octets);
                const auto out = joint.size() > keep ? joint.size() - keep : 0;
                pass(std::string_view(joint).substr(0, out));
                tail_ = joint.substr(out);
                return {};
            }
            pass(tail_);
            pass(octets.substr(0, octets.size() - keep));
            tail_ = octets.substr(octets.size() - keep);
            return {};
        }
        const auto at_octets = static_cast<std::size_t>(found - octets.data());
        pass(tail_);
        pass(octets.substr(0, at_octets + 2));
        rest = octets.substr(at_octets + body_end.size());
    }
    in_body_ = false;
    tail_.clear();
    ++answered_;
    if (on_letter) on_letter(check_);
    if (answered_ == messages_) {
        state_ = State::Ready;
        if (auto done = std::exchange(done_, nullptr)) done();
        return {};
    }
    // By halves, so that one packet asks for many.
    if (asked_ - answered_ <= ahead_ / 2) ask_more();
    return rest;
}

} // namespace mailcore::mdload
