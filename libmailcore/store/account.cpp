#include "libmailcore/store/account.h"

#include "libmailcore/store/changes.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/email.h"

#include <algorithm>
#include <array>
#include <set>

namespace mailcore::store {

namespace {

std::string account_key(AccountId account) { return Key(account, Table::Account).str(); }
std::string mailbox_key(AccountId account, MailboxId id) {
    return Key(account, Table::Mailbox).id(id).str();
}

constexpr Rights on_messages = Rights(Right::Read) | Right::KeepSeen | Right::Write |
                               Right::Insert | Right::DeleteMessages | Right::Expunge;

} // namespace

TxnTask<Result<AccountState>> account_state(ReadTransaction& txn, AccountId account) {
    const auto key = account_key(account);
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return fail(ErrorKind::NotFound, "account");
    co_return detail::decode_account(*row);
}

TxnTask<Result<Quota>> quota(ReadTransaction& txn, AccountId account) {
    MAILCORE_CO_TRY(const auto state, account_state(txn, account));
    co_return state.quota;
}

TxnTask<Result<void>> AccountEdit::begin() {
    MAILCORE_CO_TRY(state_, account_state(txn_, owner_));
    co_return Result<void>{};
}

ModSeq AccountEdit::modseq() {
    if (!modseq_taken_) {
        ++change_state().modseq.value;
        modseq_taken_ = true;
    }
    return state_.modseq;
}

AccountState& AccountEdit::change_state() {
    dirty_ = true;
    return state_;
}

std::uint64_t AccountEdit::next_id() { return change_state().next_id++; }

UidValidity AccountEdit::next_uidvalidity() {
    auto& last = change_state().uidvalidity_last;
    // By the clock, so that they keep growing when an account is made anew (RFC 9051 §2.3.1.1).
    const auto now = base::unix_seconds(txn_.now());
    const auto by_clock = static_cast<std::uint32_t>(std::clamp<std::int64_t>(now, 1, 0xF0000000));
    last = UidValidity{std::max(last.value + 1, by_clock)};
    return last;
}

TxnTask<Result<Mailbox*>> AccountEdit::mailbox(MailboxId id, Rights needed) {
    auto found = mailboxes_.find(id);
    if (found == mailboxes_.end()) {
        const auto key = mailbox_key(owner_, id);
        MAILCORE_CO_TRY(const auto row, txn_.get(key));
        if (!row) co_return fail(ErrorKind::NotFound, "mailbox");
        auto mailbox = detail::decode_mailbox(id, *row);
        if (!mailbox) co_return std::unexpected(mailbox.error());
        auto cached = std::make_unique<Cached>();
        cached->mailbox = *std::move(mailbox);
        const MailboxRef ref{owner_, id};
        MAILCORE_CO_TRY(cached->rights, rights_of(txn_, access_, ref));
        found = mailboxes_.emplace(id, std::move(cached)).first;
    }
    auto& cached = *found->second;
    if (cached.gone || !cached.rights.has(Right::Lookup))
        co_return fail(ErrorKind::NotFound, "mailbox");
    if (!cached.rights.has(needed)) co_return fail(ErrorKind::Rejected, "no right to do this");
    if (!cached.mailbox.selectable && !(needed & on_messages).empty())
        co_return fail(ErrorKind::Rejected, "only a name above other mailboxes");
    co_return &cached.mailbox;
}

AccountEdit::Cached& AccountEdit::cached(MailboxId id) {
    const auto found = mailboxes_.find(id);
    MAILCORE_ASSERT(found != mailboxes_.end());
    return *found->second;
}

Rights AccountEdit::rights(MailboxId id) const {
    const auto found = mailboxes_.find(id);
    MAILCORE_ASSERT(found != mailboxes_.end());
    return found->second->rights;
}

void AccountEdit::messages_changed(Mailbox& mailbox) {
    mailbox.highest_modseq = modseq();
    auto& entry = cached(mailbox.id);
    entry.announce = true;
    put(entry);
}

void AccountEdit::properties_changed(Mailbox& mailbox) {
    mailbox.modified = modseq();
    auto& entry = cached(mailbox.id);
    entry.announce = true;
    put(entry);
}

void AccountEdit::counters_changed(Mailbox& mailbox) { put(cached(mailbox.id)); }

void AccountEdit::put(Cached& entry) {
    txn_.put(mailbox_key(owner_, entry.mailbox.id), detail::encode(entry.mailbox));
}

Mailbox& AccountEdit::add_mailbox(Mailbox mailbox) {
    const auto id = mailbox.id;
    auto entry = std::make_unique<Cached>();
    entry->mailbox = std::move(mailbox);
    entry->rights = access_.rights;
    entry->announce = true;
    auto& placed = *(mailboxes_[id] = std::move(entry));
    placed.mailbox.created = placed.mailbox.modified = placed.mailbox.highest_modseq = modseq();
    put(placed);
    ++change_state().mailboxes;
    return placed.mailbox;
}

void AccountEdit::remove_mailbox(MailboxId id) {
    auto& entry = cached(id);
    entry.gone = entry.announce = true;
    txn_.erase(mailbox_key(owner_, id));
    modseq();
    --change_state().mailboxes;
    destroyed_mailboxes_.push_back(id);
}

void AccountEdit::messages_vanished(MailboxId mailbox, Uid first, std::uint64_t bits) {
    cached(mailbox).vanished.add_bits(first, bits);
}

TxnTask<Result<ModSeq>> AccountEdit::save() {
    MAILCORE_CO_TRY(log_destroyed());
    std::vector<MailboxId> changed;
    for (auto& [id, entry] : mailboxes_) {
        if (entry->announce) changed.push_back(id);
        if (entry->gone || entry->vanished.empty()) continue;
        MAILCORE_CO_TRY(log_vanished(*entry));
        put(*entry);
    }
    if (dirty_) txn_.put(account_key(owner_), detail::encode(state_));
    if (modseq_taken_) txn_.announce(owner_, state_.modseq, std::move(changed));
    mailboxes_.clear();
    dirty_ = modseq_taken_ = false;
    co_return state_.modseq;
}

TxnTask<Result<void>> AccountEdit::log_vanished(Cached& entry) {
    auto& mailbox = entry.mailbox;
    std::uint16_t part = 0;
    for (auto& row : detail::encode_uids(entry.vanished, detail::row_octets)) {
        auto key =
            Key(owner_, Table::Vanished).id(mailbox.id).u64(modseq().value).u16(part++).str();
        txn_.put(std::move(key), std::move(row));
    }
    mailbox.vanished_rows += part;
    if (mailbox.vanished_rows <= vanished_rows_max) co_return Result<void>{};
    const auto all = Key(owner_, Table::Vanished).id(mailbox.id);
    const auto end = all.end();
    const std::size_t too_many = mailbox.vanished_rows - vanished_rows_max + vanished_rows_max / 4;
    MAILCORE_CO_TRY(auto oldest, txn_.range(all.str(), end, too_many));
    for (auto& row : oldest) {
        mailbox.vanished_floor = ModSeq{detail::key_u64(row.key, 10)};
        txn_.erase(std::move(row.key));
    }
    mailbox.vanished_rows -= static_cast<std::uint32_t>(oldest.size());
    co_return Result<void>{};
}

TxnTask<Result<void>> AccountEdit::log_destroyed() {
    const auto log = [&](Collection collection, std::vector<std::uint64_t> ids) {
        std::sort(ids.begin(), ids.end());
        std::uint16_t part = 0;
        for (auto& row : detail::encode_ids(ids, detail::row_octets)) {
            auto key = Key(owner_, Table::Destroyed)
                           .u8(static_cast<std::uint8_t>(collection))
                           .u64(modseq().value)
                           .u16(part++)
                           .str();
            txn_.put(std::move(key), std::move(row));
        }
        if (part != 0) change_state().destroyed_rows += part;
    };
    std::vector<std::uint64_t> ids;
    for (const auto id : destroyed_emails_) ids.push_back(id.value);
    log(Collection::Email, std::move(ids));
    ids.clear();
    for (const auto id : destroyed_mailboxes_) ids.push_back(id.value);
    log(Collection::Mailbox, std::move(ids));
    destroyed_emails_.clear();
    destroyed_mailboxes_.clear();
    if (state_.destroyed_rows > destroyed_rows_max) {
        MAILCORE_CO_TRY(trim_destroyed());
    }
    co_return Result<void>{};
}

TxnTask<Result<void>> AccountEdit::trim_destroyed() {
    constexpr std::size_t quarter = destroyed_rows_max / 4;
    struct Candidate {
        ModSeq modseq;
        std::string key;
    };
    std::vector<Candidate> oldest;
    for (const auto collection : {Collection::Email, Collection::Mailbox}) {
        const auto all = Key(owner_, Table::Destroyed).u8(static_cast<std::uint8_t>(collection));
        const auto end = all.end();
        MAILCORE_CO_TRY(auto rows, txn_.range(all.str(), end, quarter));
        for (auto& row : rows)
            oldest.emplace_back(ModSeq{detail::key_u64(row.key, 10)}, std::move(row.key));
    }
    std::sort(oldest.begin(), oldest.end(),
              [](const Candidate& a, const Candidate& b) { return a.modseq < b.modseq; });
    if (oldest.size() > quarter) oldest.resize(quarter);
    for (auto& row : oldest) {
        state_.destroyed_floor = std::max(state_.destroyed_floor, row.modseq);
        txn_.erase(std::move(row.key));
    }
    change_state().destroyed_rows -= static_cast<std::uint32_t>(oldest.size());
    co_return Result<void>{};
}

TxnTask<Result<Destroyed>> destroyed_since(ReadTransaction& txn, AccountId account,
                                           Collection collection, ModSeq since) {
    MAILCORE_CO_TRY(const auto state, account_state(txn, account));
    Destroyed destroyed;
    destroyed.exact = since >= state.destroyed_floor;
    const auto all = Key(account, Table::Destroyed).u8(static_cast<std::uint8_t>(collection));
    auto from = Key(all).u64(since.value + 1).str();
    const auto end = all.end();
    for (;;) {
        MAILCORE_CO_TRY(const auto rows, txn.range(from, end, 256));
        for (const auto& row : rows) {
            const auto decoded = detail::decode_ids(row.value, destroyed.ids);
            if (!decoded) co_return std::unexpected(decoded.error());
        }
        if (rows.size() < 256) break;
        from = rows.back().key + '\0';
    }
    std::sort(destroyed.ids.begin(), destroyed.ids.end());
    co_return destroyed;
}

TxnTask<Result<void>> create_account(WriteTransaction& txn, AccountId account, QuotaLimits limits) {
    const auto key = account_key(account);
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (row) co_return fail(ErrorKind::Conflict, "the account has mailboxes already");
    AccountState state;
    state.quota.limits = limits;
    txn.put(key, detail::encode(state));

    AccountEdit edit(txn, Access::owner(account), account);
    MAILCORE_CO_TRY(edit.begin());
    struct Default {
        const char* name;
        Role role;
    };
    constexpr std::array<Default, 6> defaults{{{"INBOX", Role::Inbox},
                                               {"Drafts", Role::Drafts},
                                               {"Sent", Role::Sent},
                                               {"Junk", Role::Junk},
                                               {"Trash", Role::Trash},
                                               {"Archive", Role::Archive}}};
    for (const auto& given : defaults) {
        Mailbox mailbox;
        mailbox.id = MailboxId{edit.next_id()};
        mailbox.name = given.name;
        mailbox.role = given.role;
        mailbox.subscribed = true;
        mailbox.uidvalidity = edit.next_uidvalidity();
        auto name_key = Key(account, Table::MailboxName).u64(0).text(mailbox.name).str();
        txn.put(std::move(name_key), detail::encode_id(mailbox.id.value));
        if (given.role == Role::Inbox) edit.change_state().inbox = mailbox.id;
        edit.add_mailbox(std::move(mailbox));
    }
    MAILCORE_CO_TRY(edit.save());
    co_return Result<void>{};
}

TxnTask<Result<bool>> erase_account(WriteTransaction& txn, AccountId account,
                                    std::size_t rows_max) {
    const Key all(account);
    const auto end = all.end();
    MAILCORE_CO_TRY(auto rows, txn.range(all.str(), end, rows_max));
    const auto emails = Key(account, Table::Email);
    for (auto& row : rows) {
        const bool first_part =
            row.key.starts_with(emails.str()) && row.key.ends_with(std::string_view("\0\0", 2));
        if (first_part) {
            const EmailId id{detail::key_u64(row.key, 10)};
            MAILCORE_CO_TRY(const auto email, read_email(txn, account, id));
            std::set<BlobId> blobs;
            for (const auto& piece : email.pieces)
                if (piece.blob.value != 0) blobs.insert(piece.blob);
            const auto owner = Key(account, Table::Email).id(id).str();
            for (const auto blob : blobs) {
                MAILCORE_CO_TRY(txn.release(blob, owner));
            }
        }
        txn.erase(std::move(row.key));
    }
    co_return rows.size() == rows_max;
}

TxnTask<Result<void>> set_quota(AccountEdit& edit, QuotaLimits limits) {
    edit.change_state().quota.limits = limits;
    co_return Result<void>{};
}

TxnTask<Result<void>> renew_epoch(AccountEdit& edit) {
    ++edit.change_state().epoch;
    const auto all = Key(edit.owner(), Table::Mailbox);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, edit.txn().range(all.str(), end, mailboxes_max));
    for (const auto& row : rows) {
        const MailboxId id{detail::key_u64(row.key, 8)};
        MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Rights{}));
        mailbox->uidvalidity = edit.next_uidvalidity();
        edit.properties_changed(*mailbox);
    }
    co_return Result<void>{};
}

} // namespace mailcore::store
