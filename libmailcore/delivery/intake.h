// The one way into the queue: what a session has taken becomes ours, durably, and then goes on.
#pragma once

#include "libmailcore/delivery/local.h"
#include "libmailcore/queue/message.h"
#include "libmailcore/store/store.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::delivery {

/// A message that was taken and not yet accepted.
struct Incoming {
    queue::Message
        message; ///< sender, flags, trace, account; id, pieces and counts are filled in here
    std::string
        trace_header; ///< fields with CRLFs that go above: Received, Authentication-Results ...
    store::NewBlobRef blob; ///< as it came, or as rewritten by submission and the headers stage
    /// Edited by a filter after the body was taken: takes the place of the blob's first
    /// `header_octets` octets (fields and empty line). Empty: nothing was.
    std::string edited_header;
    std::uint64_t header_octets = 0;
    std::string trailer; ///< behind the body; only with an edited header
    std::shared_ptr<const mime::Structure>
        structure; ///< of the blob; absent: it will be parsed when filed
    std::vector<queue::Recipient> recipients;
    bool held = false;
};

/// Accepts mail, files what is local at once, and tells the courier of the rest. One scheduler's
/// thread.
class Intake {
  public:
    /// `remote` is told of each message that has recipients the courier must care for; it is called
    /// on this scheduler and posts to the courier's.
    Intake(Scheduler& scheduler, store::Store& store, LocalDelivery& local,
           std::function<void(queue::QueueId)> remote, Log log);

    /// Filters of the deliver stage; replaced by a reload.
    void set_pipeline(std::shared_ptr<const filter::Pipeline> pipeline) {
        pipeline_ = std::move(pipeline);
    }

    /// One durable transaction: body and queue rows. When it answers, the peer may be told 250; if
    /// the caller is cancelled meanwhile, the message is taken all the same. Local recipients are
    /// filed behind it without being waited for, the first, if nothing has to be asked, in the same
    /// frame. LimitExceeded: the disk is full. Unavailable: the store takes no writes.
    Task<Result<queue::QueueId>> accept(Incoming incoming);

    /// Acceptances and local filings under way; a drain waits until there are none. What is left
    /// then is in the queue.
    [[nodiscard]] std::size_t under_way() const { return scope_.size(); }

  private:
    /// The transaction under way is what changes the message; on this scheduler it may be read
    /// once `accepted` says so.
    struct Taking {
        queue::Message message;
        bool accepted = false;
    };
    using Accepted = base::Completion<Result<void>>;

    Task<void> take(std::shared_ptr<Taking> taking, Incoming incoming,
                    Accepted::Completer accepted);
    Task<void> file(std::shared_ptr<const Taking> taking, std::vector<queue::Recipient> recipients,
                    std::shared_ptr<const Analysis> analysis, bool tell_remote);

    Scheduler& scheduler_;
    store::Store& store_;
    LocalDelivery& local_;
    std::function<void(queue::QueueId)> remote_;
    std::shared_ptr<const filter::Pipeline> pipeline_;
    Log log_;
    Scope scope_; // last: its tasks use the others
};

} // namespace mailcore::delivery
