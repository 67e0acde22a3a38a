// Who does what when.
#include "tests/bench/mdload/crew.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace mailcore::mdload {

namespace {
constexpr std::size_t prepared_together = 32;
constexpr std::chrono::milliseconds pause_after_failure{100};
constexpr std::uint64_t numbers_max = 100'000'000;
} // namespace

void Tally::saw(const LetterCheck& check) {
    const auto number = check.end();
    if (!number || *number >= numbers_max) {
        ++bad;
        return;
    }
    if (numbers.size() <= *number) numbers.resize(*number + 1 + numbers.size() / 2);
    if (numbers[*number]) ++doubles;
    numbers[*number] = true;
}

double Tally::seconds() const { return std::chrono::duration<double>(ended - began).count(); }

std::string Tally::json() const {
    const auto ms = [&](double part) {
        return std::chrono::duration<double, std::milli>(latency.quantile(part)).count();
    };
    const auto time = std::max(seconds(), 1e-9);
    auto text = fmt::format(
        R"("operations": {}, "items": {}, "octets": {}, "seconds": {:.6f}, "rate": {:.3f}, )"
        R"("item_rate": {:.3f}, "mb_rate": {:.3f}, "failures": {}, "resumed": {}, "p50_ms": {:.4f}, )"
        R"("p90_ms": {:.4f}, "p99_ms": {:.4f}, "p999_ms": {:.4f}, "max_ms": {:.4f})",
        operations, items, octets, seconds(), static_cast<double>(operations) / time,
        static_cast<double>(items) / time, static_cast<double>(octets) / time / 1e6, failures,
        resumed, ms(0.5), ms(0.9), ms(0.99), ms(0.999), ms(1));
    if (!numbers.empty() || bad > 0)
        text += fmt::format(R"(, "verified": {}, "doubles": {}, "bad": {})",
                            std::ranges::count(numbers, true), doubles, bad);
    return text;
}

void Crew::add(std::unique_ptr<Actor> actor) {
    places_[actor.get()] = members_.size();
    members_.push_back({std::move(actor)});
}

Crew::Member& Crew::member(Actor& actor) { return members_[places_.at(&actor)]; }

void Crew::start(std::function<void()> over) {
    over_ = std::move(over);
    prepare_more();
}

void Crew::prepare_more() {
    // A server's backlog is not what is measured: some hundred connections at once would overflow
    // it.
    while (preparing_ < members_.size() && preparing_ - prepared_ < prepared_together)
        members_[preparing_++].actor->prepare();
}

void Crew::ready(Actor& actor) {
    auto& who = member(actor);
    if (begun_) { // again, after a failure
        actor.operate();
        return;
    }
    who.ready = true;
    ++prepared_;
    prepare_more();
    if (begun_ || prepared_ < members_.size())
        return; // one may be ready at once, within `prepare_more`
    begun_ = true;
    on_begin();
    tally_.began = tally_.ended = loop_.now();
    working_ = members_.size();
    for (auto& each : members_) next(each);
}

void Crew::next(Member& who) {
    const auto now = loop_.now();
    const auto end = tally_.began + pace_.time;
    auto due = now;
    if (pace_.rate > 0)
        due = tally_.began + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                 static_cast<double>(issued_) / pace_.rate * 1e9));
    if ((pace_.count > 0 && issued_ >= pace_.count) || (pace_.time.count() > 0 && due >= end))
        return retire(who);
    ++issued_;
    if (due <= now) return begin(who, due);
    loop_.at(due, [this, &who, due] { begin(who, due); });
}

void Crew::begin(Member& who, Instant due) {
    who.due = due;
    who.busy = true;
    if (std::exchange(who.broken, false))
        who.actor->prepare();
    else
        who.actor->operate();
}

void Crew::retire(Member& who) {
    who.retired = true;
    who.actor->finish();
    if (--working_ == 0 && over_) over_();
}

void Crew::completed(Actor& actor, std::uint64_t items, std::uint64_t octets) {
    auto& who = member(actor);
    const auto now = loop_.now();
    tally_.latency.add(now - who.due);
    tally_.ended = now;
    ++tally_.operations;
    tally_.items += items;
    tally_.octets += octets;
    who.busy = false;
    next(who);
}

void Crew::completed_after(Actor& actor, std::chrono::nanoseconds latency) {
    auto& who = member(actor);
    tally_.latency.add(latency);
    tally_.ended = loop_.now();
    ++tally_.operations;
    ++tally_.items;
    who.busy = false;
    next(who);
}

void Crew::failed(Actor& actor, const std::string& why) {
    auto& who = member(actor);
    if (who.retired) return;
    if (++tally_.failures > pace_.failures_max || !begun_)
        give_up(fmt::format("{}: {}", name_, why));
    if (tally_.failures <= 5) fmt::print(stderr, "mdload: {}: {}\n", name_, why);
    who.broken = true;
    if (!std::exchange(who.busy, false)) return;
    loop_.at(loop_.now() + pause_after_failure, [this, &who] { next(who); });
}

} // namespace mailcore::mdload
