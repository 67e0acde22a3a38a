#include "libmailcore/delivery/rule_names.h"

#include "libmailcore/base/overloaded.h"

#include <fmt/format.h>

namespace mailcore::delivery {

namespace {

std::string as_text(const dns::RecordData& data) {
    return std::visit(
        overloaded{
            [](const dns::AddressData& address) { return address.address.to_string(); },
            [](const dns::NameData& name) { return name.name.to_string(); },
            [](const dns::MxData& mx) {
                return fmt::format("{} {}", mx.preference, mx.exchange.to_string());
            },
            [](const dns::TxtData& txt) { return txt.text; },
            [](const dns::CaaData& caa) {
                return fmt::format("{} {} {}", caa.flags, caa.tag, caa.value);
            },
            [](const auto&) { return std::string{}; },
        },
        data);
}

} // namespace

Task<Result<std::vector<std::string>>> ResolverNames::lookup(std::string name, std::string type) {
    auto asked = dns::Name::parse_unicode(name);
    if (!asked) co_return fail(ErrorKind::Rejected, "not a name: " + name.substr(0, 100));
    const auto wanted = dns::parse_type(type);
    switch (wanted.value_or(dns::Type::Any)) {
    case dns::Type::A:
    case dns::Type::Aaaa:
    case dns::Type::Mx:
    case dns::Type::Txt:
    case dns::Type::Ptr:
    case dns::Type::Cname:
    case dns::Type::Ns:
    case dns::Type::Caa: break;
    default: co_return fail(ErrorKind::Rejected, "not a type that rules can ask for");
    }
    auto answer = co_await resolver_.lookup(*asked, *wanted);
    if (!answer) co_return std::unexpected(std::move(answer).error());
    std::vector<std::string> texts;
    for (const auto& record : answer->records) texts.push_back(as_text(record.data));
    co_return texts;
}

} // namespace mailcore::delivery
