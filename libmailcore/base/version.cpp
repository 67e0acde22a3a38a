#include "libmailcore/base/version.h"

namespace mailcore {

std::string_view version() { return MAILCORE_VERSION; } // the build says it: CMakeLists.txt

} // namespace mailcore
