#include "libmailcore/dns/zone.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>

namespace mailcore::dns {

namespace {

constexpr std::size_t asked_max = 4096;
constexpr std::uint32_t negative_ttl_seconds = 60;

} // namespace

Result<void, ParseError> Zone::add(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = codec::trim(text.substr(at, end - at));
        if (!line.empty() && line.front() != ';') {
            auto record = parse_record(line);
            if (!record) {
                const auto indent = static_cast<std::size_t>(line.data() - text.data());
                return std::unexpected(
                    ParseError{indent + record.error().offset, record.error().expected});
            }
            add(*std::move(record));
        }
        at = end + 1;
    }
    return {};
}

void Zone::add(Record record) {
    auto owner = record.owner;
    records_.emplace(std::move(owner), std::move(record));
}

void Zone::erase(const Name& name) { records_.erase(name); }

void Zone::break_name(const Name& name, Fault fault, std::size_t times) {
    faults_.insert_or_assign(name, BrokenName{fault, times});
}

Task<Result<Answer>> Zone::lookup(Name name, Type type) {
    Question question;
    question.name = std::move(name);
    question.type = type;
    co_return co_await resolve(*this, std::move(question));
}

Task<Result<Message>> Zone::ask(Question question) {
    remember(question);
    const auto fault = take_fault(question.name);
    if (!fault) co_return answer(question);
    if (*fault == Fault::Silence) {
        auto& scheduler = co_await base::current_scheduler();
        co_await base::sleep_until(scheduler.now() + timeout_);
    }
    co_return fail(ErrorKind::Unavailable,
                   question.name.to_string() +
                       (*fault == Fault::Silence ? ": timeout" : ": SERVFAIL"));
}

std::optional<Message> Zone::respond(const Message& query) {
    Message response;
    if (!query.question) {
        response.code = ResponseCode::FormErr;
    } else {
        remember(*query.question);
        if (const auto fault = take_fault(query.question->name)) {
            if (*fault == Fault::Silence) return std::nullopt;
            response.question = query.question;
            response.code = ResponseCode::ServFail;
        } else {
            response = answer(*query.question);
        }
    }
    response.id = query.id;
    response.response = true;
    response.opcode = query.opcode;
    response.recursion_desired = query.recursion_desired;
    response.recursion_available = true;
    if (query.edns) response.edns.emplace();
    return response;
}

/// Follows aliases as a recursive server does; one that goes in circles shows as a chain too long.
Message Zone::answer(const Question& question) const {
    Message response;
    response.response = true;
    response.recursion_available = true;
    response.question = question;
    response.authenticated = true;
    auto name = question.name;
    for (std::size_t hops = 0; hops <= cname_hops_max; ++hops) {
        response.authenticated = response.authenticated && is_signed(name);
        const auto from = source(name);
        if (!from) {
            response.code = ResponseCode::NxDomain;
            break;
        }
        const Record* alias = nullptr;
        bool found = false;
        const auto [begin, end] = records_.equal_range(*from);
        for (auto i = begin; i != end; ++i) {
            const auto type = i->second.type;
            if (type == Type::Cname && question.type != Type::Cname) alias = &i->second;
            if (type != question.type && question.type != Type::Any) continue;
            response.answers.push_back(i->second);
            response.answers.back().owner = name;
            found = true;
        }
        if (found) return response;
        if (!alias) break;
        response.answers.push_back(*alias);
        response.answers.back().owner = name;
        name = std::get<NameData>(alias->data).name;
    }
    Record soa;
    soa.owner = name;
    soa.type = Type::Soa;
    soa.ttl = negative_ttl_seconds;
    SoaData data;
    data.primary = name;
    data.mailbox = name;
    data.minimum = negative_ttl_seconds;
    soa.data = std::move(data);
    response.authority.push_back(std::move(soa));
    return response;
}

std::optional<Zone::Fault> Zone::take_fault(const Name& name) {
    const auto found = faults_.find(name);
    if (found == faults_.end()) return std::nullopt;
    const auto fault = found->second.fault;
    if (found->second.times != static_cast<std::size_t>(-1) && --found->second.times == 0)
        faults_.erase(found);
    return fault;
}

/// A name exists if it or one below it has records (RFC 8020 §2).
bool Zone::exists(const Name& name) const {
    if (records_.contains(name)) return true;
    return std::any_of(records_.begin(), records_.end(),
                       [&](const auto& each) { return each.first.is_within(name); });
}

/// Whose records answer for `name`: its own or the wildcard's at the closest ancestor that exists
/// (RFC 4592 §3.3.1); nothing: NXDOMAIN.
std::optional<Name> Zone::source(const Name& name) const {
    if (exists(name)) return name;
    for (auto ancestor = name; !ancestor.is_root();) {
        ancestor = ancestor.parent();
        const auto wildcard = ancestor.below("*");
        if (wildcard && records_.contains(*wildcard)) return wildcard;
        if (exists(ancestor)) break;
    }
    return std::nullopt;
}

bool Zone::is_signed(const Name& name) const {
    return std::any_of(signed_.begin(), signed_.end(),
                       [&](const Name& apex) { return name.is_within(apex); });
}

void Zone::remember(const Question& question) {
    if (asked_.size() == asked_max) asked_.erase(asked_.begin());
    asked_.push_back(question);
}

} // namespace mailcore::dns
