#include "libmailcore/codec/idna.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"

#include <idn2.h>
#include <memory>

namespace mailcore::codec {

namespace {

constexpr std::size_t domain_octets_max = 4 * 255; // what can become 255 octets of A-labels

struct FreeIdn {
    void operator()(char* text) const { idn2_free(text); }
};
using IdnText = std::unique_ptr<char, FreeIdn>;

std::string label_to_unicode(std::string_view label) {
    if (!starts_with_ignoring_case(label, "xn--")) return std::string(label);
    char* raw = nullptr;
    const int status = idn2_to_unicode_8z8z(std::string(label).c_str(), &raw, 0);
    const IdnText owned(raw);
    if (status != IDN2_OK) return std::string(label);
    std::string unicode(raw);
    // Only what leads back is shown: nobody reads a name that the DNS does not know.
    const auto back = domain_to_ascii(unicode);
    return back && equal_ignoring_case(*back, label) ? unicode : std::string(label);
}

} // namespace

std::optional<std::string> domain_to_ascii(std::string_view domain) {
    if (domain.empty() || domain.size() > domain_octets_max) return std::nullopt;
    if (domain.find('\0') != std::string_view::npos) return std::nullopt;
    if (is_ascii(domain) && find_ignoring_case(domain, "xn--") == std::string_view::npos) {
        // libidn2 would refuse "_dmarc" and "a--b", which exist.
        return lower(domain);
    }
    char* raw = nullptr;
    const int status =
        idn2_to_ascii_8z(std::string(domain).c_str(), &raw, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const IdnText owned(raw);
    if (status != IDN2_OK) return std::nullopt;
    return lower(raw);
}

std::string domain_to_unicode(std::string_view domain) {
    if (domain.size() > domain_octets_max ||
        find_ignoring_case(domain, "xn--") == std::string_view::npos ||
        domain.find('\0') != std::string_view::npos)
        return std::string(domain);
    std::string out;
    for (std::size_t at = 0;;) {
        const auto dot = domain.find('.', at);
        out += label_to_unicode(domain.substr(at, dot == std::string_view::npos ? dot : dot - at));
        if (dot == std::string_view::npos) return out;
        out += '.';
        at = dot + 1;
    }
}

} // namespace mailcore::codec
