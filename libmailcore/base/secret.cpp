#include "libmailcore/base/secret.h"

#include <cstring>

namespace mailcore::base {

Secret& Secret::operator=(const Secret& other) {
    if (this != &other) {
        wipe();
        octets_ = other.octets_;
    }
    return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe();
        octets_ = std::move(other.octets_);
        other.wipe();
    }
    return *this;
}

void Secret::wipe() noexcept {
    // The capacity, not the size: a short string's octets stay behind when it is moved from.
    explicit_bzero(octets_.data(), octets_.capacity());
    octets_.clear();
}

} // namespace mailcore::base
