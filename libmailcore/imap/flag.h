// Message flags: the five system flags as bits, keywords as names.
// Source: RFC 9051 §2.3.2, §9 (flag); RFC 3501 §2.3.2 for \Recent.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::imap {

enum class SystemFlag : std::uint8_t {
    Answered = 1,
    Flagged = 2,
    Deleted = 4,
    Seen = 8,
    Draft = 16,
    Recent = 32, ///< shown by servers to IMAP4rev1 clients; no client can set it
};

/// The flags of a message, or those named by a command. A value. Keywords keep the case they were
/// first written in and are the same whatever the case; they stand in alphabetical order.
class FlagSet {
  public:
    FlagSet() = default;
    FlagSet(std::initializer_list<SystemFlag> system, std::vector<std::string> keywords = {});

    [[nodiscard]] bool has(SystemFlag flag) const {
        return (system_ & static_cast<std::uint8_t>(flag)) != 0;
    }
    void set(SystemFlag flag) { system_ |= static_cast<std::uint8_t>(flag); }
    void clear(SystemFlag flag) {
        system_ = static_cast<std::uint8_t>(system_ & ~static_cast<std::uint8_t>(flag));
    }
    /// `name` is an atom, such as "$Forwarded".
    void add_keyword(std::string_view name);
    void remove_keyword(std::string_view name);
    [[nodiscard]] bool has_keyword(std::string_view name) const;
    [[nodiscard]] const std::vector<std::string>& keywords() const { return keywords_; }
    /// The system flags as SystemFlag bits.
    [[nodiscard]] std::uint8_t system_bits() const { return system_; }
    [[nodiscard]] bool empty() const { return system_ == 0 && keywords_.empty(); }

    void add(const FlagSet& other);
    void remove(const FlagSet& other);

    /// "\Answered \Seen $Forwarded", without parentheses.
    void append_to(std::string& into) const;
    [[nodiscard]] std::string to_string() const;

    /// Keywords are compared without case.
    friend bool operator==(const FlagSet& a, const FlagSet& b);

  private:
    std::uint8_t system_ = 0;
    std::vector<std::string> keywords_;
};

/// Adds what `name` says, which is a flag as a client may write it (ABNF flag: a system flag, or an
/// atom). False for \Recent, which a client cannot name. Another flag with a backslash
/// (flag-extension) is none that can be stored and is left out: "the server will either ignore the
/// change ..." (RFC 9051 §7.1, PERMANENTFLAGS).
[[nodiscard]] bool add_flag(FlagSet& flags, std::string_view name);

/// "\Seen" and so on.
[[nodiscard]] std::string_view to_string(SystemFlag flag);

} // namespace mailcore::imap
