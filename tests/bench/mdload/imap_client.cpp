// Commands out, responses in.
#include "tests/bench/mdload/imap_client.h"

#include "libmailcore/codec/number.h"

#include <utility>

#include <fmt/format.h>

namespace mailcore::mdload {

namespace {
constexpr std::string_view tag = "a ";
constexpr std::size_t literal_minus_max = 4096; // RFC 7888 §5
} // namespace

void ImapClient::open(const User& user, Done ready) {
    user_ = user;
    done_ = std::move(ready);
    continued_ = nullptr;
    greeted_ = inside_ = literal_plus_ = literal_minus_ = multiappend_ = false;
    connect();
}

void ImapClient::log_in() {
    run(fmt::format("LOGIN \"{}\" \"{}\"", user_.name, user_.password),
        std::exchange(done_, nullptr));
}

void ImapClient::secured() {
    if (endpoint_.security == Security::StartTls) log_in();
}

void ImapClient::run(std::string_view command, Done done) {
    done_ = std::move(done);
    fetched_ = literal_octets_ = 0;
    wire_.send({tag, command, "\r\n"});
}

void ImapClient::idle(Done started) {
    continued_ = std::move(started);
    run("IDLE", nullptr);
}

void ImapClient::end_idle(Done done) {
    done_ = std::move(done);
    wire_.send("DONE\r\n");
}

void ImapClient::log_out() {
    on_failed = [](const std::string&) {};
    wire_.send("a LOGOUT\r\n");
    close();
}

void ImapClient::line(std::string_view text) {
    if (inside_) {
        inside_ = begins_literal(text);
        return;
    }
    if (text.starts_with("* ")) {
        untagged(text.substr(2));
        return;
    }
    if (text.starts_with('+')) {
        if (auto continued = std::exchange(continued_, nullptr)) continued();
        return;
    }
    if (!text.starts_with(tag)) return fail(fmt::format("not a response: {}", text.substr(0, 200)));
    if (!text.substr(tag.size()).starts_with("OK")) return fail(std::string(text));
    if (const auto at = text.find("[CAPABILITY "); at != std::string_view::npos)
        capabilities(text.substr(at + 12));
    if (auto done = std::exchange(done_, nullptr)) done();
}

void ImapClient::untagged(std::string_view text) {
    if (!greeted_) {
        greeted_ = true;
        if (!text.starts_with("OK")) return fail(fmt::format("greeted with {}", text));
        if (endpoint_.security != Security::StartTls) return log_in();
        auto ready = std::exchange(done_, nullptr);
        run("STARTTLS", [this, ready = std::move(ready)]() mutable {
            done_ = std::move(ready);
            wire_.start_tls();
        });
        return;
    }
    auto rest = text;
    const auto number = codec::take_number<std::uint32_t>(rest);
    if (number && rest.starts_with(" FETCH")) {
        ++fetched_;
        inside_ = begins_literal(text);
    } else if (number && rest == " EXISTS") {
        exists_ = *number;
        on_exists(*number);
    } else {
        if (number && rest == " EXPUNGE" && exists_ > 0) --exists_;
        if (text.starts_with("CAPABILITY ")) capabilities(text.substr(11));
        if (text.starts_with("BYE")) return; // the end of the connection follows
        inside_ = begins_literal(text);
        on_untagged(text);
    }
}

void ImapClient::capabilities(std::string_view text) {
    literal_plus_ = text.find("LITERAL+") != std::string_view::npos;
    literal_minus_ = text.find("LITERAL-") != std::string_view::npos;
    multiappend_ = text.find("MULTIAPPEND") != std::string_view::npos;
}

bool ImapClient::begins_literal(std::string_view text) {
    if (!text.ends_with('}')) return false;
    const auto brace = text.rfind('{');
    if (brace == std::string_view::npos) return false;
    const auto octets = codec::parse_u64(text.substr(brace + 1, text.size() - brace - 2));
    if (!octets) return false;
    literal_octets_ += *octets;
    if (on_letter) check_.begin();
    if (*octets > 0)
        expect_octets(*octets);
    else
        counted_end();
    return true;
}

void ImapClient::counted(std::string_view octets) {
    if (on_letter) check_.feed(octets);
}

void ImapClient::counted_end() {
    if (on_letter) on_letter(check_);
}

void ImapClient::append(std::string_view mailbox, Letters& letters, std::size_t count, Done done) {
    mailbox_ = mailbox;
    letters_ = &letters;
    to_append_ = count;
    appended_octets_ = 0;
    appended_ = std::move(done);
    // Asked once a connection: few servers say it at login.
    if (literal_plus_ || literal_minus_) return append_next();
    run("CAPABILITY", [this] { append_next(); });
}

void ImapClient::append_next() {
    if (to_append_ == 0) {
        if (auto done = std::exchange(appended_, nullptr)) done();
        return;
    }
    auto letter = letters_->next();
    appended_octets_ += letter.octets();
    const auto at_once = [&](const Letter& each) {
        return literal_plus_ || (literal_minus_ && each.octets() <= literal_minus_max);
    };
    done_ = [this] { append_next(); };
    if (!at_once(letter)) {
        --to_append_;
        scratch_ = fmt::format("{}{}\r\n", letter.head, letter.body);
        continued_ = [this] { wire_.send(scratch_); };
        wire_.send(fmt::format("{}APPEND {} {{{}}}\r\n", tag, mailbox_, letter.octets()));
        return;
    }
    const auto together = multiappend_ && literal_plus_ ? to_append_ : 1;
    if (together == 1) {
        --to_append_;
        wire_.send({fmt::format("{}APPEND {} {{{}+}}\r\n", tag, mailbox_, letter.octets()),
                    letter.head, letter.body, "\r\n"});
        return;
    }
    scratch_ = fmt::format("{}APPEND {}", tag, mailbox_);
    for (std::size_t i = 0; i < together; ++i) {
        if (i > 0) {
            letter = letters_->next();
            appended_octets_ += letter.octets();
        }
        scratch_ += fmt::format(" {{{}+}}\r\n", letter.octets());
        scratch_ += letter.head;
        scratch_ += letter.body;
    }
    scratch_ += "\r\n";
    to_append_ -= together;
    wire_.send(scratch_);
}

} // namespace mailcore::mdload
