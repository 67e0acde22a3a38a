#include "tests/world/network.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

namespace mailcore::world {

namespace {

constexpr std::uint16_t relay_port = 25, submission_port = 587, lmtp_port = 24;
constexpr std::chrono::seconds patience{30}; // of a TLS handshake that gets nowhere

} // namespace

void EngineEnd::start(std::unique_ptr<base::Dialogue> dialogue) {
    dialogue_ = dialogue.get();
    driver_.start(std::move(dialogue));
}

bool EngineEnd::finished() const { return !dialogue_ || dialogue_->finished(); }

Network::~Network() {
    for (auto& [id, link] : links_) forget(link);
}

std::string Network::label(LinkId id) const { return fmt::format("link {}", id); }

void Network::forget(Link& link) {
    for (auto* timer : {&link.opening, &link.to_client.timer, &link.to_server.timer})
        if (*timer) wire_.cancel_timer(**timer);
}

Network::LinkId Network::connect(Machine* from, IpAddress source, base::TcpDestination to,
                                 std::function<void(bool there)> opened) {
    const auto id = ++last_;
    auto& link = links_[id];
    link.from = from;
    link.opened = std::move(opened);
    link.facts_for_server.transport = PeerInfo::Transport::Tcp;
    link.facts_for_server.address = source;
    link.facts_for_server.port = static_cast<std::uint16_t>(20'000 + id % 40'000);
    link.facts_for_server.local_address = to.address;
    link.facts_for_server.local_port = to.port;
    link.facts_for_client.transport = PeerInfo::Transport::Tcp;
    link.facts_for_client.address = to.address;
    link.facts_for_client.port = to.port;
    link.watched = to.port == relay_port || to.port == submission_port || to.port == lmtp_port;
    if (to.port == lmtp_port) link.watch = HandoverWatch(smtp::Dialect::Lmtp);
    link.latency = std::chrono::microseconds(200 + random_.below(80'000));
    link.split = static_cast<unsigned>(std::array{0, 1, 1, 2}[random_.below(4)]);
    const auto chance = [&](unsigned of_1000) { return random_.below(1000) < of_1000; };
    const bool refused = chance(faults.refused);
    bool silent = chance(faults.never_answered);
    if (chance(faults.slow)) link.window = 100 + random_.below(3000);
    if (chance(faults.broken)) {
        constexpr Break kinds[] = {Break::Reset, Break::Reset, Break::EndEarly, Break::Silence};
        link.breaks = kinds[random_.below(std::size(kinds))];
        auto& way = random_.below(2) == 0 ? link.to_client : link.to_server;
        way.breaks_after = random_.below(std::uint64_t{1} << (4 + random_.below(10)));
    }
    link.tls_fails = chance(faults.tls_fails);
    const auto found = machines_.find(to.address);
    if (found != machines_.end() && !refused) link.to = found->second;
    if (link.to && !link.to->is_up()) {
        link.to = nullptr;
        silent = random_.below(2) == 0;
    }
    trace_.note(wire_.now(), label(id),
                fmt::format("{} connects to {}:{}{}{}", from ? from->name() : "somebody",
                            to.address.to_string(), to.port, refused ? " (refused)" : "",
                            silent ? " (silent)" : ""));
    if (!silent && (!from || from->is_up()))
        link.opening = wire_.start_timer(wire_.now() + 2 * link.latency, [this, id] { open(id); });
    return id;
}

void Network::open(LinkId id) {
    auto& link = links_.at(id);
    link.opening.reset();
    if (link.to && link.to->is_up()) link.server = link.to->accept(link.facts_for_server);
    auto opened = std::exchange(link.opened, {});
    if (!link.server) {
        trace_.note(wire_.now(), label(id), "refused");
        links_.erase(id);
        opened(false);
        return;
    }
    if (link.window) link.server->set_room(link.window);
    opened(true);
}

void Network::begin(LinkId id, std::unique_ptr<End> client) {
    const auto found = links_.find(id);
    if (found == links_.end()) { // its server lost power meanwhile
        client->reset();
        return;
    }
    auto& link = found->second;
    link.client = std::move(client);
    if (link.window) link.client->set_room(link.window);
    arm(id, true);
}

void Network::drop(LinkId id) {
    const auto found = links_.find(id);
    if (found == links_.end()) return;
    auto& link = found->second;
    if (link.client_over && !link.client) return;
    trace_.note(wire_.now(), label(id), "the client has gone");
    if (link.client) {
        link.client->reset();
        take(id, link, link.client.get(), link.to_server, !link.from || link.from->is_up());
    }
    const bool up = !link.from || link.from->is_up();
    note_over(link, !up);
    link.opened = {};
    link.client.reset();
    if (link.server && up && !link.to_server.end_sent) { // it never began
        link.to_server.end_sent = true;
        link.to_server.segments.push_back({wire_.now() + link.latency, {}, true});
        arm(id, false);
    }
    if (!link.server) {
        forget(link);
        links_.erase(found);
    }
}

End* Network::client(LinkId id) {
    const auto found = links_.find(id);
    return found == links_.end() ? nullptr : found->second.client.get();
}

std::vector<std::string> Network::links() const {
    std::vector<std::string> left;
    const auto describe = [](const End* end) {
        return !end ? "gone" : end->closed() ? "closed" : end->wants_tls() ? "wants TLS" : "open";
    };
    for (const auto& [id, link] : links_)
        left.push_back(fmt::format("{} from {} to {}:{}, client {}, server {}{}", label(id),
                                   link.from ? link.from->name() : "somebody",
                                   link.facts_for_client.address.to_string(),
                                   link.facts_for_client.port, describe(link.client.get()),
                                   describe(link.server.get()), link.silent ? ", silent" : ""));
    return left;
}

bool Network::is_alive(LinkId id) const {
    const auto found = links_.find(id);
    if (found == links_.end()) return false;
    const auto& link = found->second;
    return !link.silent && link.client && link.server && !link.client->closed() &&
           !link.server->closed();
}

PeerInfo Network::server_facts(LinkId id) const {
    const auto found = links_.find(id);
    return found == links_.end() ? PeerInfo{} : found->second.facts_for_client;
}

void Network::tell_uncertain(Link& link) {
    if (std::exchange(link.reported, true)) return;
    if (uncertain) uncertain(link.from, link.watch.current());
}

/// The client will hear nothing more on this link.
void Network::note_over(Link& link, bool crashed) {
    if (std::exchange(link.client_over, true) || !link.watched) return;
    const auto& handover = link.watch.current();
    const bool unheard = handover.complete && !handover.answered;
    // What it heard at the moment of the crash it had no time to write down.
    const bool forgotten = crashed && handover.accepted && handover.answered == wire_.now();
    if (unheard || forgotten) tell_uncertain(link);
}

bool Network::take(LinkId id, Link& link, End* end, Way& way, bool machine_up) {
    if (!end || !machine_up || way.end_sent) return false;
    auto octets = end->take_output();
    bool changed = !octets.empty();
    if (link.silent) octets.clear();
    unsigned single = 0;
    for (std::size_t at = 0; at < octets.size();) {
        auto count = octets.size() - at;
        if (link.split == 1 && count > 1) count = 1 + random_.below(count);
        if (link.split == 2 && single < 20) {
            count = 1;
            ++single;
        }
        if (link.window) count = std::min<std::size_t>(count, 1 + *link.window / 2);
        Segment segment;
        const auto pause = link.window ? std::chrono::microseconds(random_.below(200'000))
                                       : std::chrono::microseconds(random_.below(3'000));
        segment.at = std::max(way.last, wire_.now() + link.latency) + pause;
        segment.octets = octets.substr(at, count);
        way.last = segment.at;
        way.octets += count;
        way.segments.push_back(std::move(segment));
        at += count;
    }
    if (end->closed()) {
        way.end_sent = true;
        changed = true;
        if (&way == &link.to_server) note_over(link, false);
        if (!link.silent) {
            Segment segment;
            segment.at = std::max(way.last, wire_.now() + link.latency);
            segment.end = true;
            way.last = segment.at;
            way.segments.push_back(std::move(segment));
        }
    }
    if (changed) arm(id, &way == &link.to_client);
    return changed;
}

void Network::arm(LinkId id, bool at_client) {
    auto& link = links_.at(id);
    auto& way = at_client ? link.to_client : link.to_server;
    if (way.timer || way.segments.empty()) return;
    if (at_client && !link.client && !link.client_over) return; // until it begins
    way.timer = wire_.start_timer(way.segments.front().at,
                                  [this, id, at_client] { arrive(id, at_client); });
}

void Network::arrive(LinkId id, bool at_client) {
    auto& link = links_.at(id);
    auto& way = at_client ? link.to_client : link.to_server;
    way.timer.reset();
    if (way.segments.empty()) return;
    auto segment = std::move(way.segments.front());
    way.segments.pop_front();
    way.octets -= segment.octets.size();
    auto* end = at_client ? link.client.get() : link.server.get();
    if (link.silent) {
        way.segments.clear();
        way.octets = 0;
        return;
    }
    if (segment.end) {
        trace_.note(wire_.now(), label(id), at_client ? "> end" : "< end");
        if (end && !end->closed()) {
            end->receive_end();
            if (end->wants_tls()) end->reset();
        }
    } else if (end && !end->closed()) {
        if (!deliver(id, link, at_client, std::move(segment.octets))) return;
    } else if (!at_client && !link.server && !link.to->is_up()) {
        // Nobody is there to say so.
    } else if (auto* other = at_client ? link.server.get() : link.client.get();
               other && !other->closed()) {
        // Octets for somebody who has gone are answered by a reset.
        trace_.note(wire_.now(), label(id), "reset");
        reset_end(link, !at_client);
    }
    auto* sender = at_client ? link.server.get() : link.client.get();
    // A window opens in steps that are worth it.
    if (link.window && sender && !sender->closed() && way.octets <= *link.window / 2)
        sender->set_room(*link.window - way.octets);
    arm(id, at_client);
}

/// False: the link broke.
bool Network::deliver(LinkId id, Link& link, bool at_client, std::string octets) {
    auto& way = at_client ? link.to_client : link.to_server;
    if (tamper) tamper(at_client, link.facts_for_client.port, octets);
    const bool breaks = way.delivered + octets.size() > way.breaks_after;
    if (breaks) octets.resize(way.breaks_after - way.delivered);
    way.delivered += octets.size();
    trace_.note(wire_.now(), label(id), (at_client ? "> " : "< ") + octets);
    if (link.watched && !octets.empty()) {
        if (at_client) {
            link.watch.server_said(octets, wire_.now());
            const auto& handover = link.watch.current();
            const auto* forgetful = handover.accepted ? link.from : link.to;
            if (handover.answered == wire_.now() && forgetful && forgetful->is_troubled())
                tell_uncertain(link);
        } else {
            link.watch.client_said(octets);
            if (!link.watch.current().complete) link.reported = false;
            // What was under way when its sender went is whole now, and he will not hear of it.
            if (link.watch.current().complete && link.client_over) tell_uncertain(link);
        }
    }
    if (!octets.empty()) (at_client ? link.client : link.server)->receive(octets);
    if (breaks) break_up(id, link);
    return !breaks;
}

void Network::reset_end(Link& link, bool client_side) {
    auto& end = client_side ? link.client : link.server;
    if (end && !end->closed()) {
        end->reset();
        (void)end->take_output();
    }
    auto& way = client_side ? link.to_server : link.to_client;
    way.end_sent = true;
    if (client_side) note_over(link, false);
}

void Network::break_up(LinkId id, Link& link) {
    trace_.note(wire_.now(), label(id), "breaks");
    for (auto* way : {&link.to_client, &link.to_server}) {
        way->segments.clear();
        way->octets = 0;
        way->breaks_after = UINT64_MAX;
        if (way->timer) wire_.cancel_timer(*std::exchange(way->timer, std::nullopt));
    }
    link.silent = true;
    if (link.breaks == Break::Silence) return;
    if (link.breaks == Break::EndEarly) {
        for (auto* end : {link.client.get(), link.server.get()})
            if (end && !end->closed()) end->receive_end();
        // Whoever goes on talking hears that there is nobody.
        if (link.opening) wire_.cancel_timer(*link.opening);
        link.opening = wire_.start_timer(wire_.now() + std::chrono::seconds(2), [this, id] {
            auto& again = links_.at(id);
            again.opening.reset();
            reset_end(again, true);
            reset_end(again, false);
        });
        return;
    }
    reset_end(link, true);
    reset_end(link, false);
}

bool Network::both_want_tls(const Link& link) {
    return link.client && link.client->wants_tls() && link.server && link.server->wants_tls();
}

void Network::start_tls(LinkId id) {
    auto& link = links_.at(id);
    link.opening.reset();
    const bool both = both_want_tls(link);
    trace_.note(wire_.now(), label(id), both && !link.tls_fails ? "TLS" : "TLS fails");
    if (!both || link.tls_fails || link.silent) {
        link.breaks = Break::Reset;
        break_up(id, link);
        return;
    }
    link.tls_under_way = false;
    link.watch.restart();
    TlsFacts facts;
    facts.version = "TLSv1.3";
    link.facts_for_server.tls = facts;
    link.facts_for_client.tls = facts;
    link.server->start_tls(link.facts_for_server);
    link.client->start_tls(link.facts_for_client);
}

bool Network::collect() {
    bool changed = false;
    for (auto i = links_.begin(); i != links_.end();) {
        const auto id = i->first;
        auto& link = i->second;
        changed |=
            take(id, link, link.client.get(), link.to_server, !link.from || link.from->is_up());
        changed |= take(id, link, link.server.get(), link.to_client, link.to && link.to->is_up());
        const bool tls =
            (link.client && link.client->wants_tls()) || (link.server && link.server->wants_tls());
        if (tls && !link.tls_under_way) {
            const bool both = both_want_tls(link);
            if (!link.opening) {
                if (both) link.tls_under_way = true;
                const auto wait = both && !link.silent ? std::chrono::nanoseconds(3 * link.latency)
                                                       : std::chrono::nanoseconds(patience);
                link.opening = wire_.start_timer(wire_.now() + wait, [this, id] { start_tls(id); });
            } else if (both) {
                link.tls_under_way = true;
                wire_.cancel_timer(*link.opening);
                link.opening = wire_.start_timer(wire_.now() + 3 * link.latency,
                                                 [this, id] { start_tls(id); });
            }
        }
        const bool no_client =
            !link.client ? link.client_over : link.client->closed() && link.client->finished();
        const bool no_server =
            !link.server ? link.server_lost : link.server->closed() && link.server->finished();
        const bool over = no_client && no_server && link.to_client.segments.empty();
        if (over) {
            note_over(link, false);
            forget(link);
            i = links_.erase(i);
        } else {
            ++i;
        }
    }
    return changed;
}

void Network::collect_from(const Machine& machine) {
    for (auto& [id, link] : links_) {
        if (link.from == &machine) take(id, link, link.client.get(), link.to_server, true);
        if (link.to == &machine) take(id, link, link.server.get(), link.to_client, true);
    }
}

void Network::power_off(const Machine& machine) {
    for (auto i = links_.begin(); i != links_.end();) {
        auto& link = i->second;
        if (link.from == &machine) {
            note_over(link, true);
            // What it sent before is still under way; then there is silence.
            link.opened = {};
            link.client.reset();
        }
        if (link.to == &machine) {
            link.server_lost = link.server_lost || link.server;
            link.server.reset();
            link.to_server.segments.clear();
            link.to_server.octets = 0;
            if (link.client && !link.client->closed() && random_.below(2) == 0 &&
                link.to_client.segments.empty())
                reset_end(link, true); // it is told so when it is up again
        }
        const bool idle = !link.client && !link.server;
        if (idle) {
            forget(link);
            i = links_.erase(i);
        } else {
            ++i;
        }
    }
}

} // namespace mailcore::world
