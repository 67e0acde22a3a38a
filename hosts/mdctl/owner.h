// Root's work on a data folder that belongs to a user of its own.
#pragma once

#include "libmailcore/base/result.h"

#include <string>

namespace mdctl {

/// Root becomes, for good, the user who owns `folder`: what is written there must be that user's,
/// or the server could not read it. Nothing happens to others, with a folder of root's, or without
/// one.
mailcore::Result<void> become_owner(const std::string& folder);

} // namespace mdctl
