// How names and passwords are made comparable before they are compared or hashed: SASLprep (RFC
// 4013).
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/base/secret.h"

#include <string>
#include <string_view>

namespace mailcore::sasl {

/// SASLprep of a "query" string: foreign spaces become spaces, what is mapped to nothing goes,
/// NFKC, then prohibited characters and mixed directions are refused. ASCII without controls is
/// left as it is.
///
/// Deviations: normalisation and directions are those of today's Unicode and not of 3.2, and
/// unassigned code points are taken, in stored strings too (as its successor, PRECIS, does). Fails
/// with the offset of what is not UTF-8, or with offset 0 for what is refused. The empty string is
/// its own result; callers refuse it (RFC 4616 §2).
Result<std::string, ParseError> prepare(std::string_view utf8);

/// The same for a password; what was on the way to it is wiped.
Result<Secret, ParseError> prepare_password(const Secret& password);

} // namespace mailcore::sasl
