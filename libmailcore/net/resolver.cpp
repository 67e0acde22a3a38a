#include "libmailcore/net/resolver.h"

#include "libmailcore/net/detail/ares_channel.h"

#include <sys/stat.h>

namespace mailcore::net {

namespace {

/// What tells that a file is not the one that was read.
struct FileStamp {
    timespec modified{};
    ino_t inode = 0;
    off_t octets = 0;
    [[nodiscard]] bool same(const FileStamp& other) const {
        return modified.tv_sec == other.modified.tv_sec &&
               modified.tv_nsec == other.modified.tv_nsec && inode == other.inode &&
               octets == other.octets;
    }
};

FileStamp stamp_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {};
    return {status.st_mtim, status.st_ino, status.st_size};
}

} // namespace

/// The servers as an Upstream.
class Resolver::Servers final : public dns::Upstream {
  public:
    Servers(Loop& loop, Random& random, ResolverOptions options, Log log)
        : loop_(loop), random_(random), options_(std::move(options)), log_(log) {}

    Result<void> open() {
        stamp_ = stamp_of(options_.resolv_conf);
        checked_ = loop_.now();
        MAILCORE_TRY(channel_, detail::AresChannel::create(loop_, options_));
        return {};
    }
    Task<Result<dns::Message>> ask(dns::Question question) override;
    [[nodiscard]] bool trusts_ad() const {
        return options_.trust_ad == TrustAd::Always ||
               (options_.trust_ad == TrustAd::Loopback && channel_->only_loopback());
    }

  private:
    void reopen_if_changed();

    Loop& loop_;
    Random& random_;
    ResolverOptions options_;
    Log log_;
    std::shared_ptr<detail::AresChannel> channel_; // also held by each question under way
    FileStamp stamp_;
    Instant checked_;
};

Task<Result<dns::Message>> Resolver::Servers::ask(dns::Question question) {
    reopen_if_changed();
    const auto channel = channel_;
    const bool trusted = trusts_ad();
    bool extended = true;
    while (true) {
        auto query = dns::query(question, static_cast<std::uint16_t>(random_.next()));
        if (!extended) query.edns.reset();
        const auto octets = dns::write_message(query);
        detail::AresChannel::Answered answered(loop_);
        channel->send(octets, answered.completer());
        const Result<std::string> raw = co_await answered;
        if (!raw) co_return std::unexpected(raw.error());
        auto message = dns::parse_message(*raw);
        if (!message)
            co_return fail(ErrorKind::Unavailable, question.name.to_string() +
                                                       ": malformed response, expected " +
                                                       std::string(message.error().expected));
        if (message->code == dns::ResponseCode::FormErr && extended) {
            extended = false; // RFC 6891 §7: a server that does not know OPT
            continue;
        }
        message->authenticated = message->authenticated && trusted;
        co_return *std::move(message);
    }
}

/// What is under way keeps the servers that it was sent to.
void Resolver::Servers::reopen_if_changed() {
    if (!options_.servers.empty() || loop_.now() < checked_ + options_.reload_interval) return;
    checked_ = loop_.now();
    const auto stamp = stamp_of(options_.resolv_conf);
    if (stamp.same(stamp_)) return;
    stamp_ = stamp;
    auto channel = detail::AresChannel::create(loop_, options_);
    if (!channel) {
        MAILCORE_LOG(log_, Warning, "net.dns.reload.failed", {{"error", channel.error().detail}});
        return;
    }
    MAILCORE_LOG(log_, Info, "net.dns.reloaded", {{"file", options_.resolv_conf}});
    channel_ = *std::move(channel);
}

Resolver::Resolver(Loop& loop, std::unique_ptr<Servers> servers, ResolverOptions options)
    : servers_(std::move(servers)), caching_(loop, *servers_, options.caching) {}

Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::create(Loop& loop, Random& random,
                                                   ResolverOptions options, Log log) {
    auto servers = std::make_unique<Servers>(loop, random, options, log);
    MAILCORE_TRY(servers->open());
    return std::unique_ptr<Resolver>(new Resolver(loop, std::move(servers), std::move(options)));
}

Task<Result<dns::Answer>> Resolver::lookup(dns::Name name, dns::Type type) {
    co_return co_await caching_.lookup(std::move(name), type);
}

dns::Cache& Resolver::cache() { return caching_.cache(); }

std::size_t Resolver::queries() const { return caching_.queries(); }

bool Resolver::trusts_ad() const { return servers_->trusts_ad(); }

} // namespace mailcore::net
