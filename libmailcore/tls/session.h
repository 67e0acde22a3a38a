// One TLS connection without I/O (RFC 8446, RFC 5246): ciphertext and plaintext go in and come out.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/peer.h"
#include "libmailcore/tls/client_context.h"
#include "libmailcore/tls/server_context.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::tls {

enum class State : std::uint8_t {
    Handshaking, ///< no plaintext either way yet
    Open,
    PeerClosed, ///< the peer has ended its side (close_notify); ours may still send
    Closed,     ///< we have ended ours; what comes is dropped
    Failed,     ///< see `failure`; an alert may still be in the output
};

/// Why a session failed, as far as callers treat failures differently (TLSRPT: RFC 8460 §4.3).
enum class FailureKind : std::uint8_t {
    None,
    Protocol,     ///< the peer does not speak TLS, or not rightly
    Negotiation,  ///< no version, suite, group or application protocol in common
    PeerAlert,    ///< the peer refused
    Truncated,    ///< the transport ended without close_notify: what was received may lack its end
    Untrusted,    ///< PeerCheck::Required: the chain leads to no authority
    Expired,      ///< PeerCheck::Required: a certificate is outside its time
    NameMismatch, ///< PeerCheck::Required: the certificate is somebody else's
};

/// A session has four ports, each of which takes what fits and says how much: ciphertext in
/// (`receive`), ciphertext out (`output`), plaintext in (`send`), plaintext out (`plaintext`). It
/// is a function of its calls, except for randomness, which is the system's. The peer cannot make
/// it hold more than about 100 KiB.
///
/// Loop thread only; but one `receive`, during which a handshake computes for up to several
/// milliseconds, may run on a worker while the loop keeps off this object.
class Session {
  public:
    /// The server's half.
    [[nodiscard]] static Session accept(std::shared_ptr<ServerContext> context,
                                        const ServiceSettings& service, WallTime now);
    /// The client's half; the ClientHello is in `output()` at once.
    [[nodiscard]] static Session connect(std::shared_ptr<ClientContext> context,
                                         ClientTarget target, WallTime now);
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    /// Takes ciphertext and returns how many octets of it; the caller keeps the rest and offers it
    /// again once plaintext was consumed. At most one record is decrypted ahead. `now` judges
    /// certificates and tickets.
    std::size_t receive(std::string_view ciphertext, WallTime now);
    /// The transport will give no more. Without a close_notify before, the session fails as
    /// `Truncated`.
    void receive_end();
    /// False: there is plaintext to take before more is wanted, or it is over.
    [[nodiscard]] bool wants_input() const;

    /// Decrypted octets of the peer, in place. Valid until the next call that is not const.
    [[nodiscard]] std::string_view plaintext() const;
    /// The first `octets` of `plaintext()` are done with; they are wiped.
    void consume(std::size_t octets);

    /// Encrypts plaintext and returns how many octets it took: all of it as long as less than
    /// `output_octets_max` wait to be sent, none before the handshake is over or after the end.
    /// Pieces that are small share records.
    std::size_t send(std::string_view plaintext);
    std::size_t send(std::span<const std::string_view> plaintext);

    /// Ciphertext to be sent. The pieces stay valid until the next call that is not const.
    [[nodiscard]] std::span<const std::string_view> output() const;
    void output_sent(std::size_t octets);

    /// Ends our side with close_notify. Plaintext that waits in `output()` still goes out before
    /// it.
    void close();

    [[nodiscard]] State state() const;
    [[nodiscard]] FailureKind failure() const;
    /// For logs: what went wrong, empty if nothing did.
    [[nodiscard]] std::string_view failure_text() const;

    /// What was agreed. Only when the handshake is over. Made anew on each call.
    /// The channel binding is there for TLS 1.3 alone: for TLS 1.2, RFC 9266 §4.2 wants to be sure
    /// of the extended master secret, which the library does not tell.
    [[nodiscard]] TlsFacts facts() const;
    /// All certificates that the peer has shown (DER, leaf first), for DANE (RFC 7672). A resumed
    /// session shows those of its first handshake to a client, none to a server.
    [[nodiscard]] const std::vector<std::string>& peer_chain() const;
    /// PeerCheck::Reported: why the peer is not verified; empty if it is. For logs.
    [[nodiscard]] std::string_view check_text() const;
    /// Client: whether a ticket saved us the full handshake.
    [[nodiscard]] bool resumed() const;
    /// Client: the newest ticket of the server, for the next connection to it; null if there is
    /// none (in TLS 1.3 it comes some time after the handshake).
    [[nodiscard]] std::shared_ptr<const ClientTicket> ticket() const;

    /// Gives the pages of the I/O buffers back to the system if nothing is in them. For a
    /// connection that has been silent for a while: two system calls now, one page fault or two
    /// when it wakes.
    void rest();
    /// Octets held, with the pages of the I/O buffers that are in use.
    [[nodiscard]] std::size_t memory() const;

    /// Ciphertext that may wait to be sent before `send` takes no more.
    static constexpr std::size_t output_octets_max = 64 * 1024;

  private:
    struct Impl;
    explicit Session(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

[[nodiscard]] std::string_view to_string(FailureKind kind);

} // namespace mailcore::tls
