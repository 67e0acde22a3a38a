#include "table.h"

#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace mdctl {

namespace {

bool is_number(const std::string& cell) {
    return !cell.empty() && cell.front() >= '0' && cell.front() <= '9';
}

} // namespace

void Table::print(const std::string& nothing) const {
    if (rows_.size() == 1) {
        fmt::print("{}\n", nothing);
        return;
    }
    std::vector<std::size_t> widths(rows_.front().size());
    std::vector<bool> numbers(widths.size(), true);
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], mailcore::codec::utf8_length(row[i]));
            if (&row != &rows_.front()) numbers[i] = numbers[i] && is_number(row[i]);
        }
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string padding(widths[i] - mailcore::codec::utf8_length(row[i]), ' ');
            line += (i > 0 ? "  " : "") + (numbers[i] ? padding + row[i] : row[i] + padding);
        }
        while (line.ends_with(' ')) line.pop_back();
        fmt::print("{}\n", line);
    }
}

std::string octets(std::uint64_t count) {
    static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(count);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", count) : fmt::format("{:.1f} {}", value, units[unit]);
}

} // namespace mdctl
