#include "libmailcore/accounts/login_guard.h"

#include <algorithm>

namespace mailcore::accounts {

namespace {

/// What counts as one address: of IPv6 the /64 that a customer has anyway.
std::string network_of(const IpAddress& peer) {
    const auto octets = peer.octets();
    return std::string(peer.is_v4() ? octets : octets.substr(0, 8));
}

} // namespace

LoginGuard::Entry* LoginGuard::Table::find(std::string_view key, Instant now,
                                           std::chrono::seconds memory) {
    const auto found = by_key.find(key);
    if (found == by_key.end()) return nullptr;
    if (now - found->second->last < memory) return &*found->second;
    erase(key);
    return nullptr;
}

LoginGuard::Entry& LoginGuard::Table::touch(std::string_view key, Instant now,
                                            std::size_t entries_max) {
    auto found = by_key.find(key);
    if (found != by_key.end()) {
        order.splice(order.end(), order, found->second);
    } else {
        if (!order.empty() && order.size() >= entries_max) {
            by_key.erase(order.front().key);
            order.pop_front();
        }
        auto& entry = order.emplace_back();
        entry.key = key;
        found = by_key.emplace(entry.key, std::prev(order.end())).first;
    }
    found->second->last = now;
    return *found->second;
}

void LoginGuard::Table::erase(std::string_view key) {
    const auto found = by_key.find(key);
    if (found == by_key.end()) return;
    const auto entry = found->second;
    by_key.erase(found);
    order.erase(entry);
}

LoginGuard::Admission LoginGuard::admit(std::string_view user, const IpAddress& peer, Instant now) {
    const std::scoped_lock lock(mutex_);
    const auto network = network_of(peer);
    const auto* address = addresses_.find(network, now, options_.failure_memory);
    if (address && address->failures >= options_.address_failures_max) return {true, now};
    auto* failing = users_.find(user, now, options_.failure_memory);
    if (!failing || failing->failures <= options_.free_failures) return {false, now};
    if (known_.find(std::string(user) + '\0' + network, now, options_.known_memory))
        return {false, now};
    const auto at = std::max(now, failing->next);
    if (at - now > options_.delay_max) return {true, now};
    failing->next = at + delay(failing->failures);
    return {false, at};
}

std::chrono::milliseconds LoginGuard::delay(unsigned failures) const {
    const auto doublings = std::min(failures - options_.free_failures - 1, 20U);
    return std::min(options_.delay_max, options_.delay_first * (1 << doublings));
}

void LoginGuard::failed(std::string_view user, const IpAddress& peer, Instant now) {
    const std::scoped_lock lock(mutex_);
    // What is too old is forgotten before it is counted on.
    users_.find(user, now, options_.failure_memory);
    auto& failing = users_.touch(user, now, options_.entries_max);
    ++failing.failures;
    if (failing.failures > options_.free_failures)
        failing.next = std::max(failing.next, now + delay(failing.failures));
    if (peer.is_loopback()) return;
    const auto network = network_of(peer);
    addresses_.find(network, now, options_.failure_memory);
    ++addresses_.touch(network, now, options_.entries_max).failures;
}

void LoginGuard::succeeded(std::string_view user, const IpAddress& peer, Instant now) {
    const std::scoped_lock lock(mutex_);
    const auto pair = std::string(user) + '\0' + network_of(peer);
    // From an address that is his own already this says nothing about those who fail elsewhere.
    if (!known_.find(pair, now, options_.known_memory)) users_.erase(user);
    known_.touch(pair, now, options_.entries_max);
}

LoginGuard::Counts LoginGuard::counts() const {
    const std::scoped_lock lock(mutex_);
    return {users_.order.size(), addresses_.order.size(), known_.order.size()};
}

} // namespace mailcore::accounts
