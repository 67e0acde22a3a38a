// Operations on a store that no server has open.
#pragma once

#include "client.h"

#include "libmailcore/base/result.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mdctl {

/// Holds the store of `folder` open, as a server without services, and answers what needs nothing
/// but the store. Conflict: a server has it.
mailcore::Result<std::unique_ptr<Session>> open_store(const std::string& folder,
                                                      const std::string& hostname,
                                                      std::uint64_t message_octets_max);

/// Runs requests (as for `ask`) one after the other, up to the first that fails, and answers what
/// the last one said. Conflict: a server has the store.
mailcore::Result<nlohmann::json> run_offline(const std::string& folder, const std::string& hostname,
                                             const std::vector<nlohmann::json>& requests);

} // namespace mdctl
