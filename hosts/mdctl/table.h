// Tables that a person can read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mdctl {

/// Columns as wide as their widest cell; numbers to the right.
class Table {
  public:
    explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    /// Prints to standard output; `nothing` if there are no rows.
    void print(const std::string& nothing) const;

  private:
    std::vector<std::vector<std::string>> rows_;
};

/// "1.5 MiB"
[[nodiscard]] std::string octets(std::uint64_t count);

} // namespace mdctl
