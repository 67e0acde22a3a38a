#include "libmailcore/tls/session.h"

#include "libmailcore/base/address.h"
#include "libmailcore/base/assert.h"
#include "libmailcore/tls/detail/record_buffers.h"
#include "libmailcore/tls/detail/settings.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>
#include <mbedtls/error.h>
#include <mbedtls/mailcore_hooks.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

namespace mailcore::tls {

namespace {

using SavedSession = crypto::mbedtls::Holder<mbedtls_ssl_session, mbedtls_ssl_session_init,
                                             mbedtls_ssl_session_free>;

constexpr std::size_t small_piece_octets = 4096;

// mbedTLS says "TLS1-3-AES-128-GCM-SHA256" and "TLS-ECDHE-...", IANA "TLS_AES_128_GCM_SHA256".
std::string iana_name(std::string_view suite) {
    std::string name;
    if (suite.starts_with("TLS1-3-")) {
        name = "TLS_";
        suite.remove_prefix(7);
    }
    name += suite;
    std::ranges::replace(name, '-', '_');
    return name;
}

FailureKind kind_of(int error) {
    switch (error) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return FailureKind::PeerAlert;
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
    case MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME: return FailureKind::Negotiation;
    default: return FailureKind::Protocol;
    }
}

// RFC 8446 §6: the alerts whose names help somebody.
std::string_view alert_name(unsigned description) {
    switch (description) {
    case 10: return "unexpected_message";
    case 20: return "bad_record_mac";
    case 40: return "handshake_failure";
    case 42: return "bad_certificate";
    case 43: return "unsupported_certificate";
    case 44: return "certificate_revoked";
    case 45: return "certificate_expired";
    case 46: return "certificate_unknown";
    case 47: return "illegal_parameter";
    case 48: return "unknown_ca";
    case 50: return "decode_error";
    case 51: return "decrypt_error";
    case 70: return "protocol_version";
    case 71: return "insufficient_security";
    case 80: return "internal_error";
    case 90: return "user_canceled";
    case 112: return "unrecognized_name";
    case 116: return "certificate_required";
    case 120: return "no_application_protocol";
    default: return "alert";
    }
}

// The first of the flags that callers treat by itself; a wrong name weighs more than a missing
// authority.
FailureKind kind_of_flags(std::uint32_t flags) {
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) return FailureKind::NameMismatch;
    if ((flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) != 0)
        return FailureKind::Expired;
    return FailureKind::Untrusted;
}

std::string text_of_flags(std::uint32_t flags) {
    std::string text;
    const auto add = [&](std::uint32_t flag, std::string_view what) {
        if ((flags & flag) == 0) return;
        if (!text.empty()) text += ", ";
        text += what;
        flags &= ~flag;
    };
    add(MBEDTLS_X509_BADCERT_CN_MISMATCH, "the certificate is not for this name");
    add(MBEDTLS_X509_BADCERT_EXPIRED, "the certificate has expired");
    add(MBEDTLS_X509_BADCERT_FUTURE, "the certificate is not valid yet");
    add(MBEDTLS_X509_BADCERT_NOT_TRUSTED, "no known authority has signed it");
    if (flags != 0)
        text += (text.empty() ? "" : ", ") + fmt::format("certificate flags {:#x}", flags);
    return text;
}

} // namespace

struct Session::Impl {
    std::shared_ptr<ServerContext> server;
    std::shared_ptr<ClientContext> client;
    ClientTarget target;
    mbedtls_ssl_context ssl;
    detail::HandshakeNotes notes;
    State state = State::Handshaking;
    FailureKind failure = FailureKind::None;
    bool resumed = false;
    bool resting = false;
    std::array<unsigned char, 8> resting_counter{}; // RFC 8446 §5.3: lives in the in buffer
    std::string_view input;                         // the caller's ciphertext, during a receive
    std::string output;
    std::size_t sent = 0;
    std::string_view output_view; // of `output`, from `sent` on
    std::string failure_text;
    std::uint32_t check_flags = 0;
    std::string check_text;
    std::vector<std::string> peer_chain;
    std::shared_ptr<const ClientTicket> ticket;
    std::size_t library_octets = 0;
    detail::TouchedPages touched;

    // While it lives, mbedTLS on this thread sees the caller's time and counts into this session.
    class Call {
      public:
        Call(Impl& impl, std::int64_t unix_ms)
            : time_(mailcore_mbedtls_set_time(unix_ms)),
              counter_(mailcore_mbedtls_count_into(&impl.library_octets)) {}
        ~Call() {
            mailcore_mbedtls_count_into(counter_);
            mailcore_mbedtls_set_time(time_);
        }
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;

      private:
        std::int64_t time_;
        std::size_t* counter_;
    };
    static std::int64_t unix_ms(WallTime now) {
        return std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count();
    }
    // Encrypting, decrypting and closing ask no clock; this only keeps the system's out.
    static constexpr std::int64_t no_time = 1;

    Impl() { mbedtls_ssl_init(&ssl); }
    ~Impl() {
        Call call(*this, no_time);
        mbedtls_ssl_free(&ssl);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void begin(const void* settings);
    void prepare_client();
    void advance();
    void handshake();
    void read_records();
    void established();
    void take_peer_chain();
    void take_ticket();
    void fail(int error);
    void fail(FailureKind kind, std::string text);
    void wake();
    void write(std::string_view plaintext);
    // Plaintext that fits one record: up to 16 KiB (RFC 8446 §5.1), less if the peer asked for
    // less.
    std::size_t record_octets() const {
        const int octets = mbedtls_ssl_get_max_out_record_payload(&ssl);
        return octets > 0 ? static_cast<std::size_t>(octets) : 1;
    }
    std::size_t unsent() const { return output.size() - sent; }
    void show_output() { output_view = std::string_view(output).substr(sent); }

    static int read_ciphertext(void* self, unsigned char* into, std::size_t size);
    static int write_ciphertext(void* self, const unsigned char* octets, std::size_t size);
    static int check_certificate(void* self, mbedtls_x509_crt* certificate, int depth,
                                 std::uint32_t* flags);
};

// ---- mbedTLS's callbacks

int Session::Impl::read_ciphertext(void* self, unsigned char* into, std::size_t size) {
    auto& impl = *static_cast<Impl*>(self);
    const auto count = std::min(size, impl.input.size());
    if (count == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    std::memcpy(into, impl.input.data(), count);
    impl.input.remove_prefix(count);
    impl.touched.in(impl.ssl, into + count);
    return static_cast<int>(count);
}

// All that mbedTLS writes is taken: `send` bounds plaintext, and a handshake's flight is bounded by
// the certificate chain.
int Session::Impl::write_ciphertext(void* self, const unsigned char* octets, std::size_t size) {
    auto& impl = *static_cast<Impl*>(self);
    impl.output.append(reinterpret_cast<const char*>(octets), size);
    impl.touched.out(impl.ssl, octets + size);
    return static_cast<int>(size);
}

// RFC 9525: only subjectAltName counts, so the name is judged here and not by mbedTLS, which would
// fall back to the subject's common name.
int Session::Impl::check_certificate(void* self, mbedtls_x509_crt* certificate, int depth,
                                     std::uint32_t* flags) {
    const auto& impl = *static_cast<const Impl*>(self);
    if (depth != 0) return 0;
    const auto leaf = crypto::read_certificates(
        {reinterpret_cast<const char*>(certificate->raw.p), certificate->raw.len});
    if (!leaf || impl.target.server_name.empty() || !leaf->front().covers(impl.target.server_name))
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

// ---- life

void Session::Impl::begin(const void* settings) {
    if (const int error = mbedtls_ssl_setup(&ssl, static_cast<const mbedtls_ssl_config*>(settings)))
        throw std::bad_alloc(); // its only fault
    mbedtls_ssl_set_user_data_p(&ssl, &notes);
    mbedtls_ssl_set_bio(&ssl, this, write_ciphertext, read_ciphertext, nullptr);
}

void Session::Impl::prepare_client() {
    const bool named =
        !target.server_name.empty() && !IpAddress::parse(target.server_name); // RFC 6066 §3
    // Also a null name must be set: else mbedTLS takes it for forgotten.
    if (mbedtls_ssl_set_hostname(&ssl, named ? target.server_name.c_str() : nullptr) != 0)
        return fail(FailureKind::NameMismatch, "no host name: " + target.server_name);
    if (target.check != PeerCheck::Unchecked) mbedtls_ssl_set_verify(&ssl, check_certificate, this);
    const auto& offered = target.ticket;
    if (offered == nullptr || offered->server_name != target.server_name ||
        (target.check != PeerCheck::Unchecked && !offered->verified))
        return;
    SavedSession saved;
    const auto octets = offered->session.reveal();
    // A ticket of another version of the library, or past its time, is simply not used.
    if (mbedtls_ssl_session_load(saved.get(), reinterpret_cast<const unsigned char*>(octets.data()),
                                 octets.size()) == 0 &&
        mbedtls_ssl_set_session(&ssl, saved.get()) == 0)
        resumed = true; // until a certificate shows that it was refused
}

void Session::Impl::advance() {
    if (state == State::Handshaking) handshake();
    if (state == State::Open) read_records();
    show_output();
}

void Session::Impl::handshake() {
    const int result = mbedtls_ssl_handshake(&ssl);
    if (result == 0) return established();
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) return;
    fail(result);
}

// Decrypts until there is plaintext or no whole record is left. A read of no octets prepares a
// record and leaves it in place.
void Session::Impl::read_records() {
    while (state == State::Open) {
        const auto before = input.size();
        unsigned char nothing = 0;
        const int result = mbedtls_ssl_read(&ssl, &nothing, 0);
        switch (result) {
        case 0:
            if (mbedtls_ssl_get_bytes_avail(&ssl) > 0) return;
            break;                             // an empty record
        case MBEDTLS_ERR_SSL_WANT_READ: break; // not yet a record, or an alert of no meaning
        case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET: take_ticket(); break;
        case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: state = State::PeerClosed; return;
        default: return fail(result);
        }
        if (input.size() == before && result != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) return;
    }
}

void Session::Impl::established() {
    state = State::Open;
    take_peer_chain();
    if (client == nullptr) {
        if (!peer_chain.empty()) check_flags = mbedtls_ssl_get_verify_result(&ssl);
        return detail::drop_handshake(ssl);
    }
    if (!peer_chain.empty()) {
        resumed = false;
        check_flags = mbedtls_ssl_get_verify_result(&ssl);
        if (target.check == PeerCheck::Unchecked)
            check_flags = MBEDTLS_X509_BADCERT_SKIP_VERIFY;
        else if (check_flags != 0)
            check_text = text_of_flags(check_flags);
    } else if (target.ticket != nullptr) {
        resumed = true;
        peer_chain = target.ticket->peer_chain;
        if (!target.ticket->verified) check_flags = MBEDTLS_X509_BADCERT_SKIP_VERIFY;
    }
    target.ticket.reset();
    if (mbedtls_ssl_get_version_number(&ssl) == MBEDTLS_SSL_VERSION_TLS1_2) take_ticket();
}

// The chain is kept as DER and mbedTLS's parsed form, some KiB, is let go.
void Session::Impl::take_peer_chain() {
    for (const auto* each = mbedtls_ssl_get_peer_cert(&ssl); each != nullptr; each = each->next)
        if (each->raw.len > 0)
            peer_chain.emplace_back(reinterpret_cast<const char*>(each->raw.p), each->raw.len);
    detail::drop_peer_certificate(ssl);
}

void Session::Impl::take_ticket() {
    SavedSession saved;
    std::size_t size = 0;
    if (mbedtls_ssl_get_session(&ssl, saved.get()) != 0) return;
    if (mbedtls_ssl_session_save(saved.get(), nullptr, 0, &size) !=
        MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL)
        return;
    std::string octets(size, '\0');
    if (mbedtls_ssl_session_save(saved.get(), reinterpret_cast<unsigned char*>(octets.data()), size,
                                 &size) != 0)
        return;
    ticket = std::make_shared<const ClientTicket>(
        ClientTicket{target.server_name, check_flags == 0, Secret(std::move(octets)), peer_chain});
}

void Session::Impl::fail(int error) {
    if (error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        const auto alert = detail::received_alert(ssl);
        return fail(FailureKind::PeerAlert,
                    fmt::format("the peer refused: {} ({})", alert_name(alert), alert));
    }
    const auto flags = mbedtls_ssl_get_verify_result(&ssl);
    if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags != 0xffffffff)
        return fail(kind_of_flags(flags), text_of_flags(flags));
    fail(kind_of(error), crypto::mbedtls::describe(error));
}

void Session::Impl::fail(FailureKind kind, std::string text) {
    state = State::Failed;
    failure = kind;
    failure_text = std::move(text);
    show_output();
}

void Session::Impl::wake() {
    if (!resting) return;
    detail::restore_in_counter(ssl, resting_counter);
    resting = false;
}

void Session::Impl::write(std::string_view plaintext) {
    while (!plaintext.empty()) {
        const int result =
            mbedtls_ssl_write(&ssl, reinterpret_cast<const unsigned char*>(plaintext.data()),
                              std::min(plaintext.size(), record_octets()));
        if (result <= 0) return fail(result);
        plaintext.remove_prefix(static_cast<std::size_t>(result));
    }
}

// ---- ports

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Session Session::accept(std::shared_ptr<ServerContext> context, const ServiceSettings& service,
                        WallTime now) {
    auto impl = std::make_unique<Impl>();
    const void* settings = context->settings(service, now);
    impl->server = std::move(context);
    Impl::Call call(*impl, Impl::unix_ms(now));
    impl->begin(settings);
    return Session(std::move(impl));
}

Session Session::connect(std::shared_ptr<ClientContext> context, ClientTarget target,
                         WallTime now) {
    auto impl = std::make_unique<Impl>();
    const void* settings = context->settings(target);
    impl->client = std::move(context);
    impl->target = std::move(target);
    Impl::Call call(*impl, Impl::unix_ms(now));
    impl->begin(settings);
    impl->prepare_client();
    impl->advance();
    return Session(std::move(impl));
}

std::size_t Session::receive(std::string_view ciphertext, WallTime now) {
    auto& impl = *impl_;
    if (impl.state != State::Handshaking && impl.state != State::Open) return ciphertext.size();
    if (!wants_input() || ciphertext.empty()) return 0;
    impl.wake();
    Impl::Call call(impl, Impl::unix_ms(now));
    impl.input = ciphertext;
    impl.advance();
    const auto taken = ciphertext.size() - impl.input.size();
    impl.input = {};
    // What is behind the end of the peer's side is nobody's.
    return impl.state == State::Handshaking || impl.state == State::Open ? taken
                                                                         : ciphertext.size();
}

void Session::receive_end() {
    if (impl_->state == State::Handshaking)
        impl_->fail(FailureKind::Truncated, "the connection ended during the handshake");
    else if (impl_->state == State::Open)
        impl_->fail(FailureKind::Truncated, "the connection ended without close_notify");
}

bool Session::wants_input() const {
    const auto& impl = *impl_;
    return (impl.state == State::Handshaking || impl.state == State::Open) && plaintext().empty();
}

std::string_view Session::plaintext() const {
    // What was decrypted before a failure or the end stays readable.
    return impl_->state == State::Handshaking || impl_->resting ? std::string_view()
                                                                : detail::decrypted(impl_->ssl);
}

void Session::consume(std::size_t octets) {
    MAILCORE_ASSERT(octets <= plaintext().size());
    detail::consume_decrypted(impl_->ssl, octets);
}

std::size_t Session::send(std::string_view plaintext) { return send(std::span(&plaintext, 1)); }

std::size_t Session::send(std::span<const std::string_view> plaintext) {
    auto& impl = *impl_;
    if (impl.state != State::Open && impl.state != State::PeerClosed) return 0;
    Impl::Call call(impl, Impl::no_time);
    const auto record_octets = impl.record_octets();
    std::size_t taken = 0;
    std::string gathered; // small pieces, up to one record
    const auto flush = [&] {
        impl.write(gathered);
        taken += gathered.size();
        crypto::mbedtls::wipe(gathered.data(), gathered.size());
        gathered.clear();
    };
    for (auto piece : plaintext) {
        while (!piece.empty() && impl.unsent() + gathered.size() < output_octets_max &&
               impl.state != State::Failed) {
            const bool alone =
                gathered.empty() && (piece.size() >= small_piece_octets || plaintext.size() == 1);
            const auto room = record_octets - gathered.size();
            const auto part = piece.substr(0, room);
            if (alone) {
                impl.write(part);
                taken += part.size();
            } else {
                gathered += part;
                if (gathered.size() == record_octets) flush();
            }
            piece.remove_prefix(part.size());
        }
        if (!piece.empty()) break;
    }
    if (!gathered.empty() && impl.state != State::Failed) flush();
    impl.show_output();
    return taken;
}

std::span<const std::string_view> Session::output() const {
    return impl_->output_view.empty() ? std::span<const std::string_view>()
                                      : std::span(&impl_->output_view, 1);
}

void Session::output_sent(std::size_t octets) {
    auto& impl = *impl_;
    MAILCORE_ASSERT(octets <= impl.unsent());
    impl.sent += octets;
    if (impl.unsent() == 0) {
        impl.output = {}; // at rest no buffer is held
        impl.sent = 0;
    } else if (impl.sent >= output_octets_max) {
        impl.output.erase(0, impl.sent);
        impl.sent = 0;
    }
    impl.show_output();
}

void Session::close() {
    auto& impl = *impl_;
    if (impl.state == State::Closed || impl.state == State::Failed) return;
    if (impl.state != State::Handshaking) {
        Impl::Call call(impl, Impl::no_time);
        if (const int error = mbedtls_ssl_close_notify(&impl.ssl)) return impl.fail(error);
    }
    impl.state = State::Closed;
    impl.show_output();
}

// ---- what is known

State Session::state() const { return impl_->state; }
FailureKind Session::failure() const { return impl_->failure; }
std::string_view Session::failure_text() const { return impl_->failure_text; }
const std::vector<std::string>& Session::peer_chain() const { return impl_->peer_chain; }
std::string_view Session::check_text() const { return impl_->check_text; }
bool Session::resumed() const { return impl_->resumed && impl_->state != State::Handshaking; }
std::shared_ptr<const ClientTicket> Session::ticket() const { return impl_->ticket; }

TlsFacts Session::facts() const {
    auto& impl = *impl_;
    TlsFacts facts;
    if (mbedtls_ssl_is_handshake_over(&impl.ssl) == 0) return facts;
    const bool tls13 = mbedtls_ssl_get_version_number(&impl.ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
    facts.version = tls13 ? "TLSv1.3" : "TLSv1.2";
    if (const char* suite = mbedtls_ssl_get_ciphersuite(&impl.ssl)) facts.cipher = iana_name(suite);
    facts.server_name = impl.client != nullptr ? impl.target.server_name : impl.notes.server_name;
    if (const char* protocol = mbedtls_ssl_get_alpn_protocol(&impl.ssl)) facts.alpn = protocol;
    if (!impl.peer_chain.empty()) facts.peer_certificate = impl.peer_chain.front();
    facts.peer_verified =
        (impl.client != nullptr || !impl.peer_chain.empty()) && impl.check_flags == 0;
    if (tls13) {
        static constexpr std::string_view label = "EXPORTER-Channel-Binding"; // RFC 9266 §2
        std::string binding(32, '\0');
        if (mbedtls_ssl_export_keying_material(
                &impl.ssl, reinterpret_cast<unsigned char*>(binding.data()), binding.size(),
                label.data(), label.size(), nullptr, 0, 1) == 0)
            facts.exporter_binding = std::move(binding);
    }
    return facts;
}

void Session::rest() {
    auto& impl = *impl_;
    if (impl.resting || impl.state != State::Open || impl.unsent() > 0 ||
        !detail::buffers_idle(impl.ssl))
        return;
    impl.resting_counter = detail::release_buffers(impl.ssl);
    impl.touched = {};
    impl.resting = true;
}

std::size_t Session::memory() const {
    const auto& impl = *impl_;
    std::size_t octets = sizeof(Impl) + impl.library_octets + impl.touched.octets() +
                         impl.output.capacity() + impl.failure_text.capacity() +
                         impl.check_text.capacity();
    for (const auto& certificate : impl.peer_chain)
        octets += certificate.capacity() + sizeof certificate;
    if (impl.ticket != nullptr) octets += sizeof(ClientTicket) + impl.ticket->session.size();
    return octets;
}

std::string_view to_string(FailureKind kind) {
    switch (kind) {
    case FailureKind::None: return "none";
    case FailureKind::Protocol: return "protocol";
    case FailureKind::Negotiation: return "negotiation";
    case FailureKind::PeerAlert: return "peer alert";
    case FailureKind::Truncated: return "truncated";
    case FailureKind::Untrusted: return "untrusted";
    case FailureKind::Expired: return "expired";
    case FailureKind::NameMismatch: return "name mismatch";
    }
    return "";
}

} // namespace mailcore::tls
