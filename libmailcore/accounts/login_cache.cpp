#include "libmailcore/accounts/login_cache.h"

#include "libmailcore/codec/bytes.h"
#include "libmailcore/crypto/hmac.h"

#include <algorithm>
#include <cstring>

namespace mailcore::accounts {

namespace {

constexpr std::size_t key_octets = 32;

std::string random_key(Random& random) {
    std::array<unsigned char, key_octets> octets{};
    random.fill(octets);
    return {octets.begin(), octets.end()};
}

} // namespace

LoginCache::LoginCache(Random& random, LoginCacheOptions options)
    : options_(options), key_(random_key(random)) {}
LoginCache::~LoginCache() = default;

std::size_t LoginCache::HashDigest::operator()(const Digest& digest) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, digest.data(), sizeof value);
    return value;
}

LoginCache::Digest LoginCache::digest(store::AccountId account, std::uint64_t version,
                                      const Secret& password) const {
    std::string numbers;
    codec::Writer(numbers).u64be(account.value).u64be(version);
    crypto::HmacSha256 hmac(key_.reveal());
    hmac.update(numbers);
    hmac.update(password.reveal());
    return hmac.finish();
}

bool LoginCache::contains(store::AccountId account, std::uint64_t version, const Secret& password,
                          Instant now) {
    const auto wanted = digest(account, version, password);
    const std::scoped_lock lock(mutex_);
    const auto found = by_digest_.find(wanted);
    if (found == by_digest_.end()) return false;
    if (found->second->until > now) return true;
    order_.erase(found->second);
    by_digest_.erase(found);
    return false;
}

void LoginCache::add(store::AccountId account, std::uint64_t version, const Secret& password,
                     Instant now) {
    if (options_.memory.count() <= 0 || options_.entries_max == 0) return;
    Entry entry;
    entry.digest = digest(account, version, password);
    entry.account = account;
    entry.until = now + options_.memory;
    const std::scoped_lock lock(mutex_);
    // Not renewed when it is there: a password is checked in full once in `memory`.
    if (by_digest_.contains(entry.digest)) return;
    while (!order_.empty() &&
           (order_.front().until <= now || order_.size() >= options_.entries_max)) {
        by_digest_.erase(order_.front().digest);
        order_.pop_front();
    }
    order_.push_back(entry);
    by_digest_.emplace(entry.digest, std::prev(order_.end()));
}

void LoginCache::drop(store::AccountId account) {
    const std::scoped_lock lock(mutex_);
    for (auto at = order_.begin(); at != order_.end();) {
        if (at->account != account) {
            ++at;
            continue;
        }
        by_digest_.erase(at->digest);
        at = order_.erase(at);
    }
}

std::size_t LoginCache::size() const {
    const std::scoped_lock lock(mutex_);
    return order_.size();
}

} // namespace mailcore::accounts
