#include "libmailcore/kv/overlay.h"

#include "libmailcore/kv/lmdb_index.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

#include <atomic>
#include <charconv>
#include <map>
#include <thread>

using namespace mailcore;

namespace {

std::string all(const kv::View& view, kv::Order order = kv::Order::Ascending) {
    std::string seen;
    REQUIRE(view.walk({}, order, nullptr, [&](std::string_view key, std::string_view value) {
        seen += std::string(key) + "=" + std::string(value) + " ";
        return true;
    }));
    return seen;
}

Result<void> note_position(kv::IndexWriter& writer, std::uint64_t position) {
    return writer.put("~applied", std::to_string(position));
}

} // namespace

TEST_CASE("readers see the published state through every stage of a checkpoint") {
    const test::TemporaryFolder folder;
    auto index = kv::open_lmdb_index(folder.path() + "/index");
    REQUIRE(index);
    kv::Overlay overlay(std::move(*index));
    CHECK_FALSE(overlay.freeze());
    overlay.active().put("a", "1", 1);
    overlay.active().put("b", "1", 1);
    CHECK(all(*overlay.read()).empty());
    CHECK(all(*overlay.read_unpublished()) == "a=1 b=1 ");
    overlay.publish(1, 100);
    const auto at_1 = overlay.read();
    REQUIRE(overlay.freeze());
    CHECK_FALSE(overlay.freeze());
    overlay.active().put("b", "2", 2);
    overlay.active().erase("a", 2);
    overlay.active().put("c", "2", 2);
    CHECK(all(*overlay.read()) == "a=1 b=1 ");
    overlay.publish(2, 200);
    const auto at_2 = overlay.read();
    REQUIRE(overlay.apply({}, {}, note_position));
    CHECK_FALSE(overlay.frozen());
    CHECK(all(*at_1) == "a=1 b=1 ");
    CHECK(all(*at_2) == "b=2 c=2 ");
    CHECK(all(*overlay.read()) == "b=2 c=2 ~applied=100 ");
    REQUIRE(overlay.freeze());
    REQUIRE(overlay.apply({}, {}, note_position));
    CHECK(overlay.active_octets() == 0);
    CHECK(all(*overlay.read(), kv::Order::Descending) == "~applied=200 c=2 b=2 ");
}

TEST_CASE("while checkpoints run, each reader sees one version whole") {
    const test::TemporaryFolder folder;
    auto index = kv::open_lmdb_index(folder.path() + "/index");
    REQUIRE(index);
    kv::Overlay overlay(std::move(*index));
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0}, checkpoints{0};
    constexpr int keys = 50;
    // Every version gives all keys the same number, so that any mixture shows.
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            std::string last = "0";
            while (!stop) {
                const auto view = overlay.read();
                if (!view) {
                    ++wrong;
                    continue;
                }
                std::string first;
                int rows = 0;
                const auto walked = view->walk({"k", "l"}, kv::Order::Ascending, nullptr,
                                               [&](std::string_view, std::string_view value) {
                                                   if (rows++ == 0) first = value;
                                                   if (value != first) ++wrong;
                                                   return true;
                                               });
                if (!walked || (rows != 0 && rows != keys)) ++wrong;
                if (rows > 0 && first != std::to_string(view->version())) ++wrong;
            }
        });
    std::atomic<int> frozen{0};
    threads.emplace_back([&] {
        while (!stop) {
            if (frozen.load() == 0) {
                std::this_thread::yield();
                continue;
            }
            kv::Overlay::ApplyOptions options;
            options.rows_per_commit = 7; // many half-applied states
            if (!overlay.apply(options, {}, note_position)) ++wrong;
            ++checkpoints;
            frozen = 0;
        }
    });
    for (kv::Version version = 1; version <= 1500 || checkpoints < 5; ++version) {
        for (int key = 0; key < keys; ++key)
            overlay.active().put("k" + std::to_string(key), std::to_string(version), version);
        overlay.publish(version, version * 10);
        if (frozen == 0 && version % 10 == 0 && overlay.freeze()) frozen = 1;
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(checkpoints >= 5);
}
