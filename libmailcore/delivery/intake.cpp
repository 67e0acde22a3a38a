#include "libmailcore/delivery/intake.h"

#include "libmailcore/queue/rows.h"

#include <algorithm>

namespace mailcore::delivery {

namespace {

store::TxnTask<Result<queue::Message>> take(store::WriteTransaction& txn, queue::Message message,
                                            store::NewBlobRef blob, std::string trace_header,
                                            std::string edited_header, std::uint64_t header_octets,
                                            std::string trailer,
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
    co_return message;
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
    const std::string message_id(incoming.structure ? incoming.structure->message_id
                                                    : std::string_view{});
    std::shared_ptr<const Analysis> analysis;
    if (incoming.structure && incoming.edited_header.empty())
        analysis = std::make_shared<const Analysis>(
            analyse(*incoming.structure, incoming.trace_header.size()));

    MAILCORE_CO_AWAIT(
        auto message,
        store_.write([message = std::move(incoming.message), blob = incoming.blob,
                      above = std::move(incoming.trace_header),
                      header = std::move(incoming.edited_header), octets = incoming.header_octets,
                      trailer = std::move(incoming.trailer),
                      recipients = incoming.recipients](store::WriteTransaction& txn) {
            return take(txn, message, blob, above, header, octets, trailer, recipients);
        }));
    if (!message) co_return std::unexpected(std::move(message).error());
    const auto id = message->id;
    MAILCORE_LOG(log_, Info, "queue.accepted",
                 {{"queue_id", id},
                  {"message_id", message_id},
                  {"sender", message->sender},
                  {"recipients", message->recipients},
                  {"size", message->size}},
                 message->trace);
    if (incoming.held) co_return id;

    std::vector<queue::Recipient> local;
    for (auto& recipient : incoming.recipients)
        if (recipient.route == queue::Route::Local) local.push_back(std::move(recipient));
    const bool others = local.size() < incoming.recipients.size();
    if (others) remote_(id);
    if (!local.empty())
        scope_.spawn(file(std::move(*message), std::move(local), std::move(analysis), !others));
    co_return id;
}

Task<void> Intake::file(queue::Message message, std::vector<queue::Recipient> recipients,
                        std::shared_ptr<const Analysis> analysis, bool tell_remote) {
    bool left = false;
    // One after the other: their transactions wait for the same writer anyway, and a message to ten
    // thousand must not hold ten thousand frames. The courier cares for what could not be filed
    // now.
    for (auto& recipient : recipients) {
        const auto outcome =
            co_await local_.deliver(message, std::move(recipient), analysis, pipeline_);
        if (outcome.report) remote_(*outcome.report);
        left = left || outcome.kind == Outcome::Kind::Failed ||
               outcome.kind == Outcome::Kind::Deferred;
    }
    if (left && tell_remote) remote_(message.id);
}

} // namespace mailcore::delivery
