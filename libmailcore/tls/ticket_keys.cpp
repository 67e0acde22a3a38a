#include "libmailcore/tls/ticket_keys.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/crypto/mbedtls.h"

#include <algorithm>

namespace mailcore::tls {

TicketKeys::TicketKeys(Random& random, std::chrono::seconds period)
    : random_(random),
      period_(std::min<std::chrono::seconds>(period, std::chrono::hours(24 * 7) / 2)) {
    MAILCORE_ASSERT(period > std::chrono::seconds(0));
}

TicketKeys::~TicketKeys() {
    crypto::mbedtls::wipe(pair_.current.octets);
    crypto::mbedtls::wipe(pair_.previous.octets);
}

TicketKeys::Key TicketKeys::make_key() {
    Key key;
    random_.fill(key.name);
    random_.fill(key.octets);
    return key;
}

TicketKeys::Pair TicketKeys::at(WallTime now) {
    const std::lock_guard lock(mutex_);
    if (pair_.generation == 0) {
        pair_ = {.current = make_key(), .previous = make_key(), .generation = 1};
        since_ = now;
    } else if (now - since_ >= period_ || since_ - now >= period_) {
        // A clock that was set back must not keep a key in use until the old time comes again; and
        // after a long silence the old key is older than a ticket may be.
        pair_.previous = now - since_ < 2 * period_ ? pair_.current : make_key();
        pair_.current = make_key();
        ++pair_.generation;
        since_ = now;
    }
    return pair_;
}

std::chrono::seconds TicketKeys::lifetime() const { return 2 * period_; }

} // namespace mailcore::tls
