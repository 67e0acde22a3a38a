// One TCP connection of the generator, with TLS or without.
#pragma once

#include "libmailcore/tls/client_context.h"
#include "libmailcore/tls/session.h"
#include "tests/bench/mdload/loop.h"

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <netinet/in.h>

namespace mailcore::mdload {

/// How a connection is protected.
enum class Security : std::uint8_t { Clear, Tls, StartTls };

/// Where a connection leads, and how. Immutable while connections are made.
struct Endpoint {
    std::string host = "127.0.0.1"; ///< IPv4 address
    std::uint16_t port = 0;
    Security security = Security::Clear;
    bool resume = false; ///< later connections show the ticket of the one before
    /// Connections leave from 127.0.0.1, 127.0.1.1, ... in turns: a server's ceiling for one
    /// address is not what is measured. Loopback only.
    std::size_t sources = 1;
    std::shared_ptr<tls::ClientContext> tls;
};

/// What a connection tells its owner. Each may close or reopen the wire.
class WireUser {
  public:
    virtual ~WireUser() = default;
    /// TLS stands after `start_tls` (not when it is there from the beginning).
    virtual void secured() {}
    /// Plaintext; all of it is taken.
    virtual void received(std::string_view octets) = 0;
    /// The peer has closed, or the connection failed. The wire is closed by then.
    virtual void lost(const std::string& why) = 0;
};

/// May be opened again after `close`. What is sent before the connection or its TLS stands waits.
class Wire final : public Watcher {
  public:
    Wire(Loop& loop, WireUser& user) : loop_(loop), user_(user) {}
    /// The other end of a listener: connected already.
    Wire(Loop& loop, WireUser& user, int descriptor);
    ~Wire() override { close(); }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    void open(const Endpoint& endpoint);
    void start_tls();
    void send(std::string_view octets) { send({octets}); }
    /// At most eight pieces that are not empty.
    void send(std::initializer_list<std::string_view> pieces);
    void close();
    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    [[nodiscard]] bool resumed() const { return tls_ && tls_->resumed(); }
    /// Gives back memory until something comes.
    void rest() {
        if (tls_) tls_->rest();
    }

    void on_socket(bool readable, bool writable) override;

  private:
    void fail(const std::string& why);
    void read();
    void read_tls(std::string_view octets);
    void flush();
    void flush_tls();
    bool write_some(std::string_view octets, std::size_t& sent);
    void want_writing(bool wanted);

    Loop& loop_;
    WireUser& user_;
    const Endpoint* endpoint_ = nullptr;
    int descriptor_ = -1;
    bool connecting_ = false, writing_ = false, announce_secured_ = false;
    bool lending_ = false;   // the owner looks at the session's plaintext: it must not be touched
    std::uint64_t life_ = 0; // changes with open and close: callbacks may do either
    std::string unsent_;     // plaintext
    std::size_t unsent_begin_ = 0;
    std::optional<tls::Session> tls_;
    std::shared_ptr<const tls::ClientTicket> ticket_;
};

} // namespace mailcore::mdload
