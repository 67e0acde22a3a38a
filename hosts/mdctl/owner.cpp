#include "owner.h"

#include <cerrno>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mdctl {

mailcore::Result<void> become_owner(const std::string& folder) {
    struct stat status {};
    if (::geteuid() != 0 || ::stat(folder.c_str(), &status) != 0 || status.st_uid == 0) return {};
    if (::setgroups(1, &status.st_gid) != 0 || ::setgid(status.st_gid) != 0 ||
        ::setuid(status.st_uid) != 0)
        return mailcore::base::fail_errno(errno, "becoming the owner of", folder);
    return {};
}

} // namespace mdctl
