// What a server offers in its answer to EHLO or LHLO (RFC 5321 §4.1.1.1): written by one engine,
// read by the other.
#pragma once

#include "libmailcore/smtp/reply.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::smtp {

/// RFC 9422. 0: not stated.
struct Limits {
    std::uint64_t messages_max = 0;   ///< MAILMAX: transactions a session
    std::uint64_t recipients_max = 0; ///< RCPTMAX: recipients a transaction
    friend bool operator==(const Limits&, const Limits&) = default;
};

/// RFC 4865 §4: how far ahead a message may be held back.
struct FutureRelease {
    std::chrono::seconds interval_max{0};
    std::string until_max; ///< a date and time in UTC, as the server wrote it
    friend bool operator==(const FutureRelease&, const FutureRelease&) = default;
};

struct Capabilities {
    bool pipelining = false;             ///< RFC 2920
    bool eight_bit_mime = false;         ///< RFC 6152
    bool smtp_utf8 = false;              ///< RFC 6531
    bool dsn = false;                    ///< RFC 3461
    bool chunking = false;               ///< RFC 3030
    bool binary_mime = false;            ///< RFC 3030; only with chunking
    bool enhanced_status_codes = false;  ///< RFC 2034
    bool starttls = false;               ///< RFC 3207
    bool require_tls = false;            ///< RFC 8689
    bool help = false;                   ///< RFC 5321 §4.1.1.8
    bool mt_priority = false;            ///< RFC 6710
    std::optional<std::uint64_t> size;   ///< RFC 1870; 0: no fixed limit
    std::vector<std::string> mechanisms; ///< AUTH, upper case (RFC 4954 §3)
    bool auth = false;                   ///< AUTH is offered, perhaps without a mechanism that fits
    std::optional<Limits> limits;
    std::optional<FutureRelease> future_release;

    [[nodiscard]] bool offers(std::string_view mechanism) const;
    friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

/// The lines behind the first one, '\n' in between, empty when nothing is offered.
[[nodiscard]] std::string to_ehlo_lines(const Capabilities& capabilities);

/// Reads the 250 to EHLO; its first line is the server's name and no capability. What is not known
/// or not well formed is skipped: it is not offered to us.
[[nodiscard]] Capabilities parse_capabilities(const Reply& reply);

} // namespace mailcore::smtp
