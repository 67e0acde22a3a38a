// Where the texts and rows of a parsed message lie, so that its parts can be views.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mailcore::mime {

/// Keeps texts and arrays at addresses that never change, in few blocks, until it is destroyed.
/// Moving an arena keeps what it holds where it is.
class Arena {
  public:
    /// A copy of `text`.
    [[nodiscard]] std::string_view keep(std::string_view text) {
        if (text.empty()) return "";
        char* const at = room_for(text.size(), 1);
        std::memcpy(at, text.data(), text.size());
        return {at, text.size()};
    }
    /// `size` objects, value-initialised. For types that need no destruction.
    template <class T>
    [[nodiscard]] std::span<T> make(std::size_t size) {
        static_assert(std::is_trivially_destructible_v<T>);
        static_assert(alignof(T) <= alignof(std::max_align_t));
        if (size == 0) return {};
        auto* const first = reinterpret_cast<T*>(room_for(size * sizeof(T), alignof(T)));
        std::uninitialized_value_construct_n(first, size);
        return {first, size};
    }
    /// A copy of an array.
    template <class T>
    [[nodiscard]] std::span<const T> keep(const std::vector<T>& array) {
        const auto copy = make<T>(array.size());
        for (std::size_t i = 0; i < array.size(); ++i) copy[i] = array[i];
        return copy;
    }

    /// Forgets what it holds, and keeps its first block for what comes.
    void clear() {
        if (blocks_.empty()) return;
        const bool again = open_ != nullptr && blocks_.front().get() == open_;
        blocks_.resize(again ? 1 : 0);
        if (!again) open_ = nullptr;
        used_ = 0;
    }

    /// Keeps what `other` holds as well.
    void take(Arena&& other) {
        for (auto& block : other.blocks_) blocks_.push_back(std::move(block));
        other = Arena();
    }

  private:
    // What the C library hands out without searching: a structure read back mostly fits into one.
    static constexpr std::size_t block_octets = 1000;

    char* room_for(std::size_t size, std::size_t alignment) {
        const std::size_t skipped = (alignment - (used_ & (alignment - 1))) & (alignment - 1);
        if (open_ != nullptr && skipped + size <= block_octets - used_) {
            char* const at = open_ + used_ + skipped;
            used_ += skipped + size;
            return at;
        }
        if (size > block_octets / 2) { // a block of its own; what is open stays open
            blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
            return blocks_.back().get();
        }
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_octets));
        open_ = blocks_.back().get();
        used_ = size;
        return open_;
    }

    std::vector<std::unique_ptr<char[]>> blocks_;
    char* open_ = nullptr;
    std::size_t used_ = 0; // of the open block
};

} // namespace mailcore::mime
