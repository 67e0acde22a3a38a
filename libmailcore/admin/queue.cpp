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

void add_to(Json& list, const std::vector<queue::DamagedRow>& rows) {
    for (const auto& row : rows)
        list.push_back(Json{{"id", row.id.value},
                            {"recipient", row.index ? Json(*row.index) : Json(nullptr)},
                            {"what", row.why}});
}

/// The messages a request names: by id, or all that can be read.
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
    std::optional<QueueId> from = QueueId{};
    while (from) {
        MAILCORE_CO_TRY(const auto list, context.store.read([at = *from](ReadTransaction& txn) {
            return queue::list_messages(txn, at, 256);
        }));
        for (const auto& message : list.messages) ids.push_back(message.id);
        from = list.next;
    }
    co_return ids;
}

enum class Change : std::uint8_t { Retry, Hold, Release, Remove };

/// One message's recipients, all in one transaction.
TxnTask<Result<std::uint64_t>> change(WriteTransaction& txn, QueueId id, Change what) {
    MAILCORE_CO_TRY(queue::read_message(txn, id));
    MAILCORE_CO_TRY(const auto rows, queue::read_recipients(txn, id, 0, queue::recipients_max));
    std::uint64_t changed = 0;
    for (auto recipient : rows.recipients) {
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
    Json messages = Json::array();
    Json damaged = Json::array();
    std::optional<QueueId> from = QueueId{};
    while (from && messages.size() < limit) {
        MAILCORE_CO_TRY(const auto list, context.store.read([at = *from](ReadTransaction& txn) {
            return queue::list_messages(txn, at, 64);
        }));
        add_to(damaged, list.damaged);
        for (const auto& message : list.messages) {
            MAILCORE_CO_AWAIT(auto rows,
                              context.store.read([id = message.id](ReadTransaction& txn) {
                                  return queue::read_recipients(txn, id, 0, 20);
                              }));
            if (!rows || messages.size() == limit) continue;
            messages.push_back(to_json(message, rows->recipients));
            add_to(damaged, rows->damaged);
        }
        from = list.next;
    }
    co_return text_of(Json{{"messages", std::move(messages)}, {"damaged", std::move(damaged)}});
}

Answer queue_show(Context& context, std::string text) {
    Request request(text);
    const QueueId id{request.number_or("id", 0)};
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto message, context.store.read([id](ReadTransaction& txn) {
        return queue::read_message(txn, id);
    }));
    MAILCORE_CO_TRY(const auto rows, context.store.read([id](ReadTransaction& txn) {
        return queue::read_recipients(txn, id, 0, queue::recipients_max);
    }));
    auto answer = to_json(message, rows.recipients);
    answer["damaged"] = Json::array();
    add_to(answer["damaged"], rows.damaged);
    co_return text_of(answer);
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
