// Operations on a store that no server has open.
#pragma once

#include "client.h"

#include "libmailcore/base/result.h"
#include "libmailcore/server/config.h"

#include <memory>

namespace mdctl {

/// Holds the store of `config.data` open, as a server that serves nobody and delivers nothing, and
/// answers what a server would. Root becomes the owner of the folder first. Conflict: a server has
/// it.
mailcore::Result<std::unique_ptr<Session>> open_store(mailcore::server::Config config);

} // namespace mdctl
