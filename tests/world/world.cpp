#include "tests/world/world.h"

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

namespace mailcore::world {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t hosts_max = 4;
constexpr auto rest_time = 24h * 8; // in which all comes to its end: beyond a queue's lifetime
constexpr std::uint64_t steps_max = 400'000;

} // namespace

Setting::Setting() {
    for (std::size_t i = 0; i < hosts_max; ++i) {
        HostPlan plan;
        plan.domain = fmt::format("h{}.test", i);
        plan.name = "mx." + plan.domain;
        const auto number = static_cast<std::uint8_t>(i);
        plan.addresses = {IpAddress::v4({10, 0, number, 1}), IpAddress::v4({10, 0, number, 2})};
        plan.people = {"ann", "ben"};
        plan.full = "max";
        plan.lmtp = i % 2 == 0;
        addresses.mailboxes.insert(plan.full + "@" + plan.domain);
        if (i == 0) plan.aliases = {{"team", {"ann@h0.test", "ben@h1.test"}}};
        if (i == 1) plan.aliases = {{"forward", {"ben@h0.test"}}, {"circle", {"circle@h0.test"}}};
        if (i == 0) plan.aliases.push_back({"circle", {"circle@h1.test"}});
        zone += fmt::format("{0} 300 IN MX 10 mx.{0}\n{0} 300 IN MX 20 mx2.{0}\n"
                            "mx.{0} 300 IN A 10.0.{1}.1\nmx2.{0} 300 IN A 10.0.{1}.2\n",
                            plan.domain, i);
        for (const auto& person : plan.people)
            addresses.mailboxes.insert(person + "@" + plan.domain);
        for (const auto& [name, targets] : plan.aliases)
            addresses.aliases[name + "@" + plan.domain] = targets;
        disks.push_back(set_up(plan));
        plans.push_back(std::move(plan));
    }
}

World::World(const Setting& setting, std::uint64_t seed)
    : seed_(seed), random_(seed), network_(wire_, random_, trace_) {
    zone_.add(setting.zone).value();
    letters_.addresses = setting.addresses;
    start_ = wire_.now();
    network_.uncertain = [this](const Machine* from, const Handover& handover) {
        ++outcome_.doubts;
        trace_.note(wire_.now(), from ? from->name() : "somebody",
                    fmt::format("does not know about letter {}", handover.letter.value_or(0)));
        letters_.doubt(!from, handover);
    };
    const auto count = 2 + random_.below(hosts_max - 1);
    for (std::size_t i = 0; i < count; ++i) {
        hosts_.push_back(std::make_unique<Host>(setting.plans[i], setting.disks[i], network_, zone_,
                                                random_, trace_));
        auto& names = hosts_.back()->names();
        names.told = [this, &host = *hosts_.back()](const dns::Name& name, const char* lie) {
            ++outcome_.lies;
            trace_.note(wire_.now(), host.name(), name.to_string() + ": " + lie);
        };
        names.told_finally = [this, &host = *hosts_.back()](const dns::Name& name) {
            for (const auto& other : hosts_)
                if (name.is_within(*dns::Name::parse(other->plan().domain)))
                    letters_.given_up[host.name()].insert(other->plan().domain);
        };
    }
}

void World::keep_short() {
    busy_time_ = 30min;
    letters_max_ = 4;
    hosts_.resize(2);
}

World::~World() {
    ending_ = true;
    hosts_.clear();
}

void World::at(std::chrono::nanoseconds after_start, base::Work work) {
    wire_.start_timer(start_ + after_start, std::move(work));
}

std::chrono::seconds World::in_busy_time(int of, int parts) {
    const auto most = busy_time_ * of / parts;
    return std::chrono::seconds(random_.below(static_cast<std::uint64_t>(most.count())));
}

// Time

void World::settle() {
    for (std::uint64_t rounds = 0;; ++rounds) {
        if (rounds > steps_max) throw std::runtime_error("the world does not come to rest");
        bool progress = false;
        for (const auto& host : hosts_) {
            if (auto* scheduler = host->scheduler()) progress |= scheduler->run_ready() > 0;
            if (!host->lost_power()) continue;
            ++outcome_.power_cuts;
            trace_.note(wire_.now(), host->name(), "loses power at work");
            host->cut_power();
            restart(*host);
            progress = true;
        }
        progress |= wire_.run_ready() > 0;
        progress |= network_.collect();
        if (!progress) return;
    }
}

void World::pass(Instant until) {
    while (true) {
        settle();
        if (++outcome_.steps > steps_max) throw std::runtime_error("the world does not end");
        auto next = wire_.next_timer().value_or(until);
        for (const auto& host : hosts_)
            if (auto* scheduler = host->scheduler())
                next = std::min(next, scheduler->next_timer().value_or(until));
        const bool over = next >= until;
        next = std::min(next, until);
        // Clocks first, so that whoever acts finds the others at the same time.
        for (const bool acts : {false, true})
            for (const auto& host : hosts_)
                if (auto* scheduler = host->scheduler();
                    scheduler && (scheduler->next_timer() <= next) == acts)
                    scheduler->run_until(next);
        wire_.run_until(next);
        if (!over) continue;
        settle();
        return;
    }
}

// What goes wrong

void World::plan_faults() {
    if (calm_ || chance(10)) return;
    if (chance(75)) {
        network_.faults.refused = static_cast<unsigned>(random_.below(60));
        network_.faults.never_answered = static_cast<unsigned>(random_.below(60));
        network_.faults.broken = static_cast<unsigned>(random_.below(500));
        network_.faults.slow = static_cast<unsigned>(random_.below(300));
        network_.faults.tls_fails = static_cast<unsigned>(random_.below(200));
    }
    for (const auto& host : hosts_) {
        if (chance(40)) host->names().lies_of_100 = static_cast<unsigned>(random_.below(50));
        for (auto faults = random_.below(4); faults > 0; --faults)
            at(in_busy_time(9, 10), [this, &each = *host] { fault(each); });
    }
}

void World::restart(Host& host) {
    wire_.start_timer(wire_.now() + std::chrono::seconds(5 + random_.below(1800)), [this, &host] {
        if (!host.is_up() && !host.start(wire_.now())) restart(host);
    });
}

void World::fault(Host& host) {
    if (!host.is_up() || !writing_) return;
    ++outcome_.faults;
    const auto what = random_.below(9);
    trace_.note(wire_.now(), host.name(), fmt::format("fault {}", what));
    const auto mend_later = [&](std::uint64_t seconds_max) {
        wire_.start_timer(
            wire_.now() + std::chrono::seconds(60 + random_.below(seconds_max)), [this, &host] {
                host.mend();
                if (host.is_up() && !host.is_writable()) {
                    host.cut_power();
                    restart(host);
                }
                wire_.start_timer(wire_.now() + 20min, [&host] { host.forget_trouble(); });
            });
    };
    switch (what) {
    case 0:
    case 1:
        ++outcome_.power_cuts;
        host.cut_power();
        return restart(host);
    case 2:
    case 3:
    case 4: return host.cut_power_at_sync(random_.below(12));
    case 5: host.fill_disk(random_.below(400'000)); return mend_later(3600);
    case 6: {
        constexpr sim::Fault faults[] = {sim::Fault::NoSpace, sim::Fault::ShortWrite,
                                         sim::Fault::Broken, sim::Fault::NoFiles,
                                         sim::Fault::NoMemory};
        host.fail_files(random_.below(20), faults[random_.below(std::size(faults))],
                        1 + random_.below(3));
        return mend_later(1200);
    }
    case 7: {
        constexpr std::chrono::hours jumps[] = {-30h, -3h, 1h, 7h, 26h, 150h};
        const auto by = jumps[random_.below(std::size(jumps))];
        if (by > 12h)
            for (const auto& other : hosts_)
                letters_.given_up[host.name()].insert(other->plan().domain);
        return host.jump_wall(by);
    }
    default: // somebody restarts it, as one should
        host.begin_stop();
        wire_.start_timer(wire_.now() + 30s, [this, &host] {
            if (!host.is_up()) return;
            host.cut_power();
            restart(host);
        });
    }
}

void World::lift_faults() {
    network_.faults = {};
    for (const auto& host : hosts_) {
        host->names().lies_of_100 = 0;
        host->keep_power();
        host->mend();
        if (host->is_up() && !host->is_writable()) host->cut_power();
        if (!host->is_up() && !host->start(wire_.now()))
            letters_.complain(host->name() + " cannot be started when all is well again");
    }
}

// The end

bool World::is_at_rest() {
    return std::ranges::all_of(errands_, [](const auto& errand) { return errand->done; }) &&
           std::ranges::all_of(hosts_, [](const auto& host) {
               return host->is_up() && std::ranges::none_of(host->queue(), [](const Waiting& row) {
                          return row.state.starts_with("waiting");
                      });
           });
}

void World::stop_hosts() {
    settle();
    for (const auto& host : hosts_) host->begin_stop();
    pass(wire_.now() + 50min);
    for (const auto& each : network_.links()) trace_.note(wire_.now(), "left", each);
    for (const auto& host : hosts_)
        for (auto& each : host->end_stop()) letters_.complain(std::move(each));
    settle();
    for (const auto& each : network_.links()) letters_.complain("left: " + each);
}

Outcome World::run() {
    if (before_the_start) before_the_start();
    for (const auto& host : hosts_)
        if (!host->start(wire_.now())) restart(*host);
    plan_letters();
    plan_readers();
    plan_faults();
    pass(start_ + busy_time_);
    if (before_mending) before_mending();
    lift_faults();
    writing_ = false;
    for (const auto& [user, reading] : readers_) reading.reader->slow_down();
    for (const auto end = wire_.now() + rest_time; !is_at_rest() && wire_.now() < end;)
        pass(wire_.now() + 1h);
    if (before_the_end) {
        before_the_end();
        pass(wire_.now() + 10min);
    }
    compare_views();
    Rest rest;
    for (const auto& host : hosts_) {
        auto people = host->plan().people;
        people.push_back(host->plan().full);
        for (const auto& person : people)
            for (auto& folder : host->folders(person)) rest.folders.push_back(std::move(folder));
        for (auto& row : host->queue()) {
            if (row.state.starts_with("waiting"))
                letters_.complain(fmt::format("letter {} to {} waits for ever: {}",
                                              row.letter.value_or(0), row.address, row.state));
            rest.waiting.push_back(std::move(row));
        }
        if (seed_ % 8 == 0)
            for (auto& each : host->check()) letters_.complain(std::move(each));
    }
    outcome_.counts = examine(letters_, rest);
    stop_hosts();
    outcome_.trace = trace_.hash();
    for (const auto& each : letters_.wrong)
        outcome_.wrong.push_back(fmt::format("seed {}: {}", seed_, each));
    return outcome_;
}

} // namespace mailcore::world
