// Encoded words in header fields (RFC 2047, RFC 2231 §5).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mailcore::mime {

/// The text of an unstructured field (or of a phrase, or a comment) in UTF-8, for people to read.
///
/// `text` is a field's value, folded or not. Encoded words are decoded, white space between two of
/// them goes, and neighbours of one charset and encoding are joined before decoding, since mailers
/// cut characters in two. What looks like an encoded word and is none stays as it is. Lenient,
/// because mail is: white space inside the encoded text of Q, no white space around a word, base64
/// without padding. Raw 8-bit octets are taken as codec::CharsetDecoder's rule for no charset says.
/// Line ends go, other control characters become spaces, so the result is one line. Linear time;
/// output at most 4 octets an octet.
[[nodiscard]] std::string decode_encoded_words(std::string_view text);

/// `text` (UTF-8; repaired if it is not) as it may stand in an unstructured field: ASCII without
/// control characters and without what a reader would take for an encoded word stays as it is, else
/// words of at most 75 characters with spaces between; folding is the writer's. Q or B, whichever
/// is shorter. The line on which it begins has room for `first_octets_max`, if that is enough for a
/// word at all.
[[nodiscard]] std::string encode_words(std::string_view text, std::size_t first_octets_max = 75);
/// All of `text` as encoded words, fit for a phrase (RFC 2047 §5 (3)).
[[nodiscard]] std::string encode_phrase(std::string_view text);

} // namespace mailcore::mime
