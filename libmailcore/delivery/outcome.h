// What became of an attempt to deliver to one recipient.
#pragma once

#include "libmailcore/store/ids.h"

#include <cstdint>
#include <optional>
#include <string>

namespace mailcore::delivery {

struct Outcome {
    enum class Kind : std::uint8_t {
        Delivered, ///< it is where it belongs, or the next host has taken it over
        Failed,    ///< for good
        Deferred,  ///< try again later
        Gone,      ///< it had left the queue already: nothing is to be done
    };
    Kind kind = Kind::Deferred;
    std::string status;           ///< enhanced status "5.1.1" (RFC 3463)
    std::string text;             ///< the other side's reply, or what went wrong here; one line
    std::string remote_host;      ///< who said it; empty: we did
    bool reports_success = false; ///< the next host reports success itself (it has DSN)
    std::optional<store::QueueId>
        report; ///< a report of success that filing has put into the queue

    [[nodiscard]] static Outcome delivered(std::string text, std::string host = {}) {
        return {Kind::Delivered, "2.0.0", std::move(text), std::move(host), false, std::nullopt};
    }
    [[nodiscard]] static Outcome failed(std::string status, std::string text,
                                        std::string host = {}) {
        return {Kind::Failed, std::move(status), std::move(text), std::move(host),
                false,        std::nullopt};
    }
    [[nodiscard]] static Outcome deferred(std::string status, std::string text,
                                          std::string host = {}) {
        return {Kind::Deferred, std::move(status), std::move(text), std::move(host),
                false,          std::nullopt};
    }
    [[nodiscard]] static Outcome gone() { return {Kind::Gone, {}, {}, {}, false, std::nullopt}; }
};

} // namespace mailcore::delivery
