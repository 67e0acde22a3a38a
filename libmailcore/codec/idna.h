// Internationalised domain names: U-labels and A-labels (RFC 5890, RFC 5891; mapping of UTS 46, not
// transitional), by libidn2.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// The domain as the DNS knows it: lower-case LDH and A-labels. A trailing dot stays.
/// Nothing if a label is not valid under IDNA2008 or too long.
[[nodiscard]] std::optional<std::string> domain_to_ascii(std::string_view domain);
/// The domain as people read it, U-labels in UTF-8. A label that is no valid A-label stays as it
/// is.
[[nodiscard]] std::string domain_to_unicode(std::string_view domain);

} // namespace mailcore::codec
