// Counters and sets of rules in memory: for tests, `mdctl rule test`, and embedders without a
// store.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/filter/rule_ports.h"

#include <map>
#include <tuple>

namespace mailcore::filter {

/// Keeps at most `rows_max` counters and set members; above, those that have expired go, then the
/// oldest keys in their order. One scheduler's thread.
class MemoryRuleStore final : public RuleStore {
  public:
    explicit MemoryRuleStore(const base::Clock& clock, std::size_t rows_max = 100'000)
        : clock_(clock), rows_max_(rows_max) {}
    Task<Result<std::uint64_t>> count(std::string name, std::string key,
                                      std::chrono::seconds window, std::uint64_t by) override;
    Task<Result<bool>> contains(std::string name, std::string key) override;
    Task<Result<bool>> insert(std::string name, std::string key,
                              std::chrono::seconds lifetime) override;
    Task<Result<bool>> erase(std::string name, std::string key) override;

    [[nodiscard]] std::size_t rows() const { return counters_.size() + members_.size(); }

  private:
    struct Counter {
        WindowCount count;
        std::int64_t expires = 0;
    };
    void make_room();
    [[nodiscard]] std::int64_t now() const { return base::unix_seconds(clock_.wall_now()); }

    const base::Clock& clock_;
    std::size_t rows_max_;
    std::map<std::tuple<std::string, std::string, std::int64_t>, Counter> counters_;
    std::map<std::pair<std::string, std::string>, std::int64_t> members_; // until when
};

} // namespace mailcore::filter
