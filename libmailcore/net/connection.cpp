#include "libmailcore/net/connection.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/net/proxy_header.h"

#include <algorithm>
#include <cstring>

namespace mailcore::net {

using base::Engine;

namespace {

constexpr std::size_t own_buffer_octets = 16 * 1024;

} // namespace

Connection::Connection(base::Scheduler& scheduler, Loop* loop, std::unique_ptr<Transport> transport,
                       PeerInfo peer, Owner& owner, Log log, ConnectionOptions options)
    : scheduler_(scheduler), loop_(loop), transport_(std::move(transport)), peer_(std::move(peer)),
      owner_(owner), log_(log), options_(options), last_moved_(scheduler.now()) {}

Connection::~Connection() {
    MAILCORE_ASSERT(!pumping_);
    if (self_) *self_ = nullptr;
    if (timer_at_) scheduler_.cancel_timer(timer_);
}

void Connection::start(Begin begin, ProxyHeader proxy) {
    begin_ = begin;
    pumping_ = true; // the owner may wake us while it is being asked
    if (proxy == ProxyHeader::Expected) {
        stage_ = Stage::Preamble;
        set_deadline(options_.handshake_time);
    } else if (begin == Begin::Tls) {
        start_tls();
    } else {
        begin_dialogue();
    }
    pumping_ = false;
    pump();
}

void Connection::wake() {
    if (pumping_) {
        again_ = true;
        return;
    }
    post_pump();
}

void Connection::post_pump() {
    if (posted_) return;
    posted_ = true;
    if (!self_) self_ = std::make_shared<Connection*>(this);
    scheduler_.post([self = self_] {
        if (!*self) return;
        auto& connection = **self;
        connection.posted_ = connection.gated_ = false;
        if (connection.has_ended())
            connection.owner_.woken_after_end(connection);
        else
            connection.pump();
    });
}

void Connection::shut_down(base::ShutdownReason reason) {
    if (has_ended() || stage_ == Stage::Lingering) return;
    if (!dialogue_) return close("shut down before it began");
    engine().shut_down(reason, scheduler_.now());
    wake();
}

void Connection::close(std::string_view reason) {
    if (!has_ended()) lose(reason);
}

std::size_t Connection::memory() const {
    return kept_.capacity() + failure_.capacity() + (own_buffer_ ? own_buffer_octets : 0) +
           (tls_ ? tls_->memory() : 0) +
           (dialogue_ ? dialogue_->engine().memory() + dialogue_->memory() : 0);
}

void Connection::ready(bool readable, bool writable) {
    readable_ = readable_ || readable;
    if (writable) blocked_ = false;
    pump();
}

/// Turns until nothing moves, or until it is the others' turn.
void Connection::pump() {
    if (pumping_ || has_ended()) return;
    pumping_ = true;
    turn_octets_ = 0;
    do {
        again_ = false;
        turn();
    } while (again_ && !has_ended() && turn_octets_ < options_.turn_octets_max);
    pumping_ = false;
    if (has_ended()) {
        input_ = {};
        kept_ = {};
        return;
    }
    keep_input();
    if (std::exchange(again_, false)) wake();
    arm();
}

void Connection::turn() {
    switch (stage_) {
    case Stage::Preamble: return read_proxy_header();
    case Stage::Handshaking: return shake_hands();
    case Stage::Running: return run();
    case Stage::Lingering: return linger();
    case Stage::Ended: return;
    }
}

// Before the dialogue

void Connection::read_proxy_header() {
    const auto before = input_.size();
    if (before > 0 && readable_) {
        // It came in pieces: what is kept and what comes must be in one place.
        keep_input();
        kept_.resize(before + proxy_header_octets_max);
        const auto moved = transport_->receive(std::span(kept_).subspan(before));
        kept_.resize(before + count(moved, received_));
        input_ = kept_;
        if (moved.how == Transport::Moved::How::Blocked) readable_ = false;
        if (moved.how == Transport::Moved::How::Broken || moved.how == Transport::Moved::How::End)
            return lose("ended in the PROXY header");
    } else if (before == 0 && !receive()) {
        if (ended_in_) lose("ended before the PROXY header");
        return;
    }
    const auto header = parse_proxy_header(input_);
    if (!header) return lose("malformed PROXY header");
    if (!*header) {
        again_ = readable_;
        return;
    }
    input_.remove_prefix((*header)->octets);
    if (const auto& ends = (*header)->ends) {
        peer_.transport = PeerInfo::Transport::Tcp;
        peer_.address = ends->source;
        peer_.port = ends->source_port;
        peer_.local_address = ends->destination;
        peer_.local_port = ends->destination_port;
    }
    if (!owner_.peer_named(*this)) return lose("");
    if (begin_ == Begin::Tls)
        start_tls();
    else
        begin_dialogue();
    again_ = true;
}

void Connection::start_tls() {
    auto session = owner_.make_tls(*this, scheduler_.wall_now());
    if (!session) return lose("TLS cannot be started");
    tls_.emplace(std::move(*session));
    stage_ = Stage::Handshaking;
    set_deadline(options_.handshake_time);
    again_ = true;
}

void Connection::shake_hands() {
    if (gated_) return;
    const auto output = tls_->output();
    if (!output.empty() && !blocked_ && !send_broken_) {
        const auto moved = transport_->send(output);
        tls_->output_sent(count(moved, sent_));
        // Broken: the peer may have said why.
        send_broken_ = moved.how == Transport::Moved::How::Broken;
        blocked_ = moved.how == Transport::Moved::How::Blocked;
        again_ = true;
        return;
    }
    if (tls_->state() == tls::State::Failed) return lose(tls_->failure_text());
    if (tls_->state() != tls::State::Handshaking) {
        if (!output.empty()) return; // our last message first
        peer_.tls = tls_->facts();
        if (!dialogue_) return begin_dialogue();
        stage_ = Stage::Running;
        engine().transport_changed(peer_, scheduler_.now());
        dialogue_->drain();
        again_ = true;
        return;
    }
    if (input_.empty() && !receive()) {
        if (ended_in_) {
            tls_->receive_end();
            again_ = true;
        } else if (send_broken_) {
            lose("broken during the TLS handshake");
        }
        return;
    }
    if (loop_ && !loop_->take_handshake_step()) {
        gated_ = true;
        return post_pump();
    }
    input_.remove_prefix(tls_->receive(input_, scheduler_.wall_now()));
    again_ = true;
}

void Connection::begin_dialogue() {
    dialogue_ = owner_.begin(*this);
    if (!dialogue_) return lose("");
    stage_ = Stage::Running;
    again_ = true;
}

// The dialogue

void Connection::run() {
    const auto now = scheduler_.now();
    dialogue_->drain();
    bool moved = feed(now);
    if (stage_ != Stage::Running) return;
    moved |= flush(now);
    if (stage_ != Stage::Running) return;
    moved |= act();
    if (moved) {
        last_moved_ = now;
        resting_ = false;
    }
    again_ = again_ || moved;
    // Nothing can be sent any more, and all that the peer had said is known.
    if (!moved && send_broken_ && stage_ == Stage::Running) lose("the peer is gone");
}

/// Gives the engine what there is while it wants it; true if it took something.
bool Connection::feed(Instant now) {
    bool moved = false;
    while (stage_ == Stage::Running && engine().next() == Engine::Next::Run &&
           engine().wants_input() && turn_octets_ < options_.turn_octets_max) {
        auto octets = tls_ ? tls_->plaintext() : input_;
        if (octets.empty()) {
            if (fetch()) continue;
            if (stage_ != Stage::Running || !ended_in_ || end_told_) break;
            end_told_ = true;
            engine().receive_end(now);
            dialogue_->drain();
            return true;
        }
        const auto taken = engine().receive(octets, now);
        MAILCORE_ASSERT(taken <= octets.size());
        if (tls_)
            tls_->consume(taken);
        else
            input_.remove_prefix(taken);
        turn_octets_ += taken;
        moved = moved || taken > 0;
        dialogue_->drain();
        if (taken == 0) break;
    }
    return moved;
}

/// More for the engine; false: there is none now, none any more, or the connection is lost.
bool Connection::fetch() {
    if (!tls_) return receive();
    if (decrypt()) return true;
    return stage_ == Stage::Running && receive();
}

/// Reads from the transport into `input_`, which is empty.
bool Connection::receive() {
    if (!readable_ || ended_in_ || has_ended()) return false;
    std::span<char> buffer;
    if (loop_) {
        buffer = loop_->read_buffer();
    } else {
        if (!own_buffer_) own_buffer_ = std::make_unique_for_overwrite<char[]>(own_buffer_octets);
        buffer = {own_buffer_.get(), own_buffer_octets};
    }
    const auto moved = transport_->receive(buffer);
    switch (moved.how) {
    case Transport::Moved::How::Some:
        count(moved, received_);
        input_ = {buffer.data(), moved.octets};
        input_borrowed_ = true;
        // Less than there was room for: there is no more, and no need to be told so.
        readable_ = moved.octets == buffer.size();
        return true;
    case Transport::Moved::How::Blocked: readable_ = false; return false;
    case Transport::Moved::How::End: ended_in_ = true; return false;
    case Transport::Moved::How::Broken: lose(strerrordesc_np(moved.error)); return false;
    }
    return false;
}

/// Turns ciphertext into plaintext; true if something changed.
bool Connection::decrypt() {
    if (tls_->state() == tls::State::PeerClosed) ended_in_ = true;
    if (tls_->state() == tls::State::Failed) {
        lose(tls_->failure_text());
        return false;
    }
    if (!input_.empty()) {
        const auto taken = tls_->receive(input_, scheduler_.wall_now());
        input_.remove_prefix(taken);
        // Nothing taken and nothing decrypted: its output must leave first.
        return taken > 0 || !tls_->plaintext().empty();
    }
    if (ended_in_ && tls_->state() == tls::State::Open) {
        tls_->receive_end();
        lose(tls_->failure_text());
    }
    return false;
}

/// Sends what there is; true if something left the engine.
bool Connection::flush(Instant now) {
    bool moved = false;
    while (stage_ == Stage::Running && !blocked_ && !send_broken_ &&
           turn_octets_ < options_.turn_octets_max) {
        if (!(tls_ ? send_tls(now) : send_plain(now))) break;
        moved = true;
    }
    return moved;
}

bool Connection::send_plain(Instant now) {
    const auto pieces = engine().output();
    if (pieces.empty()) return false;
    const auto moved = transport_->send(pieces);
    if (count(moved, sent_) == 0) {
        blocked_ = moved.how == Transport::Moved::How::Blocked;
        send_broken_ = moved.how == Transport::Moved::How::Broken;
        readable_ = readable_ || send_broken_;
        return send_broken_;
    }
    engine().output_sent(moved.octets, now);
    dialogue_->drain();
    return true;
}

bool Connection::send_tls(Instant now) {
    std::size_t taken = 0;
    if (const auto pieces = engine().output(); !pieces.empty() && !tls_closed_) {
        taken = tls_->send(pieces);
        if (taken > 0) {
            engine().output_sent(taken, now);
            dialogue_->drain();
        }
    }
    const auto output = tls_->output();
    if (output.empty()) return taken > 0;
    const auto moved = transport_->send(output);
    blocked_ = moved.how == Transport::Moved::How::Blocked;
    send_broken_ = moved.how == Transport::Moved::How::Broken;
    readable_ = readable_ || send_broken_;
    tls_->output_sent(count(moved, sent_));
    return taken > 0 || moved.how != Transport::Moved::How::Blocked;
}

/// Does what the engine wants of the transport, once all is sent; true if something changed.
bool Connection::act() {
    const auto next = engine().next();
    if (next == Engine::Next::Run) return false;
    if (next == Engine::Next::Abort) {
        lose("");
        return true;
    }
    if (!engine().output().empty() || (tls_ && !tls_->output().empty())) return false;
    switch (next) {
    case Engine::Next::StartTls:
        MAILCORE_ASSERT(!tls_); // TLS under TLS is offered by nobody
        // RFC 3207 §4.2: what came in clear behind the command was never said.
        input_ = {};
        kept_ = {};
        start_tls();
        return true;
    case Engine::Next::CloseFlushed:
        if (tls_ && !std::exchange(tls_closed_, true)) {
            tls_->close();
            return true;
        }
        finish();
        return true;
    default: MAILCORE_ASSERT(next != Engine::Next::StartDeflate); // no engine offers it
    }
    return false;
}

// The end

/// All is said: the dialogue ends now, the transport when the peer has ended its side too.
void Connection::finish() {
    dialogue_->closed();
    if (ended_in_) return end();
    transport_->finish_sending();
    stage_ = Stage::Lingering;
    input_ = {};
    set_deadline(options_.linger_time);
}

void Connection::linger() {
    while (receive()) {
        input_ = {};
        if (turn_octets_ >= options_.turn_octets_max) {
            again_ = true;
            return;
        }
    }
    if (stage_ == Stage::Lingering && ended_in_) end();
}

void Connection::lose(std::string_view reason) {
    failure_ = reason;
    // An alert that tells the peer why, if there is room for it at once.
    if (tls_ && !send_broken_ && !tls_->output().empty())
        tls_->output_sent(count(transport_->send(tls_->output()), sent_));
    const bool told = stage_ == Stage::Lingering;
    if (dialogue_ && !told) dialogue_->closed();
    end();
}

void Connection::end() {
    stage_ = Stage::Ended;
    transport_.reset();
    if (timer_at_) scheduler_.cancel_timer(timer_);
    timer_at_.reset();
    if (!pumping_) input_ = {}, kept_ = {};
    MAILCORE_LOG(log_, Debug, "net.connection.ended",
                 {{"peer", peer_.address.to_string()},
                  {"reason", failure_},
                  {"received", received_},
                  {"sent", sent_}});
    owner_.ended(*this);
}

// Time

std::optional<Instant> Connection::deadline() const {
    if (stage_ != Stage::Running) return stage_deadline_;
    auto first = dialogue_->engine().deadline();
    if (tls_ && !resting_) {
        const auto rest = last_moved_ + options_.rest_time;
        first = first ? std::min(*first, rest) : rest;
    }
    return first;
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
    stage_deadline_ = scheduler_.now() + from_now;
}

void Connection::expire() {
    const auto now = scheduler_.now();
    timer_at_.reset();
    if (stage_ != Stage::Running) {
        if (now >= stage_deadline_)
            return lose(stage_ == Stage::Lingering ? "" : "the handshake took too long");
        return arm();
    }
    if (tls_ && !resting_ && now >= last_moved_ + options_.rest_time) {
        tls_->rest();
        resting_ = true;
    }
    const auto due = engine().deadline();
    if (due && now >= *due) {
        engine().expire(now);
        pump();
    } else {
        arm();
    }
}

/// Watches for what is wanted next. The timer is only moved to an earlier time: one that finds
/// nothing due is set anew, which is cheaper than moving it with every octet.
void Connection::arm() {
    bool readable = true;
    if (stage_ == Stage::Handshaking) readable = !gated_ && input_.empty();
    if (stage_ == Stage::Running)
        readable = !ended_in_ && input_.empty() && engine().next() == Engine::Next::Run &&
                   engine().wants_input() && !(tls_ && !tls_->plaintext().empty());
    transport_->watch(*this, readable && !ended_in_, blocked_);

    const auto due = deadline();
    if (!due || (timer_at_ && *timer_at_ <= *due)) return;
    if (timer_at_) scheduler_.cancel_timer(timer_);
    timer_at_ = *due;
    timer_ = scheduler_.start_timer(*due, [this] { expire(); });
}

/// The read buffer is everybody's: what was not taken moves into a string of our own.
void Connection::keep_input() {
    if (input_.empty())
        kept_ = {};
    else if (input_borrowed_)
        kept_ = std::string(input_);
    else
        kept_.erase(0, kept_.size() - input_.size());
    input_borrowed_ = false;
    input_ = kept_;
}

/// Adds what was moved to `total` and returns it.
std::size_t Connection::count(const Transport::Moved& moved, std::uint64_t& total) {
    if (moved.how != Transport::Moved::How::Some) return 0;
    turn_octets_ += moved.octets;
    total += moved.octets;
    return moved.octets;
}

} // namespace mailcore::net
