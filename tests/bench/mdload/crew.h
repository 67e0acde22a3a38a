// Connections that do the same work, their pace, and what comes out.
#pragma once

#include "tests/bench/mdload/histogram.h"
#include "tests/bench/mdload/letters.h"
#include "tests/bench/mdload/loop.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::mdload {

class Crew;

/// One connection's part in the work. It says `ready` after each `prepare`, `completed` or `failed`
/// after each `operate`; if it says so at once, its operations nest: only where they are few.
class Actor {
  public:
    virtual ~Actor() = default;
    /// Connects and does whatever is not measured.
    virtual void prepare() = 0;
    virtual void operate() = 0;
    /// There is no more to do.
    virtual void finish() {}
};

/// How much, and how fast. Without a rate, each connection begins its next operation when the last
/// has ended. With one, operations are due at even times, whoever is free then takes the earliest,
/// and latency counts from when it was due: a server that stalls is charged for all that waited.
struct Pace {
    std::uint64_t count = 0;          ///< operations; 0: no bound
    std::chrono::nanoseconds time{0}; ///< 0: no bound
    double rate = 0;                  ///< operations a second; 0: as fast as it goes
    std::uint64_t failures_max = 0;   ///< more end the program
};

/// What a crew did.
struct Tally {
    std::uint64_t operations = 0;
    std::uint64_t items = 0;  ///< messages, rows: what operations say
    std::uint64_t octets = 0; ///< of mail
    std::uint64_t failures = 0;
    std::uint64_t bad = 0; ///< letters that are not as they were sent
    std::uint64_t resumed = 0;
    Instant began{}, ended{};
    Histogram latency;
    std::vector<bool> numbers; ///< letters that were read, by number
    std::uint64_t doubles = 0; ///< of them read more than once

    void saw(const LetterCheck& check);
    [[nodiscard]] double seconds() const;
    [[nodiscard]] std::string json() const;
};

class Crew {
  public:
    Crew(Loop& loop, Pace pace, std::string name)
        : loop_(loop), pace_(pace), name_(std::move(name)) {}

    void add(std::unique_ptr<Actor> actor);
    /// Prepares all actors, a few at a time; when all are ready the work, and its time, begins.
    /// `over` is called when it has ended and no actor is busy.
    void start(std::function<void()> over);
    /// When all are ready, before the first operation.
    std::function<void()> on_begin = [] {};

    // For actors.
    void ready(Actor& actor);
    void completed(Actor& actor, std::uint64_t items = 1, std::uint64_t octets = 0);
    void completed_after(Actor& actor, std::chrono::nanoseconds latency);
    /// When the actor's operation was due.
    [[nodiscard]] Instant due(Actor& actor) { return member(actor).due; }
    /// What the operation has done so far is not its latency.
    void restart_clock(Actor& actor) { member(actor).due = loop_.now(); }
    /// 0, 1, 2, ... for whatever actors take in turns.
    [[nodiscard]] std::size_t turn() { return turns_++; }
    /// Counts it. Before its next operation the actor is prepared again.
    void failed(Actor& actor, const std::string& why);

    [[nodiscard]] Tally& tally() { return tally_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] Loop& loop() { return loop_; }

  private:
    struct Member {
        std::unique_ptr<Actor> actor;
        bool ready = false, busy = false, broken = false, retired = false;
        Instant due{};
    };
    Member& member(Actor& actor);
    void prepare_more();
    void next(Member& member);
    void begin(Member& member, Instant due);
    void retire(Member& member);

    Loop& loop_;
    Pace pace_;
    std::string name_;
    std::vector<Member> members_;
    std::map<const Actor*, std::size_t> places_;
    std::size_t preparing_ = 0, prepared_ = 0, working_ = 0;
    std::uint64_t issued_ = 0;
    std::size_t turns_ = 0;
    bool begun_ = false;
    std::function<void()> over_;
    Tally tally_;
};

} // namespace mailcore::mdload
