#include "libmailcore/store/mailbox.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/filing.h"

#include <algorithm>
#include <map>

namespace mailcore::store {

namespace {

/// Of a whole path: what a client's LIST answer and our own rows can bear.
constexpr std::size_t path_octets_max = 1'000;
constexpr std::string_view inbox_name = "INBOX";

Key name_key(AccountId owner, MailboxId parent, std::string_view name) {
    return Key(owner, Table::MailboxName).id(parent).text(name);
}

std::string subscription_key(AccountId owner, std::string_view path) {
    const auto digest = crypto::Blake2b256::of(path);
    return Key(owner, Table::Subscription).text(crypto::octets_of(digest)).str();
}

/// RFC 5198 §2: no control characters; no separators of lines and paragraphs either.
bool is_mailbox_name(std::string_view name) {
    if (name.empty() || name.size() > mailbox_name_octets_max) return false;
    while (!name.empty()) {
        const auto step = codec::decode_utf8(name);
        const auto c = step.character;
        if (!step.valid || c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 ||
            c == 0xFEFF)
            return false;
        name.remove_prefix(step.octets);
    }
    return true;
}

/// The mailbox of that name; 0: none.
TxnTask<Result<MailboxId>> child(ReadTransaction& txn, AccountId owner, MailboxId parent,
                                 const std::string& name) {
    const auto key = name_key(owner, parent, name).str();
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return MailboxId{};
    const auto id = detail::decode_id(*row);
    if (!id) co_return std::unexpected(id.error());
    co_return MailboxId{*id};
}

/// Follows levels from the top; 0: there is none of that path.
TxnTask<Result<MailboxId>> walk(ReadTransaction& txn, AccountId owner,
                                const std::vector<std::string>& levels) {
    MailboxId at;
    for (const auto& level : levels) {
        MAILCORE_CO_TRY(at, child(txn, owner, at, level));
        if (at.value == 0) break;
    }
    co_return at;
}

TxnTask<Result<std::vector<MailboxId>>> children(ReadTransaction& txn, AccountId owner,
                                                 MailboxId parent, std::size_t most) {
    const auto all = Key(owner, Table::MailboxName).id(parent);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, most));
    std::vector<MailboxId> ids;
    for (const auto& row : rows) {
        const auto id = detail::decode_id(row.value);
        if (!id) co_return std::unexpected(id.error());
        ids.emplace_back(*id);
    }
    co_return ids;
}

/// Levels below a mailbox, itself included.
TxnTask<Result<std::size_t>> height(ReadTransaction& txn, AccountId owner, MailboxId top) {
    std::vector<MailboxId> level{top};
    std::size_t levels = 0;
    while (!level.empty() && levels <= mailbox_depth_max) {
        ++levels;
        std::vector<MailboxId> below;
        for (const auto id : level) {
            MAILCORE_CO_TRY(const auto some, children(txn, owner, id, mailboxes_max));
            below.insert(below.end(), some.begin(), some.end());
        }
        level = std::move(below);
    }
    co_return levels;
}

bool is_inbox(const std::vector<std::string>& levels) {
    return levels.size() == 1 && levels.front() == inbox_name;
}

/// The name was subscribed while there was no such mailbox: now the mailbox is.
TxnTask<Result<bool>> take_subscription(AccountEdit& edit, const std::string& path) {
    auto key = subscription_key(edit.owner(), path);
    MAILCORE_CO_TRY(const auto row, edit.txn().get(key));
    if (!row) co_return false;
    edit.txn().erase(std::move(key));
    --edit.change_state().subscriptions;
    co_return true;
}

TxnTask<Result<void>> keep_subscription(AccountEdit& edit, const std::string& path) {
    auto key = subscription_key(edit.owner(), path);
    MAILCORE_CO_TRY(const auto row, edit.txn().get(key));
    if (row) co_return Result<void>{};
    if (edit.state().subscriptions >= subscriptions_max)
        co_return fail(ErrorKind::LimitExceeded, "subscriptions to mailboxes that do not exist");
    edit.txn().put(std::move(key), detail::encode_texts(std::vector<std::string>(1, path)));
    ++edit.change_state().subscriptions;
    co_return Result<void>{};
}

TxnTask<Result<Mailbox*>> add_child(AccountEdit& edit, MailboxId parent, const std::string& name) {
    if (edit.state().mailboxes >= mailboxes_max)
        co_return fail(ErrorKind::LimitExceeded, "mailboxes of an account");
    if (parent.value != 0) {
        MAILCORE_CO_TRY(edit.mailbox(parent, Right::CreateMailbox));
    } else if (edit.access().actor != edit.owner() ||
               !edit.access().rights.has(Right::CreateMailbox)) {
        co_return fail(ErrorKind::Rejected, "no right to create mailboxes here");
    }
    Mailbox mailbox;
    mailbox.id = MailboxId{edit.next_id()};
    mailbox.parent = parent;
    mailbox.name = name;
    mailbox.uidvalidity = edit.next_uidvalidity();
    edit.txn().put(name_key(edit.owner(), parent, name).str(), detail::encode_id(mailbox.id.value));
    co_return &edit.add_mailbox(std::move(mailbox));
}

/// Creates what is missing of the levels; answers the id of the last. 0: no levels, the top.
TxnTask<Result<MailboxId>> make_levels(AccountEdit& edit, const std::vector<std::string>& levels) {
    MailboxId parent;
    std::vector<std::string> so_far;
    for (const auto& level : levels) {
        so_far.push_back(level);
        MAILCORE_CO_TRY(auto next, child(edit.txn(), edit.owner(), parent, level));
        if (next.value == 0) {
            MAILCORE_CO_TRY(auto* made, add_child(edit, parent, level));
            const auto path = join_path(so_far);
            MAILCORE_CO_TRY(made->subscribed, take_subscription(edit, path));
            edit.properties_changed(*made);
            next = made->id;
        }
        parent = next;
    }
    co_return parent;
}

TxnTask<Result<void>> check_role_free(AccountEdit& edit, Role role, MailboxId but) {
    if (role == Role::None) co_return Result<void>{};
    if (role == Role::Inbox) co_return fail(ErrorKind::Rejected, "there is one INBOX");
    MAILCORE_CO_TRY(const auto other, mailbox_with_role(edit.txn(), edit.owner(), role));
    if (other && other->id != but)
        co_return fail(ErrorKind::Conflict, "another mailbox has this role");
    co_return Result<void>{};
}

/// A mailbox that is deleted but has others below it: a name takes its place, under an id of its
/// own, since its messages may outlive it for a while.
TxnTask<Result<void>> leave_name(AccountEdit& edit, Mailbox old, std::vector<MailboxId> below) {
    Mailbox name;
    name.id = MailboxId{edit.next_id()};
    name.parent = old.parent;
    name.name = old.name;
    name.subscribed = old.subscribed;
    name.selectable = false;
    name.uidvalidity = edit.next_uidvalidity();
    edit.txn().put(name_key(edit.owner(), old.parent, old.name).str(),
                   detail::encode_id(name.id.value));
    const auto id = name.id;
    edit.add_mailbox(std::move(name));
    for (const auto child_id : below) {
        MAILCORE_CO_TRY(auto* moved, edit.mailbox(child_id, Rights{}));
        edit.txn().erase(name_key(edit.owner(), old.id, moved->name).str());
        edit.txn().put(name_key(edit.owner(), id, moved->name).str(),
                       detail::encode_id(child_id.value));
        moved->parent = id;
        edit.properties_changed(*moved);
    }
    co_return Result<void>{};
}

/// Removes messages of a mailbox that is gone already, and at last its other rows. True: there is
/// more.
TxnTask<Result<bool>> reclaim_one(AccountEdit& edit, MailboxId id, std::uint32_t messages_max) {
    auto& txn = edit.txn();
    const detail::BlockSpan all{0, detail::block_of(all_uids.last)};
    MAILCORE_CO_TRY(const auto rows, detail::block_rows(txn, edit.owner(), Table::Messages, id, all,
                                                        messages_max / 64 + 1));
    std::vector<EmailId> emails;
    for (const auto& row : rows) {
        const auto number = detail::key_u32(row.key, 4);
        const auto block = detail::MessageBlock::decode(row.value);
        if (!block) co_return std::unexpected(block.error());
        detail::for_each_bit(block->present, [&](unsigned bit) {
            const auto message = block->at(number, bit);
            emails.push_back(message.email);
            txn.erase(Key(edit.owner(), Table::Membership)
                          .id(message.email)
                          .id(id)
                          .u32(message.uid.value)
                          .str());
        });
        txn.erase(row.key);
    }
    MAILCORE_CO_TRY(detail::destroy_orphans(edit, std::move(emails)));
    if (rows.size() > messages_max / 64) co_return true;
    for (const auto table : {Table::Flags, Table::Overview, Table::Changed, Table::Vanished}) {
        const auto left = Key(edit.owner(), table).id(id);
        const auto end = left.end();
        MAILCORE_CO_TRY(const auto some, txn.range(left.str(), end, messages_max));
        for (const auto& row : some) txn.erase(row.key);
        if (some.size() == messages_max) co_return true;
    }
    txn.erase(Key(edit.owner(), Table::Doomed).id(id).str());
    co_return false;
}

} // namespace

std::string_view to_string(Role role) {
    switch (role) {
    case Role::None: return "";
    case Role::Inbox: return "inbox";
    case Role::Archive: return "archive";
    case Role::Drafts: return "drafts";
    case Role::Important: return "important";
    case Role::Junk: return "junk";
    case Role::Sent: return "sent";
    case Role::Trash: return "trash";
    }
    return "";
}

Result<std::vector<std::string>> split_path(std::string_view path) {
    if (path.ends_with(hierarchy_separator)) path.remove_suffix(1);
    if (path.size() > path_octets_max)
        return fail(ErrorKind::Rejected, "path of a mailbox is too long");
    auto normal = codec::to_nfc(path);
    if (!normal) return fail(ErrorKind::Rejected, "path of a mailbox is not UTF-8");
    if (normal->size() > path_octets_max)
        return fail(ErrorKind::Rejected, "path of a mailbox is too long");
    std::vector<std::string> levels;
    std::string_view rest = *normal;
    for (;;) {
        const auto cut = rest.find(hierarchy_separator);
        const auto level = rest.substr(0, cut);
        if (!is_mailbox_name(level)) return fail(ErrorKind::Rejected, "no name for a mailbox");
        levels.emplace_back(level);
        if (cut == std::string_view::npos) break;
        rest.remove_prefix(cut + 1);
    }
    if (levels.size() > mailbox_depth_max)
        return fail(ErrorKind::Rejected, "mailboxes nested too deeply");
    if (codec::equal_ignoring_case(levels.front(), inbox_name)) levels.front() = inbox_name;
    return levels;
}

std::string join_path(const std::vector<std::string>& levels) {
    std::string path;
    for (const auto& level : levels) {
        if (!path.empty()) path += hierarchy_separator;
        path += level;
    }
    return path;
}

TxnTask<Result<MailboxList>> list_mailboxes(ReadTransaction& txn, Access access, AccountId owner) {
    MailboxList list;
    MAILCORE_CO_TRY(const auto state, account_state(txn, owner));
    list.modseq = state.modseq;
    const bool own = access.actor == owner;

    std::map<MailboxId, Rights> granted;
    if (!own) {
        const auto all = Key(owner, Table::Acl);
        const auto end = all.end();
        MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, mailboxes_max + 1));
        for (const auto& row : rows) {
            const auto entries = detail::decode_acl(row.value);
            if (!entries) co_return std::unexpected(entries.error());
            for (const auto& entry : *entries)
                if (entry.account == access.actor)
                    granted[MailboxId{detail::key_u64(row.key, 8)}] = entry.rights & access.rights;
        }
    }

    std::map<MailboxId, std::vector<ListedMailbox>> below; // by parent
    const auto all = Key(owner, Table::Mailbox);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, mailboxes_max + 1));
    for (const auto& row : rows) {
        ListedMailbox entry;
        auto mailbox = detail::decode_mailbox(MailboxId{detail::key_u64(row.key, 8)}, row.value);
        if (!mailbox) co_return std::unexpected(mailbox.error());
        entry.mailbox = *std::move(mailbox);
        entry.rights = own ? access.rights : granted[entry.mailbox.id];
        below[entry.mailbox.parent].push_back(std::move(entry));
    }

    // From the top down, names in order; what is not to be seen stays only as a name above what is.
    struct Walk {
        std::map<MailboxId, std::vector<ListedMailbox>>& below;
        std::vector<ListedMailbox>& out;
        bool visit(MailboxId parent, const std::string& path, std::size_t depth) {
            const auto found = below.find(parent);
            if (found == below.end() || depth > mailbox_depth_max) return false;
            auto& siblings = found->second;
            const auto before_others = [&](const ListedMailbox& entry) {
                return depth == 0 && entry.mailbox.name == inbox_name;
            };
            std::sort(siblings.begin(), siblings.end(), [&](const auto& a, const auto& b) {
                if (before_others(a) != before_others(b)) return before_others(a);
                return a.mailbox.name < b.mailbox.name;
            });
            bool any = false;
            for (auto& entry : siblings) {
                entry.path = path.empty() ? entry.mailbox.name
                                          : path + hierarchy_separator + entry.mailbox.name;
                const auto id = entry.mailbox.id;
                const auto own_path = entry.path;
                const auto at = out.size();
                const bool seen = entry.rights.has(Right::Lookup);
                out.push_back(std::move(entry));
                const bool has_children = visit(id, own_path, depth + 1);
                out[at].has_children = has_children;
                if (!seen && !has_children) {
                    out.pop_back();
                    continue;
                }
                if (!seen) {
                    Mailbox name;
                    name.id = id;
                    name.parent = out[at].mailbox.parent;
                    name.name = out[at].mailbox.name;
                    name.selectable = false;
                    out[at].mailbox = std::move(name);
                }
                any = true;
            }
            return any;
        }
    };
    Walk walk{below, list.mailboxes};
    walk.visit(MailboxId{}, std::string(), 0);

    if (own) {
        const auto names = Key(owner, Table::Subscription);
        const auto names_end = names.end();
        MAILCORE_CO_TRY(const auto subscribed,
                        txn.range(names.str(), names_end, subscriptions_max));
        for (const auto& row : subscribed) {
            auto path = detail::decode_texts(row.value);
            if (!path) co_return std::unexpected(path.error());
            if (path->size() == 1) list.subscribed_only.push_back(std::move(path->front()));
        }
        std::sort(list.subscribed_only.begin(), list.subscribed_only.end());
    }
    co_return list;
}

TxnTask<Result<Mailbox>> mailbox_status(ReadTransaction& txn, Access access, MailboxRef ref,
                                        Rights needed) {
    const auto key = Key(ref.owner, Table::Mailbox).id(ref.mailbox).str();
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return fail(ErrorKind::NotFound, "mailbox");
    auto rights = access.rights;
    if (access.actor != ref.owner) {
        MAILCORE_CO_TRY(rights, rights_of(txn, access, ref));
    }
    if (!rights.has(Right::Lookup)) co_return fail(ErrorKind::NotFound, "mailbox");
    if (!rights.has(needed)) co_return fail(ErrorKind::Rejected, "no right to do this");
    auto mailbox = detail::decode_mailbox(ref.mailbox, *row);
    if (mailbox && !mailbox->selectable && needed.has(Right::Read))
        co_return fail(ErrorKind::Rejected, "only a name above other mailboxes");
    co_return mailbox;
}

TxnTask<Result<Mailbox>> find_mailbox(ReadTransaction& txn, Access access, AccountId owner,
                                      std::string path) {
    const auto levels = split_path(path);
    if (!levels) co_return fail(ErrorKind::NotFound, "mailbox");
    MAILCORE_CO_TRY(const auto id, walk(txn, owner, *levels));
    if (id.value == 0) co_return fail(ErrorKind::NotFound, "mailbox");
    const MailboxRef ref{owner, id};
    co_return co_await mailbox_status(txn, access, ref);
}

TxnTask<Result<std::optional<Mailbox>>> mailbox_with_role(ReadTransaction& txn, AccountId owner,
                                                          Role role) {
    const auto all = Key(owner, Table::Mailbox);
    const auto end = all.end();
    auto from = all.str();
    for (;;) {
        MAILCORE_CO_TRY(const auto rows, txn.range(from, end, 64));
        for (const auto& row : rows) {
            auto mailbox =
                detail::decode_mailbox(MailboxId{detail::key_u64(row.key, 8)}, row.value);
            if (!mailbox) co_return std::unexpected(mailbox.error());
            if (mailbox->role == role) co_return std::optional<Mailbox>(*std::move(mailbox));
        }
        if (rows.size() < 64) co_return std::optional<Mailbox>();
        from = rows.back().key + '\0';
    }
}

TxnTask<Result<std::string>> mailbox_path(ReadTransaction& txn, MailboxRef ref) {
    std::vector<std::string> levels;
    for (auto id = ref.mailbox; id.value != 0;) {
        const auto key = Key(ref.owner, Table::Mailbox).id(id).str();
        MAILCORE_CO_TRY(const auto row, txn.get(key));
        if (!row) co_return fail(ErrorKind::NotFound, "mailbox");
        auto mailbox = detail::decode_mailbox(id, *row);
        if (!mailbox) co_return std::unexpected(mailbox.error());
        levels.insert(levels.begin(), std::move(mailbox->name));
        if (levels.size() > mailbox_depth_max)
            co_return detail::corrupt("depth of mailbox", id.value);
        id = mailbox->parent;
    }
    co_return join_path(levels);
}

TxnTask<Result<CreatedMailbox>> create_mailbox(AccountEdit& edit, CreateMailbox create) {
    auto levels = split_path(create.path);
    if (!levels) co_return std::unexpected(levels.error());
    CreatedMailbox created;
    created.path = join_path(*levels);
    MAILCORE_CO_TRY(const auto there, walk(edit.txn(), edit.owner(), *levels));
    MAILCORE_CO_TRY(check_role_free(edit, create.role, there));
    Mailbox* mailbox = nullptr;
    if (there.value != 0) {
        MAILCORE_CO_TRY(mailbox, edit.mailbox(there, Rights{}));
        if (mailbox->selectable) co_return fail(ErrorKind::Conflict, "the mailbox exists");
        if (!edit.rights(there).has(Right::CreateMailbox))
            co_return fail(ErrorKind::Rejected, "no right to create mailboxes here");
        mailbox->selectable = true;
    } else {
        const auto name = std::move(levels->back());
        levels->pop_back();
        MAILCORE_CO_TRY(const auto parent, make_levels(edit, *levels));
        MAILCORE_CO_TRY(mailbox, add_child(edit, parent, name));
        MAILCORE_CO_TRY(mailbox->subscribed, take_subscription(edit, created.path));
    }
    mailbox->role = create.role;
    mailbox->subscribed = mailbox->subscribed || create.subscribe;
    edit.properties_changed(*mailbox);
    created.id = mailbox->id;
    co_return created;
}

TxnTask<Result<RenamedMailbox>> rename_mailbox(AccountEdit& edit, std::string from,
                                               std::string to) {
    const auto old_levels = split_path(from);
    if (!old_levels) co_return fail(ErrorKind::NotFound, "mailbox");
    auto levels = split_path(to);
    if (!levels) co_return std::unexpected(levels.error());
    auto& txn = edit.txn();
    MAILCORE_CO_TRY(const auto id, walk(txn, edit.owner(), *old_levels));
    if (id.value == 0) co_return fail(ErrorKind::NotFound, "mailbox");
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Rights{}));
    MAILCORE_CO_TRY(const auto taken, walk(txn, edit.owner(), *levels));
    if (taken.value != 0) co_return fail(ErrorKind::Conflict, "a mailbox has this name already");
    RenamedMailbox renamed;
    renamed.path = join_path(*levels);

    if (is_inbox(*old_levels)) {
        CreateMailbox create;
        create.path = renamed.path;
        MAILCORE_CO_TRY(const auto created, create_mailbox(edit, create));
        MAILCORE_CO_TRY(move_messages(edit, id, UidSet::all(), created.id));
        renamed.id = created.id;
        co_return renamed;
    }
    if (levels->size() > old_levels->size() &&
        std::equal(old_levels->begin(), old_levels->end(), levels->begin()))
        co_return fail(ErrorKind::Rejected, "a mailbox cannot be moved below itself");
    if (!edit.rights(id).has(Right::DeleteMailbox))
        co_return fail(ErrorKind::Rejected, "no right to rename this mailbox");
    MAILCORE_CO_TRY(const auto below, height(txn, edit.owner(), id));
    if (levels->size() - 1 + below > mailbox_depth_max)
        co_return fail(ErrorKind::Rejected, "mailboxes nested too deeply");
    const auto name = std::move(levels->back());
    levels->pop_back();
    MAILCORE_CO_TRY(const auto parent, make_levels(edit, *levels));
    if (parent.value != 0) {
        MAILCORE_CO_TRY(edit.mailbox(parent, Right::CreateMailbox));
    } else if (edit.access().actor != edit.owner()) {
        co_return fail(ErrorKind::Rejected, "no right to create mailboxes here");
    }
    txn.erase(name_key(edit.owner(), mailbox->parent, mailbox->name).str());
    txn.put(name_key(edit.owner(), parent, name).str(), detail::encode_id(id.value));
    mailbox->parent = parent;
    mailbox->name = name;
    MAILCORE_CO_TRY(const auto subscribed, take_subscription(edit, renamed.path));
    mailbox->subscribed = mailbox->subscribed || subscribed;
    edit.properties_changed(*mailbox);
    renamed.id = id;
    co_return renamed;
}

TxnTask<Result<DeletedMailbox>> delete_mailbox(AccountEdit& edit, std::string path) {
    const auto levels = split_path(path);
    if (!levels) co_return fail(ErrorKind::NotFound, "mailbox");
    auto& txn = edit.txn();
    MAILCORE_CO_TRY(const auto id, walk(txn, edit.owner(), *levels));
    if (id.value == 0) co_return fail(ErrorKind::NotFound, "mailbox");
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Rights{}));
    if (is_inbox(*levels)) co_return fail(ErrorKind::Rejected, "INBOX cannot be deleted");
    if (!edit.rights(id).has(Right::DeleteMailbox))
        co_return fail(ErrorKind::Rejected, "no right to delete this mailbox");
    MAILCORE_CO_TRY(auto below, children(txn, edit.owner(), id, mailboxes_max));
    if (!below.empty() && !mailbox->selectable)
        co_return fail(ErrorKind::Rejected, "the name has mailboxes below it");
    const auto normal = join_path(*levels);
    if (!below.empty()) {
        MAILCORE_CO_TRY(leave_name(edit, *mailbox, std::move(below)));
    } else {
        txn.erase(name_key(edit.owner(), mailbox->parent, mailbox->name).str());
        if (mailbox->subscribed && edit.state().subscriptions < subscriptions_max) {
            MAILCORE_CO_TRY(keep_subscription(edit, normal));
        }
    }
    edit.remove_mailbox(id);
    txn.erase(Key(edit.owner(), Table::Keywords).id(id).str());
    txn.erase(Key(edit.owner(), Table::Acl).id(id).str());
    txn.put(Key(edit.owner(), Table::Doomed).id(id).str(), detail::encode_mark());
    DeletedMailbox deleted;
    deleted.id = id;
    MAILCORE_CO_TRY(deleted.messages_left, reclaim_one(edit, id, 1'000));
    co_return deleted;
}

TxnTask<Result<bool>> reclaim(AccountEdit& edit, std::uint32_t messages_max) {
    const auto all = Key(edit.owner(), Table::Doomed);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, edit.txn().range(all.str(), end, 2));
    if (rows.empty()) co_return false;
    const MailboxId first{detail::key_u64(rows.front().key, 8)};
    MAILCORE_CO_TRY(const auto more, reclaim_one(edit, first, messages_max));
    co_return more || rows.size() > 1;
}

TxnTask<Result<void>> set_subscribed(AccountEdit& edit, std::string path, Subscribed subscribed) {
    if (edit.access().actor != edit.owner())
        co_return fail(ErrorKind::Rejected, "subscriptions are the owner's");
    const auto levels = split_path(path);
    if (!levels) co_return std::unexpected(levels.error());
    const auto normal = join_path(*levels);
    MAILCORE_CO_TRY(const auto id, walk(edit.txn(), edit.owner(), *levels));
    const bool wanted = subscribed == Subscribed::Yes;
    if (id.value == 0) {
        if (wanted) {
            MAILCORE_CO_TRY(keep_subscription(edit, normal));
        } else {
            MAILCORE_CO_TRY(take_subscription(edit, normal));
        }
        co_return Result<void>{};
    }
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Rights{}));
    if (mailbox->subscribed != wanted) {
        mailbox->subscribed = wanted;
        edit.properties_changed(*mailbox);
    }
    co_return Result<void>{};
}

TxnTask<Result<void>> set_role(AccountEdit& edit, MailboxId id, Role role) {
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Right::DeleteMailbox));
    if (mailbox->role == role) co_return Result<void>{};
    if (mailbox->role == Role::Inbox) co_return fail(ErrorKind::Rejected, "INBOX stays INBOX");
    MAILCORE_CO_TRY(check_role_free(edit, role, id));
    mailbox->role = role;
    edit.properties_changed(*mailbox);
    co_return Result<void>{};
}

TxnTask<Result<void>> claim_recent(AccountEdit& edit, MailboxId id) {
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Right::Read));
    if (mailbox->recent_from == mailbox->uidnext) co_return Result<void>{};
    mailbox->recent_from = mailbox->uidnext;
    edit.counters_changed(*mailbox);
    co_return Result<void>{};
}

} // namespace mailcore::store
