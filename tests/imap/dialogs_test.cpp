#include "tests/imap/memory_account.h"

#include "libmailcore/codec/number.h"
#include "tests/catch.h"
#include "tests/sim/dialog.h"

using namespace mailcore;

namespace {

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text.substr(i, 2) == "\\r")
            out += '\r', ++i;
        else if (text.substr(i, 2) == "\\n")
            out += '\n', ++i;
        else
            out += text[i];
    return out;
}

std::string_view take_word(std::string_view& text) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    return word;
}

/// given user NAME PASSWORD · given mailbox USER NAME · given message USER MAILBOX FLAGS|- TEXT ·
/// given plaintext · given starttls · given slow · given rev1 only · given literal-minus ·
/// given limit command|append|swallowed OCTETS
class Target final : public sim::DialogTarget {
  public:
    explicit Target(sim::VirtualScheduler& scheduler) : scheduler_(scheduler) {
        options_.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
        options_.id = {{"name", "test"}};
    }

    bool given(std::string_view text) override {
        if (text == "plaintext") return options_.plaintext_without_tls = true;
        if (text == "starttls") return options_.starttls = true;
        if (text == "slow") return (pace_ = imap::MemoryDialogue::Pace::Slow, true);
        if (text == "literal-minus") return !(options_.large_non_synchronising_literals = false);
        if (text == "rev1 only") {
            options_.extensions = {};
            return true;
        }
        const auto what = take_word(text);
        const std::string name(take_word(text));
        if (what == "limit") {
            const auto octets = codec::parse_u64(text);
            if (!octets) return false;
            if (name == "command")
                options_.command_octets_max = options_.command_octets_max_before_login = *octets;
            else if (name == "append")
                options_.append_octets_max = *octets;
            else if (name == "swallowed")
                options_.swallowed_octets_max = *octets;
            else
                return false;
            return true;
        }
        if (what == "user") {
            accounts_[name].password = text;
            return true;
        }
        const std::string mailbox(take_word(text));
        if (what == "mailbox") {
            accounts_[name].create(mailbox);
            return true;
        }
        if (what != "message") return false;
        return add(accounts_[name], mailbox, text);
    }

    bool script(std::string_view text) override {
        auto& account = accounts_["jo"];
        if (text == "bodies fail") return account.bodies_fail = true;
        if (text == "appends fail") return account.appends_fail = true;
        const auto what = take_word(text);
        if (what != "deliver") return false;
        const std::string mailbox(take_word(text));
        if (!add(account, mailbox, text)) return false;
        account.tell(nullptr);
        return true;
    }

    std::unique_ptr<base::Dialogue> connect(base::Waker& waker, const PeerInfo& peer) override {
        return std::make_unique<imap::MemoryDialogue>(accounts_, options_, peer, waker, scheduler_,
                                                      pace_, &log_);
    }
    std::vector<std::string> take_events() override { return std::exchange(log_, {}); }

  private:
    static bool add(imap::MemoryAccount& account, const std::string& mailbox,
                    std::string_view text) {
        if (!account.mailboxes.contains(mailbox)) account.create(mailbox);
        imap::FlagSet flags;
        auto words = take_word(text);
        while (words != "-" && !words.empty()) {
            const auto comma = std::min(words.find(','), words.size());
            if (!imap::add_flag(flags, words.substr(0, comma))) return false;
            words.remove_prefix(std::min(words.size(), comma + 1));
        }
        account.add(account.mailboxes[mailbox], flags, {wall_time(1'700'000'000), 60, false},
                    std::make_shared<std::string>(unescaped(text)));
        return true;
    }

    static WallTime wall_time(std::int64_t seconds) { return base::wall_time(seconds); }

    sim::VirtualScheduler& scheduler_;
    imap::Options options_;
    imap::MemoryAccounts accounts_;
    imap::MemoryDialogue::Pace pace_ = imap::MemoryDialogue::Pace::Fast;
    std::vector<std::string> log_;
};

} // namespace

TEST_CASE("IMAP dialogues go as written, octet by octet, and cut anywhere") {
    const auto problems = sim::run_dialogs("imap", [](sim::VirtualScheduler& scheduler) {
        return std::make_unique<Target>(scheduler);
    });
    for (const auto& problem : problems) {
        INFO(problem);
        CHECK(false);
    }
}
