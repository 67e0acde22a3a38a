// Thousands of random changes, made to the real model and to a naive one, which must look alike.
#include "libmailcore/base/random.h"
#include "libmailcore/store/journal_store.h"
#include "libmailcore/store/memory_store.h"
#include "tests/catch.h"
#include "tests/store/mail_account.h"
#include "tests/store/reference_model.h"
#include "tests/temporary_folder.h"

#include <cstdlib>

using namespace mailcore;
using namespace mailcore::store;
using mailcore::test::ReferenceAccount;
using mailcore::test::ReferenceMailbox;
using mailcore::test::ReferenceMessage;

namespace {

constexpr Access owner = Access{test::MailAccount::id, Rights::all()};

class Play {
  public:
    Play(const test::StoreMaker& make, std::uint64_t seed) : real_(make), random_(seed) {
        const auto list = listing();
        model_.modseq = list.modseq.value;
        for (const auto& entry : list.mailboxes) {
            auto& box = model_.mailboxes[entry.path];
            box.id = entry.mailbox.id;
            box.subscribed = true;
            box.highest = entry.mailbox.highest_modseq.value;
        }
    }

    void step() {
        scheduler_jump();
        switch (random_.below(20)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4: return file();
        case 5:
        case 6:
        case 7:
        case 8:
        case 9: return store_flags();
        case 10:
        case 11: return copy_or_move(false);
        case 12:
        case 13: return copy_or_move(true);
        case 14:
        case 15: return expunge();
        case 16: return create();
        case 17: return rename();
        case 18: return remove();
        case 19: return subscribe();
        }
    }

    void compare() {
        compare_list();
        for (auto& [path, box] : model_.mailboxes)
            if (box.selectable) compare_mailbox(path, box);
        for (int n = 0; n < 3; ++n) compare_destroyed(random_.below(model_.modseq + 1));
        const auto held =
            real_.read([](ReadTransaction& txn) { return quota(txn, test::MailAccount::id); });
        REQUIRE(held);
        CHECK(held->usage.octets == model_.octets());
        const auto problems = real_.problems();
        INFO((problems.empty() ? std::string("none") : problems.front()));
        CHECK(problems.empty());
    }
    void restart() { real_.restart(); }

  private:
    void scheduler_jump() { real_.scheduler().jump_wall(std::chrono::seconds{random_.below(100)}); }

    MailboxList listing() {
        auto list = real_.read(
            [](ReadTransaction& txn) { return list_mailboxes(txn, owner, test::MailAccount::id); });
        REQUIRE(list);
        return *list;
    }

    std::string some_path() {
        auto at = model_.mailboxes.begin();
        std::advance(at, random_.below(model_.mailboxes.size()));
        return at->first;
    }
    std::string some_mailbox() {
        for (;;) {
            auto path = some_path();
            if (model_.at(path).selectable) return path;
        }
    }
    std::string new_path() {
        static const std::vector<std::string> names{"a", "b", "c", "Zoë", "d e"};
        auto path = names[random_.below(names.size())];
        for (auto more = random_.below(3); more > 0; --more)
            path += "/" + names[random_.below(names.size())];
        if (random_.below(8) == 0) path = "INBOX/" + path;
        return path;
    }
    NamedFlags some_flags() {
        static const std::vector<std::string> names{"$Forwarded", "Work", "urgent", "$Junk"};
        NamedFlags flags;
        flags.system = SystemFlags::from_bits(static_cast<std::uint8_t>(random_.below(32)));
        for (const auto& name : names)
            if (random_.below(4) == 0) flags.keywords.push_back(name);
        return flags;
    }
    UidSet some_uids(const ReferenceMailbox& box) {
        UidSet uids;
        if (random_.below(6) == 0) return UidSet::all();
        for (auto n = random_.below(4) + 1; n > 0; --n) {
            const auto first = static_cast<std::uint32_t>(random_.below(box.uidnext + 5) + 1);
            const auto last =
                first + static_cast<std::uint32_t>(random_.below(random_.below(5) == 0 ? 90 : 4));
            uids.add(UidRange{Uid{first}, Uid{last}});
        }
        return uids;
    }
    static std::set<std::uint32_t> existing(const ReferenceMailbox& box, const UidSet& uids) {
        std::set<std::uint32_t> found;
        for (const auto& [uid, message] : box.messages)
            if (uids.contains(Uid{uid})) found.insert(uid);
        return found;
    }
    static UidSet to_set(const std::set<std::uint32_t>& uids) {
        UidSet set;
        for (const auto uid : uids) set.add(Uid{uid});
        return set;
    }

    void file() {
        const auto path = some_mailbox();
        auto& box = model_.at(path);
        const auto count = random_.below(10) == 0 ? 80 : 1;
        const auto flags = some_flags();
        std::vector<Filed> filed;
        const auto size = random_.below(3'000) + 1;
        Received received;
        received.at = base::wall_time(base::unix_seconds(real_.scheduler().wall_now()));
        received.zone_minutes = static_cast<std::int16_t>(random_.below(1'441)) - 720;
        const auto done = real_.edit([&](AccountEdit& edit) -> TxnTask<Result<void>> {
            filed.clear();
            for (int n = 0; n < count; ++n) {
                NewEmail email;
                email.pieces.push_back(Piece::of(std::string(size, 'x')));
                email.message_ids.push_back("id" + std::to_string(random_.below(50)));
                Filing filing;
                filing.mailbox = box.id;
                filing.flags = flags;
                filing.received = received;
                MAILCORE_CO_TRY(const auto one, file_email(edit, email, filing));
                filed.push_back(one);
            }
            co_return Result<void>{};
        });
        REQUIRE(done);
        ++model_.modseq;
        for (const auto& one : filed) {
            ReferenceMessage message;
            message.email = one.email;
            message.size = size;
            message.received = received;
            message.system = flags.system;
            message.keywords = {flags.keywords.begin(), flags.keywords.end()};
            CHECK(one.modseq.value == model_.modseq);
            CHECK(model_.add(box, message) == one.uid.value);
        }
    }

    void store_flags() {
        const auto path = some_mailbox();
        auto& box = model_.at(path);
        StoreFlags store;
        store.uids = some_uids(box);
        store.how = static_cast<StoreHow>(random_.below(3));
        store.flags = some_flags();
        if (random_.below(3) == 0) store.unchanged_since = ModSeq{random_.below(model_.modseq + 1)};
        const auto stored =
            real_.edit([&](AccountEdit& edit) { return store::store_flags(edit, box.id, store); });
        REQUIRE(stored);
        std::set<std::uint32_t> matched, changed, modified;
        for (const auto uid : existing(box, store.uids)) {
            auto& message = box.messages[uid];
            if (store.unchanged_since && message.modseq > store.unchanged_since->value) {
                modified.insert(uid);
                continue;
            }
            matched.insert(uid);
            const std::set<std::string> asked(store.flags.keywords.begin(),
                                              store.flags.keywords.end());
            auto system = message.system;
            auto keywords = message.keywords;
            if (store.how == StoreHow::Replace) {
                system = store.flags.system;
                keywords = asked;
            } else if (store.how == StoreHow::Add) {
                system = system | store.flags.system;
                keywords.insert(asked.begin(), asked.end());
            } else {
                system = SystemFlags::from_bits(
                    static_cast<std::uint8_t>(system.bits() & ~store.flags.system.bits()));
                for (const auto& name : asked) keywords.erase(name);
            }
            if (system == message.system && keywords == message.keywords) continue;
            changed.insert(uid);
            message.system = system;
            message.keywords = keywords;
            message.modseq = model_.modseq + 1;
        }
        if (!changed.empty()) box.highest = ++model_.modseq;
        CHECK(stored->matched == to_set(matched));
        CHECK(stored->changed == to_set(changed));
        CHECK(stored->modified == to_set(modified));
    }

    void copy_or_move(bool move) {
        const auto from_path = some_mailbox();
        const auto to_path = some_mailbox();
        auto& from = model_.at(from_path);
        auto& to = model_.at(to_path);
        const auto uids = some_uids(from);
        const auto wanted = existing(from, uids);
        if (from.messages.size() + to.messages.size() > 600 && !move) return;
        const auto copied = real_.edit([&](AccountEdit& edit) {
            return move ? move_messages(edit, from.id, uids, to.id)
                        : copy_messages(edit, from.id, uids, to.id);
        });
        REQUIRE(copied);
        std::vector<std::pair<Uid, Uid>> pairs;
        if (!wanted.empty()) {
            ++model_.modseq;
            std::vector<std::pair<std::uint32_t, ReferenceMessage>> messages;
            if (move) {
                messages = model_.take(from, wanted, false);
            } else {
                for (const auto uid : wanted) messages.emplace_back(uid, from.messages[uid]);
            }
            for (auto& [uid, message] : messages)
                pairs.emplace_back(Uid{uid}, Uid{model_.add(to, message)});
        }
        CHECK(copied->uids == pairs);
    }

    void expunge() {
        const auto path = some_mailbox();
        auto& box = model_.at(path);
        const auto uids = some_uids(box);
        const auto which = random_.below(2) == 0 ? Expunge::Deleted : Expunge::All;
        auto wanted = existing(box, uids);
        if (which == Expunge::Deleted)
            std::erase_if(wanted,
                          [&](auto uid) { return !box.messages[uid].system.has(Flag::Deleted); });
        UidSet gone;
        UidSet left = uids;
        while (!left.empty()) {
            const auto done = real_.edit(
                [&](AccountEdit& edit) { return store::expunge(edit, box.id, left, which, 40); });
            REQUIRE(done);
            if (!done->uids.empty()) {
                ++model_.modseq;
                std::set<std::uint32_t> some;
                done->uids.for_each([&](Uid uid) { some.insert(uid.value); });
                model_.take(box, some, true);
            }
            gone.add(done->uids);
            left = done->left;
        }
        CHECK(gone == to_set(wanted));
    }

    void create() {
        const auto path = new_path();
        if (model_.mailboxes.size() > 14) return;
        CreateMailbox create;
        create.path = path;
        create.subscribe = random_.below(2) == 0;
        const auto created =
            real_.edit([&](AccountEdit& edit) { return create_mailbox(edit, create); });
        const auto found = model_.mailboxes.find(path);
        if (found != model_.mailboxes.end() && found->second.selectable) {
            REQUIRE(!created);
            CHECK(created.error().kind == ErrorKind::Conflict);
            return;
        }
        REQUIRE(created);
        ++model_.modseq;
        make_levels(path);
        auto& box = model_.at(path);
        box.selectable = true;
        box.subscribed = box.subscribed || create.subscribe;
    }

    /// The levels of a path that are missing; ids are read from the real one.
    void make_levels(const std::string& path) {
        const auto list = listing();
        for (std::size_t cut = 0; cut != std::string::npos;) {
            cut = path.find('/', cut + 1);
            const auto level = path.substr(0, cut);
            if (model_.mailboxes.contains(level)) continue;
            auto& box = model_.mailboxes[level];
            box.highest = model_.modseq;
            box.subscribed = model_.subscribed_only.erase(level) > 0;
            for (const auto& entry : list.mailboxes)
                if (entry.path == level) box.id = entry.mailbox.id;
        }
    }

    void rename() {
        const auto from = some_path();
        const auto to = new_path();
        const auto renamed =
            real_.edit([&](AccountEdit& edit) { return rename_mailbox(edit, from, to); });
        if (model_.mailboxes.contains(to)) {
            REQUIRE(!renamed);
            CHECK(renamed.error().kind == ErrorKind::Conflict);
            return;
        }
        if (from != "INBOX" && to.starts_with(from + "/")) {
            REQUIRE(!renamed);
            CHECK(renamed.error().kind == ErrorKind::Rejected);
            return;
        }
        REQUIRE(renamed);
        ++model_.modseq;
        if (from == "INBOX") {
            make_levels(to);
            auto& inbox = model_.at("INBOX");
            std::set<std::uint32_t> all;
            for (const auto& [uid, message] : inbox.messages) all.insert(uid);
            for (auto& [uid, message] : model_.take(inbox, all, false))
                model_.add(model_.at(to), message);
            return;
        }
        const auto cut = to.rfind('/');
        if (cut != std::string::npos) make_levels(to.substr(0, cut));
        std::vector<std::pair<std::string, ReferenceMailbox>> moved;
        for (const auto& [path, box] : model_.mailboxes)
            if (path == from || path.starts_with(from + "/"))
                moved.emplace_back(to + path.substr(from.size()), box);
        std::erase_if(model_.mailboxes, [&](const auto& entry) {
            return entry.first == from || entry.first.starts_with(from + "/");
        });
        for (auto& [path, box] : moved) model_.mailboxes[path] = std::move(box);
        if (model_.subscribed_only.erase(to) > 0) model_.at(to).subscribed = true;
    }

    void remove() {
        const auto path = some_path();
        const auto deleted =
            real_.edit([&](AccountEdit& edit) { return delete_mailbox(edit, path); });
        auto& box = model_.at(path);
        const bool name_only = !box.selectable && model_.has_children(path);
        if (path == "INBOX" || name_only) {
            REQUIRE(!deleted);
            CHECK(deleted.error().kind == ErrorKind::Rejected);
            return;
        }
        REQUIRE(deleted);
        CHECK_FALSE(deleted->messages_left);
        ++model_.modseq;
        std::set<std::uint32_t> all;
        for (const auto& [uid, message] : box.messages) all.insert(uid);
        model_.take(box, all, true);
        const bool subscribed = box.subscribed;
        const bool children = model_.has_children(path);
        model_.mailboxes.erase(path);
        if (children) {
            auto& name = model_.mailboxes[path];
            name.selectable = false;
            name.subscribed = subscribed;
            name.highest = model_.modseq;
            for (const auto& entry : listing().mailboxes)
                if (entry.path == path) name.id = entry.mailbox.id;
        } else if (subscribed) {
            model_.subscribed_only.insert(path);
        }
    }

    void subscribe() {
        const auto path = random_.below(3) == 0 ? new_path() : some_path();
        const auto wanted = random_.below(2) == 0 ? Subscribed::Yes : Subscribed::No;
        REQUIRE(real_.edit([&](AccountEdit& edit) { return set_subscribed(edit, path, wanted); }));
        const auto found = model_.mailboxes.find(path);
        if (found != model_.mailboxes.end()) {
            if (found->second.subscribed != (wanted == Subscribed::Yes)) ++model_.modseq;
            found->second.subscribed = wanted == Subscribed::Yes;
        } else if (wanted == Subscribed::Yes) {
            model_.subscribed_only.insert(path);
        } else {
            model_.subscribed_only.erase(path);
        }
    }

    void compare_list() {
        const auto list = listing();
        CHECK(list.modseq.value == model_.modseq);
        CHECK(list.subscribed_only == std::vector<std::string>(model_.subscribed_only.begin(),
                                                               model_.subscribed_only.end()));
        REQUIRE(list.mailboxes.size() == model_.mailboxes.size());
        std::set<std::uint32_t> validities;
        for (const auto& entry : list.mailboxes) {
            INFO(entry.path);
            const auto found = model_.mailboxes.find(entry.path);
            REQUIRE(found != model_.mailboxes.end());
            const auto& box = found->second;
            CHECK(entry.mailbox.id == box.id);
            CHECK(entry.mailbox.selectable == box.selectable);
            CHECK(entry.mailbox.subscribed == box.subscribed);
            CHECK(entry.has_children == model_.has_children(entry.path));
            CHECK(entry.mailbox.uidnext.value == box.uidnext);
            CHECK(entry.mailbox.exists == box.messages.size());
            CHECK(entry.mailbox.highest_modseq.value == box.highest);
            std::uint32_t unseen = 0, deleted = 0;
            std::uint64_t octets = 0;
            for (const auto& [uid, message] : box.messages) {
                if (!message.system.has(Flag::Seen)) ++unseen;
                if (message.system.has(Flag::Deleted)) ++deleted;
                octets += message.size;
            }
            CHECK(entry.mailbox.unseen == unseen);
            CHECK(entry.mailbox.deleted == deleted);
            CHECK(entry.mailbox.octets == octets);
            CHECK(validities.insert(entry.mailbox.uidvalidity.value).second);
        }
    }

    static void compare_flags(const MessageFlags& real, const std::vector<std::string>& names,
                              const ReferenceMessage& message) {
        CHECK(real.system == message.system);
        CHECK(real.modseq.value == message.modseq);
        std::set<std::string> keywords;
        for (std::size_t n = 0; n < names.size(); ++n)
            if ((real.keywords >> n & 1) != 0) keywords.insert(names[n]);
        CHECK(keywords == message.keywords);
    }

    void compare_mailbox(const std::string& path, const ReferenceMailbox& box) {
        INFO(path);
        const auto ref = real_.ref(box.id);
        const auto snapshot =
            real_.read([&](ReadTransaction& txn) { return open_mailbox(txn, owner, ref); });
        REQUIRE(snapshot);
        UidSet present;
        std::optional<Uid> unseen;
        for (const auto& [uid, message] : box.messages) {
            present.add(Uid{uid});
            if (!message.system.has(Flag::Seen) && !unseen) unseen = Uid{uid};
        }
        CHECK(snapshot->uids == present);
        CHECK(snapshot->first_unseen == unseen);

        std::vector<MessageFlags> flags;
        std::vector<std::string> names;
        const auto most = random_.below(200) + 1;
        for (std::optional<Uid> from = Uid{1}; from;) {
            const auto batch = real_.read([&](ReadTransaction& txn) {
                return read_flags(txn, owner, ref, UidSet::all(), *from, most);
            });
            REQUIRE(batch);
            flags.insert(flags.end(), batch->messages.begin(), batch->messages.end());
            names = batch->keywords;
            from = batch->next;
        }
        REQUIRE(flags.size() == box.messages.size());
        auto at = flags.begin();
        for (const auto& [uid, message] : box.messages) {
            CHECK(at->uid.value == uid);
            compare_flags(*at++, names, message);
        }
        const auto uids = some_uids(box);
        const auto batch =
            real_.read([&](ReadTransaction& txn) { return read_messages(txn, owner, ref, uids); });
        REQUIRE(batch);
        const auto wanted = existing(box, uids);
        REQUIRE(batch->messages.size() == wanted.size());
        auto message = batch->messages.begin();
        for (const auto uid : wanted) {
            const auto& expected = box.messages.at(uid);
            CHECK(message->uid.value == uid);
            CHECK(message->email == expected.email);
            CHECK(message->size == expected.size);
            CHECK(message->received == expected.received);
            ++message;
        }
        for (int n = 0; n < 3; ++n) compare_changes(box, random_.below(model_.modseq + 1));
    }

    void compare_changes(const ReferenceMailbox& box, std::uint64_t since) {
        INFO("since " << since);
        const auto ref = real_.ref(box.id);
        const auto changes = real_.read(
            [&](ReadTransaction& txn) { return changes_since(txn, owner, ref, ModSeq{since}); });
        REQUIRE(changes);
        CHECK(changes->exact);
        UidSet vanished;
        for (const auto& [modseq, uid] : box.vanished)
            if (modseq > since) vanished.add(Uid{uid});
        CHECK(changes->vanished == vanished);
        std::vector<std::uint32_t> expected, got;
        for (const auto& [uid, message] : box.messages)
            if (message.modseq > since) expected.push_back(uid);
        for (const auto& flags : changes->changed) {
            got.push_back(flags.uid.value);
            const auto found = box.messages.find(flags.uid.value);
            REQUIRE(found != box.messages.end());
            compare_flags(flags, changes->keywords, found->second);
        }
        CHECK(got == expected);
    }

    void compare_destroyed(std::uint64_t since) {
        const auto destroyed = real_.read([&](ReadTransaction& txn) {
            return destroyed_since(txn, test::MailAccount::id, Collection::Email, ModSeq{since});
        });
        REQUIRE(destroyed);
        std::vector<std::uint64_t> expected;
        for (const auto& [modseq, email] : model_.destroyed)
            if (modseq > since) expected.push_back(email);
        std::sort(expected.begin(), expected.end());
        CHECK(destroyed->ids == expected);
    }

    test::MailAccount real_;
    ReferenceAccount model_;
    base::SeededRandom random_;
};

enum class Keeps : std::uint8_t { Nothing, Everything };

void play(const test::StoreMaker& make, std::uint64_t seed, int steps,
          Keeps keeps = Keeps::Nothing) {
    INFO("seed " << seed);
    Play game(make, seed);
    game.compare();
    for (int n = 1; n <= steps; ++n) {
        INFO("step " << n);
        game.step();
        if (keeps == Keeps::Everything && n % 50 == 0) game.restart();
        if (n % 8 == 0 || n == steps) game.compare();
    }
}

} // namespace

TEST_CASE("the mailbox model equals a naive one through thousands of random changes") {
    const auto make = [](const base::Clock& clock) { return std::make_unique<MemoryStore>(clock); };
    for (std::uint64_t seed = 1; seed <= 3; ++seed) play(make, seed, 400);
}

TEST_CASE("the mailbox model's functions may be run again from their beginning") {
    const auto make = [](const base::Clock& clock) {
        MemoryStore::Options options;
        options.rehearse = true;
        return std::make_unique<MemoryStore>(clock, options);
    };
    play(make, 99, 200);
}

TEST_CASE("the mailbox model is what it was after the durable store was closed and opened") {
    test::TemporaryFolder folder;
    base::PosixFileSystem files;
    base::SystemRandom random;
    JournalStoreOptions options;
    options.journal.pool_octets = 256 * 1024;
    options.journal.reserve_octets = 256 * 1024;
    options.journal.segment_octets = 4 * 1024 * 1024;
    options.index_map_octets = std::uint64_t{1} << 30;
    options.checkpoint_octets = 256 * 1024; // so that rows come from index and overlay both
    options.free_octets_min = 1024 * 1024;
    const auto make = [&](const base::Clock& clock) -> std::unique_ptr<Store> {
        auto opened =
            JournalStore::open(files, folder.path() + "/store", options, random, clock, Log());
        if (!opened) UNSCOPED_INFO(opened.error().detail);
        REQUIRE(opened);
        return *std::move(opened);
    };
    play(make, 7, 400, Keeps::Everything);
}
