// mdctl restore: a data folder from a backup; mail of the past into a running server.
#pragma once

#include "command.h"

#include "libmailcore/backup/backup.h"

namespace mdctl {

/// Files an account's mail as it was beside what it has.
int restore_account(const Call& call);
int restore_folder(const Call& call, const mailcore::backup::OnProgress& progress);

} // namespace mdctl
