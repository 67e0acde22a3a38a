// Message-ID, In-Reply-To, References (RFC 5322 §3.6.4).
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/random.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// The message ids in a field's value, folded or not, without their angle brackets, comments and
/// the white space that folding put inside; in order, without duplicates. Phrases (the obsolete
/// In-Reply-To) are skipped; if there is no "<" at all, a bare word with "@" counts. At most
/// `ids_max`: the first, which names the thread, and then the last ones.
[[nodiscard]] std::vector<std::string> parse_message_ids(std::string_view value,
                                                         std::size_t ids_max = 200);

/// A new id, "<time.random@domain>" with its brackets; `domain` is our own host's name.
[[nodiscard]] std::string make_message_id(Random& random, WallTime now, std::string_view domain);

} // namespace mailcore::mime
