// The resolver that servers use: a cache, one query for equal questions, and whole alias chains.
#pragma once

#include "libmailcore/dns/cache.h"

#include <memory>

namespace mailcore::dns {

/// Sends one question to a recursive server and brings back what it answered. One Scheduler only.
class Upstream {
  public:
    virtual ~Upstream() = default;
    /// The response to this question, whatever its code, with the AD bit cleared unless this server
    /// is trusted to have validated (RFC 4035 §4.9.3). Fails with Unavailable when none came in
    /// time.
    virtual Task<Result<Message>> ask(Question question) = 0;
};

/// What one response says to `question`: the records at the end of the alias chain inside it.
struct Interpretation {
    Answer answer;
    std::size_t hops = 0;
    bool complete = true; ///< false: the chain leads out of the response; ask for `canonical_name`
};
/// Fails with Unavailable for codes other than NoError and NxDomain, for another question's
/// response, and for loops. Negative answers take their TTL from the SOA, 0 without one (RFC 2308
/// §5).
Result<Interpretation> interpret(const Message& response, const Question& question);

/// Asks until the alias chain ends; never more than `cname_hops_max` times.
Task<Result<Answer>> resolve(Upstream& upstream, Question question);

struct CachingResolverOptions {
    CacheOptions cache;
    std::size_t queries_max = 4096; ///< under way at one time; more are Unavailable at once
};

/// Resolver over an Upstream. Equal questions that are under way at the same time are asked once; a
/// caller that gives up does not stop the query, whose answer is remembered. One Scheduler only.
class CachingResolver final : public Resolver {
  public:
    CachingResolver(Scheduler& scheduler, Upstream& upstream, CachingResolverOptions options = {});
    ~CachingResolver() override;

    Task<Result<Answer>> lookup(Name name, Type type) override;

    [[nodiscard]] Cache& cache() { return cache_; }
    [[nodiscard]] std::size_t queries() const { return under_way_.size(); }

  private:
    using Completer = base::Completion<Result<Answer>>::Completer;
    Task<void> run(Question question);

    Scheduler& scheduler_;
    Upstream& upstream_;
    CachingResolverOptions options_;
    Cache cache_;
    std::map<Question, std::vector<Completer>> under_way_;
    Scope scope_; // last: its tasks use the rest
};

} // namespace mailcore::dns
