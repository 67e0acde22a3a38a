#include "libmailcore/queue/rows.h"

#include "libmailcore/codec/bytes.h"
#include "libmailcore/store/keys.h"

#include <algorithm>

namespace mailcore::queue {

std::string_view to_string(State state) {
    switch (state) {
    case State::Waiting: return "waiting";
    case State::Held: return "held";
    }
    return "unknown";
}

std::string_view to_string(Route route) { return route == Route::Local ? "local" : "remote"; }

namespace {

using store::Key;
using store::Space;

// Tables behind Space::Queue; letters are never reused.
constexpr std::uint8_t message_table = 'm';   // id -> message
constexpr std::uint8_t recipient_table = 'r'; // id, index -> recipient
constexpr std::uint8_t due_table = 'd';       // time, id, index -> nothing

constexpr std::uint64_t row_version = 1;

std::string message_key(QueueId id) { return Key(Space::Queue).u8(message_table).id(id).str(); }
std::string recipient_key(QueueId id, std::uint32_t index) {
    return Key(Space::Queue).u8(recipient_table).id(id).u32(index).str();
}
std::string due_key(const Due& due) {
    // Times before 1970 do not occur; the offset keeps the order anyway.
    const auto at =
        static_cast<std::uint64_t>(due.at.time_since_epoch().count()) ^ (std::uint64_t{1} << 63);
    return Key(Space::Queue).u8(due_table).u64(at).id(due.id).u32(due.index).str();
}
Due parse_due(std::string_view key) {
    codec::Reader reader(key.substr(2));
    Due due;
    due.at = WallTime{std::chrono::microseconds{
        static_cast<std::int64_t>(reader.u64be() ^ (std::uint64_t{1} << 63))}};
    due.id = QueueId{reader.u64be()};
    due.index = reader.u32be();
    return due;
}

std::string encode(const Message& message) {
    std::string row;
    codec::Writer writer(row);
    const auto flags = (message.smtputf8 ? 1u : 0u) | (message.eight_bit ? 2u : 0u) |
                       (message.auto_submitted ? 4u : 0u);
    writer.varint(row_version)
        .u64be(message.trace.value)
        .svarint(message.arrived.time_since_epoch().count())
        .text(message.sender)
        .text(message.envid)
        .u8(static_cast<std::uint8_t>(message.returns))
        .u8(static_cast<std::uint8_t>(flags))
        .varint(message.size)
        .text(message.account)
        .varint(message.recipients)
        .varint(message.pieces.size());
    for (const auto& piece : message.pieces) {
        writer.varint(piece.blob.value);
        if (piece.blob.value == 0)
            writer.text(piece.octets);
        else
            writer.varint(piece.offset).varint(piece.length);
    }
    return row;
}

Result<Message> decode_message(QueueId id, std::string_view row) {
    codec::Reader reader(row);
    Message message;
    message.id = id;
    if (reader.varint() != row_version)
        return fail(ErrorKind::Corrupt, "a queued message's row has an unknown version");
    message.trace = TraceId{reader.u64be()};
    message.arrived = WallTime{std::chrono::microseconds{reader.svarint()}};
    message.sender = reader.text();
    message.envid = reader.text();
    message.returns = static_cast<Return>(reader.u8());
    const auto flags = reader.u8();
    message.smtputf8 = flags & 1;
    message.eight_bit = flags & 2;
    message.auto_submitted = flags & 4;
    message.size = reader.varint();
    message.account = reader.text();
    message.recipients = static_cast<std::uint32_t>(reader.varint());
    for (auto count = std::min<std::uint64_t>(reader.varint(), store::pieces_max); count > 0;
         --count) {
        const store::BlobId blob{reader.varint()};
        if (blob.value == 0) {
            message.pieces.push_back(store::Piece::of(std::string(reader.text())));
        } else {
            const auto offset = reader.varint();
            message.pieces.push_back(store::Piece::of(blob, offset, reader.varint()));
        }
    }
    if (!reader.ok()) return fail(ErrorKind::Corrupt, "a queued message's row is damaged");
    return message;
}

std::string encode(const Recipient& recipient) {
    std::string row;
    const auto notify = (recipient.notify.success ? 1u : 0u) |
                        (recipient.notify.failure ? 2u : 0u) | (recipient.notify.delay ? 4u : 0u) |
                        (recipient.delay_reported ? 8u : 0u);
    codec::Writer(row)
        .varint(row_version)
        .text(recipient.address)
        .text(recipient.original)
        .u8(static_cast<std::uint8_t>(notify))
        .u8(static_cast<std::uint8_t>(recipient.route))
        .varint(recipient.account.value)
        .text(recipient.folder)
        .text(recipient.destination)
        .u8(static_cast<std::uint8_t>(recipient.state))
        .varint(recipient.attempts)
        .svarint(recipient.next_try.time_since_epoch().count())
        .text(recipient.status)
        .text(std::string_view(recipient.reply).substr(0, reply_octets_max))
        .text(recipient.remote_host);
    return row;
}

Result<Recipient> decode_recipient(std::uint32_t index, std::string_view row) {
    codec::Reader reader(row);
    Recipient recipient;
    recipient.index = index;
    if (reader.varint() != row_version)
        return fail(ErrorKind::Corrupt, "a queued recipient's row has an unknown version");
    recipient.address = reader.text();
    recipient.original = reader.text();
    const auto notify = reader.u8();
    recipient.notify = Notify{(notify & 1) != 0, (notify & 2) != 0, (notify & 4) != 0};
    recipient.delay_reported = notify & 8;
    recipient.route = static_cast<Route>(reader.u8());
    recipient.account = AccountId{reader.varint()};
    recipient.folder = reader.text();
    recipient.destination = reader.text();
    recipient.state = static_cast<State>(reader.u8());
    recipient.attempts = static_cast<std::uint32_t>(reader.varint());
    recipient.next_try = WallTime{std::chrono::microseconds{reader.svarint()}};
    recipient.status = reader.text();
    recipient.reply = reader.text();
    recipient.remote_host = reader.text();
    if (!reader.ok()) return fail(ErrorKind::Corrupt, "a queued recipient's row is damaged");
    return recipient;
}

/// Blobs of a message, each once: what is referred to as long as it is under way.
std::vector<store::BlobId> blobs(const Message& message) {
    std::vector<store::BlobId> ids;
    for (const auto& piece : message.pieces)
        if (piece.blob.value != 0 && std::ranges::find(ids, piece.blob) == ids.end())
            ids.push_back(piece.blob);
    return ids;
}

} // namespace

TxnTask<Result<QueueId>> enqueue(WriteTransaction& txn, Message message,
                                 std::vector<Recipient> recipients) {
    if (recipients.empty() || recipients.size() > recipients_max)
        co_return fail(ErrorKind::LimitExceeded,
                       "a message has 1 to " + std::to_string(recipients_max) + " recipients");
    message.id = QueueId{txn.next_id()};
    message.recipients = static_cast<std::uint32_t>(recipients.size());
    for (std::uint32_t index = 0; index < recipients.size(); ++index) {
        auto& recipient = recipients[index];
        recipient.index = index;
        txn.put(recipient_key(message.id, index), encode(recipient));
        if (recipient.state == State::Waiting)
            txn.put(due_key({recipient.next_try, message.id, index}), {});
    }
    const auto key = message_key(message.id);
    const auto needed = blobs(message);
    for (const auto blob : needed) {
        MAILCORE_CO_TRY(const bool known, txn.refer(blob, key));
        if (!known)
            co_return fail(ErrorKind::NotFound,
                           "a queued message names a body that does not exist");
    }
    txn.put(key, encode(message));
    co_return message.id;
}

TxnTask<Result<Message>> read_message(ReadTransaction& txn, QueueId id) {
    MAILCORE_CO_TRY(const auto row, txn.get(message_key(id)));
    if (!row) co_return fail(ErrorKind::NotFound, "no such message in the queue");
    co_return decode_message(id, *row);
}

TxnTask<Result<Recipient>> read_recipient(ReadTransaction& txn, QueueId id, std::uint32_t index) {
    MAILCORE_CO_TRY(const auto row, txn.get(recipient_key(id, index)));
    if (!row) co_return fail(ErrorKind::NotFound, "no such recipient in the queue");
    co_return decode_recipient(index, *row);
}

std::string to_string(const DamagedRow& row) {
    auto text = "queued message " + std::to_string(row.id.value);
    if (row.index) text += ", recipient " + std::to_string(*row.index);
    return text + ": " + row.why;
}

TxnTask<Result<RecipientList>> read_recipients(ReadTransaction& txn, QueueId id, std::uint32_t from,
                                               std::size_t count_max) {
    const auto end = Key(Space::Queue).u8(recipient_table).id(id).end();
    MAILCORE_CO_TRY(const auto rows, txn.range(recipient_key(id, from), end, count_max));
    RecipientList list;
    for (const auto& row : rows) {
        const auto index =
            codec::Reader(std::string_view(row.key).substr(row.key.size() - 4)).u32be();
        auto recipient = decode_recipient(index, row.value);
        if (recipient)
            list.recipients.push_back(std::move(*recipient));
        else
            list.damaged.push_back({id, index, std::move(recipient).error().detail});
        list.next = index + 1;
    }
    if (rows.size() < count_max) list.next.reset();
    co_return list;
}

TxnTask<Result<MessageList>> list_messages(ReadTransaction& txn, QueueId from,
                                           std::size_t count_max) {
    const auto end = Key(Space::Queue).u8(message_table).end();
    MAILCORE_CO_TRY(const auto rows, txn.range(message_key(from), end, count_max));
    MessageList list;
    for (const auto& row : rows) {
        const QueueId id{codec::Reader(std::string_view(row.key).substr(2)).u64be()};
        auto message = decode_message(id, row.value);
        if (message)
            list.messages.push_back(std::move(*message));
        else
            list.damaged.push_back({id, std::nullopt, std::move(message).error().detail});
        list.next = QueueId{id.value + 1};
    }
    if (rows.size() < count_max) list.next.reset();
    co_return list;
}

TxnTask<Result<std::vector<Due>>> list_due(ReadTransaction& txn, std::optional<Due> after,
                                           std::size_t count_max) {
    auto from = Key(Space::Queue).u8(due_table).str();
    const auto end = Key(Space::Queue).u8(due_table).end();
    if (after) from = due_key(*after) + '\0';
    MAILCORE_CO_TRY(const auto rows, txn.range(from, end, count_max));
    std::vector<Due> due;
    for (const auto& row : rows) due.push_back(parse_due(row.key));
    co_return due;
}

TxnTask<Result<void>> update_recipient(WriteTransaction& txn, QueueId id, Recipient recipient) {
    auto old = co_await read_recipient(txn, id, recipient.index);
    if (!old) co_return std::unexpected(old.error());
    if (old->state == State::Waiting) txn.erase(due_key({old->next_try, id, recipient.index}));
    if (recipient.state == State::Waiting)
        txn.put(due_key({recipient.next_try, id, recipient.index}), {});
    txn.put(recipient_key(id, recipient.index), encode(recipient));
    co_return Result<void>{};
}

TxnTask<Result<void>> remove_recipient(WriteTransaction& txn, QueueId id, std::uint32_t index) {
    auto old = co_await read_recipient(txn, id, index);
    if (!old) co_return std::unexpected(old.error());
    auto message = co_await read_message(txn, id);
    if (!message) co_return std::unexpected(message.error());
    if (old->state == State::Waiting) txn.erase(due_key({old->next_try, id, index}));
    txn.erase(recipient_key(id, index));
    const auto key = message_key(id);
    if (--message->recipients > 0) {
        txn.put(key, encode(*message));
        co_return Result<void>{};
    }
    txn.erase(key);
    const auto needed = blobs(*message);
    for (const auto blob : needed) {
        MAILCORE_CO_TRY(txn.release(blob, key));
    }
    co_return Result<void>{};
}

TxnTask<Result<QueueCounts>> count(ReadTransaction& txn, std::size_t messages_max) {
    constexpr std::size_t damages_max = 100;
    QueueCounts counts;
    const auto note = [&](std::vector<DamagedRow>& damaged) {
        counts.damaged += damaged.size();
        for (auto& row : damaged)
            if (counts.damages.size() < damages_max) counts.damages.push_back(std::move(row));
    };
    std::optional<QueueId> from = QueueId{};
    while (from && counts.messages < messages_max) {
        MAILCORE_CO_TRY(auto list, list_messages(txn, *from, 256));
        note(list.damaged);
        for (const auto& message : list.messages) {
            ++counts.messages;
            MAILCORE_CO_TRY(auto rows, read_recipients(txn, message.id, 0, recipients_max));
            note(rows.damaged);
            for (const auto& recipient : rows.recipients) {
                if (recipient.state == State::Waiting)
                    ++counts.waiting;
                else
                    ++counts.held;
            }
        }
        from = list.next;
    }
    co_return counts;
}

} // namespace mailcore::queue
