#include "libmailcore/dns/caching_resolver.h"

#include <algorithm>

namespace mailcore::dns {

namespace {

/// How long "no such thing" about `name` may be remembered (RFC 2308 §5).
std::optional<std::chrono::seconds> negative_ttl(const Message& response, const Name& name) {
    for (const auto& record : response.authority) {
        const auto* soa = std::get_if<SoaData>(&record.data);
        if (soa && name.is_within(record.owner))
            return std::chrono::seconds{std::min(record.ttl, soa->minimum)};
    }
    return std::nullopt;
}

const NameData* find_alias(const Message& response, const Name& name, std::chrono::seconds& ttl) {
    for (const auto& record : response.answers) {
        if (record.type != Type::Cname || record.owner != name) continue;
        ttl = std::min(ttl, std::chrono::seconds{record.ttl});
        return std::get_if<NameData>(&record.data);
    }
    return nullptr;
}

std::string describe(const Question& question) {
    return question.name.to_string() + " " + to_string(question.type);
}

} // namespace

Result<Interpretation> interpret(const Message& response, const Question& question) {
    if (!response.response || response.question != question)
        return fail(ErrorKind::Unavailable,
                    describe(question) + ": the response is to something else");
    if (response.code != ResponseCode::NoError && response.code != ResponseCode::NxDomain)
        return fail(ErrorKind::Unavailable, describe(question) + ": " + to_string(response.code));

    Interpretation result;
    auto& answer = result.answer;
    answer.authenticated = response.authenticated;
    answer.canonical_name = question.name;
    auto ttl = std::chrono::seconds::max();
    while (true) {
        for (const auto& record : response.answers) {
            if (record.type != question.type || record.owner != answer.canonical_name) continue;
            ttl = std::min(ttl, std::chrono::seconds{record.ttl});
            answer.records.push_back(record);
        }
        if (!answer.records.empty()) break;
        const auto* alias = question.type == Type::Cname
                                ? nullptr
                                : find_alias(response, answer.canonical_name, ttl);
        if (!alias) break;
        answer.canonical_name = alias->name;
        if (++result.hops > cname_hops_max)
            return fail(ErrorKind::Unavailable, describe(question) + ": the aliases do not end");
    }
    if (!answer.records.empty()) {
        answer.status = Answer::Status::Found;
    } else {
        const auto negative = negative_ttl(response, answer.canonical_name);
        const bool nx = response.code == ResponseCode::NxDomain;
        answer.status = nx ? Answer::Status::NxDomain : Answer::Status::NoData;
        // A server that follows the chain to an end without records says so with the SOA there.
        result.complete = nx || negative || result.hops == 0;
        if (result.complete) ttl = std::min(ttl, negative.value_or(std::chrono::seconds{0}));
    }
    answer.ttl = ttl;
    return result;
}

Task<Result<Answer>> resolve(Upstream& upstream, Question question) {
    auto asked = question;
    std::size_t hops = 0;
    auto ttl = std::chrono::seconds::max();
    bool authenticated = true;
    while (true) {
        MAILCORE_CO_TRY(const Message response, upstream.ask(asked));
        auto step = interpret(response, asked);
        if (!step) co_return std::unexpected(std::move(step).error());
        auto& answer = step->answer;
        ttl = std::min(ttl, answer.ttl);
        authenticated = authenticated && answer.authenticated;
        hops += step->hops;
        if (step->complete) {
            answer.ttl = ttl;
            answer.authenticated = authenticated;
            co_return std::move(answer);
        }
        if (hops >= cname_hops_max)
            co_return fail(ErrorKind::Unavailable, describe(question) + ": the aliases do not end");
        asked.name = answer.canonical_name;
    }
}

CachingResolver::CachingResolver(Scheduler& scheduler, Upstream& upstream,
                                 CachingResolverOptions options)
    : scheduler_(scheduler), upstream_(upstream), options_(options), cache_(options.cache),
      scope_(scheduler) {}

CachingResolver::~CachingResolver() = default;

Task<Result<Answer>> CachingResolver::lookup(Name name, Type type) {
    Question question;
    question.name = std::move(name);
    question.type = type;
    if (auto known = cache_.find(question, scheduler_.now())) co_return *std::move(known);

    base::Completion<Result<Answer>> done(scheduler_);
    if (const auto same = under_way_.find(question); same != under_way_.end()) {
        same->second.push_back(done.completer());
    } else {
        if (under_way_.size() >= options_.queries_max)
            co_return fail(ErrorKind::Unavailable, "too many DNS queries are under way");
        under_way_[question].push_back(done.completer());
        scope_.spawn(run(std::move(question)));
    }
    co_return co_await done;
}

Task<void> CachingResolver::run(Question question) {
    const Result<Answer> answer = co_await resolve(upstream_, question);
    cache_.put(question, answer, scheduler_.now());
    const auto waiting = under_way_.extract(question);
    for (const auto& completer : waiting.mapped()) completer.complete(answer);
}

} // namespace mailcore::dns
