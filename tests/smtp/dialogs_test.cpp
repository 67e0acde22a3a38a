#include "tests/catch.h"
#include "tests/sim/dialog.h"
#include "tests/smtp/memory_client.h"
#include "tests/smtp/memory_server.h"

#include "libmailcore/codec/number.h"

#include <sstream>

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

std::vector<std::string> words(std::string_view text) {
    std::istringstream stream{std::string(text)};
    std::vector<std::string> found;
    for (std::string word; stream >> word;) found.push_back(word);
    return found;
}

/// given OPTION | given user NAME PASSWORD
/// > answer STAGE REPLY | > accept STAGE | > hold STAGE | > release | > shut down | > shed
class ServerTarget final : public sim::DialogTarget {
  public:
    ServerTarget(sim::VirtualScheduler& scheduler, Dialect dialect) : scheduler_(scheduler) {
        server_.options.dialect = dialect;
        server_.options.hostname = "mx.example";
        server_.options.mechanisms = {"PLAIN", "LOGIN"};
        server_.options.starttls = true;
    }

    bool given(std::string_view text) override {
        auto& options = server_.options;
        const auto word = words(text);
        const auto number = word.size() > 1 ? codec::parse_u64(word[1]).value_or(0) : 0;
        if (text == "auth without tls")
            options.auth_without_tls = ServerOptions::AuthWithoutTls::Always;
        else if (text == "auth from here")
            options.auth_without_tls = ServerOptions::AuthWithoutTls::LocalPeers;
        else if (text == "requires auth")
            options.requires_auth = true;
        else if (text == "requires tls")
            options.requires_tls = true;
        else if (text == "no starttls")
            options.starttls = false;
        else if (text == "no auth")
            options.mechanisms.clear();
        else if (text == "no smtputf8")
            options.smtp_utf8 = false;
        else if (text == "no dsn")
            options.dsn = false;
        else if (text == "binarymime")
            options.binary_mime = true;
        else if (text == "requiretls")
            options.require_tls_extension = true;
        else if (text == "mt-priority")
            options.mt_priority = true;
        else if (text == "future release")
            options.future_release =
                FutureRelease{std::chrono::seconds{86400}, "2030-01-01T00:00:00Z"};
        else if (text == "any hello")
            options.hello_any_word = true;
        else if (text == "loose paths")
            options.space_before_path = options.path_without_brackets = true;
        else if (text == "nul")
            options.nul_in_body = true;
        else if (text == "early talkers")
            options.refuse_early_talkers = false;
        else if (word[0] == "size")
            options.message_octets_max = number;
        else if (text.starts_with("command line "))
            options.command_line_octets_max = *codec::parse_u32(word[2]);
        else if (text.starts_with("auth line "))
            options.auth_line_octets_max = *codec::parse_u32(word[2]);
        else if (word[0] == "session")
            options.session_time = std::chrono::seconds{number};
        else if (word[0] == "line")
            options.text_line_octets_max = number;
        else if (word[0] == "header")
            options.header_octets_max = number;
        else if (word[0] == "recipients")
            options.recipients_max = number;
        else if (word[0] == "refused")
            options.refused_recipients_max = number;
        else if (word[0] == "messages")
            options.messages_max = number;
        else if (word[0] == "errors")
            options.bad_commands_max = number;
        else if (word[0] == "counted")
            options.counted_commands_max = number;
        else if (word[0] == "swallow")
            options.swallowed_octets_max = number;
        else if (word[0] == "user")
            server_.passwords[word[1]] = word[2];
        else
            return false;
        return true;
    }

    bool script(std::string_view text) override {
        const auto word = words(text);
        if (word[0] == "answer") {
            auto stage = word[1];
            auto at = text.find(stage) + stage.size() + 1;
            if (stage == "end" && word[2].size() == 1) {
                stage += ' ' + word[2];
                at += 2;
            }
            server_.answers[stage] = reply_of(text.substr(at));
        } else if (word[0] == "accept") {
            server_.answers.erase(word[1]);
        } else if (word[0] == "hold") {
            server_.held = word[1];
        } else if (text == "release") {
            dialogue_->release();
            waker_->wake();
        } else if (text == "shut down" || text == "shed") {
            dialogue_->engine().shut_down(text == "shed" ? base::ShutdownReason::Shed
                                                         : base::ShutdownReason::Drain,
                                          scheduler_.now());
            waker_->wake();
        } else {
            return false;
        }
        return true;
    }

    std::unique_ptr<base::Dialogue> connect(base::Waker& waker, const PeerInfo& peer) override {
        auto dialogue = std::make_unique<MemoryServerDialogue>(server_, peer, scheduler_.now());
        dialogue_ = dialogue.get();
        waker_ = &waker;
        return dialogue;
    }
    std::vector<std::string> take_events() override { return std::exchange(server_.log, {}); }

  private:
    sim::VirtualScheduler& scheduler_;
    MemoryServer server_;
    MemoryServerDialogue* dialogue_ = nullptr;
    base::Waker* waker_ = nullptr;
};

/// given OPTION | given login MECHANISM USER PASSWORD [late] | given message "SENDER RECIPIENT...
/// [body=...]" TEXT > message ... | > quit | > hold body | > go on | > shut down
class ClientTarget final : public sim::DialogTarget {
  public:
    explicit ClientTarget(sim::VirtualScheduler& scheduler) : scheduler_(scheduler) {
        options_.hostname = "client.example";
    }

    bool given(std::string_view text) override {
        const auto word = words(text);
        if (text == "lmtp")
            options_.dialect = Dialect::Lmtp;
        else if (text == "no tls")
            options_.starttls = ClientOptions::StartTls::Never;
        else if (text == "tls required")
            options_.starttls = ClientOptions::StartTls::Required;
        else if (text == "no pipelining")
            options_.pipelining = false;
        else if (text == "no chunking")
            options_.chunking = false;
        else if (text == "refuse bare")
            options_.bare_line_ends = BareLineEnds::Refuse;
        else if (text == "hold body")
            hold_ = true;
        else if (text == "quit")
            quit_ = true;
        else if (word[0] == "login")
            login_ = MemoryClientDialogue::Login{word[1], word[2], word[3], word.size() < 5};
        else if (word[0] == "pieces")
            piece_ = *codec::parse_u32(word[1]);
        else if (word[0] == "message")
            messages_.push_back(message(text));
        else
            return false;
        return true;
    }

    bool script(std::string_view text) override {
        const auto word = words(text);
        if (word[0] == "message")
            dialogue_->send(message(text));
        else if (text == "quit")
            dialogue_->quit();
        else if (text == "go on")
            dialogue_->go_on_with_body();
        else if (text == "shut down")
            dialogue_->engine().shut_down(base::ShutdownReason::Drain, scheduler_.now());
        else if (text == "shed")
            dialogue_->engine().shut_down(base::ShutdownReason::Shed, scheduler_.now());
        else
            return false;
        waker_->wake();
        return true;
    }

    std::unique_ptr<base::Dialogue> connect(base::Waker& waker, const PeerInfo& peer) override {
        auto dialogue = std::make_unique<MemoryClientDialogue>(options_, peer, scheduler_.now());
        dialogue_ = dialogue.get();
        waker_ = &waker;
        dialogue->hold_body = hold_;
        if (login_) dialogue->log_in(*login_);
        for (auto& message : messages_) dialogue->send(message);
        if (quit_) dialogue->quit();
        return dialogue;
    }
    std::vector<std::string> take_events() override { return std::exchange(dialogue_->log, {}); }

  private:
    /// message <sender> <recipient>... [name=value]... -- TEXT
    OutgoingMessage message(std::string_view text) const {
        const auto split = text.find(" -- ");
        OutgoingMessage message;
        message.octets = unescaped(text.substr(split + 4));
        message.piece_max = piece_;
        const auto word = words(text.substr(0, split));
        message.envelope.sender = *parse_path(word[1], Utf8::Allowed);
        for (std::size_t i = 2; i < word.size(); ++i) {
            auto& parameters = message.envelope.parameters;
            if (word[i].starts_with('<'))
                message.envelope.recipients.push_back({*parse_path(word[i], Utf8::Allowed), {}});
            else if (word[i] == "8bit")
                parameters.body = BodyType::EightBitMime;
            else if (word[i] == "binary")
                parameters.body = BodyType::BinaryMime;
            else if (word[i] == "requiretls")
                parameters.require_tls = true;
            else if (word[i] == "fails")
                message.fails = true;
            else if (word[i] == "unwritable")
                message.envelope.recipients.push_back({Path{{"a\nb", "x.example"}}, {}});
            else if (word[i].starts_with("size="))
                parameters.size = codec::parse_u64(word[i].substr(5));
            else if (word[i].starts_with("envid="))
                parameters.envelope_id = word[i].substr(6);
            else if (word[i] == "notify")
                message.envelope.recipients.back().parameters.notify = Notify{true, true, false};
        }
        return message;
    }

    sim::VirtualScheduler& scheduler_;
    ClientOptions options_;
    std::optional<MemoryClientDialogue::Login> login_;
    std::vector<OutgoingMessage> messages_;
    std::size_t piece_ = 65'536;
    bool hold_ = false;
    bool quit_ = false;
    MemoryClientDialogue* dialogue_ = nullptr;
    base::Waker* waker_ = nullptr;
};

void check(const std::vector<std::string>& problems) {
    for (const auto& problem : problems) {
        INFO(problem);
        CHECK(false);
    }
}

} // namespace

TEST_CASE("SMTP dialogues go as written, octet by octet, and cut anywhere") {
    check(sim::run_dialogs("smtp", [](sim::VirtualScheduler& scheduler) {
        return std::make_unique<ServerTarget>(scheduler, Dialect::Smtp);
    }));
}

TEST_CASE("LMTP dialogues go as written, octet by octet, and cut anywhere") {
    check(sim::run_dialogs("lmtp", [](sim::VirtualScheduler& scheduler) {
        return std::make_unique<ServerTarget>(scheduler, Dialect::Lmtp);
    }));
}

TEST_CASE("dialogues of the SMTP client go as written, whatever way the server's octets are cut") {
    check(sim::run_dialogs(
        "smtp_client",
        [](sim::VirtualScheduler& scheduler) { return std::make_unique<ClientTarget>(scheduler); },
        sim::EngineRole::Client));
}
