// The base subject, by which replies and forwards find their thread (RFC 5256 §2.1).
#pragma once

#include <string>
#include <string_view>

namespace mailcore::mime {

struct BaseSubject {
    std::string text; ///< UTF-8; compare with i;unicode-casemap or i;ascii-casemap
    bool reply_or_forward = false;
};

/// From a Subject field's value, folded and encoded or not.
[[nodiscard]] BaseSubject base_subject(std::string_view value);

} // namespace mailcore::mime
