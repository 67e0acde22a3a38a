// A message tried on rules without a server: what `mdctl rule test` and the bindings show.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/filter/rule_trial.h"

#include <string>
#include <vector>

namespace mailcore::server {

/// A message and what would be known of how it came.
struct MessageTrial {
    filter::RuleSource source;
    std::string message;                 ///< octets; a line end without CR is given one
    std::string sender;                  ///< empty: the From field's
    std::vector<std::string> recipients; ///< empty: those of the To field
    std::string ip = "192.0.2.1";        ///< of the peer
    std::string helo;
    std::string account;              ///< who is logged in; empty: nobody
    std::vector<std::string> records; ///< all that the DNS says, as `dns::Zone` reads it
};

struct TriedMessage {
    filter::TrialResult result;
    /// Header fields that went and came, "- " and "+ " before them, in order.
    std::vector<std::string> header_changes;

    /// True if a rule failed.
    [[nodiscard]] bool failed() const;
};

/// Loads the rules and asks them at every stage. Counters and sets are empty at the beginning and
/// forgotten at the end; nothing is sent, stored or looked up. Has a loop of its own: blocks, any
/// thread. Rejected: a rule, an address or a record is wrong; the text says where.
Result<TriedMessage> try_message(const MessageTrial& trial);

/// {"steps": [{"rule", "stage", "recipient", "verdict", "code", "enhanced", "text", "target",
/// "error", "edits", "said", "instructions", "nanoseconds"}], "verdict", "header_changes",
/// "appended_text"}. Octets that are not UTF-8 are replaced.
[[nodiscard]] std::string to_json(const TriedMessage& tried);

} // namespace mailcore::server
