#include "libmailcore/base/memory_gate.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace std::chrono_literals;
using base::MemoryGate;
using Admission = MemoryGate::Admission;

namespace {

struct ByHand final : base::Clock, base::MemoryMeter {
    Instant now() const override { return time; }
    WallTime wall_now() const override { return {}; }
    std::uint64_t used() override {
        ++measured;
        return live + held;
    }
    void give_back() override {
        ++given_back;
        held = 0;
    }
    Instant time{1s};
    std::uint64_t live = 0;
    std::uint64_t held = 0; // free, but with the allocator
    int measured = 0;
    int given_back = 0;
};

} // namespace

TEST_CASE("connections are refused first, then messages, then what is coming in") {
    struct Case {
        std::uint64_t used;
        bool connection, message, octets;
        std::uint64_t excess;
    };
    static constexpr Case cases[] = {
        {0, true, true, true, 0},       {800, true, true, true, 0},
        {801, false, true, true, 0},    {880, false, true, true, 0},
        {881, false, false, true, 1},   {950, false, false, true, 70},
        {951, false, false, false, 71}, {5000, false, false, false, 4120},
    };
    for (const auto& c : cases) {
        INFO(c.used);
        ByHand world;
        world.live = c.used;
        MemoryGate gate({.octets_max = 1000}, world, world);
        CHECK(gate.admits(Admission::Connection) == c.connection);
        CHECK(gate.admits(Admission::Message) == c.message);
        CHECK(gate.admits(Admission::Octets) == c.octets);
        CHECK(gate.excess() == c.excess);
        CHECK(gate.refused(Admission::Connection) == (c.connection ? 0 : 1));
        CHECK(gate.refused(Admission::Message) == (c.message ? 0 : 1));
        CHECK(gate.refused(Admission::Octets) == (c.octets ? 0 : 1));
    }
}

TEST_CASE("it measures once an interval, however often it is asked") {
    ByHand world;
    MemoryGate gate({.octets_max = 1000}, world, world);
    for (int i = 0; i < 100; ++i) CHECK(gate.admits(Admission::Connection));
    CHECK(world.measured == 1);
    world.live = 900;
    CHECK(gate.admits(Admission::Connection)); // not known yet
    world.time += 10ms;
    CHECK_FALSE(gate.admits(Admission::Connection));
    CHECK(world.measured >= 2);
    world.live = 100;
    world.time += 10ms;
    CHECK(gate.admits(Admission::Connection));
}

TEST_CASE("nobody is refused for memory that is free and only not given back") {
    ByHand world;
    world.live = 100;
    world.held = 800;
    MemoryGate gate({.octets_max = 1000}, world, world);
    CHECK(gate.admits(Admission::Connection));
    CHECK(world.given_back == 1);
    // Giving back is dear: not more often than told, even under pressure.
    world.live = 990;
    for (int i = 0; i < 99; ++i) {
        world.time += 10ms;
        CHECK_FALSE(gate.admits(Admission::Message));
    }
    CHECK(world.given_back == 1);
    world.time += 10ms;
    CHECK_FALSE(gate.admits(Admission::Message));
    CHECK(world.given_back == 2);
}

TEST_CASE("without a ceiling nothing is measured and nobody refused") {
    ByHand world;
    world.live = ~std::uint64_t{0};
    MemoryGate gate({}, world, world);
    CHECK(gate.admits(Admission::Octets));
    CHECK(gate.excess() == 0);
    CHECK(world.measured == 0);
}
