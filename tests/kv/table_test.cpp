#include "libmailcore/kv/table.h"

#include "libmailcore/kv/view.h"
#include "tests/catch.h"

#include <atomic>
#include <map>
#include <string>
#include <thread>

using namespace mailcore;

namespace {

std::string walk(const kv::Table& table, kv::Version at, kv::Bounds bounds, kv::Order order) {
    std::string seen;
    kv::TableCursor cursor(table, at);
    for (cursor.start(bounds, order); cursor.valid(); cursor.next()) {
        seen += cursor.key();
        if (const auto value = cursor.value())
            seen += "=" + std::string(*value);
        else
            seen += "!";
        seen += " ";
    }
    return seen;
}

} // namespace

TEST_CASE("each version of a table sees its own rows") {
    kv::Table table;
    CHECK(table.empty());
    table.put("b", "1", 1);
    table.put("a", "1", 2);
    table.put("b", "2", 3);
    table.erase("a", 4);
    table.put("c", "", 4);
    CHECK(table.rows() == 3);
    const auto all = [&](kv::Version at) { return walk(table, at, {}, kv::Order::Ascending); };
    CHECK(all(0).empty());
    CHECK(all(1) == "b=1 ");
    CHECK(all(2) == "a=1 b=1 ");
    CHECK(all(3) == "a=1 b=2 ");
    CHECK(all(4) == "a! b=2 c= ");
    CHECK_FALSE(table.find("a", 1));
    CHECK(table.find("a", 3)->value == "1");
    CHECK_FALSE(table.find("a", 4)->value);
    CHECK_FALSE(table.find("aa", 9));
}

TEST_CASE("walks keep their bounds in both orders") {
    kv::Table table;
    for (const char* key : {"d", "b", "a", "e", "c"}) table.put(key, "", 1);
    struct Case {
        const char* name;
        kv::Bounds bounds;
        const char* ascending;
        const char* descending;
    };
    const Case cases[] = {
        {"all", {"", ""}, "a= b= c= d= e= ", "e= d= c= b= a= "},
        {"from within", {"b", ""}, "b= c= d= e= ", "e= d= c= b= "},
        {"from between", {"bb", ""}, "c= d= e= ", "e= d= c= "},
        {"to excluded", {"", "c"}, "a= b= ", "b= a= "},
        {"to between", {"a", "cc"}, "a= b= c= ", "c= b= a= "},
        {"empty", {"c", "c"}, "", ""},
        {"reversed", {"d", "b"}, "", ""},
        {"behind all", {"x", ""}, "", ""},
        {"before all", {"", "A"}, "", ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(walk(table, 1, c.bounds, kv::Order::Ascending) == c.ascending);
        CHECK(walk(table, 1, c.bounds, kv::Order::Descending) == c.descending);
    }
}

TEST_CASE("a discarded batch leaves the versions before it") {
    kv::Table table;
    table.put("a", "1", 1);
    table.put("a", "2", 2);
    table.put("a", "3", 2);
    table.put("b", "2", 2);
    table.discard("a", 2);
    table.discard("b", 2);
    table.discard("none", 2);
    CHECK(table.find("a", 2)->value == "1");
    CHECK_FALSE(table.find("b", 2));
    CHECK(walk(table, 2, {}, kv::Order::Descending) == "a=1 ");
    table.put("b", "again", 2);
    CHECK(table.find("b", 2)->value == "again");
}

TEST_CASE("a table equals a map, whatever is done to both") {
    kv::Table table;
    std::map<std::string, std::string> model;
    std::uint32_t state = 1;
    const auto next = [&](std::uint32_t below) {
        state = state * 1664525 + 1013904223;
        return (state >> 8) % below;
    };
    for (kv::Version version = 1; version <= 20'000; ++version) {
        const auto key = std::to_string(next(3000));
        if (next(4) == 0) {
            table.erase(key, version);
            model.erase(key);
        } else {
            const std::string value(next(50), static_cast<char>('a' + version % 26));
            table.put(key, value, version);
            model[key] = value;
        }
    }
    const kv::View view(std::shared_ptr<const kv::Table>(&table, [](const auto*) {}), nullptr,
                        nullptr, 20'000);
    for (const auto order : {kv::Order::Ascending, kv::Order::Descending}) {
        std::vector<std::pair<std::string, std::string>> seen, expected(model.begin(), model.end());
        REQUIRE(view.walk({}, order, nullptr, [&](std::string_view key, std::string_view value) {
            seen.emplace_back(key, value);
            return true;
        }));
        if (order == kv::Order::Descending) std::reverse(expected.begin(), expected.end());
        CHECK((seen == expected));
    }
}

TEST_CASE("readers of a published version are not disturbed by the writer") {
    kv::Table table;
    std::atomic<kv::Version> published{0};
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    // Every version puts the same number into both of its rows.
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i)
        readers.emplace_back([&] {
            while (!stop) {
                const auto at = published.load(std::memory_order_acquire);
                const auto a = table.find("a", at), z = table.find("z", at);
                if (a.has_value() != z.has_value() || (a && a->value != z->value)) ++wrong;
                if (at > 0 && a && a->value != std::to_string(at)) ++wrong;
                kv::TableCursor cursor(table, at);
                std::string last;
                for (cursor.start({}, kv::Order::Ascending); cursor.valid(); cursor.next()) {
                    if (cursor.key() <= last) ++wrong;
                    last = cursor.key();
                }
            }
        });
    for (kv::Version version = 1; version <= 3000; ++version) {
        table.put("a", std::to_string(version), version);
        table.put("m" + std::to_string(version * 7919 % 1000), "x", version);
        table.put("z", std::to_string(version), version);
        published.store(version, std::memory_order_release);
    }
    stop = true;
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
}
