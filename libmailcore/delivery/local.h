// Filing into mailboxes of ours: each recipient exactly once, whatever happens in between.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/delivery/outcome.h"
#include "libmailcore/delivery/report.h"
#include "libmailcore/filter/pipeline.h"
#include "libmailcore/mime/structure.h"
#include "libmailcore/queue/message.h"
#include "libmailcore/store/store.h"

#include <memory>

namespace mailcore::delivery {

struct LocalOptions {
    bool delivered_to = true; ///< adds Delivered-To with the address that led there
    bool over_quota_fails =
        false; ///< false: mail for a full mailbox waits (4.2.2); true: returned (5.2.2)
    std::uint64_t parse_octets_max =
        256 * 1024 * 1024; ///< of a message that has to be parsed again
};

/// What is known of a message's octets, computed once. Immutable; shared by its recipients.
struct Analysis {
    std::string structure;                ///< mime::Structure::encoded
    std::uint64_t offset = 0;             ///< octets before those it describes
    std::vector<std::string> message_ids; ///< as store::NewEmail wants them
    std::string base_subject;
};
[[nodiscard]] Analysis analyse(const mime::Structure& structure, std::uint64_t offset);

/// Files queue recipients into their accounts. One scheduler's thread.
class LocalDelivery {
  public:
    LocalDelivery(store::Store& store, Reporter& reporter, LocalOptions options, Log log)
        : store_(store), reporter_(reporter), options_(options), log_(log) {}

    /// Asks the deliver stage, files, and takes the recipient out of the queue, both in one
    /// transaction; a report of success (RFC 3461 §4.1), where one is wished, goes into the queue
    /// with them. `analysis`: absent after a restart; the message is then read and parsed again.
    /// Where it `files_unread`, the first thing that this does is to hand in that transaction,
    /// which is the first to look at the message's id, time and pieces: a transaction handed in
    /// just before may still be the one that sets them.
    Task<Outcome> deliver(std::shared_ptr<const queue::Message> message, queue::Recipient recipient,
                          std::shared_ptr<const Analysis> analysis,
                          std::shared_ptr<const filter::Pipeline> pipeline);

    /// Whether `deliver` needs nothing of the message but its envelope and `analysis`.
    [[nodiscard]] static bool files_unread(const queue::Recipient& recipient,
                                           const Analysis* analysis,
                                           const filter::Pipeline* pipeline);

  private:
    Task<Result<std::shared_ptr<const Analysis>>> read_and_analyse(const queue::Message& message);

    store::Store& store_;
    Reporter& reporter_;
    LocalOptions options_;
    Log log_;
};

} // namespace mailcore::delivery
