#include "tests/pop3/memory_maildrop.h"

#include "tests/catch.h"
#include "tests/sim/dialog.h"

#include <charconv>

using namespace mailcore;

namespace {

/// given user NAME PASSWORD | given message NAME TEXT | given OPTION
class Target final : public sim::DialogTarget {
  public:
    explicit Target(sim::VirtualScheduler& scheduler) : scheduler_(scheduler) {
        options_.mechanisms = {"PLAIN", "LOGIN", "SCRAM-SHA-256"};
        options_.starttls = true;
    }

    bool given(std::string_view text) override {
        if (text == "plaintext") return options_.plaintext_without_tls = true;
        if (text == "no starttls") return !(options_.starttls = false);
        const auto space = text.find(' ');
        const auto what = text.substr(0, space);
        auto rest = text.substr(space + 1);
        const std::string name(rest.substr(0, rest.find(' ')));
        rest = rest.substr(rest.find(' ') + 1);
        if (what == "user")
            maildrops_[name].password = rest;
        else if (what == "message")
            maildrops_[name].messages.push_back(unescaped(rest));
        else
            return false;
        return true;
    }
    bool script(std::string_view text) override {
        auto& maildrop = maildrops_["jo"];
        if (text == "bodies fail") return maildrop.body_fails = true;
        if (text == "commit fails") return maildrop.commit_fails = true;
        return false;
    }
    std::unique_ptr<base::Dialogue> connect(base::Waker&, const PeerInfo& peer) override {
        return std::make_unique<pop3::MemoryDialogue>(maildrops_, options_, peer, scheduler_.now(),
                                                      &log_);
    }
    std::vector<std::string> take_events() override { return std::exchange(log_, {}); }

  private:
    static std::string unescaped(std::string_view text) {
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
    sim::VirtualScheduler& scheduler_;
    pop3::Options options_;
    std::map<std::string, pop3::MemoryMaildrop> maildrops_;
    std::vector<std::string> log_;
};

} // namespace

TEST_CASE("POP3 dialogues go as written, octet by octet, and cut anywhere") {
    const auto problems = sim::run_dialogs("pop3", [](sim::VirtualScheduler& scheduler) {
        return std::make_unique<Target>(scheduler);
    });
    for (const auto& problem : problems) {
        INFO(problem);
        CHECK(false);
    }
}
