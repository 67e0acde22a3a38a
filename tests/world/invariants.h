// What must hold of a world when everything has come to rest.
#pragma once

#include "tests/world/contents.h"
#include "tests/world/letters.h"

#include <string>
#include <vector>

namespace mailcore::world {

/// Where everything is in the end.
struct Rest {
    std::vector<Folder> folders;  ///< of all people
    std::vector<Waiting> waiting; ///< in all queues
};

struct Counts {
    std::uint64_t letters = 0, acknowledged = 0, copies = 0, doubles = 0, bounces = 0;
    std::uint64_t appends = 0, appended = 0; ///< asked for, and answered OK
};

/// Adds to `letters.wrong` what does not hold:
/// - each recipient of a message that was answered 250 has it, as it was sent but for the fields
///   that are added on the way; or its sender has a report that names him; or it is in a queue;
/// - nobody has it more often than it was handed over for certain, and once more for each handover
///   of which only one side knew the end (RFC 5321 §6.1);
/// - nobody has anything else, and nothing that he deleted and was told so;
/// - what was copied is where it was copied to, as often as it was said;
/// - what was appended is as `Appends::examine` has it, with the flags and the date that it was
///   given, unless somebody has stored others.
Counts examine(Letters& letters, const Rest& rest);

} // namespace mailcore::world
