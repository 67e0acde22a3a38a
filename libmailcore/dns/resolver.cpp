#include "libmailcore/dns/resolver.h"

#include <algorithm>

namespace mailcore::dns {

namespace {

constexpr std::size_t claimed_names_max = 10; // RFC 7208 §4.6.4

using Answered = base::Completion<Result<Answer>>;

Task<void> lookup_into(Resolver& resolver, Name name, Type type, Answered::Completer completer) {
    auto answer = co_await resolver.lookup(std::move(name), type);
    completer.complete(std::move(answer));
}

void shuffle_equals(std::vector<MailExchanger>& hosts, Random& random) {
    for (auto i = hosts.size(); i > 1; --i) std::swap(hosts[i - 1], hosts[random.below(i)]);
    std::stable_sort(hosts.begin(), hosts.end(),
                     [](const auto& a, const auto& b) { return a.preference < b.preference; });
}

std::vector<IpAddress> addresses_of(const Result<Answer>& answer) {
    std::vector<IpAddress> out;
    if (!answer) return out;
    for (const auto& record : answer->records)
        if (const auto* data = std::get_if<AddressData>(&record.data)) out.push_back(data->address);
    return out;
}

HostAddresses merge(const Result<Answer>& v6, const Result<Answer>& v4) {
    HostAddresses merged;
    const auto first = addresses_of(v6);
    const auto second = addresses_of(v4);
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) merged.addresses.push_back(first[i]);
        if (i < second.size()) merged.addresses.push_back(second[i]);
    }
    if (merged.addresses.size() > host_addresses_max) merged.addresses.resize(host_addresses_max);
    merged.authenticated = true;
    for (const auto* answer : {&v6, &v4}) {
        merged.authenticated = merged.authenticated && *answer && (*answer)->authenticated;
        if (*answer) merged.canonical_name = (*answer)->canonical_name;
    }
    const auto nx = Answer::Status::NxDomain;
    if (!merged.addresses.empty())
        merged.status = Answer::Status::Found;
    else if (v6 && v6->status == nx && v4 && v4->status == nx)
        merged.status = nx;
    return merged;
}

} // namespace

std::vector<std::string> texts(const Answer& answer) {
    std::vector<std::string> out;
    for (const auto& record : answer.records)
        if (const auto* data = std::get_if<TxtData>(&record.data)) out.push_back(data->text);
    return out;
}

Task<Result<MailExchangers>> lookup_mail_exchangers(Resolver& resolver, Random& random,
                                                    Name domain) {
    using Status = MailExchangers::Status;
    MAILCORE_CO_TRY(const Answer answer, resolver.lookup(domain, Type::Mx));
    MailExchangers result;
    result.canonical_name = answer.canonical_name;
    result.ttl = answer.ttl;
    result.authenticated = answer.authenticated;
    if (answer.status == Answer::Status::NxDomain) {
        result.status = Status::NxDomain;
        co_return std::move(result);
    }
    if (answer.status == Answer::Status::NoData) {
        MailExchanger itself;
        itself.host = answer.canonical_name;
        result.hosts.push_back(std::move(itself));
        result.status = Status::Implicit;
        co_return std::move(result);
    }
    for (const auto& record : answer.records) {
        const auto* mx = std::get_if<MxData>(&record.data);
        if (!mx || mx->exchange.is_root()) continue; // RFC 7505 §3: no host, wherever it stands
        MailExchanger exchanger;
        exchanger.host = mx->exchange;
        exchanger.preference = mx->preference;
        result.hosts.push_back(std::move(exchanger));
    }
    if (result.hosts.empty()) {
        result.status = answer.records.size() == 1 ? Status::NullMx : Status::Unusable;
        co_return std::move(result);
    }
    shuffle_equals(result.hosts, random);
    if (result.hosts.size() > mail_exchangers_max) result.hosts.resize(mail_exchangers_max);
    result.status = Status::Listed;
    co_return std::move(result);
}

Task<Result<HostAddresses>> lookup_addresses(Resolver& resolver, Name host, Families families) {
    if (families != Families::Both) {
        const auto type = families == Families::V6 ? Type::Aaaa : Type::A;
        const Result<Answer> only = co_await resolver.lookup(host, type);
        if (!only) co_return std::unexpected(only.error());
        auto merged = merge(only, only);
        if (merged.status == Answer::Status::Found) merged.addresses = addresses_of(only);
        if (merged.addresses.size() > host_addresses_max)
            merged.addresses.resize(host_addresses_max);
        co_return std::move(merged);
    }
    auto& scheduler = co_await base::current_scheduler();
    Answered v6_answered(scheduler);
    Answered v4_answered(scheduler);
    Scope scope(scheduler);
    scope.spawn(lookup_into(resolver, host, Type::Aaaa, v6_answered.completer()));
    scope.spawn(lookup_into(resolver, host, Type::A, v4_answered.completer()));
    const Result<Answer> v6 = co_await v6_answered;
    const Result<Answer> v4 = co_await v4_answered;
    auto merged = merge(v6, v4);
    if (merged.status != Answer::Status::Found && (!v6 || !v4))
        co_return std::unexpected(v6 ? v4.error() : v6.error());
    co_return std::move(merged);
}

Task<Result<std::vector<Name>>> lookup_names(Resolver& resolver, IpAddress address) {
    MAILCORE_CO_TRY(const Answer answer, resolver.lookup(Name::reverse(address), Type::Ptr));
    std::vector<Name> names;
    for (const auto& record : answer.records) {
        const auto* data = std::get_if<NameData>(&record.data);
        if (data && !data->name.is_root() && names.size() < claimed_names_max)
            names.push_back(data->name);
    }
    co_return std::move(names);
}

Task<Result<std::vector<Name>>> lookup_confirmed_names(Resolver& resolver, IpAddress address) {
    MAILCORE_CO_TRY(const std::vector<Name> claimed, lookup_names(resolver, address));
    std::vector<Name> confirmed;
    for (const auto& name : claimed) {
        const auto type = address.is_v6() ? Type::Aaaa : Type::A;
        const Result<Answer> answer = co_await resolver.lookup(name, type);
        const auto addresses = addresses_of(answer);
        if (std::find(addresses.begin(), addresses.end(), address) != addresses.end())
            confirmed.push_back(name);
    }
    co_return std::move(confirmed);
}

} // namespace mailcore::dns
