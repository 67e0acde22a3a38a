// Trying rules without a server.
#pragma once

#include "client.h"

#include <string>
#include <vector>

namespace mdctl {

/// Loads a rule with the lists beside it; says what is wrong. The exit status.
int check_rule(const std::string& path, bool json);

struct RuleTest {
    std::string rule, message; ///< paths
    std::string sender;        ///< empty: the From field's
    std::vector<std::string> recipients;
    std::string ip, helo, account;
    std::vector<std::string> records; ///< what the DNS says
    bool json = false;
};
/// What the rule does to the message, stage by stage. The exit status: 1 if it failed.
int test_rule(const RuleTest& test);

/// What `ask` is to be asked. `since`: "7d", "12h".
[[nodiscard]] Json replay_request(const std::string& path, const std::string& since);

} // namespace mdctl
