// The queue's rows: what may be done with messages under way inside a transaction.
#pragma once

#include "libmailcore/queue/message.h"
#include "libmailcore/store/transaction.h"

#include <optional>
#include <string>
#include <vector>

namespace mailcore::queue {

using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

/// Puts a message under way: rows of message, recipients and due times, and references to its
/// blobs. `message.id` and `recipients[].index` are given here. Together with `add_blob` in one
/// transaction this is the acceptance: when it is durable, the peer may be told 250. LimitExceeded:
/// no recipient, or more than `recipients_max`.
TxnTask<Result<QueueId>> enqueue(WriteTransaction& txn, Message message,
                                 std::vector<Recipient> recipients);

/// NotFound: it is delivered, bounced or removed. Corrupt: its row is damaged.
TxnTask<Result<Message>> read_message(ReadTransaction& txn, QueueId id);
TxnTask<Result<Recipient>> read_recipient(ReadTransaction& txn, QueueId id, std::uint32_t index);

/// A row that cannot be decoded. What reads many passes it over; it stays where it is.
struct DamagedRow {
    QueueId id;
    std::optional<std::uint32_t> index; ///< of the recipient; absent: the message's own row
    std::string why;
};
/// "queued message 12, recipient 0: ..."
[[nodiscard]] std::string to_string(const DamagedRow& row);

struct RecipientList {
    std::vector<Recipient> recipients;
    std::vector<DamagedRow> damaged;
    std::optional<std::uint32_t> next; ///< where to go on; nothing: all were read
};
/// From `from` on, `count_max` rows.
TxnTask<Result<RecipientList>> read_recipients(ReadTransaction& txn, QueueId id, std::uint32_t from,
                                               std::size_t count_max);

struct MessageList {
    std::vector<Message> messages;
    std::vector<DamagedRow> damaged;
    std::optional<QueueId> next; ///< where to go on; nothing: all were read
};
/// Messages in the order of their ids, `count_max` rows from `from` on.
TxnTask<Result<MessageList>> list_messages(ReadTransaction& txn, QueueId from,
                                           std::size_t count_max);

/// A recipient that is due, or will be.
struct Due {
    WallTime at;
    QueueId id;
    std::uint32_t index = 0;
    friend auto operator<=>(const Due&, const Due&) = default;
};
/// In the order of their time, behind `after` (the last one of the previous call).
TxnTask<Result<std::vector<Due>>> list_due(ReadTransaction& txn, std::optional<Due> after,
                                           std::size_t count_max);

/// Writes a changed recipient: state, next try, what was said. Its place in the due index follows.
/// NotFound: it is gone meanwhile, and stays so.
TxnTask<Result<void>> update_recipient(WriteTransaction& txn, QueueId id, Recipient recipient);
/// Delivered, bounced or given up: the recipient leaves the queue; the last one takes the message
/// and its references with it. NotFound: somebody else did it, so whatever goes with it must not be
/// done twice.
TxnTask<Result<void>> remove_recipient(WriteTransaction& txn, QueueId id, std::uint32_t index);

struct QueueCounts {
    std::uint64_t messages = 0;
    std::uint64_t waiting = 0, held = 0; ///< recipients
    std::uint64_t damaged = 0;           ///< rows, counted nowhere else
    std::vector<DamagedRow> damages;     ///< the first hundred of them
};
/// Counts at most about `messages_max` messages.
TxnTask<Result<QueueCounts>> count(ReadTransaction& txn, std::size_t messages_max);

} // namespace mailcore::queue
