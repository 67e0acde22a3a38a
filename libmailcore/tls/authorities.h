// The certification authorities that a client trusts.
#pragma once

#include "libmailcore/base/result.h"

#include <functional>
#include <memory>
#include <string>

namespace mailcore::tls {

/// A bundle of CA certificates, read and parsed when the first connection needs it: half a megabyte
/// that a server which only relays opportunistically never spends. Shared by all loops. Any thread.
class Authorities {
  public:
    /// `read` gives the bundle as PEM text; it is called once, on the thread that needs it first.
    explicit Authorities(std::function<Result<std::string>()> read);
    ~Authorities();
    Authorities(const Authorities&) = delete;
    Authorities& operator=(const Authorities&) = delete;

    /// Reads and parses now instead of later (on a worker, say). Certificates in it that cannot be
    /// parsed are left out; fails `Corrupt` when none is left, or as `read` does. The outcome
    /// stays.
    Result<std::size_t> load() const;

    /// For ClientContext: an mbedtls_x509_crt list, or nothing when loading failed.
    [[nodiscard]] void* list() const;

  private:
    struct Loaded;
    std::unique_ptr<Loaded> loaded_;
};

} // namespace mailcore::tls
