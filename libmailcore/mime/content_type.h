// Content-Type, Content-Disposition and their parameters (RFC 2045 §5, RFC 2183, RFC 2231).
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// A parameter after its continuations (RFC 2231 §3) were joined. Its name is in lower case; if it
/// ends in
/// "*", the value is extended: charset'language'percent-encoded octets, as written (§4). IMAP shows
/// both just so; `decoded_parameter` gives what people read.
struct Parameter {
    std::string name;
    std::string value;
    friend bool operator==(const Parameter&, const Parameter&) = default;
};
/// The same as views.
struct ParameterView {
    std::string_view name;
    std::string_view value;
    friend bool operator==(const ParameterView&, const ParameterView&) = default;
};

/// A parsed Content-Type; type and subtype in lower case.
struct ContentType {
    std::string type = "text";
    std::string subtype = "plain";
    std::vector<Parameter> parameters;
};
/// A parsed Content-Disposition; the type in lower case, "attachment" for what is not understood.
struct ContentDisposition {
    std::string type;
    std::vector<Parameter> parameters;
};

inline constexpr std::size_t parameters_max = 100; ///< more of one field are not read

/// Reads a Content-Type field's value, folded or not. Lenient: comments and white space anywhere,
/// missing quotes, ";" missing or too many, "=" with spaces around. Nothing if there is no
/// "type/subtype".
[[nodiscard]] std::optional<ContentType> parse_content_type(std::string_view value);
/// Reads a Content-Disposition; nothing if it is empty.
[[nodiscard]] std::optional<ContentDisposition> parse_content_disposition(std::string_view value);

/// What a parameter says, in UTF-8: "name*" decoded by its charset, else "name", in which encoded
/// words are decoded as well (RFC 2231 forbids them; mailers write them). Nothing if there is
/// neither. `name` in lower case, without "*".
[[nodiscard]] std::optional<std::string>
decoded_parameter(std::span<const ParameterView> parameters, std::string_view name);
[[nodiscard]] std::optional<std::string> decoded_parameter(std::span<const Parameter> parameters,
                                                           std::string_view name);

/// The value of parameter `name` as it stands (no charset, no encoded words); nothing if there is
/// none.
template <class P>
[[nodiscard]] std::optional<std::string_view> plain_parameter(const P& parameters,
                                                              std::string_view name) {
    for (const auto& parameter : parameters)
        if (parameter.name == name) return std::string_view(parameter.value);
    return std::nullopt;
}

/// "; name=value", quoted, or extended and cut into continuations, where needed. `value` is UTF-8.
/// Pieces are at most 78 characters without a blank, so that the writer can fold between them.
void append_parameter(std::string_view name, std::string_view value, std::string& into);

/// A token of RFC 2045 §5.1.
[[nodiscard]] bool is_token(std::string_view text);

/// How a body is encoded for transfer (RFC 2045 §6).
enum class Encoding : std::uint8_t { Bit7, Bit8, Binary, Base64, QuotedPrintable, Other };
/// Reads a Content-Transfer-Encoding field's value. Empty is Bit7, what is not known is Other.
[[nodiscard]] Encoding parse_encoding(std::string_view value);
/// "7bit", ..., "" for Other.
[[nodiscard]] std::string_view to_string(Encoding encoding);

} // namespace mailcore::mime
