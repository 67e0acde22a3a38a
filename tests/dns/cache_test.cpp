#include "libmailcore/dns/cache.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace dns;
using namespace std::chrono_literals;

namespace {

const base::Instant start{1h};

Question question(std::string_view name) { return Question{*Name::parse(name), Type::A}; }

Answer answer(std::chrono::seconds ttl, Answer::Status status = Answer::Status::Found) {
    Answer out;
    out.status = status;
    out.ttl = ttl;
    out.authenticated = true;
    if (out.found()) out.records.push_back(*parse_record("a.test A 192.0.2.1"));
    return out;
}

} // namespace

TEST_CASE("an answer is remembered for its TTL, which runs down") {
    Cache cache;
    cache.put(question("a.test"), answer(10s), start);
    const auto known = cache.find(question("A.test"), start + 4s);
    REQUIRE(known);
    CHECK((*known)->ttl == 6s);
    CHECK((*known)->authenticated);
    CHECK(cache.find(question("a.test"), start + 9900ms));
    CHECK_FALSE(cache.find(question("a.test"), start + 10s));
    CHECK(cache.size() == 0);
    CHECK(cache.memory() == 0);
}

TEST_CASE("TTLs are bounded by kind") {
    struct Case {
        const char* name;
        Result<Answer> answer;
        std::chrono::seconds kept; // 0: not at all
    };
    const Case cases[] = {
        {"positive, long", answer(1000000s), 86400s},
        {"positive, zero", answer(0s), 0s},
        {"negative, long", answer(86400s, Answer::Status::NxDomain), 10800s},
        {"negative without SOA", answer(0s, Answer::Status::NoData), 0s},
        {"failure", fail(ErrorKind::Unavailable, "SERVFAIL"), 5s},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        Cache cache;
        cache.put(question("a.test"), c.answer, start);
        if (c.kept == 0s) {
            CHECK_FALSE(cache.find(question("a.test"), start));
            continue;
        }
        CHECK(cache.find(question("a.test"), start + c.kept - 1ms));
        CHECK_FALSE(cache.find(question("a.test"), start + c.kept));
    }
}

TEST_CASE("the least recently used answer goes first") {
    CacheOptions options;
    options.octets_max = 3000;
    Cache cache(options);
    for (int i = 0; i < 100; ++i) {
        cache.put(question("n" + std::to_string(i) + ".test"), answer(60s), start);
        CHECK(cache.memory() <= options.octets_max);
        CHECK(cache.find(question("n0.test"), start));
    }
    CHECK(cache.size() >= 2);
    CHECK_FALSE(cache.find(question("n1.test"), start));
    CHECK(cache.find(question("n99.test"), start));
    Answer huge = answer(60s);
    huge.records.push_back(Record{Name(), Type::Txt, 1, TxtData{std::string(5000, 'x')}});
    cache.put(question("huge.test"), huge, start);
    CHECK_FALSE(cache.find(question("huge.test"), start));
}

TEST_CASE("a name is forgotten with all its types") {
    Cache cache;
    cache.put(question("a.test"), answer(60s), start);
    cache.put(Question{*Name::parse("a.test"), Type::Mx}, answer(60s), start);
    cache.put(question("b.test"), answer(60s), start);
    cache.erase(*Name::parse("a.test"));
    CHECK(cache.size() == 1);
    CHECK(cache.find(question("b.test"), start));
    cache.clear();
    CHECK(cache.memory() == 0);
}
