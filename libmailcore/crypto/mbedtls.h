// What every use of mbedTLS needs: start-up, owners, error texts, randomness. For crypto/ and tls/
// only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace mailcore::crypto::mbedtls {

/// Starts mbedTLS's PSA part; cheap after the first time. Any thread.
void start();

/// What an mbedTLS error code means, in words.
std::string describe(int error);

/// mbedTLS's f_rng over the base::Random that `random` points to.
int random_octets(void* random, unsigned char* octets, std::size_t size);

/// The same from the system's generator; its first argument is not used.
int system_random(void* unused, unsigned char* octets, std::size_t size);

void wipe(void* octets, std::size_t size);
template <class Array>
void wipe(Array& array) {
    wipe(array.data(), array.size());
}

/// Owns one of mbedTLS's C structs. Lives on the heap, since the structs must not move.
template <class Struct, void (*init)(Struct*), void (*release)(Struct*)>
class Holder {
  public:
    Holder() : held_(new Struct) { init(held_.get()); }
    Struct* get() const { return held_.get(); }
    Struct& operator*() const { return *held_; }
    Struct* operator->() const { return held_.get(); }

  private:
    struct Release {
        void operator()(Struct* held) const {
            release(held);
            delete held;
        }
    };
    std::unique_ptr<Struct, Release> held_;
};

} // namespace mailcore::crypto::mbedtls
