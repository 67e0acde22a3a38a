// Senders and readers.
#include "tests/bench/mdload/actors.h"

#include <algorithm>

#include <fmt/format.h>

namespace mailcore::mdload {

Sender::Sender(Crew& crew, const Load& load, const SmtpSettings& settings, Letters& letters)
    : crew_(crew), load_(load), letters_(letters), client_(crew.loop(), settings) {
    client_.on_ready = [this] { crew_.ready(*this); };
    client_.on_accepted = [this] { crew_.completed(*this, 1, client_.letter_octets()); };
    client_.on_failed = [this](const std::string& why) { crew_.failed(*this, why); };
}

void Sender::prepare() {
    sent_ = 0;
    client_.open(); // `ready` begins the operation that is due, if there is one
}

void Sender::operate() {
    if (sent_++ == load_.per_connection) {
        client_.quit();
        return prepare();
    }
    recipients_.clear();
    const auto turn = crew_.turn();
    for (std::size_t i = 0; i < load_.recipients; ++i)
        recipients_.push_back(load_.address(turn * load_.recipients + i));
    client_.send(load_.sender, recipients_, letters_);
}

Reader::Reader(Crew& crew, const Load& load, std::size_t account, bool select)
    : crew_(crew), load_(load), client_(crew.loop(), load.endpoint), user_(load.account(account)),
      select_(select) {
    if (load.verify)
        client_.on_letter = [this](const LetterCheck& check) { crew_.tally().saw(check); };
}

void Reader::prepare() {
    client_.on_failed = [this](const std::string& why) { crew_.failed(*this, why); };
    client_.open(user_, [this] {
        if (!select_) return crew_.ready(*this);
        client_.run("SELECT " + load_.mailbox, [this] { crew_.ready(*this); });
    });
}

void Reader::run(std::string_view command, std::uint64_t items_per_operation) {
    client_.run(command, [this, items_per_operation] {
        crew_.completed(*this, items_per_operation > 0 ? items_per_operation : client_.fetched(),
                        client_.literal_octets());
    });
}

void Appender::operate() {
    const auto count = load_.batch;
    client_.append(load_.mailbox, letters_, count,
                   [this, count] { crew_.completed(*this, count, client_.appended_octets()); });
}

void Flagger::operate() {
    if (next_ > client_.exists()) {
        next_ = first_;
        set_ = !set_;
        if (client_.exists() < first_)
            return crew_.failed(*this, "the mailbox has too few messages");
    }
    run(fmt::format("STORE {} {}FLAGS (\\Flagged)", next_, set_ ? '+' : '-'), 1);
    next_ += step_;
}

Commander::Commander(Crew& crew, const Load& load, std::size_t account,
                     std::vector<std::string> commands, bool select)
    : Reader(crew, load, account, select), commands_(std::move(commands)) {}

void Commander::operate() { run(commands_[next_++ % commands_.size()], 0); }

void Selector::operate() {
    client_.run("SELECT " + load_.mailbox, [this] {
        const auto took = crew_.loop().now() - crew_.due(*this);
        client_.run("UNSELECT", [this, took] { crew_.completed_after(*this, took); });
    });
}

void Grower::grow() {
    const auto there = client_.exists();
    if (there == 0) return crew_.failed(*this, "the mailbox is empty");
    if (there >= messages_) return crew_.completed(*this, there);
    const auto more = std::min<std::uint64_t>(there, messages_ - there);
    client_.run(fmt::format("COPY 1:{} {}", more, load_.mailbox),
                [this] { client_.run("NOOP", [this] { grow(); }); });
}

Visitor::Visitor(Crew& crew, const Load& load, std::size_t account, Stay stay)
    : crew_(crew), load_(load), client_(crew.loop(), load.endpoint), user_(load.account(account)),
      stay_(stay) {
    if (load.verify)
        client_.on_letter = [this](const LetterCheck& check) { crew_.tally().saw(check); };
}

void Visitor::operate() {
    client_.on_failed = [this](const std::string& why) { crew_.failed(*this, why); };
    client_.open(user_, [this] {
        switch (stay_) {
        case Stay::Login: return leave();
        case Stay::Select: return client_.run("SELECT " + load_.mailbox, [this] { leave(); });
        case Stay::Reading: return client_.run("SELECT " + load_.mailbox, [this] { read(); });
        }
    });
}

void Visitor::read() {
    if (client_.exists() == 0) return leave();
    client_.run("FETCH 1:* (UID FLAGS ENVELOPE)", [this] {
        // Another session of this account may have expunged what was counted: by `*`, not number.
        client_.run("FETCH * (BODY.PEEK[])", [this] {
            client_.run("STORE 1:* +FLAGS.SILENT (\\Seen \\Deleted)",
                        [this] { client_.run("EXPUNGE", [this] { leave(); }); });
        });
    });
}

void Visitor::leave() {
    client_.run("LOGOUT", [this] {
        if (client_.resumed()) ++crew_.tally().resumed;
        client_.close();
        crew_.completed(*this);
    });
}

Idler::Idler(Crew& crew, const Load& load, std::size_t account)
    : crew_(crew), load_(load), client_(crew.loop(), load.endpoint), user_(load.account(account)) {}

void Idler::prepare() {
    client_.on_failed = [this](const std::string& why) {
        lost_ = true;
        crew_.failed(*this, why);
    };
    client_.open(user_, [this] {
        client_.run("SELECT " + load_.mailbox, [this] {
            client_.idle([this] {
                client_.rest();
                crew_.ready(*this);
            });
        });
    });
}

Waiter::Waiter(Crew& crew, const Load& load, std::size_t account, const SmtpSettings& settings,
               Letters& letters)
    : crew_(crew), load_(load), client_(crew.loop(), load.endpoint), sender_(crew.loop(), settings),
      letters_(letters), user_(load.account(account)), recipients_{load.address(account)} {
    client_.on_exists = [this](std::uint32_t count) {
        if (count <= exists_) return;
        exists_ = count;
        announced_ = true;
        seen();
    };
    sender_.on_accepted = [this] {
        accepted_ = true;
        accepted_at_ = crew_.loop().now();
        seen();
    };
    sender_.on_ready = [this] { crew_.ready(*this); };
}

void Waiter::prepare() {
    const auto failed = [this](const std::string& why) { crew_.failed(*this, why); };
    client_.on_failed = sender_.on_failed = failed;
    sender_.close();
    exists_ = 0;
    sent_ = 0;
    client_.open(user_, [this] {
        client_.run("SELECT " + load_.mailbox,
                    [this] { client_.idle([this] { sender_.open(); }); });
    });
}

void Waiter::operate() {
    if (sent_++ == load_.per_connection) {
        sent_ = 0;
        sender_.quit();
        return sender_.open();
    }
    accepted_ = announced_ = false;
    sender_.send(load_.sender, recipients_, letters_);
}

void Waiter::seen() {
    // Announced before the 250 was read: no time at all.
    if (accepted_ && announced_)
        crew_.completed_after(*this,
                              std::max<std::chrono::nanoseconds>(crew_.loop().now() - accepted_at_,
                                                                 std::chrono::nanoseconds(0)));
}

void Waiter::finish() {
    sender_.quit();
    client_.close();
}

Popper::Popper(Crew& crew, const Load& load, std::size_t account, const Endpoint& endpoint)
    : crew_(crew), load_(load), client_(crew.loop(), endpoint), user_(load.account(account)) {
    if (load.verify)
        client_.on_letter = [this](const LetterCheck& check) { crew_.tally().saw(check); };
}

void Popper::operate() {
    client_.on_failed = [this](const std::string& why) { crew_.failed(*this, why); };
    client_.open(user_, [this] {
        if (client_.messages() == 0) {
            client_.quit();
            return crew_.completed(*this, 0);
        }
        crew_.restart_clock(*this);
        client_.retrieve_all(load_.ahead, [this] {
            const auto messages = client_.messages();
            const auto octets = client_.octets();
            client_.quit();
            crew_.completed(*this, messages, octets);
        });
    });
}

} // namespace mailcore::mdload
