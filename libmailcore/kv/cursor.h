// How ordered rows are walked, whatever they lie in.
#pragma once

#include "libmailcore/base/result.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mailcore::kv {

enum class Order : std::uint8_t { Ascending, Descending };

/// The rows that a walk covers: `from` <= key < `to`; an empty `to` means to the end of all keys.
/// Views: they outlive the walk.
struct Bounds {
    std::string_view from;
    std::string_view to;

    [[nodiscard]] bool contains(std::string_view key) const {
        return key >= from && (to.empty() || key < to);
    }
};

/// A walk over the rows of one source. Keys are compared as unsigned octets. Views that it returns
/// are valid until it moves. One thread.
class Cursor {
  public:
    virtual ~Cursor() = default;
    /// Goes to the first row of `bounds` as `order` sees it. To be called before anything else.
    virtual void start(Bounds bounds, Order order) = 0;
    /// Whether it stands on a row.
    [[nodiscard]] virtual bool valid() const = 0;
    virtual void next() = 0;
    [[nodiscard]] virtual std::string_view key() const = 0;
    /// The row's value; nothing: the row is erased here and hides those below it.
    [[nodiscard]] virtual std::optional<std::string_view> value() const = 0;
    /// Why the walk ended before its bounds did, if it did.
    [[nodiscard]] virtual const std::optional<Error>& fault() const = 0;
};

} // namespace mailcore::kv
