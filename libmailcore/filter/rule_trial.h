// Rules tried on a message that has already gone its way, or never will: what would they have done?
#pragma once

#include "libmailcore/filter/lua_rules.h"

#include <string>
#include <vector>

namespace mailcore::filter {

/// What one function did at one stage.
struct TrialStep {
    std::string rule;
    Stage stage = Stage::Connect;
    std::string recipient; ///< at Rcpt and Deliver
    Verdict verdict;
    std::string error;              ///< why it failed; empty: it did not
    std::vector<std::string> edits; ///< "add header X-Spam: yes", "folder Junk" ...
    std::vector<std::string> said;
    std::uint64_t instructions = 0;
    std::chrono::nanoseconds busy{0};
};

struct TrialResult {
    std::vector<TrialStep> steps;
    Verdict verdict; ///< that ended it; Continue: taken and delivered as usual
    Stage stage = Stage::Deliver;
    std::string header; ///< of the message as it would have gone on, without the empty line
    std::string appended_text;
};

/// Asks `rules` at every stage from Connect to Deliver, in order, until one ends it. `context` has
/// what is known of the message at its end: peer, sender, recipients, header, structure and octets;
/// it is changed as rules wish. `rules` have no other observer meanwhile.
Task<TrialResult> try_rules(LuaRules& rules, Context& context);

} // namespace mailcore::filter
