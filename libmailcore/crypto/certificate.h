// X.509 certificates (RFC 5280): reading what one says, and making one to start with.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/random.h"
#include "libmailcore/base/result.h"
#include "libmailcore/base/secret.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::crypto {

/// A certificate chain, leaf first, and its private key, both as PEM.
struct CertificateAndKey {
    std::string certificate_pem;
    Secret private_key_pem;
};

/// What a certificate says about itself. A value.
struct Certificate {
    std::string subject; ///< "CN=mx.example.test, O=Example"
    std::string issuer;
    std::vector<std::string>
        host_names; ///< subjectAltName: dNSName lower case, then iPAddress in text
    std::vector<std::string> mail_addresses; ///< subjectAltName: rfc822Name, as it stands there
    WallTime not_before;
    WallTime not_after;
    std::string serial;         ///< lower-case hexadecimal
    std::string der;            ///< the certificate itself
    std::string public_key_der; ///< its SubjectPublicKeyInfo (TLSA selector 1, RFC 6698 §2.1.2)
    bool self_signed = false;   ///< subject and issuer are the same name

    /// Whether one of `host_names` is `host`, where a name "*.example.test" stands for exactly one
    /// label (RFC 9525 §6.3). `host` is an A-label name or an IP address in text; case does not
    /// matter.
    [[nodiscard]] bool covers(std::string_view host) const;
};

/// Whether certificate name `name` is `host`; see `Certificate::covers`.
[[nodiscard]] bool certificate_name_matches(std::string_view name, std::string_view host);

/// Reads all certificates of a PEM text, in order, or the one of a DER octet string.
///
/// At most 64 certificates and 1 MiB. Fails `Corrupt` when there is none or one cannot be read. Any
/// thread.
[[nodiscard]] Result<std::vector<Certificate>> read_certificates(std::string_view pem_or_der);

/// Whether the PEM private key belongs to the first certificate of `certificate_pem`: fails
/// `Corrupt` when one of them cannot be read, `Conflict` when they do not belong together. Any
/// thread.
[[nodiscard]] Result<void> check_private_key(std::string_view certificate_pem,
                                             const Secret& private_key_pem, Random& random);

/// What a self-signed certificate shall say.
struct SelfSignedRequest {
    /// DNS names (A-labels) and IP addresses; the first is the subject's common name too. At least
    /// one.
    std::vector<std::string> host_names;
    WallTime not_before;
    WallTime not_after;
};

/// Makes a P-256 key and an ECDSA certificate signed by itself: enough to offer STARTTLS from the
/// first minute, until a real one is obtained.
///
/// Fails `Rejected` when a name has an octet that no host name has, or not_after is not later. Any
/// thread.
[[nodiscard]] Result<CertificateAndKey> make_self_signed(const SelfSignedRequest& request,
                                                         Random& random);

} // namespace mailcore::crypto
