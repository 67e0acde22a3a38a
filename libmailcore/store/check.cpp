#include "libmailcore/store/check.h"

#include "libmailcore/store/account.h"
#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/detail/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace mailcore::store {

namespace {

constexpr std::size_t rows_max = 1'024;

struct Findings {
    std::vector<std::string>& problems;
    std::size_t problems_max;

    template <class... Values>
    void add(fmt::format_string<Values...> text, Values&&... values) {
        if (problems.size() < problems_max)
            problems.push_back(fmt::format(text, std::forward<Values>(values)...));
    }
    template <class Number>
    void compare(std::string_view what, std::uint64_t whose, Number said, Number counted) {
        if (said != counted)
            add("{} {}: the row says {}, there are {}", what, whose, said, counted);
    }
};

/// Calls `visit(row)` for all rows that begin with `prefix`.
template <class Visit>
TxnTask<Result<void>> each_row(ReadTransaction& txn, Key prefix, Visit& visit) {
    const auto end = prefix.end();
    auto from = prefix.str();
    for (;;) {
        MAILCORE_CO_TRY(const auto rows, txn.range(from, end, rows_max));
        for (const auto& row : rows) visit(row);
        if (rows.size() < rows_max) co_return Result<void>{};
        from = rows.back().key + '\0';
    }
}

/// What the blocks of all mailboxes say.
struct Counted {
    std::uint64_t memberships = 0;
    std::map<EmailId, std::uint64_t> sizes; ///< as the blocks have them
};

TxnTask<Result<void>> check_blocks(ReadTransaction& txn, AccountId account, const Mailbox& mailbox,
                                   Counted& counted, Findings& findings) {
    const auto id = mailbox.id.value;
    MAILCORE_CO_TRY(const auto keywords, detail::read_keywords(txn, account, mailbox.id));
    std::map<std::uint32_t, detail::FlagBlock> blocks;
    std::set<std::pair<std::uint64_t, std::uint32_t>> index;
    std::map<std::uint32_t, detail::Overview> overviews;
    Mailbox sums;
    const auto visit_flags = [&](const Row& row) {
        const auto number = detail::key_u32(row.key, 4);
        auto block = detail::FlagBlock::decode(row.value);
        if (!block || block->present == 0)
            return findings.add("mailbox {}: flags of block {} cannot be read", id, number);
        sums.exists += static_cast<std::uint32_t>(std::popcount(block->present));
        sums.unseen +=
            static_cast<std::uint32_t>(std::popcount(block->present & ~block->with(Flag::Seen)));
        sums.deleted += static_cast<std::uint32_t>(std::popcount(block->with(Flag::Deleted)));
        for (const auto who : block->system)
            if ((who & ~block->present) != 0)
                findings.add("mailbox {}: block {} has flags of messages that are not there", id,
                             number);
        for (const auto& [slot, who] : block->keywords)
            if ((who & ~block->present) != 0 || slot >= keywords.size() || keywords[slot].empty())
                findings.add("mailbox {}: block {} has a keyword without name or message", id,
                             number);
        if (block->highest() > mailbox.highest_modseq)
            findings.add("mailbox {}: block {} was changed after the mailbox", id, number);
        index.emplace(block->highest().value, number);
        overviews[number / detail::Overview::blocks].set(number % detail::Overview::blocks,
                                                         block->outline());
        blocks.emplace(number, *std::move(block));
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Flags).id(mailbox.id), visit_flags));
    std::vector<std::string> membership_keys;
    const auto visit_messages = [&](const Row& row) {
        const auto number = detail::key_u32(row.key, 4);
        const auto block = detail::MessageBlock::decode(row.value);
        if (!block)
            return findings.add("mailbox {}: messages of block {} cannot be read", id, number);
        const auto flags = blocks.find(number);
        if (flags == blocks.end() || flags->second.present != block->present)
            findings.add("mailbox {}: flags and messages of block {} disagree", id, number);
        else
            blocks.erase(flags);
        detail::for_each_bit(block->present, [&](unsigned bit) {
            const auto message = block->at(number, bit);
            sums.octets += message.size;
            if (message.uid >= mailbox.uidnext)
                findings.add("mailbox {}: UID {} is not below UIDNEXT", id, message.uid.value);
            counted.sizes[message.email] = message.size;
            ++counted.memberships;
            membership_keys.push_back(Key(account, Table::Membership)
                                          .id(message.email)
                                          .id(mailbox.id)
                                          .u32(message.uid.value)
                                          .str());
        });
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Messages).id(mailbox.id), visit_messages));
    for (const auto& [number, block] : blocks)
        findings.add("mailbox {}: block {} has flags without messages", id, number);
    for (const auto& key : membership_keys) {
        MAILCORE_CO_TRY(const auto row, txn.get(key));
        if (!row) findings.add("mailbox {}: a message's email does not know of it", id);
    }
    const auto visit_changed = [&](const Row& row) {
        const auto entry = std::pair(detail::key_u64(row.key, 12), detail::key_u32(row.key, 4));
        if (index.erase(entry) == 0)
            findings.add("mailbox {}: change index names block {} wrongly", id, entry.second);
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Changed).id(mailbox.id), visit_changed));
    for (const auto& [modseq, number] : index)
        findings.add("mailbox {}: change index lacks block {}", id, number);
    const auto visit_overview = [&](const Row& row) {
        const auto number = detail::key_u32(row.key, 4);
        const auto overview = detail::Overview::decode(row.value);
        if (!overview || *overview != overviews[number])
            findings.add("mailbox {}: overview {} does not say what its blocks hold", id, number);
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Overview).id(mailbox.id), visit_overview));
    std::uint32_t vanished = 0;
    const auto visit_vanished = [&](const Row&) { ++vanished; };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Vanished).id(mailbox.id), visit_vanished));
    findings.compare("messages of mailbox", id, mailbox.exists, sums.exists);
    findings.compare("unseen messages of mailbox", id, mailbox.unseen, sums.unseen);
    findings.compare("deleted messages of mailbox", id, mailbox.deleted, sums.deleted);
    findings.compare("octets of mailbox", id, mailbox.octets, sums.octets);
    findings.compare("vanished rows of mailbox", id, mailbox.vanished_rows, vanished);
    co_return Result<void>{};
}

/// Emails, and the rows that lead to and from them.
TxnTask<Result<void>> check_emails(ReadTransaction& txn, AccountId account,
                                   const AccountState& state, const Counted& counted,
                                   Findings& findings) {
    QuotaUsage usage;
    std::uint64_t keys = 0;
    std::map<EmailId, std::string> parts; // of the email whose rows are passing by
    std::vector<Email> batch;
    std::vector<EmailId> known;
    const auto take = [&] {
        if (parts.empty()) return;
        const auto email =
            detail::decode_email(parts.begin()->first, std::move(parts.begin()->second));
        if (!email) findings.add("email {}: its row cannot be read", parts.begin()->first.value);
        parts.clear();
        if (!email) return;
        ++usage.messages;
        usage.octets += email->size;
        keys += email->thread_keys.size();
        known.push_back(email->id);
        const auto size = counted.sizes.find(email->id);
        if (size != counted.sizes.end() && size->second != email->size)
            findings.add("email {}: sizes of row and mailbox disagree", email->id.value);
    };
    const auto visit_email = [&](const Row& row) {
        const EmailId id{detail::key_u64(row.key, 10)};
        if (!parts.contains(id)) take();
        parts[id] += row.value;
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Email), visit_email));
    take();
    std::uint64_t memberships = 0;
    std::set<EmailId> placed;
    const auto visit_membership = [&](const Row& row) {
        ++memberships;
        placed.insert(EmailId{detail::key_u64(row.key, 20)});
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Membership), visit_membership));
    for (const auto id : known)
        if (!placed.contains(id)) findings.add("email {} is in no mailbox", id.value);
    for (const auto& [id, size] : counted.sizes)
        if (!std::binary_search(known.begin(), known.end(), id))
            findings.add("email {} is in a mailbox and has no row", id.value);
    std::uint64_t members = 0;
    const auto visit_member = [&](const Row& row) {
        ++members;
        if (!std::binary_search(known.begin(), known.end(), EmailId{detail::key_u64(row.key, 8)}))
            findings.add("thread {} has an email that is gone", detail::key_u64(row.key, 16));
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::ThreadMember), visit_member));
    std::uint64_t key_rows = 0;
    const auto visit_key = [&](const Row&) { ++key_rows; };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::ThreadKeys), visit_key));
    findings.compare("thread members of account", account.value, usage.messages, members);
    findings.compare("thread keys of account", account.value, keys, key_rows);
    findings.compare("memberships of account", account.value, counted.memberships, memberships);
    findings.compare("emails of account", account.value, state.quota.usage.messages,
                     usage.messages);
    findings.compare("octets of account", account.value, state.quota.usage.octets, usage.octets);
    co_return Result<void>{};
}

} // namespace

TxnTask<Result<std::vector<std::string>>> check_account(ReadTransaction& txn, AccountId account,
                                                        std::size_t problems_max) {
    std::vector<std::string> problems;
    Findings findings{problems, problems_max};
    MAILCORE_CO_TRY(const auto state, account_state(txn, account));

    std::map<MailboxId, Mailbox> mailboxes;
    std::vector<MailboxId> doomed;
    const auto visit_mailbox = [&](const Row& row) {
        const MailboxId id{detail::key_u64(row.key, 8)};
        auto mailbox = detail::decode_mailbox(id, row.value);
        if (mailbox)
            mailboxes.emplace(id, *std::move(mailbox));
        else
            findings.add("mailbox {}: its row cannot be read", id.value);
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Mailbox), visit_mailbox));
    const auto visit_doomed = [&](const Row& row) {
        doomed.emplace_back(detail::key_u64(row.key, 8));
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Doomed), visit_doomed));
    findings.compare("mailboxes of account", account.value, std::size_t{state.mailboxes},
                     mailboxes.size());

    std::size_t names = 0;
    const auto visit_name = [&](const Row& row) {
        ++names;
        const auto id = detail::decode_id(row.value);
        const auto found = id ? mailboxes.find(MailboxId{*id}) : mailboxes.end();
        const bool right = found != mailboxes.end() && row.key == Key(account, Table::MailboxName)
                                                                      .id(found->second.parent)
                                                                      .text(found->second.name)
                                                                      .str();
        if (!right)
            findings.add("a name leads to mailbox {}, which is called otherwise", id.value_or(0));
    };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::MailboxName), visit_name));
    findings.compare("names of mailboxes of account", account.value, mailboxes.size(), names);
    std::uint32_t subscriptions = 0;
    const auto visit_subscription = [&](const Row&) { ++subscriptions; };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Subscription), visit_subscription));
    findings.compare("subscribed names of account", account.value, state.subscriptions,
                     subscriptions);
    std::uint32_t destroyed = 0;
    const auto visit_destroyed = [&](const Row&) { ++destroyed; };
    MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Destroyed), visit_destroyed));
    findings.compare("destroyed rows of account", account.value, state.destroyed_rows, destroyed);

    Counted counted;
    for (const auto& [id, mailbox] : mailboxes) {
        if (mailbox.parent.value != 0 && !mailboxes.contains(mailbox.parent))
            findings.add("mailbox {}: its parent is gone", id.value);
        if (id.value >= state.next_id)
            findings.add("mailbox {}: its id was not given out yet", id.value);
        MAILCORE_CO_TRY(check_blocks(txn, account, mailbox, counted, findings));
    }
    for (const auto id : doomed) {
        const auto visit = [&](const Row& row) {
            const auto block = detail::MessageBlock::decode(row.value);
            if (block)
                counted.memberships += static_cast<std::uint64_t>(std::popcount(block->present));
        };
        MAILCORE_CO_TRY(each_row(txn, Key(account, Table::Messages).id(id), visit));
    }
    MAILCORE_CO_TRY(check_emails(txn, account, state, counted, findings));
    co_return problems;
}

TxnTask<Result<std::vector<AccountId>>> list_accounts(ReadTransaction& txn) {
    std::vector<AccountId> accounts;
    const Key all(Space::Account);
    const auto end = all.end();
    auto from = all.str();
    for (;;) {
        MAILCORE_CO_TRY(const auto rows, txn.range(from, end, 1));
        if (rows.empty()) co_return accounts;
        const AccountId id{detail::key_u64(rows.front().key.substr(0, 9), 8)};
        accounts.push_back(id);
        from = Key(id).end();
    }
}

} // namespace mailcore::store
