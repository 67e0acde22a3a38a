// What the DNS said, for as long as it may be remembered (RFC 2308).
#pragma once

#include "libmailcore/dns/resolver.h"

#include <cstdint>
#include <list>
#include <map>
#include <optional>

namespace mailcore::dns {

struct CacheOptions {
    std::size_t octets_max = 4u << 20; ///< least recently used answers go first
    std::chrono::seconds ttl_max = std::chrono::days{1};
    std::chrono::seconds negative_ttl_max = std::chrono::hours{3}; ///< RFC 2308 §5
    std::chrono::seconds failure_ttl{5}; ///< an Unavailable; at most 5 minutes (RFC 2308 §7.1)
};

/// A bounded table of answers and short-lived failures. One thread only.
class Cache {
  public:
    explicit Cache(CacheOptions options = {}) : options_(options) {}

    /// What is remembered and still good at `now`, its TTL being what is left.
    [[nodiscard]] std::optional<Result<Answer>> find(const Question& question, Instant now);
    /// Remembers; an answer with TTL 0, or larger than the whole bound, is not kept.
    void put(const Question& question, const Result<Answer>& answer, Instant now);
    /// Forgets all, or one name with all types (an administrator has corrected something).
    void clear();
    void erase(const Name& name);

    [[nodiscard]] std::size_t memory() const { return octets_; }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] std::uint64_t hits() const { return hits_; }
    [[nodiscard]] std::uint64_t misses() const { return misses_; }

  private:
    struct Entry {
        Question question;
        Result<Answer> answer;
        Instant until;
        std::size_t octets = 0;
    };
    using Entries = std::list<Entry>;
    void drop(Entries::iterator entry);

    CacheOptions options_;
    Entries entries_; // most recently used first
    std::map<Question, Entries::iterator> index_;
    std::size_t octets_ = 0;
    std::uint64_t hits_ = 0;
    std::uint64_t misses_ = 0;
};

} // namespace mailcore::dns
