#include "tests/smtp/memory_server.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"

#include <fmt/format.h>

namespace mailcore::smtp {

Reply reply_of(std::string_view text) {
    ReplyParser parser;
    const auto line = std::string(text) + "\r\n";
    if (parser.read(line).outcome != ReplyParser::Outcome::Complete)
        return {599, std::nullopt, "bad script"};
    return parser.take();
}

std::string visible(std::string_view octets) {
    std::string text;
    for (const unsigned char octet : octets) {
        if (octet == '\r')
            text += "\\r";
        else if (octet == '\n')
            text += "\\n";
        else if (octet < ' ' || octet >= 0x7f)
            text += fmt::format("\\x{:02x}", octet);
        else
            text += static_cast<char>(octet);
    }
    return text;
}

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        switch (text[++i]) {
        case 'r': out += '\r'; break;
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case '0': out += '\0'; break;
        case 'x':
            if (const auto octet = codec::hex_decode(text.substr(i + 1, 2))) out += *octet;
            i += 2;
            break;
        default: out += text[i];
        }
    }
    return out;
}

void MemoryServerDialogue::drain() {
    while (!waiting_) {
        auto event = engine_.next_event();
        if (!event) return;
        handle(*event);
    }
}

void MemoryServerDialogue::closed() {
    if (!message_.octets.empty()) server_.log.push_back("lost");
    server_.log.push_back("closed " + std::string(to_string(engine_.end_reason())));
}

void MemoryServerDialogue::release() {
    if (!waiting_) return;
    const auto held = *std::exchange(waiting_, std::nullopt);
    answer(held.stage, held.id);
    drain();
}

bool MemoryServerDialogue::held(std::string_view stage, CommandId id) {
    if (server_.held != stage) return false;
    server_.held.clear();
    waiting_ = Held{std::string(stage), id};
    return true;
}

void MemoryServerDialogue::answer(std::string_view stage, CommandId id) {
    if (held(stage, id)) return;
    const auto scripted = server_.answers.find(stage);
    if (scripted == server_.answers.end()) return engine_.accept(id);
    if (stage == "headers") return engine_.fail_body(id, scripted->second);
    engine_.reply(id, scripted->second);
}

void MemoryServerDialogue::log_in(CommandId id, std::string_view user, std::string_view password) {
    const auto found = server_.passwords.find(user);
    if (found != server_.passwords.end() && found->second == password)
        return engine_.reply(id, {235, EnhancedStatus{2, 7, 0}, "Authentication successful"});
    engine_.reply(id, {535, EnhancedStatus{5, 7, 8}, "Authentication credentials invalid"});
}

void MemoryServerDialogue::plain(CommandId id, std::string_view message) {
    const auto first = message.find('\0');
    const auto second = first == std::string_view::npos ? first : message.find('\0', first + 1);
    if (second == std::string_view::npos) return log_in(id, "", "");
    log_in(id, message.substr(first + 1, second - first - 1), message.substr(second + 1));
}

void MemoryServerDialogue::handle(ServerEvent& event) {
    std::visit(
        overloaded{
            [&](Connected& e) { answer("connect", e.id); },
            [&](Hello& e) { answer("hello", e.id); },
            [&](Mail& e) {
                message_ = {e.reverse_path, e.parameters, {}, {}, {}};
                answer("mail", e.id);
            },
            [&](Rcpt& e) {
                const auto& local = e.forward_path.mailbox.local_part;
                if (local.starts_with("no-such"))
                    return engine_.reply(e.id, {550, EnhancedStatus{5, 1, 1}, "No such user"});
                if (local.starts_with("full"))
                    return engine_.reply(e.id, {452, EnhancedStatus{4, 2, 2}, "Mailbox full"});
                if (!server_.answers.contains("rcpt")) {
                    message_.recipients.push_back(e.forward_path);
                    message_.recipient_parameters.push_back(e.parameters);
                }
                answer("rcpt", e.id);
            },
            [&](BodyBegin& e) {
                message_.octets.clear();
                answer("body", e.id);
            },
            [&](Headers& e) {
                message_.octets = std::move(e.octets);
                answer("headers", e.id);
            },
            [&](BodyChunk& e) {
                message_.octets += e.octets;
                if (const auto scripted = server_.answers.find("chunk");
                    scripted != server_.answers.end()) {
                    message_.octets.clear();
                    engine_.fail_body(e.id, scripted->second);
                }
            },
            [&](BodyEnd& e) {
                server_.log.push_back(fmt::format(
                    "message {} from {} to {}: {}", e.octets, to_string(message_.sender),
                    message_.recipients.size(), visible(message_.octets)));
                if (server_.options.dialect == Dialect::Smtp) {
                    if (!server_.answers.contains("end"))
                        server_.messages.push_back(std::move(message_));
                    message_ = {};
                    return answer("end", e.id);
                }
                const auto recipients = message_.recipients.size();
                server_.messages.push_back(std::exchange(message_, {}));
                for (std::size_t i = 1; i <= recipients; ++i)
                    answer(fmt::format("end {}", i), e.id);
            },
            [&](BodyFailed& e) {
                message_ = {};
                server_.log.push_back("failed " + to_string(e.reply));
            },
            [&](TransactionReset&) {
                message_ = {};
                server_.log.push_back("reset");
            },
            [&](AuthBegin& e) {
                server_.log.push_back("auth " + e.mechanism + (e.initial ? " with initial" : ""));
                mechanism_ = e.mechanism;
                login_user_.clear();
                if (held("auth", e.id)) return;
                if (const auto scripted = server_.answers.find("auth");
                    scripted != server_.answers.end())
                    return engine_.reply(e.id, scripted->second);
                if (mechanism_ == "LOGIN") return engine_.challenge(e.id, "Username:");
                if (!e.initial) return engine_.challenge(e.id, "");
                plain(e.id, e.initial->reveal());
            },
            [&](AuthData& e) {
                if (mechanism_ == "PLAIN") return plain(e.id, e.octets.reveal());
                if (login_user_.empty() && !e.octets.empty()) {
                    login_user_ = e.octets.reveal();
                    return engine_.challenge(e.id, "Password:");
                }
                log_in(e.id, login_user_, e.octets.reveal());
            },
            [&](AuthEnd&) { server_.log.push_back("auth ended"); },
            [&](TlsStarted&) { server_.log.push_back("tls"); },
        },
        event);
}

} // namespace mailcore::smtp
