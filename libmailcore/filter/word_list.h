// A list of words, addresses or domains that rules look things up in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace mailcore::filter {

/// Lines of a file: one entry each, "#" begins a comment line, white space at the ends goes. Case,
/// width and compatibility forms do not matter (NFKC_Casefold), in any script. Immutable.
class WordList {
  public:
    static constexpr std::size_t entries_max = 200'000; ///< more are left out
    static constexpr std::size_t entry_octets_max = 256;

    WordList() = default;
    explicit WordList(std::string_view text);

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    /// Whether `value` is an entry, as a whole.
    [[nodiscard]] bool has(std::string_view value) const;
    /// The first entry that stands in `text` (UTF-8), as folded. Entries are whole words where the
    /// script parts words by spaces ("ass" is not in "class"), unless they end in "*" ("viagr*");
    /// in scripts that do not (Thai, Chinese, Japanese ...) anywhere. One pass, whatever the size
    /// of the list.
    [[nodiscard]] std::optional<std::string> find_in(std::string_view text) const;

  private:
    struct Node {
        std::vector<std::pair<unsigned char, std::uint32_t>> next; // sorted by octet
        std::uint32_t fallback = 0;
        std::uint32_t shorter = 0; // the nearest node on the way of fallbacks that ends a word
        std::uint32_t octets = 0;  // of the word that ends here; 0: none does
        bool prefix = false;       // it ended in "*"
    };
    void add(std::string_view word, bool prefix);
    void link();
    [[nodiscard]] std::uint32_t step(std::uint32_t node, unsigned char octet) const;

    std::unordered_set<std::string> entries_;
    std::vector<Node> nodes_{1};
    std::array<std::uint32_t, 256> first_{};
};

} // namespace mailcore::filter
