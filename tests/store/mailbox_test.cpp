#include "libmailcore/store/mailbox.h"

#include "libmailcore/store/keys.h"
#include "libmailcore/store/memory_store.h"
#include "tests/catch.h"
#include "tests/store/mail_account.h"

using namespace mailcore;
using namespace mailcore::store;
using test::MailAccount;

namespace {

std::unique_ptr<Store> memory(const base::Clock& clock) {
    return std::make_unique<MemoryStore>(clock);
}

constexpr Access owner{MailAccount::id, Rights::all()};

Result<CreatedMailbox> create(MailAccount& account, const std::string& path, Role role = Role::None,
                              Access access = owner) {
    CreateMailbox create;
    create.path = path;
    create.role = role;
    return account.edit([&](AccountEdit& edit) { return create_mailbox(edit, create); }, access);
}

std::vector<std::string> paths(MailAccount& account, Access access = owner) {
    const auto list = account.read(
        [&](ReadTransaction& txn) { return list_mailboxes(txn, access, MailAccount::id); });
    REQUIRE(list);
    std::vector<std::string> found;
    for (const auto& entry : list->mailboxes)
        found.push_back(entry.path + (entry.mailbox.selectable ? "" : " (name only)"));
    return found;
}

} // namespace

TEST_CASE("a new account has INBOX and the mailboxes that clients look for") {
    MailAccount account(memory);
    CHECK(paths(account) ==
          std::vector<std::string>{"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"});
    CHECK(account.mailbox("Sent").role == Role::Sent);
    CHECK(account.mailbox("inbox").role == Role::Inbox);
    CHECK(account.mailbox("INBOX").subscribed);
    CHECK(account.problems().empty());
}

TEST_CASE("paths of mailboxes are normalised, and what is no name is refused") {
    struct Case {
        const char* name;
        std::string path;
        std::string normal; // empty: refused
    };
    const Case cases[] = {
        {"plain", "a/b", "a/b"},
        {"INBOX in any case at the top", "iNbOx/Inbox", "INBOX/Inbox"},
        {"a separator at the end", "a/", "a"},
        {"decomposed characters", "Zoe\xCC\x88", "Zo\xC3\xAB"},
        {"wildcards are names too", "100%*", "100%*"},
        {"255 octets", std::string(255, 'x'), std::string(255, 'x')},
        {"256 octets", std::string(256, 'x'), ""},
        {"empty", "", ""},
        {"two separators at the end", "a//", ""},
        {"an empty level", "a//b", ""},
        {"at the front", "/a", ""},
        {"NUL", std::string("a\0b", 3), ""},
        {"a line end", "a\nb", ""},
        {"DEL", "a\x7F", ""},
        {"a C1 control", "a\xC2\x85", ""},
        {"a line separator", "a\xE2\x80\xA8", ""},
        {"not UTF-8", "a\xFF", ""},
        {"an overlong form", "a\xC0\xAF", ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto levels = split_path(c.path);
        CHECK(levels.has_value() == !c.normal.empty());
        if (levels)
            CHECK(join_path(*levels) == c.normal);
        else
            CHECK(levels.error().kind == ErrorKind::Rejected);
    }
    std::string deep = "a";
    for (std::size_t n = 1; n < mailbox_depth_max; ++n) deep += "/a";
    CHECK(split_path(deep));
    CHECK_FALSE(split_path(deep + "/a"));
}

TEST_CASE("a mailbox of the name of a deleted one has another UIDVALIDITY and MAILBOXID") {
    MailAccount account(memory);
    const auto first = create(account, "a");
    REQUIRE(first);
    const auto before = account.mailbox("a");
    REQUIRE(account.edit([](AccountEdit& edit) { return delete_mailbox(edit, "a"); }));
    const auto second = create(account, "a");
    REQUIRE(second);
    CHECK(second->id != first->id);
    CHECK(account.mailbox("a").uidvalidity > before.uidvalidity);
}

TEST_CASE("a deleted mailbox with others below it stays as a name until they are gone") {
    MailAccount account(memory);
    REQUIRE(create(account, "foo/bar"));
    const auto bar = account.mailbox("foo/bar").id;
    REQUIRE(account.file(account.mailbox("foo").id, "one"));
    REQUIRE(account.edit([](AccountEdit& edit) { return delete_mailbox(edit, "foo"); }));
    CHECK(paths(account)[6] == "foo (name only)");
    CHECK(account.mailbox("foo/bar").id == bar);
    const auto again = account.edit([](AccountEdit& edit) { return delete_mailbox(edit, "foo"); });
    REQUIRE(!again);
    CHECK(again.error().kind == ErrorKind::Rejected);
    const auto ref = account.ref(account.mailbox("foo").id);
    const auto opened =
        account.read([&](ReadTransaction& txn) { return open_mailbox(txn, owner, ref); });
    REQUIRE(!opened);
    CHECK(opened.error().kind == ErrorKind::Rejected);

    SECTION("and becomes a mailbox again when it is created") {
        REQUIRE(create(account, "foo"));
        CHECK(account.mailbox("foo").selectable);
        CHECK(account.mailbox("foo").exists == 0);
    }
    SECTION("and can be deleted when nothing is below it") {
        REQUIRE(account.edit([](AccountEdit& edit) { return delete_mailbox(edit, "foo/bar"); }));
        REQUIRE(account.edit([](AccountEdit& edit) { return delete_mailbox(edit, "foo"); }));
        CHECK(paths(account).size() == 6);
    }
    CHECK(account.problems().empty());
}

TEST_CASE("renaming INBOX moves its messages and leaves it and what is below it") {
    MailAccount account(memory);
    REQUIRE(create(account, "INBOX/sub"));
    const auto inbox = account.mailbox("INBOX").id;
    REQUIRE(account.file(inbox, "one"));
    const auto renamed =
        account.edit([](AccountEdit& edit) { return rename_mailbox(edit, "inbox", "old/mail"); });
    REQUIRE(renamed);
    CHECK(renamed->path == "old/mail");
    CHECK(account.mailbox("old/mail").exists == 1);
    CHECK(account.mailbox("INBOX").exists == 0);
    CHECK(account.mailbox("INBOX").id == inbox);
    CHECK_NOTHROW(account.mailbox("INBOX/sub"));
}

TEST_CASE("a role belongs to one mailbox, and INBOX keeps its own") {
    MailAccount account(memory);
    const auto conflict = create(account, "Gesendet", Role::Sent);
    REQUIRE(!conflict);
    CHECK(conflict.error().kind == ErrorKind::Conflict);
    CHECK_FALSE(create(account, "In", Role::Inbox));
    const auto sent = account.mailbox("Sent").id;
    REQUIRE(account.edit([&](AccountEdit& edit) { return set_role(edit, sent, Role::None); }));
    REQUIRE(create(account, "Gesendet", Role::Sent));
    CHECK_FALSE(account.edit([&](AccountEdit& edit) { return set_role(edit, sent, Role::Sent); }));
    const auto inbox = account.mailbox("INBOX").id;
    CHECK_FALSE(account.edit([&](AccountEdit& edit) { return set_role(edit, inbox, Role::None); }));
}

TEST_CASE("an error takes back everything of its transaction") {
    MailAccount account(memory);
    const auto before = account.mailbox("INBOX");
    const auto failed = account.edit([&](AccountEdit& edit) -> TxnTask<Result<void>> {
        CreateMailbox create;
        create.path = "x/y/z";
        MAILCORE_CO_TRY(create_mailbox(edit, create));
        co_return fail(ErrorKind::Conflict, "on purpose");
    });
    CHECK_FALSE(failed);
    CHECK(paths(account).size() == 6);
    CHECK(account.mailbox("INBOX") == before);
}

TEST_CASE("others see and do in a mailbox what its list lets them") {
    MailAccount account(memory);
    const AccountId friend_id{8};
    const Access guest{friend_id, Rights::all()};
    REQUIRE(create(account, "team/plans"));
    const auto plans = account.mailbox("team/plans").id;
    REQUIRE(account.file(plans, "one"));
    CHECK(paths(account, guest).empty());
    const auto grant = [&](Rights rights) {
        REQUIRE(account.edit(
            [&](AccountEdit& edit) { return set_acl(edit, plans, friend_id, rights); }));
    };
    const auto store = [&](SystemFlags flags, Access access = owner) {
        StoreFlags store;
        store.uids = UidSet::all();
        store.flags.system = flags;
        return account.edit([&](AccountEdit& edit) { return store_flags(edit, plans, store); },
                            access);
    };

    grant(Rights(Right::Lookup) | Right::Read | Right::KeepSeen);
    CHECK(paths(account, guest) == std::vector<std::string>{"team (name only)", "team/plans"});
    CHECK(store(Flag::Seen, guest));
    CHECK(store(SystemFlags(Flag::Seen) | Flag::Deleted, guest)->changed.empty());
    const auto refused = store(Flag::Deleted, guest);
    REQUIRE(!refused);
    CHECK(refused.error().kind == ErrorKind::Rejected);
    CHECK(create(account, "team/plans/sub", Role::None, guest).error().kind == ErrorKind::Rejected);
    const auto expunged = account.edit(
        [&](AccountEdit& edit) { return expunge(edit, plans, UidSet::all(), Expunge::All); },
        guest);
    CHECK(expunged.error().kind == ErrorKind::Rejected);
    // A login that may only read stays that, whatever the list says.
    const Access reader{friend_id, Rights::reading()};
    CHECK(store(Flag::Seen, reader).error().kind == ErrorKind::Rejected);

    grant(Rights{});
    CHECK(paths(account, guest).empty());
    const auto ref = account.ref(plans);
    const auto opened =
        account.read([&](ReadTransaction& txn) { return open_mailbox(txn, guest, ref); });
    CHECK(opened.error().kind == ErrorKind::NotFound);
}

TEST_CASE("a large mailbox is deleted at once and its messages little by little") {
    MailAccount account(memory);
    REQUIRE(create(account, "big"));
    const auto id = account.mailbox("big").id;
    REQUIRE(account.edit([&](AccountEdit& edit) -> TxnTask<Result<void>> {
        for (int n = 0; n < 3'000; ++n) {
            NewEmail email;
            email.pieces.push_back(Piece::of("text"));
            Filing filing;
            filing.mailbox = id;
            MAILCORE_CO_TRY(file_email(edit, email, filing));
        }
        co_return Result<void>{};
    }));
    const auto deleted =
        account.edit([](AccountEdit& edit) { return delete_mailbox(edit, "big"); });
    REQUIRE(deleted);
    CHECK(deleted->messages_left);
    CHECK(paths(account).size() == 6);
    CHECK(account.problems().empty());
    int rounds = 0;
    for (bool more = true; more; ++rounds) {
        const auto done = account.edit([](AccountEdit& edit) { return reclaim(edit, 500); });
        REQUIRE(done);
        more = *done;
    }
    CHECK(rounds > 3);
    CHECK(account.problems().empty());
    const auto held =
        account.read([](ReadTransaction& txn) { return quota(txn, MailAccount::id); });
    CHECK(held->usage == QuotaUsage{});
}

TEST_CASE("the store is empty of an account that was erased") {
    MailAccount account(memory);
    for (int n = 0; n < 50; ++n) REQUIRE(account.file(account.mailbox("INBOX").id, "some text"));
    for (bool more = true; more;) {
        const auto done =
            test::run(account.scheduler(), account.store().write([](WriteTransaction& txn) {
                return erase_account(txn, MailAccount::id, 20);
            }));
        REQUIRE(done);
        more = *done;
    }
    CHECK(account.read([](ReadTransaction& txn) { return list_accounts(txn); })->empty());
}

TEST_CASE("after a restore every mailbox has another UIDVALIDITY and the account another epoch") {
    MailAccount account(memory);
    const auto before = account.mailbox("INBOX");
    REQUIRE(account.edit([](AccountEdit& edit) { return renew_epoch(edit); }));
    CHECK(account.mailbox("INBOX").uidvalidity > before.uidvalidity);
    const auto state =
        account.read([](ReadTransaction& txn) { return account_state(txn, MailAccount::id); });
    CHECK(state->epoch == 2);
}

TEST_CASE("a change is announced once, with its mod-sequence and its mailboxes") {
    MailAccount account(memory);
    std::vector<Change> told;
    const auto subscription =
        account.store().subscribe(account.scheduler(), MailAccount::id,
                                  [&](const Change& change) { told.push_back(change); });
    const auto inbox = account.mailbox("INBOX").id;
    const auto filed = account.file(inbox, "one");
    REQUIRE(filed);
    account.scheduler().run_ready();
    REQUIRE(told.size() == 1);
    CHECK(told[0].modseq == filed->modseq);
    CHECK(told[0].mailboxes == std::vector<MailboxId>{inbox});
    REQUIRE(account.edit([&](AccountEdit& edit) { return claim_recent(edit, inbox); }));
    account.scheduler().run_ready();
    CHECK(told.size() == 1);
}

TEST_CASE("a mailbox opens the same with overviews, without them, and never with wrong ones") {
    MailAccount account(memory);
    const auto inbox = account.mailbox("INBOX").id;
    const auto ref = account.ref(inbox);
    // More than one overview holds, in blocks that are full, in part there, and gone.
    constexpr std::uint32_t messages = 4'300;
    REQUIRE(account.edit([&](AccountEdit& edit) -> TxnTask<Result<bool>> {
        for (std::uint32_t n = 0; n < messages; ++n) {
            NewEmail email;
            email.pieces.push_back(Piece::of("x"));
            Filing filing;
            filing.mailbox = inbox;
            filing.flags.system = Flag::Seen;
            MAILCORE_CO_TRY(file_email(edit, std::move(email), std::move(filing)));
        }
        co_return true;
    }));
    const auto change = [&](UidSet uids, StoreHow how, SystemFlags flags) {
        StoreFlags store;
        store.uids = std::move(uids);
        store.how = how;
        store.flags.system = flags;
        REQUIRE(account.edit([&](AccountEdit& edit) { return store_flags(edit, inbox, store); }));
    };
    const UidSet gone{{Uid{65}, Uid{128}}, {Uid{200}, Uid{200}}, {Uid{4'200}, Uid{4'210}}};
    change(gone, StoreHow::Add, Flag::Deleted);
    change(UidSet(Uid{4'215}), StoreHow::Remove, Flag::Seen);
    REQUIRE(account.edit(
        [&](AccountEdit& edit) { return expunge(edit, inbox, UidSet::all(), Expunge::Deleted); }));
    const auto open = [&] {
        auto opened =
            account.read([&](ReadTransaction& txn) { return open_mailbox(txn, owner, ref); });
        REQUIRE(opened);
        return *std::move(opened);
    };
    const auto with = open();
    CHECK(with.uids == UidSet({{Uid{1}, Uid{messages}}}).without(gone));
    CHECK(with.first_unseen == Uid{4'215});
    CHECK(account.problems().empty());

    const auto rows = Key(MailAccount::id, Table::Overview).id(inbox);
    const auto rewrite = [&](auto row) {
        REQUIRE(account.edit([&](AccountEdit& edit) -> TxnTask<Result<std::size_t>> {
            const auto end = rows.end();
            MAILCORE_CO_TRY(const auto found, edit.txn().range(rows.str(), end, 10));
            for (const auto& one : found) row(edit.txn(), one);
            co_return found.size();
        }) == 2);
    };
    SECTION("a store of before has none") {
        rewrite([](WriteTransaction& txn, const Row& row) { txn.erase(row.key); });
        const auto without = open();
        CHECK(without.uids == with.uids);
        CHECK(without.first_unseen == with.first_unseen);
        change(UidSet(Uid{1}), StoreHow::Remove, Flag::Seen); // writes the first, of all its blocks
        CHECK(open().uids == with.uids);
        CHECK(open().first_unseen == Uid{1});
        CHECK(account.problems().empty());
    }
    SECTION("a wrong one is found by the check") {
        rewrite([](WriteTransaction& txn, const Row& row) {
            auto value = row.value;
            value[1] =
                static_cast<char>(value[1] | 2); // the second block, of which nothing is left
            txn.put(row.key, std::move(value));
        });
        CHECK(account.problems().size() == 1);
    }
    SECTION("one that contradicts itself is damaged, and as if it were not there") {
        rewrite([](WriteTransaction& txn, const Row& row) {
            txn.put(row.key, row.value.substr(0, 9) + std::string(24, '\xFF'));
        });
        CHECK(account.problems().size() == 2);
        CHECK(open().uids == with.uids);
        CHECK(open().first_unseen == with.first_unseen);
    }
}
