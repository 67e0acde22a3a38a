#include "libmailcore/admin/detail/operations.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/mime/date.h"
#include "libmailcore/queue/rows.h"

#include <fmt/format.h>

namespace mailcore::admin::detail {

namespace {

using queue::Message;
using queue::QueueId;
using queue::Recipient;
using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

Json to_json(const Recipient& recipient) {
    return Json{
        {"address", recipient.address},         {"route", queue::to_string(recipient.route)},
        {"destination", recipient.destination}, {"state", queue::to_string(recipient.state)},
        {"attempts", recipient.attempts},       {"next_try", mime::format_utc(recipient.next_try)},
        {"status", recipient.status},           {"reply", recipient.reply},
        {"host", recipient.remote_host}};
}

Json to_json(const Message& message, const std::vector<Recipient>& recipients) {
    Json list = Json::array();
    for (const auto& recipient : recipients) list.push_back(to_json(recipient));
    return Json{
        {"id", message.id.value},       {"trace", fmt::format("{:016x}", message.trace.value)},
        {"sender", message.sender},     {"account", message.account},
        {"size", message.size},         {"arrived", mime::format_utc(message.arrived)},
        {"recipients", std::move(list)}};
}

/// The messages a request names: by id, or all.
Task<Result<std::vector<QueueId>>> named(Context& context, Request& request) {
    std::vector<QueueId> ids;
    const auto id = request.number_or("id", 0);
    const bool all = request.flag("all");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    if (id == 0 && !all)
        co_return fail(ErrorKind::Rejected, "name a message by its id, or say all");
    if (!all) {
        ids.push_back(QueueId{id});
        co_return ids;
    }
    QueueId from;
    while (true) {
        MAILCORE_CO_TRY(const auto batch, context.store.read([from](ReadTransaction& txn) {
            return queue::list_messages(txn, from, 256);
        }));
        if (batch.empty()) break;
        for (const auto& message : batch) ids.push_back(message.id);
        from = QueueId{batch.back().id.value + 1};
    }
    co_return ids;
}

enum class Change : std::uint8_t { Retry, Hold, Release, Remove };

/// One message's recipients, all in one transaction.
TxnTask<Result<std::uint64_t>> change(WriteTransaction& txn, QueueId id, Change what) {
    MAILCORE_CO_TRY(queue::read_message(txn, id));
    MAILCORE_CO_TRY(const auto recipients,
                    queue::read_recipients(txn, id, 0, queue::recipients_max));
    std::uint64_t changed = 0;
    for (auto recipient : recipients) {
        using State = queue::State;
        switch (what) {
        case Change::Remove: {
            MAILCORE_CO_TRY(queue::remove_recipient(txn, id, recipient.index));
            ++changed;
            continue;
        }
        case Change::Hold:
            if (recipient.state == State::Held) continue;
            recipient.state = State::Held;
            break;
        case Change::Release:
            if (recipient.state == State::Waiting) continue;
            recipient.state = State::Waiting;
            recipient.next_try = txn.now();
            break;
        case Change::Retry:
            if (recipient.state != State::Waiting) continue;
            recipient.next_try = txn.now();
            break;
        }
        MAILCORE_CO_TRY(queue::update_recipient(txn, id, recipient));
        ++changed;
    }
    co_return changed;
}

Answer change_named(Context& context, std::string text, Change what) {
    Request request(text);
    MAILCORE_CO_TRY(const auto ids, named(context, request));
    std::uint64_t changed = 0;
    for (const auto id : ids) {
        MAILCORE_CO_AWAIT(
            auto done,
            context.store.write([id, what](WriteTransaction& txn) { return change(txn, id, what); },
                                what == Change::Remove ? store::Urgency::Reclaim
                                                       : store::Urgency::Normal));
        // With "all", what is delivered meanwhile is no fault.
        if (!done && (ids.size() == 1 || done.error().kind != ErrorKind::NotFound))
            co_return std::unexpected(done.error());
        if (!done) continue;
        changed += *done;
        context.queue_changed(id, what == Change::Retry || what == Change::Release);
    }
    co_return text_of(Json{{"recipients", changed}});
}

} // namespace

Answer queue_list(Context& context, std::string text) {
    Request request(text);
    const auto limit = request.number_or("limit", 1000);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    Json list = Json::array();
    QueueId from;
    while (list.size() < limit) {
        MAILCORE_CO_TRY(const auto batch, context.store.read([from](ReadTransaction& txn) {
            return queue::list_messages(txn, from, 64);
        }));
        if (batch.empty()) break;
        for (const auto& message : batch) {
            MAILCORE_CO_AWAIT(auto recipients,
                              context.store.read([id = message.id](ReadTransaction& txn) {
                                  return queue::read_recipients(txn, id, 0, 20);
                              }));
            if (recipients && list.size() < limit) list.push_back(to_json(message, *recipients));
        }
        from = QueueId{batch.back().id.value + 1};
    }
    co_return text_of(Json{{"messages", std::move(list)}});
}

Answer queue_show(Context& context, std::string text) {
    Request request(text);
    const QueueId id{request.number_or("id", 0)};
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto message, context.store.read([id](ReadTransaction& txn) {
        return queue::read_message(txn, id);
    }));
    MAILCORE_CO_TRY(const auto recipients, context.store.read([id](ReadTransaction& txn) {
        return queue::read_recipients(txn, id, 0, queue::recipients_max);
    }));
    co_return text_of(to_json(message, recipients));
}

Answer queue_retry(Context& context, std::string text) {
    co_return co_await change_named(context, std::move(text), Change::Retry);
}
Answer queue_hold(Context& context, std::string text) {
    co_return co_await change_named(context, std::move(text), Change::Hold);
}
Answer queue_release(Context& context, std::string text) {
    co_return co_await change_named(context, std::move(text), Change::Release);
}
Answer queue_remove(Context& context, std::string text) {
    co_return co_await change_named(context, std::move(text), Change::Remove);
}

} // namespace mailcore::admin::detail
