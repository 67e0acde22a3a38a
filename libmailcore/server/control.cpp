#include "libmailcore/server/control.h"

#include "libmailcore/admin/operations.h"
#include "libmailcore/base/output_buffer.h"
#include "libmailcore/codec/line_reader.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/server/log_file.h"
#include "libmailcore/store/check.h"
#include "libmailcore/store/journal_store.h"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

namespace mailcore::server {

namespace {

using Json = nlohmann::json;

constexpr std::chrono::seconds idle_time{600};

Json time_or_null(const std::optional<WallTime>& time) {
    return time ? Json(mime::format_utc(*time)) : Json(nullptr);
}

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Lines in, lines out; nothing is read while a request is unanswered.
class ControlEngine final : public base::Engine {
  public:
    explicit ControlEngine(Instant now) : reader_(admin::request_octets_max), last_(now) {}

    std::optional<std::string> next_request() { return std::exchange(request_, std::nullopt); }
    void answer(std::string_view text) {
        output_ += text;
        output_ += "\r\n";
        open_ = false;
    }

    std::size_t receive(std::string_view octets, Instant now) override {
        std::size_t taken = 0;
        while (taken < octets.size() && wants_input()) {
            const auto step = reader_.read(octets.substr(taken));
            taken += step.taken;
            if (step.outcome == codec::LineReader::Outcome::NeedMore) continue;
            if (step.outcome == codec::LineReader::Outcome::Line) {
                request_ = std::string(reader_.line());
                open_ = true;
            } else {
                answer(text_of(Json{{"error", "expected a line of at most 1 MiB, ended by CRLF"},
                                    {"kind", "rejected"}}));
            }
        }
        last_ = now;
        return taken;
    }
    void receive_end(Instant) override {
        ended_ = true;
        if (!open_) next_ = Next::CloseFlushed;
    }
    bool wants_input() const override { return !open_ && !ended_ && next_ == Next::Run; }
    std::span<const std::string_view> output() const override { return output_.pieces(); }
    void output_sent(std::size_t octets, Instant now) override {
        output_.sent(octets);
        last_ = now;
        if (ended_ && !open_ && output_.empty()) next_ = Next::CloseFlushed;
    }
    Next next() const override { return next_; }
    void transport_changed(const PeerInfo&, Instant) override {}
    std::optional<Instant> deadline() const override {
        if (open_) return std::nullopt;
        return last_ + idle_time;
    }
    void expire(Instant now) override {
        if (!open_ && now >= last_ + idle_time) next_ = Next::Abort;
    }
    void shut_down(base::ShutdownReason, Instant) override {
        if (!open_) next_ = Next::CloseFlushed;
        ended_ = true;
    }
    std::size_t memory() const override { return reader_.memory() + output_.memory(); }

  private:
    codec::LineReader reader_;
    base::OutputBuffer output_;
    std::optional<std::string> request_;
    bool open_ = false;
    bool ended_ = false;
    Next next_ = Next::Run;
    Instant last_;
};

class ControlDialogue final : public base::Dialogue {
  public:
    ControlDialogue(ControlTarget& target, Scheduler& scheduler, base::Waker& waker, Log log)
        : waker_(waker), engine_(scheduler.now()), methods_(target, "control", log),
          scope_(scheduler) {}

    base::Engine& engine() override { return engine_; }
    void drain() override {
        if (auto request = engine_.next_request()) scope_.spawn(answer(std::move(*request)));
    }
    // A change that was asked for is finished even if nobody waits for its answer any more.
    void closed() override { closed_ = true; }
    bool finished() const override { return scope_.empty(); }

  private:
    Task<void> answer(std::string text) {
        auto json = Json::parse(text, nullptr, false);
        std::string out;
        if (!json.is_object() || !json.contains("method") || !json["method"].is_string()) {
            out = text_of(
                Json{{"error", "expected a JSON object with a method"}, {"kind", "rejected"}});
        } else {
            const auto method = json["method"].get<std::string>();
            json.erase("method");
            auto awaited = methods_.run(method, text_of(json));
            auto result = co_await std::move(awaited);
            if (result)
                out = "{\"ok\":" + *result + "}";
            else
                out = text_of(Json{{"error", result.error().detail},
                                   {"kind", to_string(result.error().kind)}});
        }
        if (!closed_) engine_.answer(out);
        waker_.wake();
    }

    base::Waker& waker_;
    ControlEngine engine_;
    ControlMethods methods_;
    bool closed_ = false;
    Scope scope_; // last: its tasks use the others
};

class ControlFactory final : public net::DialogueFactory {
  public:
    ControlFactory(ControlTarget& target, Log log) : target_(target), log_(log) {}
    std::unique_ptr<base::Dialogue> create(base::Scheduler& scheduler, const PeerInfo&,
                                           base::Waker& waker) override {
        return std::make_unique<ControlDialogue>(target_, scheduler, waker, log_);
    }

  private:
    ControlTarget& target_;
    Log log_;
};

} // namespace

ControlMethods::ControlMethods(ControlTarget& target, std::string actor, Log log)
    : target_(target), context_{target.store(),
                                target.directory(),
                                [&target](queue::QueueId id, bool now) {
                                    target.queue_changed(id, now);
                                },
                                std::move(actor),
                                log,
                                target.configuration().message_octets_max} {}

Task<Result<std::string>> ControlMethods::run(std::string method, std::string text) {
    auto request = Json::parse(text.empty() ? "{}" : text, nullptr, false);
    if (!request.is_object()) co_return fail(ErrorKind::Rejected, "the request is no JSON object");
    if (method == "status") co_return co_await status();
    if (method == "operations") co_return list_operations();
    if (method == "metrics") co_return metrics();
    if (method == "connections") co_return co_await connections();
    if (method == "trace") {
        if (!request.contains("text") || !request["text"].is_string())
            co_return fail(ErrorKind::Rejected, "text: expected a text");
        auto awaited = trace(request["text"].get<std::string>());
        co_return co_await std::move(awaited);
    }
    if (method == "log") {
        auto awaited = trace("");
        co_return co_await std::move(awaited);
    }
    if (method == "reload") {
        if (!target_.request_reload())
            co_return fail(ErrorKind::Rejected, "this server has no settings file");
        co_return std::string("{}");
    }
    if (method == "store.check") co_return co_await check();
    if (method == "store.rebuild") co_return co_await rebuild();
    if (method == "store.compact") {
        const bool now = request.value("now", Json(false)) == true;
        auto awaited = compact(now ? store::Reclaim::Everything : store::Reclaim::KeepHistory);
        co_return co_await std::move(awaited);
    }
    if (method == "store.scrub") co_return begin_scrub();
    {
        auto awaited = admin::run(context_, std::move(method), std::move(text));
        co_return co_await std::move(awaited);
    }
}

Task<Result<std::string>> ControlMethods::status() {
    const auto status = target_.store().status();
    MAILCORE_CO_AWAIT(auto counts, target_.store().read([](store::ReadTransaction& txn) {
        return queue::count(txn, 100'000);
    }));
    Json endpoints = Json::array();
    const auto bound = target_.endpoints();
    for (const auto& endpoint : bound)
        endpoints.push_back(Json{{"service", to_string(endpoint.service)},
                                 {"address", endpoint.bound.local_address.to_string()},
                                 {"port", endpoint.bound.local_port},
                                 {"path", endpoint.path}});
    Json out{{"hostname", target_.configuration().hostname},
             {"endpoints", std::move(endpoints)},
             {"warnings", target_.warnings()},
             {"store",
              {{"writable", status.writable},
               {"reason", status.reason},
               {"free_octets", status.free_octets},
               {"journal_octets", status.journal_octets},
               {"index_octets", status.index_octets},
               {"transactions", status.transactions},
               {"batches", status.batches},
               {"syncs", status.syncs},
               {"reclaimable_octets", status.reclaimable_octets},
               {"last_snapshot", time_or_null(status.last_snapshot)},
               {"last_scrub", time_or_null(status.last_scrub)},
               {"scrubbing", status.scrubbing},
               {"scrub_octets", status.scrub_octets},
               {"damages", status.damages}}}};
    if (counts)
        out["queue"] = {{"messages", counts->messages},
                        {"waiting", counts->waiting},
                        {"held", counts->held},
                        {"damaged", counts->damaged}};
    co_return text_of(out);
}

std::string ControlMethods::list_operations() {
    Json list = Json::array();
    for (const auto& each : admin::operations())
        list.push_back(Json{{"method", each.method},
                            {"request", each.request},
                            {"changes", each.permission == admin::Permission::Change},
                            {"summary", each.summary}});
    return text_of(Json{{"operations", std::move(list)}});
}

std::string ControlMethods::metrics() {
    const auto all = target_.metrics();
    Json list = Json::array();
    for (const auto& metric : all)
        list.push_back(Json{{"name", metric.name},
                            {"help", metric.help},
                            {"value", metric.value},
                            {"counter", metric.counter}});
    return text_of(Json{{"text", prometheus_text(all)}, {"metrics", std::move(list)}});
}

Task<Result<std::string>> ControlMethods::connections() {
    auto facts = co_await target_.connections();
    Json list = Json::array();
    for (const auto& each : facts)
        list.push_back(Json{{"id", each.id.value},
                            {"service", each.service},
                            {"address", each.peer.address.to_string()},
                            {"port", each.peer.port},
                            {"tls", each.peer.tls ? each.peer.tls->version : ""},
                            {"since", mime::format_utc(each.since)},
                            {"received", each.received},
                            {"sent", each.sent},
                            {"memory", each.memory}});
    co_return text_of(Json{{"connections", std::move(list)}});
}

/// Log lines that hold `text`, and all others of the messages they are about.
Task<Result<std::string>> ControlMethods::trace(std::string text) {
    const auto path = target_.log_file();
    if (path.empty())
        co_return fail(ErrorKind::NotFound, "the log goes to standard output: log.file is empty");
    MAILCORE_CO_AWAIT(auto lines, base::offload([path, text] { return trace_log(path, text); }));
    if (!lines) co_return std::unexpected(lines.error());
    std::string out = "{\"events\":[";
    for (const auto& line : *lines) out += (out.ends_with('[') ? "" : ",") + line;
    co_return out + "]}";
}

Task<Result<std::string>> ControlMethods::check() {
    auto* journal = dynamic_cast<store::JournalStore*>(&target_.store());
    Json problems = Json::array();
    Json out = Json::object();
    if (journal) {
        MAILCORE_CO_AWAIT(auto report, base::offload([journal] { return journal->check(); }));
        if (!report) co_return std::unexpected(report.error());
        for (const auto& problem : report->problems) problems.push_back(problem);
        out = Json{{"frames", report->frames},
                   {"rows", report->rows},
                   {"bodies", report->bodies},
                   {"references", report->references},
                   {"body_octets", report->body_octets}};
    }
    MAILCORE_CO_TRY(const auto accounts, target_.store().read([](store::ReadTransaction& txn) {
        return store::list_accounts(txn);
    }));
    for (const auto account : accounts) {
        MAILCORE_CO_AWAIT(auto found, target_.store().read([account](store::ReadTransaction& txn) {
            return store::check_account(txn, account);
        }));
        if (!found) co_return std::unexpected(found.error());
        for (const auto& problem : *found)
            problems.push_back("account " + std::to_string(account.value) + ": " + problem);
    }
    MAILCORE_CO_TRY(const auto queued, target_.store().read([](store::ReadTransaction& txn) {
        return queue::count(txn, 100'000);
    }));
    for (const auto& row : queued.damages) problems.push_back(queue::to_string(row));
    out["accounts"] = accounts.size();
    out["problems"] = std::move(problems);
    co_return text_of(out);
}

Task<Result<std::string>> ControlMethods::rebuild() {
    auto* journal = dynamic_cast<store::JournalStore*>(&target_.store());
    if (!journal) co_return fail(ErrorKind::Rejected, "a store in memory has no index to rebuild");
    MAILCORE_CO_AWAIT(auto done, base::offload([journal] { return journal->rebuild(); }));
    if (!done) co_return std::unexpected(done.error());
    co_return std::string("{}");
}

Task<Result<std::string>> ControlMethods::compact(store::Reclaim how) {
    auto* journal = dynamic_cast<store::JournalStore*>(&target_.store());
    if (!journal) co_return fail(ErrorKind::Rejected, "a store in memory has nothing to compact");
    MAILCORE_CO_AWAIT(auto report, base::offload([journal, how] { return journal->compact(how); }));
    if (!report) co_return std::unexpected(report.error());
    co_return text_of(Json{{"segments", report->segments},
                           {"octets", report->octets},
                           {"bodies", report->bodies},
                           {"body_octets", report->body_octets}});
}

Result<std::string> ControlMethods::begin_scrub() {
    auto* journal = dynamic_cast<store::JournalStore*>(&target_.store());
    if (!journal) return fail(ErrorKind::Rejected, "a store in memory has nothing to scrub");
    journal->begin_scrub();
    return std::string("{}");
}

std::shared_ptr<net::DialogueFactory> make_control_factory(ControlTarget& target, Log log) {
    return std::make_shared<ControlFactory>(target, log);
}

} // namespace mailcore::server
