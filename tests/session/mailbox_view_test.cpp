#include "libmailcore/session/mailbox_view.h"

#include "libmailcore/base/random.h"
#include "libmailcore/store/memory_store.h"
#include "tests/catch.h"
#include "tests/store/mail_account.h"

#include <map>

using namespace mailcore;
using session::MailboxView;
using session::Numbering;
using store::Uid;
using store::UidRange;
using store::UidSet;

TEST_CASE("message numbers follow the gaps between UIDs") {
    const Numbering numbers(UidSet{{Uid{2}, Uid{4}}, {Uid{7}, Uid{7}}, {Uid{10}, Uid{12}}});
    CHECK(numbers.size() == 7);
    struct Case {
        std::uint32_t uid, number;
    };
    for (const auto& c : {Case{1, 0}, Case{2, 1}, Case{4, 3}, Case{5, 0}, Case{7, 4}, Case{10, 5},
                          Case{12, 7}, Case{13, 0}}) {
        INFO(c.uid);
        CHECK(numbers.number_of(Uid{c.uid}) == c.number);
        if (c.number != 0) CHECK(numbers.uid_at(c.number) == Uid{c.uid});
    }
    CHECK(numbers.last() == Uid{12});
    CHECK(numbers.uids_at(imap::NumberSet({{3, 5}, {7, 9}})) ==
          UidSet{{Uid{4}, Uid{4}}, {Uid{7}, Uid{7}}, {Uid{10}, Uid{10}}, {Uid{12}, Uid{12}}});
    CHECK(numbers.expunged(UidSet{{Uid{3}, Uid{4}}, {Uid{10}, Uid{10}}}) ==
          std::vector<std::uint32_t>{2, 2, 3});
}

namespace {

/// A client that believes every word: numbers in order, with the flags it was told.
struct Believer {
    struct Message {
        std::uint32_t uid = 0; // 0: not known yet, only that there is one
        std::uint8_t flags = 0;
    };
    std::vector<Message> messages;

    void hear(const MailboxView& view, const MailboxView::News& news) {
        for (const auto number : news.expunged) {
            REQUIRE(number >= 1);
            REQUIRE(number <= messages.size());
            messages.erase(messages.begin() + (number - 1));
        }
        for (const auto& changed : news.flags) {
            const auto at = std::ranges::find(messages, changed.uid.value, &Message::uid);
            REQUIRE(at != messages.end());
            at->flags = changed.system.bits();
        }
        if (!news.exists_changed) return;
        REQUIRE(view.exists() >= messages.size());
        for (auto number = static_cast<std::uint32_t>(messages.size()) + 1; number <= view.exists();
             ++number)
            messages.push_back({view.numbers().uid_at(number).value, 0});
    }
};

} // namespace

TEST_CASE("whatever several sessions do, each client that believes what it is told knows the truth "
          "at last") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        INFO(seed);
        test::MailAccount account(
            [](const base::Clock& clock) { return std::make_unique<store::MemoryStore>(clock); });
        const auto inbox = account.mailbox("INBOX").id;
        const auto ref = account.ref(inbox);
        const auto access = store::Access::owner(test::MailAccount::id);
        base::SeededRandom random(seed);
        struct Session {
            MailboxView view;
            Believer client;
        };
        std::vector<Session> sessions(3);
        const auto flags_now = [&](UidSet uids) {
            return account
                .read([&](store::ReadTransaction& txn) {
                    return store::read_flags(txn, access, ref, uids);
                })
                .value()
                .messages;
        };
        const auto open = [&](Session& session) {
            const auto snapshot = account
                                      .read([&](store::ReadTransaction& txn) {
                                          return store::open_mailbox(txn, access, ref);
                                      })
                                      .value();
            session.view = MailboxView(ref, snapshot);
            session.client.messages.clear();
            for (const auto& message : flags_now(UidSet::all()))
                session.client.messages.push_back({message.uid.value, message.system.bits()});
        };
        const auto refresh = [&](Session& session, MailboxView::Expunges expunges) {
            auto changes =
                account
                    .read([&](store::ReadTransaction& txn) {
                        return store::changes_since(txn, access, ref, session.view.modseq());
                    })
                    .value();
            const auto old = session.view.exists();
            const auto news = session.view.take(std::move(changes), expunges);
            if (expunges == MailboxView::Expunges::Later) CHECK(session.view.exists() >= old);
            session.client.hear(session.view, news);
            // New ones are fetched, as clients do.
            for (const auto& message : flags_now(session.view.numbers().uids()))
                if (const auto number = session.view.numbers().number_of(message.uid);
                    number > old && news.expunged.empty())
                    session.client.messages[number - 1].flags = message.system.bits();
            if (news.exists_changed)
                for (const auto& message : flags_now(session.view.numbers().uids()))
                    session.client.messages[session.view.numbers().number_of(message.uid) - 1]
                        .flags = message.system.bits();
        };
        for (auto& session : sessions) open(session);
        for (int step = 0; step < 150; ++step) {
            auto& session = sessions[random.next() % sessions.size()];
            switch (random.next() % 8) {
            case 0:
            case 1: REQUIRE(account.file(inbox, "Subject: x\r\n\r\n")); break;
            case 2:
            case 3: {
                if (session.view.exists() == 0) break;
                const auto number =
                    static_cast<std::uint32_t>(random.next() % session.view.exists()) + 1;
                store::StoreFlags wanted;
                wanted.uids.add(session.view.numbers().uid_at(number));
                wanted.how = store::StoreHow::Replace;
                wanted.flags.system =
                    store::SystemFlags::from_bits(static_cast<std::uint8_t>(random.next() % 32));
                REQUIRE(account.edit([&](store::AccountEdit& edit) {
                    return store::store_flags(edit, inbox, wanted);
                }));
                break;
            }
            case 4: {
                if (session.view.exists() == 0) break;
                const auto first =
                    static_cast<std::uint32_t>(random.next() % session.view.exists()) + 1;
                const auto uids =
                    session.view.numbers().uids_at(imap::NumberSet({{first, first + 2}}));
                REQUIRE(account.edit([&](store::AccountEdit& edit) {
                    return store::expunge(edit, inbox, uids, store::Expunge::All);
                }));
                break;
            }
            case 5: refresh(session, MailboxView::Expunges::Later); break;
            case 6: refresh(session, MailboxView::Expunges::Now); break;
            case 7:
                if (random.next() % 10 == 0) open(session);
                break;
            }
        }
        const auto truth = flags_now(UidSet::all());
        for (auto& session : sessions) {
            refresh(session, MailboxView::Expunges::Now);
            CHECK(!session.view.has_late_expunges());
            CHECK(session.view.exists() == truth.size());
            REQUIRE(session.client.messages.size() == truth.size());
            for (std::size_t i = 0; i < truth.size(); ++i) {
                CHECK(session.client.messages[i].uid == truth[i].uid.value);
                CHECK(session.client.messages[i].flags == truth[i].system.bits());
            }
        }
    }
}
