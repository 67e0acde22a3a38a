// Operations on a store that no server has open.
#pragma once

#include "libmailcore/base/result.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mdctl {

/// Runs requests (as for `ask`) one after the other, up to the first that fails, and answers what
/// the last one said. Conflict: a server has the store.
mailcore::Result<nlohmann::json> run_offline(const std::string& folder, const std::string& hostname,
                                             std::vector<nlohmann::json> requests);

/// What "backup.list" answers, of a store that no server has open. Conflict: one has.
mailcore::Result<nlohmann::json> store_files_offline(const std::string& folder);

} // namespace mdctl
