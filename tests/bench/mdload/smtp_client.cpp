// Greeting, EHLO, STARTTLS, AUTH, and messages.
#include "tests/bench/mdload/smtp_client.h"

#include "libmailcore/codec/base64.h"

#include <fmt/format.h>

namespace mailcore::mdload {

void SmtpClient::open() {
    state_ = State::Greeting;
    secured_ = can_pipeline_ = can_start_tls_ = false;
    connect();
}

void SmtpClient::hello() {
    state_ = State::Hello;
    wire_.send(settings_.dialect == SmtpDialect::Lmtp ? "LHLO load.example.org\r\n"
                                                      : "EHLO load.example.org\r\n");
}

void SmtpClient::secured() {
    secured_ = true;
    if (state_ == State::StartTls) hello();
}

void SmtpClient::line(std::string_view text) {
    if (text.size() < 3) return fail(fmt::format("not a reply: {}", text));
    if (state_ == State::Hello && text.size() > 4) {
        can_pipeline_ = can_pipeline_ || text.substr(4).starts_with("PIPELINING");
        can_start_tls_ = can_start_tls_ || text.substr(4) == "STARTTLS";
    }
    if (text.size() > 3 && text[3] == '-') return;
    reply(text);
}

void SmtpClient::reply(std::string_view text) {
    const auto expect = [&](char kind) {
        if (text.front() == kind) return true;
        fail(std::string(text));
        return false;
    };
    switch (state_) {
    case State::Greeting:
        if (expect('2')) hello();
        return;
    case State::Hello:
        if (!expect('2')) return;
        if (endpoint_.security == Security::StartTls && !secured_) {
            if (!can_start_tls_) return fail("STARTTLS is not offered");
            state_ = State::StartTls;
            wire_.send("STARTTLS\r\n");
            return;
        }
        if (!settings_.user.name.empty()) {
            state_ = State::Auth;
            const auto secret = std::string(1, '\0') + settings_.user.name + std::string(1, '\0') +
                                settings_.user.password;
            wire_.send(fmt::format("AUTH PLAIN {}\r\n", codec::base64_encode(secret)));
            return;
        }
        state_ = State::Ready;
        return on_ready();
    case State::StartTls:
        if (expect('2')) wire_.start_tls();
        return;
    case State::Auth:
        if (!expect('2')) return;
        state_ = State::Ready;
        return on_ready();
    case State::Ready: return fail(fmt::format("out of turn: {}", text));
    case State::Envelope: {
        --awaited_;
        const bool last = awaited_ == 0 && steps_sent_ == steps_.size();
        if (!expect(last ? '3' : '2')) return;
        if (!last) {
            if (awaited_ == 0) send_envelope_step();
            return;
        }
        const auto letter = letters_->next();
        letter_octets_ = letter.octets();
        state_ = State::Body;
        awaited_ = settings_.dialect == SmtpDialect::Lmtp ? recipients_ : 1;
        wire_.send({letter.head, letter.body, ".\r\n"});
        return;
    }
    case State::Body:
        if (!expect('2')) return;
        if (--awaited_ > 0) return;
        state_ = State::Ready;
        return on_accepted();
    }
}

void SmtpClient::send(std::string_view sender, std::span<const std::string> recipients,
                      Letters& letters) {
    letters_ = &letters;
    recipients_ = recipients.size();
    steps_.clear();
    steps_sent_ = 0;
    steps_.push_back(fmt::format("MAIL FROM:<{}>\r\n", sender));
    for (const auto& recipient : recipients)
        steps_.push_back(fmt::format("RCPT TO:<{}>\r\n", recipient));
    steps_.emplace_back("DATA\r\n");
    state_ = State::Envelope;
    send_envelope_step();
}

void SmtpClient::send_envelope_step() {
    if (!can_pipeline_ || !settings_.pipelining) {
        awaited_ = 1;
        wire_.send(steps_[steps_sent_++]);
        return;
    }
    std::string all;
    for (const auto& step : steps_) all += step;
    awaited_ = steps_sent_ = steps_.size();
    wire_.send(all);
}

void SmtpClient::quit() {
    wire_.send("QUIT\r\n");
    close();
}

} // namespace mailcore::mdload
