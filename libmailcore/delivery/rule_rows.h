// Counters and sets of rules as rows of the store.
#pragma once

#include "libmailcore/filter/rule_ports.h"
#include "libmailcore/store/store.h"

namespace mailcore::delivery {

/// Rows "s" "r" kind name NUL key (NUL window): durable when a rule goes on, and the same for all
/// loops. Each use that changes something is a transaction of its own; those of one turn share a
/// flush. The store outlives it. One scheduler's thread.
class RuleRows final : public filter::RuleStore {
  public:
    explicit RuleRows(store::Store& store) : store_(store) {}
    Task<Result<std::uint64_t>> count(std::string name, std::string key,
                                      std::chrono::seconds window, std::uint64_t by) override;
    Task<Result<bool>> contains(std::string name, std::string key) override;
    Task<Result<bool>> insert(std::string name, std::string key,
                              std::chrono::seconds lifetime) override;
    Task<Result<bool>> erase(std::string name, std::string key) override;

  private:
    store::Store& store_;
};

/// Erases rows that have expired: from key `from` on, at most `rows_max` looked at. Answers where
/// to go on; empty: the end was reached.
Task<Result<std::string>> sweep_rule_rows(store::Store& store, std::string from,
                                          std::size_t rows_max = 1'000);

} // namespace mailcore::delivery
