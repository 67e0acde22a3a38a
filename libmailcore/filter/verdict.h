// What a filter says of a message, a recipient or a connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::filter {

/// One type for every stage, in C++ and in rules. A value.
struct Verdict {
    enum class Kind : std::uint8_t {
        Continue,   ///< nothing to say: ask the next filter
        Accept,     ///< good: no further filter of this stage is asked
        Reject,     ///< refused for good, with `code` 5xx
        Defer,      ///< refused for now, with `code` 4xx
        Discard,    ///< accepted towards the peer and thrown away
        Quarantine, ///< accepted and kept apart, for the administrator
        Redirect,   ///< accepted for `target` instead of the recipients
        Hold,       ///< accepted and kept in the queue until somebody releases it
    };
    Kind kind = Kind::Continue;
    std::uint16_t code = 0; ///< SMTP reply code; Reject and Defer only
    std::string enhanced;   ///< enhanced status "5.7.1" (RFC 3463); Reject and Defer only
    std::string text;       ///< for the peer; one line of printable UTF-8
    std::string target;     ///< Redirect: an address
    std::string filter;     ///< who said it: set by the pipeline, for log and trace

    [[nodiscard]] static Verdict go_on() { return {}; }
    [[nodiscard]] static Verdict accept() { return of(Kind::Accept); }
    [[nodiscard]] static Verdict discard() { return of(Kind::Discard); }
    [[nodiscard]] static Verdict quarantine() { return of(Kind::Quarantine); }
    [[nodiscard]] static Verdict hold() { return of(Kind::Hold); }
    [[nodiscard]] static Verdict redirect(std::string address) {
        auto verdict = of(Kind::Redirect);
        verdict.target = std::move(address);
        return verdict;
    }
    [[nodiscard]] static Verdict reject(std::string text, std::uint16_t code = 550,
                                        std::string enhanced = "5.7.1") {
        return refusal(Kind::Reject, code, std::move(enhanced), std::move(text));
    }
    [[nodiscard]] static Verdict defer(std::string text, std::uint16_t code = 451,
                                       std::string enhanced = "4.7.1") {
        return refusal(Kind::Defer, code, std::move(enhanced), std::move(text));
    }

    /// True if the peer is told no.
    [[nodiscard]] bool refuses() const { return kind == Kind::Reject || kind == Kind::Defer; }

  private:
    static Verdict of(Kind kind) {
        Verdict verdict;
        verdict.kind = kind;
        return verdict;
    }
    static Verdict refusal(Kind kind, std::uint16_t code, std::string enhanced, std::string text) {
        auto verdict = of(kind);
        verdict.code = code;
        verdict.enhanced = std::move(enhanced);
        verdict.text = std::move(text);
        return verdict;
    }
};

[[nodiscard]] std::string_view to_string(Verdict::Kind kind);

} // namespace mailcore::filter
