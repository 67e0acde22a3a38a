#include "libmailcore/store/detail/model_rows.h"

#include "libmailcore/codec/bytes.h"

#include <fmt/format.h>

#include <algorithm>

namespace mailcore::store::detail {

namespace {

using codec::Reader;
using codec::Writer;

constexpr std::uint64_t row_version = 1;

enum : std::uint8_t { subscribed_bit = 1, selectable_bit = 2 };

/// Reads the version; what is newer than this program is not guessed at.
bool known_version(Reader& reader) { return reader.varint() == row_version; }

} // namespace

std::unexpected<Error> corrupt(std::string_view what, std::uint64_t id) {
    return fail(ErrorKind::Corrupt, fmt::format("{} {}", what, id));
}

std::uint32_t key_u32(std::string_view key, std::size_t from_end) {
    if (key.size() < from_end) return 0;
    Reader reader(key.substr(key.size() - from_end));
    return reader.u32be();
}

std::uint64_t key_u64(std::string_view key, std::size_t from_end) {
    if (key.size() < from_end) return 0;
    Reader reader(key.substr(key.size() - from_end));
    return reader.u64be();
}

std::string encode(const AccountState& state) {
    std::string row;
    Writer(row)
        .varint(row_version)
        .varint(state.epoch)
        .varint(state.next_id)
        .varint(state.modseq.value)
        .varint(state.uidvalidity_last.value)
        .varint(state.inbox.value)
        .varint(state.quota.limits.octets_max)
        .varint(state.quota.limits.messages_max)
        .varint(state.quota.usage.octets)
        .varint(state.quota.usage.messages)
        .varint(state.mailboxes)
        .varint(state.subscriptions)
        .varint(state.destroyed_floor.value)
        .varint(state.destroyed_rows);
    return row;
}

Result<AccountState> decode_account(std::string_view row) {
    Reader reader(row);
    AccountState state;
    if (!known_version(reader)) return fail(ErrorKind::Corrupt, "account row of unknown version");
    state.epoch = reader.varint();
    state.next_id = reader.varint();
    state.modseq.value = reader.varint();
    state.uidvalidity_last.value = static_cast<std::uint32_t>(reader.varint());
    state.inbox.value = reader.varint();
    state.quota.limits.octets_max = reader.varint();
    state.quota.limits.messages_max = reader.varint();
    state.quota.usage.octets = reader.varint();
    state.quota.usage.messages = reader.varint();
    state.mailboxes = static_cast<std::uint32_t>(reader.varint());
    state.subscriptions = static_cast<std::uint32_t>(reader.varint());
    state.destroyed_floor.value = reader.varint();
    state.destroyed_rows = static_cast<std::uint32_t>(reader.varint());
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "account row");
    return state;
}

std::string encode(const Mailbox& mailbox) {
    std::string row;
    Writer(row)
        .varint(row_version)
        .varint(mailbox.parent.value)
        .text(mailbox.name)
        .u8(static_cast<std::uint8_t>(mailbox.role))
        .u8(static_cast<std::uint8_t>((mailbox.subscribed ? subscribed_bit : 0) |
                                      (mailbox.selectable ? selectable_bit : 0)))
        .varint(mailbox.uidvalidity.value)
        .varint(mailbox.uidnext.value)
        .varint(mailbox.highest_modseq.value)
        .varint(mailbox.created.value)
        .varint(mailbox.modified.value)
        .varint(mailbox.exists)
        .varint(mailbox.unseen)
        .varint(mailbox.deleted)
        .varint(mailbox.octets)
        .varint(mailbox.recent_from.value)
        .varint(mailbox.vanished_floor.value)
        .varint(mailbox.vanished_rows);
    return row;
}

Result<Mailbox> decode_mailbox(MailboxId id, std::string_view row) {
    Reader reader(row);
    Mailbox mailbox;
    mailbox.id = id;
    if (!known_version(reader)) return corrupt("mailbox row of unknown version", id.value);
    const auto u32 = [&] { return static_cast<std::uint32_t>(reader.varint()); };
    mailbox.parent.value = reader.varint();
    mailbox.name = reader.text();
    const auto role = reader.u8();
    mailbox.role =
        role <= static_cast<std::uint8_t>(Role::Trash) ? static_cast<Role>(role) : Role::None;
    const auto bits = reader.u8();
    mailbox.subscribed = (bits & subscribed_bit) != 0;
    mailbox.selectable = (bits & selectable_bit) != 0;
    mailbox.uidvalidity.value = u32();
    mailbox.uidnext.value = u32();
    mailbox.highest_modseq.value = reader.varint();
    mailbox.created.value = reader.varint();
    mailbox.modified.value = reader.varint();
    mailbox.exists = u32();
    mailbox.unseen = u32();
    mailbox.deleted = u32();
    mailbox.octets = reader.varint();
    mailbox.recent_from.value = u32();
    mailbox.vanished_floor.value = reader.varint();
    mailbox.vanished_rows = u32();
    if (!reader.at_end()) return corrupt("mailbox row", id.value);
    return mailbox;
}

std::string encode_id(std::uint64_t id) {
    std::string row;
    Writer(row).varint(row_version).varint(id);
    return row;
}

Result<std::uint64_t> decode_id(std::string_view row) {
    Reader reader(row);
    const bool known = known_version(reader);
    const auto id = reader.varint();
    if (!known || !reader.at_end()) return fail(ErrorKind::Corrupt, "row of one id");
    return id;
}

std::string encode_mark() {
    std::string row;
    Writer(row).varint(row_version);
    return row;
}

std::string encode_texts(const std::vector<std::string>& texts) {
    std::string row;
    Writer writer(row);
    writer.varint(row_version).varint(texts.size());
    for (const auto& text : texts) writer.text(text);
    return row;
}

Result<std::vector<std::string>> decode_texts(std::string_view row) {
    Reader reader(row);
    if (!known_version(reader)) return fail(ErrorKind::Corrupt, "row of texts of unknown version");
    std::vector<std::string> texts(reader.count());
    for (auto& text : texts) text = reader.text();
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "row of texts");
    return texts;
}

std::string encode(const std::vector<AclEntry>& entries) {
    std::string row;
    Writer writer(row);
    writer.varint(row_version).varint(entries.size());
    for (const auto& entry : entries)
        writer.varint(entry.account.value).varint(entry.rights.bits());
    return row;
}

Result<std::vector<AclEntry>> decode_acl(std::string_view row) {
    Reader reader(row);
    if (!known_version(reader)) return fail(ErrorKind::Corrupt, "access list of unknown version");
    std::vector<AclEntry> entries(reader.count(2));
    for (auto& entry : entries) {
        entry.account.value = reader.varint();
        entry.rights = Rights::from_bits(static_cast<std::uint16_t>(reader.varint()));
    }
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "access list");
    return entries;
}

std::vector<std::string> encode_uids(const UidSet& uids, std::size_t octets_max) {
    std::vector<std::string> rows;
    std::uint32_t last = 0;
    for (const auto& range : uids.ranges()) {
        if (rows.empty() || rows.back().size() + 10 > octets_max) {
            rows.push_back(encode_mark());
            last = 0;
        }
        Writer(rows.back())
            .varint(range.first.value - last)
            .varint(range.last.value - range.first.value);
        last = range.last.value;
    }
    return rows;
}

Result<void> decode_uids(std::string_view row, UidSet& into) {
    Reader reader(row);
    std::uint64_t last = 0;
    if (!known_version(reader)) return fail(ErrorKind::Corrupt, "row of UIDs of unknown version");
    while (reader.remaining() > 0) {
        const auto first = last + reader.varint();
        last = first + reader.varint();
        if (!reader.ok() || first == 0 || last < first || last > all_uids.last.value)
            return fail(ErrorKind::Corrupt, "row of UIDs");
        into.add(UidRange{Uid{static_cast<std::uint32_t>(first)},
                          Uid{static_cast<std::uint32_t>(last)}});
    }
    return {};
}

std::vector<std::string> encode_ids(const std::vector<std::uint64_t>& ids, std::size_t octets_max) {
    std::vector<std::string> rows;
    std::uint64_t last = 0;
    for (const auto id : ids) {
        if (rows.empty() || rows.back().size() + 10 > octets_max) {
            rows.push_back(encode_mark());
            last = 0;
        }
        Writer(rows.back()).varint(id - last);
        last = id;
    }
    return rows;
}

Result<void> decode_ids(std::string_view row, std::vector<std::uint64_t>& into) {
    Reader reader(row);
    std::uint64_t last = 0;
    if (!known_version(reader)) return fail(ErrorKind::Corrupt, "row of ids of unknown version");
    while (reader.remaining() > 0) {
        last += reader.varint();
        into.push_back(last);
    }
    if (!reader.ok()) return fail(ErrorKind::Corrupt, "row of ids");
    return {};
}

std::vector<std::string> encode(const Email& email) {
    std::string octets;
    Writer writer(octets);
    // Bodies come first: they stand in the first row whatever follows.
    writer.varint(row_version).varint(email.pieces.size());
    for (const auto& piece : email.pieces)
        writer.varint(piece.blob.value).varint(piece.offset).varint(piece.length);
    writer.varint(email.thread.value)
        .varint(email.created.value)
        .svarint(base::unix_seconds(email.received.at))
        .svarint(email.received.zone_minutes)
        .varint(email.size)
        .varint(email.structure_offset)
        .varint(email.thread_keys.size());
    for (const auto& key : email.thread_keys)
        writer.octets({reinterpret_cast<const char*>(key.data()), key.size()});
    for (const auto& piece : email.pieces)
        if (piece.blob.value == 0) writer.octets(piece.octets);
    writer.text(email.structure);
    std::vector<std::string> rows;
    for (std::size_t at = 0; at < octets.size(); at += row_octets)
        rows.push_back(octets.substr(at, row_octets));
    return rows;
}

Result<Email> decode_email(EmailId id, std::string octets) {
    Reader reader(octets);
    Email email;
    email.id = id;
    if (!known_version(reader)) return corrupt("email row of unknown version", id.value);
    email.pieces.resize(reader.count(3));
    for (auto& piece : email.pieces) {
        piece.blob.value = reader.varint();
        piece.offset = reader.varint();
        piece.length = reader.varint();
    }
    email.thread.value = reader.varint();
    email.created.value = reader.varint();
    email.received.at = base::wall_time(reader.svarint());
    email.received.zone_minutes = static_cast<std::int16_t>(reader.svarint());
    email.size = reader.varint();
    email.structure_offset = reader.varint();
    email.thread_keys.resize(reader.count(sizeof(ThreadKey)));
    for (auto& key : email.thread_keys) {
        const auto raw = reader.octets(key.size());
        std::copy(raw.begin(), raw.end(), key.begin());
    }
    for (auto& piece : email.pieces)
        if (piece.blob.value == 0) piece.octets = reader.octets(piece.length);
    const auto structure = reader.text();
    if (!reader.at_end()) return corrupt("email row", id.value);
    // It is most of the row, and its end.
    octets.erase(0, octets.size() - structure.size());
    email.structure = std::move(octets);
    return email;
}

} // namespace mailcore::store::detail
