#include "libmailcore/delivery/intake.h"

#include "libmailcore/queue/rows.h"

#include <algorithm>
#include <iterator>

namespace mailcore::delivery {

namespace {

/// Puts body and rows, and completes `message` for who files it behind this.
store::TxnTask<Result<queue::QueueId>> enqueue(store::WriteTransaction& txn,
                                               queue::Message& message, store::NewBlobRef blob,
                                               std::string trace_header, std::string edited_header,
                                               std::uint64_t header_octets, std::string trailer,
                                               std::vector<queue::Recipient> recipients) {
    const auto id = txn.add_blob(*blob);
    message.arrived = txn.now();
    message.pieces.clear();
    // The first piece is always what we add on top, so that the rest can be parsed by itself.
    message.pieces.push_back(store::Piece::of(std::move(trace_header)));
    if (!edited_header.empty())
        message.pieces.push_back(store::Piece::of(std::move(edited_header)));
    else
        header_octets = 0;
    message.pieces.push_back(store::Piece::of(id, header_octets, blob->size() - header_octets));
    if (!trailer.empty()) message.pieces.push_back(store::Piece::of(std::move(trailer)));
    message.size = 0;
    for (const auto& piece : message.pieces) message.size += piece.length;
    for (auto& recipient : recipients) recipient.next_try = message.arrived;
    message.recipients = static_cast<std::uint32_t>(recipients.size());
    MAILCORE_CO_TRY(message.id, queue::enqueue(txn, message, std::move(recipients)));
    co_return message.id;
}

} // namespace

Intake::Intake(Scheduler& scheduler, store::Store& store, LocalDelivery& local,
               std::function<void(queue::QueueId)> remote, Log log)
    : scheduler_(scheduler), store_(store), local_(local), remote_(std::move(remote)), log_(log),
      scope_(scheduler) {}

Task<Result<queue::QueueId>> Intake::accept(Incoming incoming) {
    if (incoming.held)
        for (auto& recipient : incoming.recipients) recipient.state = queue::State::Held;
    for (std::uint32_t index = 0; index < incoming.recipients.size(); ++index)
        incoming.recipients[index].index = index;
    std::shared_ptr<const Analysis> analysis;
    if (incoming.structure && incoming.edited_header.empty())
        analysis = std::make_shared<const Analysis>(
            analyse(*incoming.structure, incoming.trace_header.size()));
    std::vector<queue::Recipient> local;
    if (!incoming.held)
        std::ranges::copy_if(incoming.recipients, std::back_inserter(local),
                             [](const auto& each) { return each.route == queue::Route::Local; });
    const bool others = !incoming.held && local.size() < incoming.recipients.size();
    // A store runs what one scheduler hands in in that order, and what it gets at once in one
    // frame: filing handed in here costs no sync of its own.
    const bool at_once =
        !local.empty() && LocalDelivery::files_unread(local[0], analysis.get(), pipeline_.get());

    const auto taking = std::make_shared<Taking>();
    taking->message = std::move(incoming.message);
    Accepted accepted(scheduler_);
    scope_.spawn(take(taking, std::move(incoming), accepted.completer()));
    if (at_once) scope_.spawn(file(taking, std::move(local), analysis, !others));
    const auto done = co_await accepted;
    if (!done) co_return std::unexpected(done.error());
    const auto id = taking->message.id;
    if (others) remote_(id);
    if (!at_once && !local.empty())
        scope_.spawn(file(taking, std::move(local), std::move(analysis), !others));
    co_return id;
}

Task<void> Intake::take(std::shared_ptr<Taking> taking, Incoming incoming,
                        Accepted::Completer accepted) {
    MAILCORE_CO_AWAIT(
        const auto id,
        store_.write([taking, blob = incoming.blob, above = std::move(incoming.trace_header),
                      header = std::move(incoming.edited_header), octets = incoming.header_octets,
                      trailer = std::move(incoming.trailer),
                      recipients = std::move(incoming.recipients)](store::WriteTransaction& txn) {
            return enqueue(txn, taking->message, blob, above, header, octets, trailer, recipients);
        }));
    taking->accepted = id.has_value();
    if (!id) {
        accepted.complete_here(std::unexpected(id.error()));
        co_return;
    }
    const auto& message = taking->message;
    const std::string message_id(incoming.structure ? incoming.structure->message_id
                                                    : std::string_view{});
    MAILCORE_LOG(log_, Info, "queue.accepted",
                 {{"queue_id", message.id},
                  {"message_id", message_id},
                  {"sender", message.sender},
                  {"recipients", message.recipients},
                  {"size", message.size}},
                 message.trace);
    accepted.complete_here({});
}

Task<void> Intake::file(std::shared_ptr<const Taking> taking,
                        std::vector<queue::Recipient> recipients,
                        std::shared_ptr<const Analysis> analysis, bool tell_remote) {
    const std::shared_ptr<const queue::Message> message(taking, &taking->message);
    bool left = false;
    // One after the other: their transactions wait for the same writer anyway, and a message to ten
    // thousand must not hold ten thousand frames. The courier cares for what could not be filed
    // now.
    for (auto& recipient : recipients) {
        const auto outcome =
            co_await local_.deliver(message, std::move(recipient), analysis, pipeline_);
        if (!taking->accepted) co_return; // nothing was, so nothing is
        if (outcome.report) remote_(*outcome.report);
        left = left || outcome.kind == Outcome::Kind::Failed ||
               outcome.kind == Outcome::Kind::Deferred;
    }
    if (left && tell_remote) remote_(message->id);
}

} // namespace mailcore::delivery
