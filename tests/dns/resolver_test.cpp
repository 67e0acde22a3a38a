// The questions that mail asks, over a zone in memory and under virtual time.
#include "libmailcore/dns/resolver.h"

#include "libmailcore/dns/zone.h"
#include "tests/catch.h"
#include "tests/sim/virtual_scheduler.h"

#include <set>

using namespace mailcore;
using namespace dns;
using namespace std::chrono_literals;

namespace {

Name name(std::string_view text) { return *Name::parse(text); }

template <class T>
Task<void> keep(Task<T> work, std::optional<T>& into) {
    auto value = co_await std::move(work);
    into.emplace(std::move(value));
}

struct Rig {
    sim::VirtualScheduler scheduler;
    Zone zone;
    CachingResolver resolver{scheduler, zone};
    base::SeededRandom random{1};
    Scope scope{scheduler};

    explicit Rig(std::string_view records) { REQUIRE(zone.add(records)); }

    template <class T>
    T run(Task<T> work) {
        std::optional<T> value;
        scope.spawn(keep(std::move(work), value));
        scheduler.run_until(scheduler.now() + 1min);
        REQUIRE(value);
        return std::move(*value);
    }
    Result<Answer> lookup(std::string_view text, Type type) {
        return run(resolver.lookup(name(text), type));
    }
};

std::string shown(const Result<MailExchangers>& result) {
    if (!result) return std::string(to_string(result.error().kind));
    switch (result->status) {
    case MailExchangers::Status::NullMx: return "null";
    case MailExchangers::Status::NxDomain: return "nxdomain";
    case MailExchangers::Status::Unusable: return "unusable";
    default: break;
    }
    std::string text = result->status == MailExchangers::Status::Implicit ? "implicit" : "listed";
    for (const auto& host : result->hosts)
        text += " " + std::to_string(host.preference) + ":" + host.host.to_string();
    return text;
}

} // namespace

TEST_CASE("mail exchangers are found as RFC 5321 §5.1 says") {
    Rig rig(R"(
        listed.test     MX 20 second.test
        listed.test     MX 10 first.test
        plain.test      A 192.0.2.1
        null.test       MX 0 .
        mixed.test      MX 0 .
        mixed.test      MX 10 mx.test
        dots.test       MX 0 .
        dots.test       MX 5 .
        alias.test      CNAME listed.test
        alias-plain.test CNAME plain.test
        alias-none.test CNAME nowhere.test
        loop-a.test     CNAME loop-b.test
        loop-b.test     CNAME loop-a.test
        below.empty.test A 192.0.2.9
        broken.test     MX 10 mx.test
        silent.test     MX 10 mx.test
    )");
    rig.zone.break_name(name("broken.test"), Zone::Fault::ServFail);
    rig.zone.break_name(name("silent.test"), Zone::Fault::Silence);
    struct Case {
        const char* domain;
        const char* expected;
    };
    const Case cases[] = {
        {"listed.test", "listed 10:first.test 20:second.test"},
        {"plain.test", "implicit 0:plain.test"},
        {"null.test", "null"},
        {"mixed.test", "listed 10:mx.test"},
        {"dots.test", "unusable"},
        {"alias.test", "listed 10:first.test 20:second.test"},
        {"alias-plain.test", "implicit 0:plain.test"},
        {"alias-none.test", "nxdomain"},
        {"loop-a.test", "unavailable"},
        {"empty.test", "implicit 0:empty.test"},
        {"nowhere.test", "nxdomain"},
        {"broken.test", "unavailable"},
        {"silent.test", "unavailable"},
    };
    for (const auto& c : cases) {
        INFO(c.domain);
        CHECK(shown(rig.run(lookup_mail_exchangers(rig.resolver, rig.random, name(c.domain)))) ==
              c.expected);
    }
}

TEST_CASE("mail exchangers of equal preference come in random order, never before a better one") {
    Rig rig("d.test MX 5 best.test\nd.test MX 10 a.test\nd.test MX 10 b.test\nd.test MX 10 c.test");
    std::set<std::string> orders;
    for (int i = 0; i < 200; ++i) {
        const auto found =
            rig.run(lookup_mail_exchangers(rig.resolver, rig.random, name("d.test")));
        REQUIRE(found->hosts.size() == 4);
        CHECK(found->hosts[0].host == name("best.test"));
        orders.insert(shown(found));
    }
    CHECK(orders.size() == 6);
}

TEST_CASE("a domain with thousands of mail exchangers keeps the best") {
    Rig rig("");
    for (int i = 0; i < 1000; ++i)
        REQUIRE(rig.zone.add("d.test MX " + std::to_string(1000 - i) + " m" + std::to_string(i) +
                             ".test"));
    const auto found = rig.run(lookup_mail_exchangers(rig.resolver, rig.random, name("d.test")));
    REQUIRE(found);
    REQUIRE(found->hosts.size() == mail_exchangers_max);
    CHECK(found->hosts[0].preference == 1);
}

TEST_CASE("addresses of both families alternate") {
    Rig rig(R"(
        both.test AAAA 2001:db8::1
        both.test A 192.0.2.1
        both.test A 192.0.2.2
        four.test A 192.0.2.4
        text.test TXT x
        alias.test CNAME both.test
        half.test A 192.0.2.7
    )");
    const auto shown_addresses = [&](std::string_view host, Families families) {
        const auto found = rig.run(lookup_addresses(rig.resolver, name(host), families));
        if (!found) return std::string("unavailable");
        if (found->status == Answer::Status::NxDomain) return std::string("nxdomain");
        std::string text;
        for (const auto& address : found->addresses) text += address.to_string() + " ";
        return text.empty() ? "none" : text;
    };
    CHECK(shown_addresses("both.test", Families::Both) == "2001:db8::1 192.0.2.1 192.0.2.2 ");
    CHECK(shown_addresses("both.test", Families::V4) == "192.0.2.1 192.0.2.2 ");
    CHECK(shown_addresses("both.test", Families::V6) == "2001:db8::1 ");
    CHECK(shown_addresses("alias.test", Families::Both) == "2001:db8::1 192.0.2.1 192.0.2.2 ");
    CHECK(shown_addresses("four.test", Families::Both) == "192.0.2.4 ");
    CHECK(shown_addresses("text.test", Families::Both) == "none");
    CHECK(shown_addresses("nowhere.test", Families::Both) == "nxdomain");
    // One family fails once, the other is found.
    rig.zone.break_name(name("half.test"), Zone::Fault::ServFail, 1);
    CHECK(shown_addresses("half.test", Families::Both) == "192.0.2.7 ");
    rig.zone.break_name(name("gone.test"), Zone::Fault::ServFail, 1);
    CHECK(shown_addresses("gone.test", Families::Both) == "unavailable");
}

TEST_CASE("only names that lead back to the address are confirmed") {
    Rig rig(R"(
        1.2.0.192.in-addr.arpa PTR good.test
        1.2.0.192.in-addr.arpa PTR liar.test
        1.2.0.192.in-addr.arpa PTR nowhere.test
        good.test A 192.0.2.1
        liar.test A 192.0.2.2
    )");
    const auto address = *IpAddress::parse("192.0.2.1");
    const auto claimed = rig.run(lookup_names(rig.resolver, address));
    CHECK(claimed->size() == 3);
    const auto confirmed = rig.run(lookup_confirmed_names(rig.resolver, address));
    CHECK(*confirmed == std::vector{name("good.test")});
    const auto none = rig.run(lookup_confirmed_names(rig.resolver, *IpAddress::parse("::2")));
    REQUIRE(none);
    CHECK(none->empty());
}

TEST_CASE("an answer is authenticated only if all of its chain is") {
    Rig rig("a.signed.test CNAME b.signed.test\nb.signed.test A 192.0.2.1\n"
            "c.signed.test CNAME d.test\nd.test A 192.0.2.2\ne.signed.test TXT x");
    rig.zone.sign(name("signed.test"));
    CHECK(rig.lookup("a.signed.test", Type::A)->authenticated);
    CHECK_FALSE(rig.lookup("c.signed.test", Type::A)->authenticated);
    CHECK_FALSE(rig.lookup("d.test", Type::A)->authenticated);
    CHECK(rig.lookup("e.signed.test", Type::A)->authenticated);
    CHECK(rig.lookup("nowhere.signed.test", Type::A)->authenticated);
    CHECK(texts(*rig.lookup("e.signed.test", Type::Txt)) == std::vector<std::string>{"x"});
}

TEST_CASE("equal questions under way are asked once, also when one who asked gives up") {
    Rig rig("a.test A 192.0.2.1");
    rig.zone.break_name(name("a.test"), Zone::Fault::Silence, 1);
    rig.zone.set_timeout(5s);
    std::optional<Result<Answer>> first;
    std::optional<Result<Answer>> second;
    {
        Scope impatient(rig.scheduler);
        std::optional<Result<Answer>> third;
        impatient.spawn(keep(rig.resolver.lookup(name("a.test"), Type::A), third));
        rig.scope.spawn(keep(rig.resolver.lookup(name("a.test"), Type::A), first));
        rig.scope.spawn(keep(rig.resolver.lookup(name("A.TEST"), Type::A), second));
        rig.scheduler.run_until(rig.scheduler.now() + 1s);
        CHECK(rig.resolver.queries() == 1);
        CHECK_FALSE(first);
    }
    rig.scheduler.run_until(rig.scheduler.now() + 5s);
    REQUIRE(first);
    REQUIRE(second);
    CHECK_FALSE(*first);
    CHECK(rig.zone.asked().size() == 1);
    CHECK(rig.resolver.queries() == 0);
    // The failure is remembered for seconds only.
    CHECK_FALSE(rig.lookup("a.test", Type::A).has_value());
    rig.scheduler.run_until(rig.scheduler.now() + 10s);
    CHECK(rig.lookup("a.test", Type::A).has_value());
    CHECK(rig.zone.asked().size() == 2);
    CHECK(rig.lookup("a.test", Type::A).has_value());
    CHECK(rig.zone.asked().size() == 2);
}

TEST_CASE("more queries at a time than allowed are unavailable at once") {
    sim::VirtualScheduler scheduler;
    Zone zone;
    CachingResolverOptions options;
    options.queries_max = 2;
    CachingResolver resolver(scheduler, zone, options);
    Scope scope(scheduler);
    std::array<std::optional<Result<Answer>>, 3> answers;
    for (int i = 0; i < 3; ++i) {
        const auto host = name("n" + std::to_string(i) + ".test");
        zone.break_name(host, Zone::Fault::Silence);
        scope.spawn(keep(resolver.lookup(host, Type::A), answers[static_cast<std::size_t>(i)]));
    }
    scheduler.run_ready();
    CHECK_FALSE(answers[0]);
    CHECK_FALSE(answers[1]);
    REQUIRE(answers[2]);
    CHECK(answers[2]->error().kind == ErrorKind::Unavailable);
}

TEST_CASE("a resolver is destroyed while lookups wait") {
    sim::VirtualScheduler scheduler;
    Zone zone;
    zone.break_name(name("a.test"), Zone::Fault::Silence);
    Scope scope(scheduler);
    std::optional<Result<Answer>> answer;
    {
        CachingResolver resolver(scheduler, zone);
        scope.spawn(keep(resolver.lookup(name("a.test"), Type::A), answer));
        scheduler.run_ready();
    }
    scope.cancel();
    scheduler.run_until(scheduler.now() + 1min);
    CHECK_FALSE(answer);
}

TEST_CASE("responses are interpreted with suspicion") {
    const auto response = [](std::string_view question, ResponseCode code,
                             std::initializer_list<const char*> answers,
                             std::initializer_list<const char*> authority = {}) {
        Message message;
        message.response = true;
        message.code = code;
        message.question = Question{name(question), Type::A};
        for (const auto* line : answers) message.answers.push_back(*parse_record(line));
        for (const auto* line : authority) message.authority.push_back(*parse_record(line));
        return message;
    };
    const Question question{name("a.test"), Type::A};
    const auto ok = ResponseCode::NoError;
    CHECK_FALSE(interpret(response("b.test", ok, {"a.test A 192.0.2.1"}), question));
    for (const auto code : {ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::FormErr,
                            ResponseCode::NotImp})
        CHECK(interpret(response("a.test", code, {}), question).error().kind ==
              ErrorKind::Unavailable);
    // Records of others beside the chain are not taken.
    const auto poisoned = interpret(
        response("a.test", ok, {"victim.test A 192.0.2.66", "a.test A 192.0.2.1"}), question);
    CHECK(poisoned->answer.records.size() == 1);
    // The TTL is the least of the chain.
    const auto chain = interpret(
        response("a.test", ok, {"b.test 50 A 192.0.2.1", "a.test 20 CNAME b.test"}), question);
    CHECK(chain->answer.ttl == 20s);
    CHECK(chain->answer.canonical_name == name("b.test"));
    // Negative: the SOA's minimum, its TTL if that is less; nothing for a SOA of somebody else.
    const auto negative = [&](const char* soa) {
        return interpret(response("a.test", ResponseCode::NxDomain, {}, {soa}), question)
            ->answer.ttl;
    };
    CHECK(negative("test 900 SOA n.test m.test 1 2 3 4 60") == 60s);
    CHECK(negative("test 30 SOA n.test m.test 1 2 3 4 60") == 30s);
    CHECK(negative("other 900 SOA n.test m.test 1 2 3 4 60") == 0s);
    // The chain leads out of the response: ask on.
    const auto open = interpret(response("a.test", ok, {"a.test CNAME b.test"}), question);
    CHECK_FALSE(open->complete);
    CHECK(open->answer.canonical_name == name("b.test"));
}

TEST_CASE("chains that leave the response are asked on, and not for ever") {
    // An upstream that never follows: each alias leads to the next name.
    class Stubborn final : public Upstream {
      public:
        int last = 0;
        std::size_t asked = 0;
        Task<Result<Message>> ask(Question question) override {
            ++asked;
            Message message;
            message.response = true;
            message.authenticated = true;
            message.question = question;
            const auto number = std::stoul(question.name.to_string().substr(1));
            Record record;
            record.owner = question.name;
            record.ttl = 60;
            if (static_cast<int>(number) == last) {
                record.type = Type::A;
                record.data = AddressData{*IpAddress::parse("192.0.2.1")};
            } else {
                record.type = Type::Cname;
                record.data = NameData{name("n" + std::to_string(number + 1) + ".test")};
            }
            message.answers.push_back(std::move(record));
            co_return std::move(message);
        }
    };
    for (const int last : {0, 1, 9, 10, 11, 1000}) {
        sim::VirtualScheduler scheduler;
        Stubborn upstream;
        upstream.last = last;
        std::optional<Result<Answer>> answer;
        Scope scope(scheduler);
        Question question;
        question.name = name("n0.test");
        scope.spawn(keep(resolve(upstream, std::move(question)), answer));
        scheduler.run_ready();
        INFO(last);
        REQUIRE(answer);
        CHECK(answer->has_value() == (last < 10));
        CHECK(upstream.asked <= 10);
    }
}

TEST_CASE("wildcards answer for what does not exist") {
    Rig rig("*.w.test A 192.0.2.1\nhost.w.test TXT x\n*.w.test TXT wild");
    CHECK(rig.lookup("any.w.test", Type::A)->found());
    CHECK(rig.lookup("deep.any.w.test", Type::A)->found());
    CHECK(rig.lookup("host.w.test", Type::A)->status == Answer::Status::NoData);
    CHECK(rig.lookup("below.host.w.test", Type::A)->status == Answer::Status::NxDomain);
    CHECK(rig.lookup("w.test", Type::A)->status == Answer::Status::NoData);
    CHECK(rig.lookup("any.w.test", Type::A)->records[0].owner == name("any.w.test"));
}

TEST_CASE("a zone answers the wire") {
    Zone zone;
    REQUIRE(zone.add("a.test A 192.0.2.1"));
    auto asked = query(Question{name("a.test"), Type::A}, 77);
    const auto response = zone.respond(asked);
    REQUIRE(response);
    CHECK(response->id == 77);
    CHECK(response->response);
    CHECK(response->answers.size() == 1);
    zone.break_name(name("a.test"), Zone::Fault::Silence, 1);
    CHECK_FALSE(zone.respond(asked));
    zone.break_name(name("a.test"), Zone::Fault::ServFail, 1);
    CHECK(zone.respond(asked)->code == ResponseCode::ServFail);
    asked.question.reset();
    CHECK(zone.respond(asked)->code == ResponseCode::FormErr);
    const auto wrong = zone.add("b.test A 192.0.2.1\n  c.test A nonsense");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().offset == 30);
}
