#include "libmailcore/base/output_buffer.h"

#include "libmailcore/base/assert.h"

namespace mailcore::base {

void OutputBuffer::sent(std::size_t octets) {
    MAILCORE_ASSERT(octets <= size());
    sent_ += octets;
    if (sent_ != octets_.size()) return;
    std::string().swap(octets_); // assigning an empty string would keep the capacity
    sent_ = 0;
}

std::size_t OutputBuffer::memory() const {
    static const std::size_t inside = std::string().capacity();
    return octets_.capacity() > inside ? octets_.capacity() : 0;
}

} // namespace mailcore::base
