// What a server can do, and what a client has switched on.
// Source: RFC 9051 §6.1.1, §6.3.1, §7.2.2.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace mailcore::imap {

/// What the engine's owner implements. What the engine does alone is not here: LITERAL+ or
/// LITERAL-, SASL-IR, ENABLE, ID, STARTTLS.
enum class Extension : std::uint8_t {
    Imap4rev2,        ///< RFC 9051; needs all that its appendix E folds in (see `rev2_needs`)
    Idle,             ///< RFC 2177
    Namespace,        ///< RFC 2342
    Children,         ///< RFC 3348: each LIST response says whether there are children
    Unselect,         ///< RFC 3691
    UidPlus,          ///< RFC 4315
    ESearch,          ///< RFC 4731
    SearchRes,        ///< RFC 5182
    ListExtended,     ///< RFC 5258
    ListStatus,       ///< RFC 5819
    SpecialUse,       ///< RFC 6154
    CreateSpecialUse, ///< RFC 6154 §3
    Move,             ///< RFC 6851
    StatusSize,       ///< RFC 8438
    CondStore,        ///< RFC 7162
    QResync,          ///< RFC 7162; needs CondStore
    ObjectId,         ///< RFC 8474
    Binary,           ///< RFC 3516; its FETCH items are there with Imap4rev2 too
    MultiAppend,      ///< RFC 3502
    AppendLimit,      ///< RFC 7889: one limit for all mailboxes, `Options::append_octets_max`
    Utf8Accept,       ///< RFC 6855
    Preview,          ///< RFC 8970
};

/// A set of them. A value.
class Extensions {
  public:
    constexpr Extensions() = default;
    constexpr Extensions(std::initializer_list<Extension> list) {
        for (const auto extension : list) add(extension);
    }
    /// All there are.
    [[nodiscard]] static Extensions all();
    constexpr void add(Extension extension) { bits_ |= bit(extension); }
    constexpr void remove(Extension extension) { bits_ &= ~bit(extension); }
    [[nodiscard]] constexpr bool has(Extension extension) const {
        return (bits_ & bit(extension)) != 0;
    }
    [[nodiscard]] constexpr bool has_all(Extensions others) const {
        return (bits_ & others.bits_) == others.bits_;
    }
    friend constexpr bool operator==(const Extensions&, const Extensions&) = default;

  private:
    static constexpr std::uint32_t bit(Extension extension) {
        return 1U << static_cast<unsigned>(extension);
    }
    std::uint32_t bits_ = 0;
};

/// The parts of IMAP4rev2 that are extensions of IMAP4rev1 (RFC 9051 appendix E).
inline constexpr Extensions rev2_needs = {
    Extension::Idle,    Extension::Namespace, Extension::Unselect,     Extension::UidPlus,
    Extension::ESearch, Extension::SearchRes, Extension::ListExtended, Extension::ListStatus,
    Extension::Move,    Extension::StatusSize};

/// Every extension, in the order in which CAPABILITY lists them.
[[nodiscard]] std::span<const Extension> all_extensions();
/// The capability name: "IDLE", "STATUS=SIZE".
[[nodiscard]] std::string_view to_string(Extension extension);

/// What a client has switched on, by ENABLE or by a command that implies it; never off again.
struct Enabled {
    bool rev2 = false;      ///< UTF-8 names and strings, ESEARCH instead of SEARCH, no RECENT
    bool condstore = false; ///< MODSEQ in every FETCH response about flags (RFC 7162 §3.1)
    bool qresync = false;   ///< VANISHED instead of EXPUNGE (RFC 7162 §3.2.3); implies condstore
    bool utf8 = false;      ///< UTF-8 names and strings (RFC 6855 §3); what rev2 implies of it
    /// Names and quoted strings are in UTF-8, both ways.
    [[nodiscard]] bool wide() const { return rev2 || utf8; }
    friend bool operator==(const Enabled&, const Enabled&) = default;
};

} // namespace mailcore::imap
