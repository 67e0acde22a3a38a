#include "libmailcore/base/result.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace mailcore::base {

std::string_view to_string(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::Rejected: return "rejected";
    case ErrorKind::Unavailable: return "unavailable";
    case ErrorKind::NotFound: return "not found";
    case ErrorKind::Conflict: return "conflict";
    case ErrorKind::LimitExceeded: return "limit exceeded";
    case ErrorKind::Corrupt: return "corrupt";
    }
    return "unknown";
}

std::unexpected<Error> fail_errno(int errno_value, std::string_view doing, std::string_view what) {
    auto kind = ErrorKind::Unavailable;
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR: kind = ErrorKind::NotFound; break;
    case EEXIST:
    case ENOTEMPTY:
    case EADDRINUSE: kind = ErrorKind::Conflict; break;
    case EACCES:
    case EPERM:
    case EROFS:
    case EINVAL: kind = ErrorKind::Rejected; break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG: kind = ErrorKind::LimitExceeded; break;
    default: break;
    }
    return fail(kind, fmt::format("{}{}{}: {}", doing, what.empty() ? "" : " ", what,
                                  strerrordesc_np(errno_value) ? strerrordesc_np(errno_value)
                                                               : "unknown error"));
}

} // namespace mailcore::base
