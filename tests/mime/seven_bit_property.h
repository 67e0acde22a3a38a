// What must hold of a message that was made one of 7 bits; for the tests and the fuzz target.
#pragma once

#include "libmailcore/mime/seven_bit.h"

#include <expected>
#include <string>
#include <string_view>

namespace mailcore::mime {

/// Parses and converts `message`, given to the writer in pieces of so many octets.
std::expected<std::string, SevenBitObstacle> to_seven_bit(std::string_view message,
                                                          std::size_t piece);
/// Asserts: all octets are below 128, no line is longer than 998 octets that was not before, the
/// contents of the parts are the same, and converting again changes nothing. False: there was an
/// obstacle.
bool check_seven_bit(std::string_view message);

} // namespace mailcore::mime
