// UTF-8: checked, decoded, repaired, normalised (RFC 3629; Unicode normalisation and folding by
// utf8proc).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::codec {

inline constexpr char32_t replacement_character = 0xFFFD;
inline constexpr std::string_view replacement_utf8 = "\xEF\xBF\xBD";

/// Whether `text` is UTF-8: no overlong form, surrogate or value above 10FFFF (RFC 3629 §3, §4).
[[nodiscard]] bool is_utf8(std::string_view text);
/// Whether no octet is above 0x7F.
[[nodiscard]] bool is_ascii(std::string_view text);

/// What stands at the front of a text.
struct Utf8Step {
    char32_t character = replacement_character;
    /// Octets it takes. Of an invalid text: the longest beginning of a character that stands there,
    /// at least 1, so that each becomes one U+FFFD (Unicode 15, §3.9).
    std::size_t octets = 1;
    bool valid = false;
    /// Invalid only because the text ends: more octets could make it valid.
    bool cut = false;
};
/// `text` is not empty.
[[nodiscard]] Utf8Step decode_utf8(std::string_view text);
/// `character` is a Unicode scalar value; others become U+FFFD.
void append_utf8(char32_t character, std::string& into);

/// The text with U+FFFD in place of what is not UTF-8.
[[nodiscard]] std::string sanitised_utf8(std::string_view text);
void append_sanitised_utf8(std::string_view text, std::string& into);

/// How many octets at the end are the beginning of a character: 0 to 3.
[[nodiscard]] std::size_t cut_tail_octets(std::string_view text);
/// The longest beginning of at most `octets_max` octets that does not end inside a character.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t octets_max);
/// Number of characters (code points); of invalid text as `decode_utf8` steps through it.
[[nodiscard]] std::size_t utf8_length(std::string_view text);
/// The first `characters_max` characters.
[[nodiscard]] std::string_view utf8_characters(std::string_view text, std::size_t characters_max);

/// Normalisation form C; nothing if `text` is not UTF-8.
[[nodiscard]] std::optional<std::string> to_nfc(std::string_view text);
/// Normalisation form KC; nothing if `text` is not UTF-8.
[[nodiscard]] std::optional<std::string> to_nfkc(std::string_view text);
/// Full case folding and normalisation (NFKC_Casefold): two texts that people take for the same
/// become equal. Nothing if `text` is not UTF-8.
[[nodiscard]] std::optional<std::string> fold_case(std::string_view text);
/// The same, after repair: never fails.
[[nodiscard]] std::string fold_case_sanitised(std::string_view text);
/// i;unicode-casemap (RFC 5051): simple titlecase, then decomposed. For SEARCH and SORT.
[[nodiscard]] std::string unicode_casemap(std::string_view text);
/// Which way a character is written: bidirectional category L; R or AL; any other (UAX 9).
enum class Direction : unsigned char { LeftToRight, RightToLeft, Neutral };
[[nodiscard]] Direction direction(char32_t character);
/// Columns on a terminal; control characters count 0.
[[nodiscard]] std::size_t display_width(std::string_view text);

} // namespace mailcore::codec
