// Any charset that iconv has, to UTF-8, with the names that mail really uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// Which charsets a name may mean.
enum class CharsetRange : std::uint8_t {
    Every, ///< all that iconv has
    /// Those of mail, some sixty. Opening one costs a microsecond; one of the others may make libc
    /// load and unload a module, which costs a hundred times more: not where a message can ask for
    /// thousands.
    Usual,
};

/// Turns text cut anywhere into valid UTF-8. Never fails; at most a few octets are kept between
/// calls, and the output is at most four octets for one of input (and a few more for stateful
/// charsets).
///
/// The name is a charset parameter's value: case, "_" for "-", a prefix "x-" and other spellings
/// seen in mail do not matter. What cannot be converted becomes U+FFFD, an octet at a time.
/// - us-ascii, an empty and an unknown name, and 8-bit names of no charset ("unknown-8bit"): what
/// is valid
///   UTF-8 is taken as such, each other octet as windows-1252.
/// - iso-8859-1 is read as windows-1252, gb2312 as GB 18030, and so on: supersets that senders
/// meant (the
///   table of the WHATWG Encoding Standard does the same).
class CharsetDecoder {
  public:
    explicit CharsetDecoder(std::string_view charset, CharsetRange range = CharsetRange::Every);
    ~CharsetDecoder();
    CharsetDecoder(CharsetDecoder&&) noexcept;
    CharsetDecoder& operator=(CharsetDecoder&&) noexcept;

    void decode(std::string_view octets, std::string& into);
    /// The text ends here: a character cut short becomes U+FFFD. Ready for the next text.
    void finish(std::string& into);

    /// False: the name means nothing to us, and the rule above was used.
    [[nodiscard]] bool known() const { return known_; }
    /// Characters replaced by U+FFFD so far.
    [[nodiscard]] std::size_t replaced() const { return replaced_; }

  private:
    enum class Kind : std::uint8_t { Utf8, Guess, Windows1252, Bytes, Characters };
    struct Close {
        void operator()(void* handle) const;
    };
    void decode_utf8_text(std::string_view text, std::string& into, bool last);
    int run(char** from, std::size_t* size, std::string& into);
    void convert_bytes(std::string_view octets, std::string& into);
    void convert_characters(std::string_view octets, std::string& into);
    void convert_held(std::string& into);
    void replace(std::string& into);

    std::unique_ptr<void, Close> handle_; // iconv_t, for Bytes and Characters
    Kind kind_ = Kind::Guess;
    bool known_ = true;
    std::uint8_t unit_octets_ = 1; // of which the text is made
    bool ascii_inside_ = false;
    bool resets_ = false;
    std::string held_; // octets of a character that is not complete, at most 16
    std::size_t replaced_ = 0;
};

/// Whether `charset` names something that can be decoded.
[[nodiscard]] bool is_known_charset(std::string_view charset);

/// A whole text; decoding stops when the result has `octets_max` octets (then cut between
/// characters).
[[nodiscard]] std::string to_utf8(std::string_view octets, std::string_view charset,
                                  std::size_t octets_max = std::numeric_limits<std::size_t>::max());

} // namespace mailcore::codec
