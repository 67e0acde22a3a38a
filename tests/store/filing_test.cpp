#include "libmailcore/store/filing.h"

#include "libmailcore/mime/parser.h"
#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/memory_store.h"
#include "tests/catch.h"
#include "tests/store/mail_account.h"

#include <chrono>

using namespace mailcore;
using namespace mailcore::store;
using test::MailAccount;

namespace {

std::unique_ptr<Store> memory(const base::Clock& clock) {
    return std::make_unique<MemoryStore>(clock);
}

constexpr Access owner{MailAccount::id, Rights::all()};

void fill(MailAccount& account, MailboxId mailbox, int messages) {
    for (int done = 0; done < messages; done += 1'000)
        REQUIRE(account.edit([&](AccountEdit& edit) -> TxnTask<Result<void>> {
            for (int n = 0; n < std::min(1'000, messages - done); ++n) {
                NewEmail email;
                email.pieces.push_back(Piece::of("text"));
                Filing filing;
                filing.mailbox = mailbox;
                MAILCORE_CO_TRY(file_email(edit, email, filing));
            }
            co_return Result<void>{};
        }));
}

double milliseconds_of(const std::function<void()>& work) {
    const base::SystemClock clock;
    const auto begin = clock.now();
    work();
    return std::chrono::duration<double, std::milli>(clock.now() - begin).count();
}

} // namespace

TEST_CASE("an email's octets are its pieces in order, read from anywhere") {
    MailAccount account(memory);
    const std::string body(100'000, 'b');
    const auto blob =
        test::run(account.scheduler(), test::hand_in(account.store(), account.scheduler(), body));
    REQUIRE(blob);
    const auto inbox = account.mailbox("INBOX").id;
    EmailId id;
    REQUIRE(account.edit([&](AccountEdit& edit) -> TxnTask<Result<void>> {
        const auto named = edit.txn().add_blob(**blob);
        NewEmail email;
        email.pieces.push_back(Piece::of("Delivered-To: me\r\n"));
        email.pieces.push_back(Piece::of(named, 10, 50'000));
        email.pieces.push_back(Piece::of("end"));
        email.pieces.push_back(Piece::of(named, 0, 5));
        email.structure = std::string(5'000, 's');
        email.structure_offset = 18;
        Filing filing;
        filing.mailbox = inbox;
        MAILCORE_CO_TRY(const auto filed, file_email(edit, email, filing));
        id = filed.email;
        co_return Result<void>{};
    }));
    const auto email =
        account.read([&](ReadTransaction& txn) { return read_email(txn, MailAccount::id, id); });
    REQUIRE(email);
    const auto whole = "Delivered-To: me\r\n" + body.substr(10, 50'000) + "end" + body.substr(0, 5);
    CHECK(email->size == whole.size());
    CHECK(email->structure == std::string(5'000, 's'));
    CHECK(email->structure_offset == 18);
    for (const std::size_t offset :
         {0UZ, 17UZ, 18UZ, 50'000UZ, whole.size() - 6, whole.size() - 1, whole.size()}) {
        INFO(offset);
        const auto read = test::run(account.scheduler(),
                                    read_octets(account.store(), email->pieces, offset, 40'000));
        REQUIRE(read);
        CHECK(*read == whole.substr(offset, 40'000));

        PiecesReader reader(account.store(), email->pieces);
        const auto rest = [&](std::size_t octets_max) -> Result<std::string> {
            std::string all;
            while (true) {
                auto next = test::run(account.scheduler(), reader.next(octets_max));
                if (!next) return next;
                if (next->empty()) return all;
                CHECK(next->size() <= octets_max);
                all += *next;
            }
        };
        reader.start(offset, 40'000 - std::min<std::size_t>(40'000, offset));
        CHECK(rest(SIZE_MAX) == whole.substr(offset, 40'000 - std::min(40'000UZ, offset)));
        reader.start(offset, whole.size() - offset);
        CHECK(rest(7'000) == whole.substr(offset));
        reader.start(offset, whole.size() - offset + 1);
        const auto short_of_it = rest(SIZE_MAX);
        REQUIRE(!short_of_it);
        CHECK(short_of_it.error().kind == ErrorKind::Corrupt);
    }
    // The body goes with the last message that needs it, not before.
    const auto trash = account.mailbox("Trash").id;
    REQUIRE(account.edit(
        [&](AccountEdit& edit) { return copy_messages(edit, inbox, UidSet::all(), trash); }));
    const auto empty = [&](MailboxId mailbox) {
        REQUIRE(account.edit([&](AccountEdit& edit) {
            return expunge(edit, mailbox, UidSet::all(), Expunge::All);
        }));
    };
    empty(inbox);
    CHECK(test::run(account.scheduler(), read_octets(account.store(), email->pieces, 100, 10)));
    empty(trash);
    const auto gone =
        test::run(account.scheduler(), read_octets(account.store(), email->pieces, 100, 10));
    REQUIRE(!gone);
    CHECK(gone.error().kind == ErrorKind::NotFound);
}

TEST_CASE("quota counts each email once and refuses what does not fit") {
    MailAccount account(memory, QuotaLimits{100, 3});
    const auto inbox = account.mailbox("INBOX").id;
    const auto sent = account.mailbox("Sent").id;
    REQUIRE(account.file(inbox, std::string(60, 'x')));
    REQUIRE(account.edit(
        [&](AccountEdit& edit) { return copy_messages(edit, inbox, UidSet::all(), sent); }));
    const auto too_large = account.file(inbox, std::string(41, 'x'));
    REQUIRE(!too_large);
    CHECK(too_large.error().kind == ErrorKind::LimitExceeded);
    REQUIRE(account.file(inbox, std::string(40, 'x')));
    CHECK_FALSE(account.file(inbox, "x"));
    REQUIRE(account.edit([](AccountEdit& edit) { return set_quota(edit, QuotaLimits{0, 3}); }));
    REQUIRE(account.file(inbox, "x"));
    CHECK_FALSE(account.file(inbox, "x"));
    REQUIRE(account.edit([](AccountEdit& edit) { return set_quota(edit, QuotaLimits{}); }));
    REQUIRE(account.file(inbox, "x"));
    CHECK(account.problems().empty());
}

TEST_CASE("answers join the thread of what they answer, whichever comes first") {
    MailAccount account(memory);
    const auto inbox = account.mailbox("INBOX").id;
    const auto reply = account.file(inbox, "r", {}, {"reply@x", "first@x"}, "Plans");
    const auto first = account.file(inbox, "f", {}, {"first@x"}, "plans");
    const auto sibling = account.file(inbox, "s", {}, {"sibling@x", "first@x"}, "Pl ans");
    const auto other = account.file(inbox, "o", {}, {"other@x", "first@x"}, "something else");
    const auto lonely = account.file(inbox, "l");
    REQUIRE(lonely);
    CHECK(first->thread == reply->thread);
    CHECK(sibling->thread == reply->thread);
    CHECK(other->thread != reply->thread);
    CHECK(lonely->thread != reply->thread);
    const auto members = [&](ThreadId thread) {
        return *account.read(
            [&](ReadTransaction& txn) { return thread_emails(txn, MailAccount::id, thread); });
    };
    CHECK(members(reply->thread).size() == 3);
    // The root is gone, and still known by those that mention it.
    REQUIRE(account.edit(
        [&](AccountEdit& edit) { return expunge(edit, inbox, UidSet(first->uid), Expunge::All); }));
    const auto late = account.file(inbox, "late", {}, {"late@x", "first@x"}, "plans");
    CHECK(late->thread == reply->thread);
    CHECK(members(reply->thread).size() == 3);
    REQUIRE(account.edit(
        [&](AccountEdit& edit) { return expunge(edit, inbox, UidSet::all(), Expunge::All); }));
    CHECK(members(reply->thread).empty());
    CHECK(account.file(inbox, "again", {}, {"x@x", "first@x"}, "plans")->thread > late->thread);
    CHECK(account.problems().empty());
}

TEST_CASE("what is known of a message is computed once and read back as it was") {
    mime::Parser parser;
    parser.feed("Message-ID: <own@x>\r\nIn-Reply-To: <near@x>\r\nReferences: <root@x> <near@x>\r\n"
                "Subject: Re: [list] Plans\r\nFrom: a@x.test\r\n\r\nHello\r\n");
    const auto parsed = parser.finish();
    NewEmail email;
    email.describe(parsed, 20);
    CHECK(email.message_ids == std::vector<std::string>{"own@x", "near@x", "near@x", "root@x"});
    CHECK(email.base_subject == "Plans");
    CHECK(email.structure_offset == 20);
    const auto again = mime::Structure::decode(email.structure);
    REQUIRE(again);
    CHECK(again->message_id == "own@x");
    CHECK(again->encoded() == email.structure);
    CHECK(thread_keys(email.message_ids, email.base_subject).size() == 3);
}

TEST_CASE("a message with thousands of addresses and parts is filed like any other") {
    std::string text = "To: ";
    for (int n = 0; n < 12'000; ++n)
        text += "Somebody with a name <recipient" + std::to_string(n) + "@domain.example>,\r\n ";
    text += "x@y.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (int n = 0; n < 2'500; ++n)
        text += "--b\r\nContent-Type: text/plain; name=\"" + std::string(200, 'n') +
                "\"\r\n\r\npart\r\n";
    text += "--b--\r\n";
    MailAccount account(memory);
    NewEmail email;
    email.describe(mime::parse(text), 0);
    email.pieces.push_back(Piece::of("stands for it"));
    Filing filing;
    filing.mailbox = account.mailbox("INBOX").id;
    const auto filed =
        account.edit([&](AccountEdit& edit) { return file_email(edit, email, filing); });
    REQUIRE(filed);
    const auto read = account.read(
        [&](ReadTransaction& txn) { return read_email(txn, MailAccount::id, filed->email); });
    REQUIRE(read);
    CHECK(read->structure == email.structure);
    CHECK(email.structure.size() < structure_octets_max / 2);
    CHECK(account.problems().empty());
}

TEST_CASE("a thread is found by its root however many ancestors are named") {
    std::vector<std::string> ids;
    for (int n = 0; n < 500; ++n) ids.push_back("ancestor" + std::to_string(n));
    const auto keys = thread_keys(ids, "s");
    CHECK(keys.size() == thread_keys_max);
    CHECK(keys.back() == thread_keys(std::vector<std::string>{"ancestor499"}, "S ").front());
    CHECK(thread_keys({}, "s").empty());
}

TEST_CASE("keywords keep their first spelling, and one that nobody has makes room") {
    MailAccount account(memory);
    const auto inbox = account.mailbox("INBOX").id;
    REQUIRE(account.file(inbox, "x"));
    const auto set = [&](StoreHow how, std::vector<std::string> keywords) {
        StoreFlags store;
        store.uids = UidSet::all();
        store.how = how;
        store.flags.keywords = std::move(keywords);
        return account.edit([&](AccountEdit& edit) { return store_flags(edit, inbox, store); });
    };
    const auto names = [&] {
        const auto batch = account.read([&](ReadTransaction& txn) {
            return read_flags(txn, owner, account.ref(inbox), UidSet::all());
        });
        std::vector<std::string> found;
        for (std::size_t n = 0; n < batch->keywords.size(); ++n)
            if ((batch->messages[0].keywords >> n & 1) != 0) found.push_back(batch->keywords[n]);
        return found;
    };
    REQUIRE(set(StoreHow::Add, {"Work"}));
    CHECK(set(StoreHow::Add, {"WORK", "work"})->changed.empty());
    CHECK(names() == std::vector<std::string>{"Work"});
    std::vector<std::string> many;
    for (std::size_t n = 0; n < keywords_max; ++n) many.push_back("k" + std::to_string(n));
    const auto too_many = set(StoreHow::Add, many);
    REQUIRE(!too_many);
    CHECK(too_many.error().kind == ErrorKind::LimitExceeded);
    REQUIRE(set(StoreHow::Remove, {"work", "never-seen"}));
    REQUIRE(set(StoreHow::Add, many));
    CHECK(names().size() == keywords_max);
    CHECK_FALSE(set(StoreHow::Add, {"more"}));
    REQUIRE(set(StoreHow::Remove, {"k7"}));
    REQUIRE(set(StoreHow::Replace, {"More"}));
    CHECK(names() == std::vector<std::string>{"More"});
    for (const auto* bad : {"", "a b", "\\Seen", "a(b", "a]b", "\xC3\xA4"}) {
        INFO(bad);
        CHECK(set(StoreHow::Add, {bad}).error().kind == ErrorKind::Rejected);
    }
    CHECK(is_keyword(std::string(keyword_octets_max, 'k')));
    CHECK_FALSE(is_keyword(std::string(keyword_octets_max + 1, 'k')));
    CHECK(account.problems().empty());
}

TEST_CASE("expunges beyond what the log keeps are answered with all that is missing") {
    MailAccount account(memory);
    const auto inbox = account.mailbox("INBOX").id;
    const auto begin = account.mailbox("INBOX").highest_modseq;
    const int messages = static_cast<int>(vanished_rows_max) + 200;
    fill(account, inbox, messages + 10);
    const auto filled = account.mailbox("INBOX").highest_modseq;
    ModSeq half;
    for (int uid = 1; uid <= messages; ++uid) {
        const auto done = account.edit([&](AccountEdit& edit) {
            return expunge(edit, inbox, UidSet(Uid{static_cast<std::uint32_t>(uid)}), Expunge::All);
        });
        REQUIRE(done);
        if (uid == messages / 2) half = done->modseq;
    }
    const auto since = [&](ModSeq modseq) {
        return *account.read([&](ReadTransaction& txn) {
            return changes_since(txn, owner, account.ref(inbox), modseq);
        });
    };
    const auto last = static_cast<std::uint32_t>(messages);
    CHECK_FALSE(since(begin).exact);
    CHECK_FALSE(since(filled).exact);
    CHECK(since(filled).vanished == UidSet(UidRange{Uid{1}, Uid{last}}));
    CHECK(since(filled).changed.empty());
    CHECK(since(half).exact);
    CHECK(since(half).vanished == UidSet(UidRange{Uid{last / 2 + 1}, Uid{last}}));
    CHECK(account.mailbox("INBOX").vanished_rows <= vanished_rows_max);
    CHECK(account.problems().empty());
}

TEST_CASE("the log of destroyed emails is bounded and says from where on it is complete") {
    MailAccount account(memory);
    const auto inbox = account.mailbox("INBOX").id;
    const auto begin = account.mailbox("INBOX").highest_modseq;
    const std::uint32_t count = destroyed_rows_max + 10;
    fill(account, inbox, static_cast<int>(count));
    const auto filled = account.mailbox("INBOX").highest_modseq;
    for (std::uint32_t uid = 1; uid <= count; ++uid)
        REQUIRE(account.edit([&](AccountEdit& edit) {
            return expunge(edit, inbox, UidSet(Uid{uid}), Expunge::All);
        }));
    const auto since = [&](ModSeq modseq) {
        return *account.read([&](ReadTransaction& txn) {
            return destroyed_since(txn, MailAccount::id, Collection::Email, modseq);
        });
    };
    CHECK_FALSE(since(begin).exact);
    const auto half = since(ModSeq{filled.value + count / 2});
    CHECK(half.exact);
    CHECK(half.ids.size() == count / 2);
    CHECK(account.problems().empty());
}

TEST_CASE("a message is recent until somebody has opened the mailbox for writing") {
    MailAccount account(memory);
    const auto inbox = account.mailbox("INBOX").id;
    const auto recent = [&] {
        return account
            .read(
                [&](ReadTransaction& txn) { return open_mailbox(txn, owner, account.ref(inbox)); })
            ->recent;
    };
    fill(account, inbox, 70);
    CHECK(recent() == 70);
    REQUIRE(account.edit([&](AccountEdit& edit) { return claim_recent(edit, inbox); }));
    CHECK(recent() == 0);
    fill(account, inbox, 3);
    CHECK(recent() == 3);
}

TEST_CASE("a change of everything is one row for 64 messages") {
    MailAccount account(memory);
    const auto inbox = account.mailbox("INBOX").id;
    constexpr int messages = 100'000;
    fill(account, inbox, messages);
    const auto before = account.mailbox("INBOX").highest_modseq;
    StoreFlags store;
    store.uids = UidSet::all();
    store.flags.system = Flag::Seen;
    const auto stored = milliseconds_of([&] {
        const auto done =
            account.edit([&](AccountEdit& edit) { return store_flags(edit, inbox, store); });
        REQUIRE(done);
        CHECK(done->changed.size() == messages);
    });
    MailboxSnapshot snapshot;
    const auto opened = milliseconds_of([&] {
        snapshot = *account.read(
            [&](ReadTransaction& txn) { return open_mailbox(txn, owner, account.ref(inbox)); });
    });
    CHECK(snapshot.uids == UidSet(UidRange{Uid{1}, Uid{messages}}));
    CHECK(snapshot.mailbox.unseen == 0);
    StoreFlags one;
    one.uids = UidSet(Uid{50'000});
    one.flags.system = Flag::Flagged;
    REQUIRE(account.edit([&](AccountEdit& edit) { return store_flags(edit, inbox, one); }));
    MailboxChanges changes;
    const auto looked = milliseconds_of([&] {
        changes = *account.read([&](ReadTransaction& txn) {
            return changes_since(txn, owner, account.ref(inbox), ModSeq{before.value + 1});
        });
    });
    REQUIRE(changes.changed.size() == 1);
    CHECK(changes.changed[0].uid == Uid{50'000});
    Copied moved;
    const auto archive = account.mailbox("Archive").id;
    const auto took = milliseconds_of([&] {
        moved = *account.edit(
            [&](AccountEdit& edit) { return move_messages(edit, inbox, UidSet::all(), archive); });
    });
    CHECK(moved.uids.size() == messages);
    WARN("100,000 messages in ms: STORE 1:* " << stored << ", SELECT " << opened
                                              << ", one change found " << looked << ", MOVE 1:* "
                                              << took);
}

TEST_CASE("rows that are no rows are named as corrupt") {
    using detail::FlagBlock;
    using detail::MessageBlock;
    FlagBlock flags;
    for (unsigned bit = 0; bit < 64; bit += 3)
        flags.put(bit, SystemFlags::from_bits(static_cast<std::uint8_t>(bit)), bit % 7,
                  ModSeq{bit / 9 + 1'000'000});
    const auto row = flags.encode();
    REQUIRE(FlagBlock::decode(row));
    CHECK(*FlagBlock::decode(row) == flags);
    MessageBlock messages;
    MessageBlock::Entry entry;
    entry.email = EmailId{1ULL << 40};
    entry.size = 1ULL << 33;
    entry.received.zone_minutes = -720;
    for (unsigned bit = 0; bit < 64; ++bit) messages.put(bit, entry);
    const auto other = messages.encode();
    REQUIRE(MessageBlock::decode(other));
    CHECK(MessageBlock::decode(other)->entries == messages.entries);
    for (std::size_t cut = 0; cut < row.size(); ++cut)
        CHECK_FALSE(FlagBlock::decode(row.substr(0, cut)));
    for (std::size_t cut = 0; cut < other.size(); ++cut)
        CHECK_FALSE(MessageBlock::decode(other.substr(0, cut)));
    CHECK_FALSE(FlagBlock::decode(row + "x"));
    auto newer = row;
    newer[0] = 2;
    CHECK_FALSE(FlagBlock::decode(newer));
}
