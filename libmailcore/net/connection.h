// The driver: moves octets between a transport, TLS on it, and the engine of a dialogue.
#pragma once

#include "libmailcore/base/connector.h"
#include "libmailcore/net/loop.h"
#include "libmailcore/net/transport.h"
#include "libmailcore/tls/session.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace mailcore::net {

struct ConnectionOptions {
    /// From the first octet of TLS to its last handshake message, and for a PROXY header.
    std::chrono::milliseconds handshake_time{30'000};
    /// After our last octet, how long the peer may take to end its side, so that it can read what
    /// was said: closing with unread input would destroy it (RFC 1122 §4.2.2.13).
    std::chrono::milliseconds linger_time{2'000};
    /// Silence after which TLS gives its buffers back.
    std::chrono::milliseconds rest_time{5'000};
    /// Moved at a time before the loop's other connections have their turn.
    std::size_t turn_octets_max = 256 * 1024;
};

/// Drives one dialogue: reads while the engine wants input, sends its output gathered, keeps its
/// deadline, starts TLS, closes. Octets that the engine does not take are kept, at most one read of
/// 64 KiB, and nothing is read meanwhile. With TLS, the engine's output is "sent" when at most 64
/// KiB of it are still on their way. Loop thread only; destroying it closes the transport at once,
/// and must not happen inside a call that it makes (drain, closed, its owner's functions): post it
/// instead.
class Connection final : public base::Connection, private Transport::Watcher {
  public:
    /// Who has it. Outlives it.
    class Owner {
      public:
        /// The transport stands, with implicit TLS the handshake is over: the dialogue to drive,
        /// which stays until `ended`; absent: close.
        virtual base::Dialogue* begin(Connection& connection) = 0;
        /// TLS is to start, at once or because the engine says so; nothing: it cannot, close.
        virtual std::optional<tls::Session> make_tls(Connection& connection, WallTime now) = 0;
        /// A PROXY header has said who the peer is; false: close.
        virtual bool peer_named(Connection&) { return true; }
        /// The transport is gone and the dialogue, if there was one, knows it. Once.
        virtual void ended(Connection& connection) = 0;
        /// The dialogue has woken us after the end: it may be finished now.
        virtual void woken_after_end(Connection&) {}

      protected:
        ~Owner() = default;
    };
    enum class Begin : std::uint8_t { Plain, Tls };
    enum class ProxyHeader : std::uint8_t { None, Expected };

    Connection(base::Scheduler& scheduler, Loop* loop, std::unique_ptr<Transport> transport,
               PeerInfo peer, Owner& owner, Log log, ConnectionOptions options = {});
    ~Connection() override;

    /// Once. May end the connection before it returns.
    void start(Begin begin, ProxyHeader proxy = ProxyHeader::None);

    /// The dialogue's Waker. What it causes happens later in the same turn of the loop.
    void wake() override;
    [[nodiscard]] const PeerInfo& peer() const override { return peer_; }
    /// Passes on to the engine; before there is one, closes.
    void shut_down(base::ShutdownReason reason);
    /// Closes without a word.
    void close(std::string_view reason);

    [[nodiscard]] bool has_ended() const { return stage_ == Stage::Ended; }
    [[nodiscard]] std::string_view failure() const override { return failure_; }
    /// The TLS session that stands or failed, for its chain and its tickets; absent: none was
    /// started.
    [[nodiscard]] const tls::Session* tls() const { return tls_ ? &*tls_ : nullptr; }
    /// Octets of the transport.
    [[nodiscard]] std::uint64_t received() const { return received_; }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }
    /// Octets of heap held by engine, TLS and this.
    [[nodiscard]] std::size_t memory() const;

  private:
    enum class Stage : std::uint8_t { Preamble, Handshaking, Running, Lingering, Ended };

    void ready(bool readable, bool writable) override;
    void pump();
    void turn();
    void read_proxy_header();
    void shake_hands();
    void run();
    void linger();

    void start_tls();
    void begin_dialogue();
    bool feed(Instant now);
    bool fetch();
    bool receive();
    bool decrypt();
    bool flush(Instant now);
    bool send_plain(Instant now);
    bool send_tls(Instant now);
    bool act();
    void finish();
    void lose(std::string_view reason);
    void end();
    void expire();
    void arm();
    [[nodiscard]] std::optional<Instant> deadline() const;
    void set_deadline(std::chrono::milliseconds from_now);
    void keep_input();
    base::Engine& engine() { return dialogue_->engine(); }
    std::size_t count(const Transport::Moved& moved, std::uint64_t& total);
    void post_pump();

    base::Scheduler& scheduler_;
    Loop* loop_; // absent: another scheduler's, with a read buffer of our own and no limit on
                 // handshakes
    std::unique_ptr<Transport> transport_; // absent once ended
    PeerInfo peer_;
    Owner& owner_;
    Log log_;
    const ConnectionOptions options_;
    std::optional<tls::Session> tls_;
    base::Dialogue* dialogue_ = nullptr; // absent before `begin`
    std::shared_ptr<Connection*> self_;  // for what is posted: null when this is gone
    std::unique_ptr<char[]> own_buffer_;

    std::string_view
        input_; // received and not taken: of the read buffer during a pump, else all of kept_
    std::string kept_;
    std::string failure_;
    TimerId timer_;
    std::optional<Instant> timer_at_;
    Instant stage_deadline_; // of Preamble, Handshaking and Lingering
    Instant last_moved_;
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    std::size_t turn_octets_ = 0;
    Stage stage_ = Stage::Running;
    Begin begin_ = Begin::Plain;
    bool input_borrowed_ = false; // it is of the read buffer
    bool readable_ = false;       // the transport may have something
    bool blocked_ = false;        // the transport took less than there was
    bool ended_in_ = false;       // the peer sends no more
    bool end_told_ = false;
    bool send_broken_ = false; // nothing can be sent; what came before may still be read
    bool tls_closed_ = false;
    bool resting_ = false;
    bool gated_ = false; // the handshake waits for another turn
    bool pumping_ = false;
    bool again_ = false;
    bool posted_ = false;
};

} // namespace mailcore::net
