// Certificate chains with their keys, and which of them to show for a name.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/crypto/certificate.h"
#include "libmailcore/crypto/mbedtls.h"

#include <map>
#include <string>
#include <vector>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

namespace mailcore::tls::detail {

using Chain =
    crypto::mbedtls::Holder<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using Key = crypto::mbedtls::Holder<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;

/// A parsed chain, leaf first.
[[nodiscard]] Result<Chain> parse_chain(const std::string& pem);
/// A parsed private key, whatever its kind.
[[nodiscard]] Result<Key> parse_key(const Secret& pem);

/// Immutable once made; any thread.
class Identities {
  public:
    struct Identity {
        Chain chain;
        crypto::Certificate leaf;
        bool rsa = false;
    };

    void add(Identity identity);
    [[nodiscard]] const std::vector<Identity>& all() const { return all_; }
    /// Numbers of those to show a client that asked for `server_name` (lower case) at `now`; the
    /// first, and others that cover the same names, if none covers it. Never empty.
    [[nodiscard]] std::vector<std::size_t> select(std::string_view server_name, WallTime now) const;

  private:
    [[nodiscard]] const std::vector<std::size_t>* named(std::string_view server_name) const;

    std::vector<Identity> all_;
    std::map<std::string, std::vector<std::size_t>, std::less<>> by_name_; // "mx.example.test"
    std::map<std::string, std::vector<std::size_t>, std::less<>>
        by_parent_; // ".example.test" for a wildcard
    std::vector<std::size_t> default_;
};

} // namespace mailcore::tls::detail
