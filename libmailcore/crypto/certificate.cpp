#include "libmailcore/crypto/certificate.h"

#include "libmailcore/base/address.h"
#include "libmailcore/crypto/mbedtls.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>

#include <fmt/format.h>
#include <mbedtls/asn1.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

namespace mailcore::crypto {

using mbedtls::describe;
using mbedtls::Holder;

namespace {

constexpr std::size_t pem_octets_max = 1024 * 1024;
constexpr std::size_t certificates_max = 64;

using CertificateList = Holder<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using Key = Holder<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using Writer =
    Holder<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;

const unsigned char* bytes(std::string_view octets) {
    return reinterpret_cast<const unsigned char*>(octets.data());
}

std::string text(const mbedtls_x509_buf& buffer) {
    return {reinterpret_cast<const char*>(buffer.p), buffer.len};
}

char ascii_lower(char octet) { return octet >= 'A' && octet <= 'Z' ? char(octet + 32) : octet; }

std::string lower(std::string_view name) {
    std::string result(name);
    std::ranges::transform(result, result.begin(), ascii_lower);
    return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, ascii_lower, ascii_lower);
}

std::string distinguished_name(const mbedtls_x509_name& name) {
    std::array<char, 1024> buffer;
    const int size = mbedtls_x509_dn_gets(buffer.data(), buffer.size(), &name);
    return size < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(size));
}

WallTime wall_time_of(const mbedtls_x509_time& time) {
    using namespace std::chrono;
    const year_month_day day{year{time.year}, month(static_cast<unsigned>(time.mon)),
                             std::chrono::day(static_cast<unsigned>(time.day))};
    const auto since =
        sys_days{day}.time_since_epoch() + hours{time.hour} + minutes{time.min} + seconds{time.sec};
    return base::wall_time(duration_cast<seconds>(since).count());
}

// RFC 5280 §4.2.1.6. mbedTLS keeps the entries as raw context-tagged octets.
void take_alternative_names(const mbedtls_x509_crt& certificate, Certificate& into) {
    if (mbedtls_x509_crt_has_ext_type(&certificate, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) == 0) return;
    std::vector<std::string> addresses;
    for (const auto* entry = &certificate.subject_alt_names; entry != nullptr;
         entry = entry->next) {
        const auto& value = entry->buf;
        const auto kind = value.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
        if (kind == MBEDTLS_X509_SAN_DNS_NAME) {
            into.host_names.push_back(lower(text(value)));
        } else if (kind == MBEDTLS_X509_SAN_RFC822_NAME) {
            into.mail_addresses.push_back(text(value));
        } else if (kind == MBEDTLS_X509_SAN_IP_ADDRESS && (value.len == 4 || value.len == 16)) {
            std::array<std::uint8_t, 16> octets{};
            std::copy_n(value.p, value.len, octets.begin());
            const auto address = value.len == 4
                                     ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]})
                                     : IpAddress::v6(octets);
            addresses.push_back(address.to_string());
        }
    }
    into.host_names.insert(into.host_names.end(), addresses.begin(), addresses.end());
}

Certificate facts(const mbedtls_x509_crt& certificate) {
    Certificate result;
    result.subject = distinguished_name(certificate.subject);
    result.issuer = distinguished_name(certificate.issuer);
    take_alternative_names(certificate, result);
    result.not_before = wall_time_of(certificate.valid_from);
    result.not_after = wall_time_of(certificate.valid_to);
    for (std::size_t at = 0; at < certificate.serial.len; ++at)
        result.serial += fmt::format("{:02x}", certificate.serial.p[at]);
    result.der = text(certificate.raw);
    result.public_key_der = text(certificate.pk_raw);
    result.self_signed = text(certificate.subject_raw) == text(certificate.issuer_raw);
    return result;
}

// Certificates are given as PEM text or as one DER sequence; nothing else begins with '0' and 0x80
// or more.
Result<void> parse_into(mbedtls_x509_crt& list, std::string_view pem_or_der) {
    if (pem_or_der.size() > pem_octets_max)
        return fail(ErrorKind::LimitExceeded, "certificates: more than 1 MiB");
    if (pem_or_der.starts_with('0') && pem_or_der.find("-----BEGIN") == std::string_view::npos) {
        if (const int error =
                mbedtls_x509_crt_parse_der(&list, bytes(pem_or_der), pem_or_der.size()))
            return fail(ErrorKind::Corrupt, "certificate: " + describe(error));
        return {};
    }
    std::size_t blocks = 0;
    for (auto at = pem_or_der.find("-----BEGIN"); at != std::string_view::npos;
         at = pem_or_der.find("-----BEGIN", at + 1))
        if (++blocks > certificates_max)
            return fail(ErrorKind::LimitExceeded, "certificates: more than 64");
    const std::string terminated(pem_or_der); // mbedTLS wants the NUL counted
    const int error = mbedtls_x509_crt_parse(&list, bytes(terminated), terminated.size() + 1);
    if (error < 0) return fail(ErrorKind::Corrupt, "certificates: " + describe(error));
    if (error > 0)
        return fail(ErrorKind::Corrupt,
                    fmt::format("certificates: {} of them cannot be read", error));
    return {};
}

std::string certificate_time(WallTime time) { // "20260131235959"
    using namespace std::chrono;
    const auto seconds_since = sys_seconds{seconds{base::unix_seconds(time)}};
    const auto day = floor<days>(seconds_since);
    const year_month_day date{day};
    const hh_mm_ss clock{seconds_since - day};
    return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", int(date.year()), unsigned(date.month()),
                       unsigned(date.day()), clock.hours().count(), clock.minutes().count(),
                       clock.seconds().count());
}

bool is_host_name(std::string_view name) {
    return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](char octet) {
        return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
               (octet >= '0' && octet <= '9') || octet == '-' || octet == '.' || octet == '_' ||
               octet == '*';
    });
}

Result<std::string> pem_of(const char* begin, const char* end, const unsigned char* der,
                           std::size_t size) {
    std::string pem(size * 2 + 256, '\0');
    std::size_t written = 0;
    if (const int error = mbedtls_pem_write_buffer(begin, end, der, size,
                                                   reinterpret_cast<unsigned char*>(pem.data()),
                                                   pem.size(), &written))
        return fail(ErrorKind::Unavailable, "PEM: " + describe(error));
    pem.resize(written - 1); // without its NUL
    return pem;
}

// The names as the linked list that mbedTLS wants; owns what the list points to. mbedTLS writes
// backwards, so each is put in front.
struct AlternativeNames {
    std::deque<std::string> values;
    std::deque<mbedtls_x509_san_list> list;

    void add(int type, std::string value) {
        auto& kept = values.emplace_back(std::move(value));
        auto* const behind = list.empty() ? nullptr : &list.back();
        auto& node = list.emplace_back();
        node.node.type = type;
        node.node.san.unstructured_name.p = reinterpret_cast<unsigned char*>(kept.data());
        node.node.san.unstructured_name.len = kept.size();
        node.next = behind;
    }
};

Result<AlternativeNames> alternative_names(const std::vector<std::string>& host_names) {
    if (host_names.empty()) return fail(ErrorKind::Rejected, "a certificate needs a host name");
    AlternativeNames names;
    for (const auto& name : host_names) {
        if (const auto address = IpAddress::parse(name)) {
            names.add(MBEDTLS_X509_SAN_IP_ADDRESS, std::string(address->octets()));
        } else if (is_host_name(name)) {
            names.add(MBEDTLS_X509_SAN_DNS_NAME, lower(name));
        } else {
            return fail(ErrorKind::Rejected, "not a host name: " + name);
        }
    }
    return names;
}

Result<std::string> write_certificate(const SelfSignedRequest& request, AlternativeNames& names,
                                      Key& key, Random& random) {
    Writer writer;
    const auto subject = "CN=" + request.host_names.front().substr(0, 64); // ub-common-name
    std::array<unsigned char, 16> serial;
    random.fill(serial);
    serial[0] &= 0x7f; // RFC 5280 §4.1.2.2: positive
    serial[0] |= 0x40;
    mbedtls_asn1_sequence server_auth{};
    server_auth.buf.tag = MBEDTLS_ASN1_OID;
    server_auth.buf.p =
        reinterpret_cast<unsigned char*>(const_cast<char*>(MBEDTLS_OID_SERVER_AUTH));
    server_auth.buf.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH);
    mbedtls_x509write_crt_set_version(writer.get(), MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(writer.get(), key.get());
    mbedtls_x509write_crt_set_issuer_key(writer.get(), key.get());
    const auto from = certificate_time(request.not_before);
    const auto until = certificate_time(request.not_after);
    std::array<unsigned char, 16384> der;
    int result = 0;
    const auto done = [&](int error) { return (result = error) == 0; };
    if (done(mbedtls_x509write_crt_set_subject_name(writer.get(), subject.c_str())) &&
        done(mbedtls_x509write_crt_set_issuer_name(writer.get(), subject.c_str())) &&
        done(mbedtls_x509write_crt_set_serial_raw(writer.get(), serial.data(), serial.size())) &&
        done(mbedtls_x509write_crt_set_validity(writer.get(), from.c_str(), until.c_str())) &&
        done(mbedtls_x509write_crt_set_basic_constraints(writer.get(), 0, -1)) &&
        done(
            mbedtls_x509write_crt_set_key_usage(writer.get(), MBEDTLS_X509_KU_DIGITAL_SIGNATURE)) &&
        done(mbedtls_x509write_crt_set_ext_key_usage(writer.get(), &server_auth)) &&
        done(mbedtls_x509write_crt_set_subject_key_identifier(writer.get())) &&
        done(mbedtls_x509write_crt_set_subject_alternative_name(writer.get(), &names.list.back())))
        result = mbedtls_x509write_crt_der(writer.get(), der.data(), der.size(),
                                           mbedtls::random_octets, &random);
    if (result <= 0)
        return fail(ErrorKind::Unavailable, "self-signed certificate: " + describe(result));
    const auto size = static_cast<std::size_t>(result); // written at the end of the buffer
    return pem_of("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
                  der.data() + der.size() - size, size);
}

Result<Secret> write_key(Key& key) {
    std::array<unsigned char, 1024> pem{};
    if (const int error = mbedtls_pk_write_key_pem(key.get(), pem.data(), pem.size()))
        return fail(ErrorKind::Unavailable, "private key: " + describe(error));
    Secret secret{std::string(reinterpret_cast<const char*>(pem.data()))};
    mbedtls::wipe(pem);
    return secret;
}

} // namespace

bool certificate_name_matches(std::string_view name, std::string_view host) {
    if (name.empty()) return false;
    if (host.ends_with('.')) host.remove_suffix(1);
    if (const auto address = IpAddress::parse(host)) {
        const auto named = IpAddress::parse(name);
        return named && *named == *address;
    }
    if (!name.starts_with("*.")) return equal_ignoring_case(name, host);
    const auto dot = host.find('.');
    const auto parent = name.substr(1); // ".example.test"
    return dot != std::string_view::npos && dot > 0 &&
           parent.find('.', 1) != std::string_view::npos &&
           equal_ignoring_case(parent, host.substr(dot));
}

bool Certificate::covers(std::string_view host) const {
    return std::ranges::any_of(
        host_names, [&](const auto& name) { return certificate_name_matches(name, host); });
}

Result<std::vector<Certificate>> read_certificates(std::string_view pem_or_der) {
    mbedtls::start();
    CertificateList list;
    MAILCORE_TRY(parse_into(*list, pem_or_der));
    std::vector<Certificate> result;
    for (const auto* each = list.get(); each != nullptr && each->raw.len > 0; each = each->next)
        result.push_back(facts(*each));
    if (result.empty()) return fail(ErrorKind::Corrupt, "certificates: there is none");
    return result;
}

Result<void> check_private_key(std::string_view certificate_pem, const Secret& private_key_pem,
                               Random& random) {
    mbedtls::start();
    CertificateList list;
    MAILCORE_TRY(parse_into(*list, certificate_pem));
    Key key;
    if (private_key_pem.size() > pem_octets_max)
        return fail(ErrorKind::LimitExceeded, "private key: more than 1 MiB");
    const std::string_view pem = private_key_pem.reveal(); // a std::string's, so a NUL follows
    if (const int error = mbedtls_pk_parse_key(key.get(), bytes(pem), pem.size() + 1, nullptr, 0,
                                               mbedtls::random_octets, &random))
        return fail(ErrorKind::Corrupt, "private key: " + describe(error));
    if (mbedtls_pk_check_pair(&list->pk, key.get(), mbedtls::random_octets, &random) != 0)
        return fail(ErrorKind::Conflict, "the private key is not that of the first certificate");
    return {};
}

Result<CertificateAndKey> make_self_signed(const SelfSignedRequest& request, Random& random) {
    mbedtls::start();
    MAILCORE_TRY(auto names, alternative_names(request.host_names));
    if (request.not_after <= request.not_before)
        return fail(ErrorKind::Rejected, "a certificate must end after it begins");
    Key key;
    int error = mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (error == 0)
        error = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
                                    mbedtls::random_octets, &random);
    if (error != 0) return fail(ErrorKind::Unavailable, "key generation: " + describe(error));
    MAILCORE_TRY(auto certificate, write_certificate(request, names, key, random));
    MAILCORE_TRY(auto private_key, write_key(key));
    return CertificateAndKey{std::move(certificate), std::move(private_key)};
}

} // namespace mailcore::crypto
