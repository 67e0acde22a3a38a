// What of a mailbox cannot be read because the rows it stands in are damaged.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/store/uid_set.h"

#include <cstdint>
#include <string>

namespace mailcore::store {

/// What reading many messages does about a row that is damaged. One row holds 64 of them, or one.
enum class OnDamage : std::uint8_t {
    Fail,     ///< Corrupt; nothing is answered
    PassOver, ///< the rest is answered, and which messages are not
};

/// Messages that were asked for and are not answered.
struct Damaged {
    UidSet uids;
    std::string why; ///< of the first that was found

    void add(const UidSet& more, const Error& error) {
        if (uids.empty()) why = error.detail;
        uids.add(more);
    }
};

} // namespace mailcore::store
