#include "libmailcore/tls/authorities.h"

#include "libmailcore/crypto/mbedtls.h"

#include <mutex>

#include <mbedtls/x509_crt.h>

namespace mailcore::tls {

struct Authorities::Loaded {
    std::function<Result<std::string>()> read;
    std::once_flag once;
    Result<std::size_t> count = 0;
    crypto::mbedtls::Holder<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free> list;

    Result<std::size_t> parse() {
        crypto::mbedtls::start();
        MAILCORE_TRY(const auto pem, read());
        // A positive answer counts the certificates that were left out.
        if (const int error = mbedtls_x509_crt_parse(
                list.get(), reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1);
            error < 0)
            return fail(ErrorKind::Corrupt, "CA bundle: " + crypto::mbedtls::describe(error));
        std::size_t parsed = 0;
        for (const auto* each = list.get(); each != nullptr && each->raw.len > 0; each = each->next)
            ++parsed;
        if (parsed == 0) return fail(ErrorKind::Corrupt, "CA bundle: no certificate in it");
        return parsed;
    }
};

Authorities::Authorities(std::function<Result<std::string>()> read)
    : loaded_(std::make_unique<Loaded>()) {
    loaded_->read = std::move(read);
}

Authorities::~Authorities() = default;

Result<std::size_t> Authorities::load() const {
    std::call_once(loaded_->once, [this] {
        loaded_->count = loaded_->parse();
        loaded_->read = nullptr;
    });
    return loaded_->count;
}

void* Authorities::list() const { return load() ? loaded_->list.get() : nullptr; }

} // namespace mailcore::tls
