// What each part is told of the settings.
#pragma once

#include "libmailcore/accounts/store_directory.h"
#include "libmailcore/base/file.h"
#include "libmailcore/delivery/courier.h"
#include "libmailcore/delivery/remote.h"
#include "libmailcore/server/config.h"
#include "libmailcore/server/factories.h"

#include <memory>
#include <string>

namespace mailcore::server {

/// `path`, as it stands below the data folder; an absolute one as it is.
[[nodiscard]] std::string below(const std::string& folder, const std::string& path);

/// Fails as a password file's reading does.
Result<delivery::RemoteOptions> remote_options(base::FileSystem& files, const Config& config);
[[nodiscard]] delivery::CourierOptions courier_options(const Config& config);
[[nodiscard]] accounts::StoreDirectoryOptions directory_options(const Config& config);
/// `services`: of any loop; their hostname and log are used. `has_tls`: there is a certificate.
[[nodiscard]] std::shared_ptr<const ServiceOptions>
service_options(const Config& config, const session::Services& services, bool has_tls);

} // namespace mailcore::server
