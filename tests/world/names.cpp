#include "tests/world/names.h"

#include <string>

namespace mailcore::world {

using dns::Type;

namespace {

dns::Record record(const dns::Name& owner, Type type, dns::RecordData data) {
    dns::Record record;
    record.owner = owner;
    record.type = type;
    record.ttl = 120;
    record.data = std::move(data);
    return record;
}

} // namespace

dns::Message Names::lie(const dns::Question& question) {
    dns::Message answer;
    answer.response = true;
    answer.recursion_available = true;
    answer.question = question;
    const auto finally = [&](const char* what) {
        told(question.name, what);
        told_finally(question.name);
    };
    switch (random_.below(4)) {
    case 0: // it does not exist
        finally("NXDOMAIN");
        answer.code = dns::ResponseCode::NxDomain;
        break;
    case 1: { // aliases in a circle
        told(question.name, "CNAME loop");
        const auto other = question.name.below("again").value_or(question.name);
        answer.answers = {record(question.name, Type::Cname, dns::NameData{other}),
                          record(other, Type::Cname, dns::NameData{question.name})};
        break;
    }
    case 2: // it exists and has nothing of that kind, or takes no mail
        if (question.type == Type::Mx && random_.below(2) == 0) {
            finally("null MX");
            answer.answers = {record(question.name, Type::Mx, dns::MxData{0, dns::Name()})};
        } else {
            finally("no data");
        }
        break;
    default: // another host: one that is there and knows nothing of this, or none at all
        if (question.type == Type::A) {
            finally("wrong address");
            const auto host = static_cast<std::uint8_t>(random_.below(5));
            answer.answers = {
                record(question.name, Type::A, dns::AddressData{IpAddress::v4({10, 0, host, 1})})};
        } else if (question.type == Type::Mx) {
            finally("MX to nowhere");
            answer.answers = {record(question.name, Type::Mx,
                                     dns::MxData{5, *dns::Name::parse("mx.nowhere.test")})};
        } else {
            finally("no data");
        }
    }
    return answer;
}

Task<Result<dns::Message>> Names::ask(dns::Question question) {
    auto& scheduler = co_await base::current_scheduler();
    co_await base::sleep_until(scheduler.now() +
                               std::chrono::microseconds(500 + random_.below(300'000)));
    if (lies_of_100 == 0 || random_.below(100) >= lies_of_100) {
        auto truly = truth_.ask(std::move(question));
        co_return co_await std::move(truly);
    }
    switch (random_.below(3)) {
    case 0: told(question.name, "SERVFAIL"); break;
    case 1:
        told(question.name, "silence");
        co_await base::sleep_until(scheduler.now() + std::chrono::seconds(6));
        break;
    default: co_return lie(question);
    }
    co_return fail(ErrorKind::Unavailable, "the name servers do not answer");
}

} // namespace mailcore::world
