#include "tests/world/host.h"

#include "libmailcore/accounts/store_directory.h"
#include "libmailcore/delivery/rule_names.h"
#include "libmailcore/delivery/rule_rows.h"
#include "libmailcore/server/factories.h"
#include "libmailcore/server/part_options.h"
#include "libmailcore/store/account.h"
#include "tests/sim/file_index.h"
#include "tests/world/connector.h"
#include "tests/world/run_now.h"

#include <fmt/format.h>

namespace mailcore::world {

namespace {

constexpr const char* store_folder = "/s";
constexpr std::uint64_t no_limit = std::uint64_t{1} << 40;

/// A rule as an administrator would have it: what it adds shows that it was asked.
constexpr const char* rule = R"(mail.on("headers", function(ctx)
    if ctx.account ~= "" then return end
    ctx:remove_header("X-Rule")
    ctx:add_header("X-Rule", "seen")
end))";

store::JournalStoreOptions store_options(base::FileSystem& files) {
    store::JournalStoreOptions options;
    options.threads = store::StoreThreads::None;
    options.journal.segment_octets = 256 * 1024;
    options.journal.body_segment_octets = 256 * 1024;
    options.journal.pool_octets = 0;
    options.journal.fill_octets = 0;
    options.journal.reserve_octets = 32 * 1024;
    options.checkpoint_octets = 64 * 1024;
    options.free_octets_min = 64 * 1024;
    options.open_index = [&files](const std::string& path) {
        return sim::open_file_index(files, path);
    };
    return options;
}

server::Config configuration(const HostPlan& plan) {
    server::Config config;
    config.hostname = plan.name;
    config.default_domain = plan.domain;
    config.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
    config.plaintext_from_anywhere = true;
    config.received_max = 12;
    config.destination_connections_max = 2;
    return config;
}

accounts::StoreDirectoryOptions cheap_directory(const server::Config& config) {
    auto options = server::directory_options(config);
    options.password_cost.memory_octets = 8 * 1024;
    options.password_cost.passes = 1;
    options.password_octets_min = 4;
    options.scram_iterations = 2; // a world has no time for more
    return options;
}

std::unique_ptr<store::JournalStore> open_store(base::FileSystem& files, Random& random,
                                                sim::VirtualScheduler& scheduler) {
    auto opened = store::JournalStore::open(files, store_folder, store_options(files), random,
                                            scheduler, Log());
    return opened ? std::move(*opened) : nullptr;
}

accounts::Address address(const std::string& text) {
    return accounts::Address::parse(text).value();
}

} // namespace

sim::DiskImage set_up(const HostPlan& plan) {
    sim::DiskImage empty;
    empty.folders = {"/"};
    sim::Disk disk(std::move(empty));
    {
        sim::VirtualScheduler scheduler;
        base::SeededRandom random(std::hash<std::string>{}(plan.name));
        const auto store = open_store(disk, random, scheduler);
        accounts::StoreDirectory directory(*store, random, cheap_directory(configuration(plan)));
        accounts::Domain domain;
        domain.name = plan.domain;
        run_now(scheduler, store->write([domain](store::WriteTransaction& txn) {
            return accounts::add_domain(txn, domain);
        })).value();
        auto people = plan.people;
        people.push_back(plan.full);
        for (const auto& person : people) {
            accounts::Account account;
            account.address = address(person + "@" + plan.domain);
            store::QuotaLimits quota;
            if (person == plan.full) quota.octets_max = 1;
            const auto id =
                run_now(scheduler, store->write([account, quota](store::WriteTransaction& txn) {
                    return accounts::add_account(txn, account, quota);
                })).value();
            run_now(scheduler, directory.set_password(id, Secret("secret"))).value();
        }
        for (const auto& [name, targets] : plan.aliases) {
            accounts::Alias alias;
            alias.address = address(name + "@" + plan.domain);
            for (const auto& target : targets) alias.targets.push_back(address(target));
            run_now(scheduler, store->write([alias](store::WriteTransaction& txn) {
                return accounts::set_alias(txn, alias);
            })).value();
        }
    }
    base::SeededRandom random(1);
    return sim::PowerCut(disk).at(disk.operations(), random);
}

namespace {

class AmpleMemory final : public base::MemoryMeter {
  public:
    std::uint64_t used() override { return 0; }
    void give_back() override {}
};

} // namespace

/// What is there while the power is on, in the order in which libmailcore/server has it.
struct Host::Life {
    Life(Host& host, Instant now);

    sim::VirtualScheduler scheduler;
    server::Config config;
    std::unique_ptr<store::JournalStore> store; // absent: it could not be opened
    std::unique_ptr<accounts::StoreDirectory> directory;
    session::MaildropLocks maildrops;
    AmpleMemory meter;
    std::optional<base::MemoryGate> memory;
    std::optional<server::LoopParts> parts;
    std::optional<delivery::ResolverNames> rule_names;
    std::optional<delivery::RuleRows> rule_rows;
    server::PartsByLoop parts_by_loop;
    server::CurrentOptions current;
    std::map<std::uint16_t, std::shared_ptr<net::DialogueFactory>> factories;
    std::optional<NetworkConnector> connector;
    std::optional<delivery::SmtpTransport> transport;
    std::optional<delivery::Courier> courier;
};

Host::Life::Life(Host& host, Instant now) : config(configuration(host.plan_)) {
    scheduler.run_until(now);
    scheduler.jump_wall(host.wall_);
    store = open_store(*host.files_, host.own_random_, scheduler);
    if (!store) return;
    directory = std::make_unique<accounts::StoreDirectory>(*store, host.own_random_,
                                                           cheap_directory(config));
    memory.emplace(base::MemoryGate::Options{}, scheduler, meter);
    delivery::ReportOptions report;
    report.hostname = config.hostname;
    parts.emplace(
        scheduler, *store, *directory, maildrops, Secret("salt"), config.hostname,
        delivery::LocalOptions{}, report,
        std::make_unique<dns::CachingResolver>(scheduler, host.names_),
        [this](queue::QueueId id) { scheduler.post([this, id] { courier->notice(id); }); }, *memory,
        host.own_random_, Log());
    parts_by_loop[&scheduler] = &*parts;
    rule_names.emplace(*parts->resolver);
    rule_rows.emplace(*store);
    filter::RuleSource source;
    source.rules.push_back({"50-seen.lua", rule});
    if (auto rules =
            filter::LuaRules::load(source, {}, {scheduler, &*rule_names, &*rule_rows, {}})) {
        const auto pipeline = std::make_shared<const filter::Pipeline>(rules->entries(), Log());
        parts->services.pipeline = pipeline;
        parts->intake.set_pipeline(pipeline);
    }
    current.set(server::service_options(config, parts->services, true));
    using Kind = server::ServiceKind;
    for (const auto kind : {Kind::Smtp, Kind::Submission, Kind::Lmtp, Kind::Imap, Kind::Pop3})
        if (server::built_in(kind) && (kind != Kind::Lmtp || host.plan_.lmtp))
            factories[server::default_port(kind)] =
                server::make_factory(kind, parts_by_loop, current);
    connector.emplace(host.network_, host, host.plan_.addresses.front(), scheduler);
    transport.emplace(scheduler, *connector, *parts->resolver, *store,
                      server::remote_options(*host.files_, config).value(), host.own_random_,
                      Log());
    courier.emplace(scheduler, *store, parts->local, parts->reporter, *transport,
                    server::courier_options(config), host.own_random_, Log());
    courier->start();
}

/// An end that its host knows of, to say goodbye.
class Host::ServerEnd final : public End {
  public:
    ServerEnd(Host& host, sim::VirtualScheduler& scheduler)
        : host_(host), number_(++host.last_end_), end_(scheduler) {
        host_.ends_[number_] = this;
    }
    ~ServerEnd() override { host_.ends_.erase(number_); }
    [[nodiscard]] EngineEnd& end() { return end_; }
    void receive(std::string_view octets) override { end_.receive(octets); }
    void receive_end() override { end_.receive_end(); }
    void reset() override { end_.reset(); }
    [[nodiscard]] std::string take_output() override { return end_.take_output(); }
    [[nodiscard]] bool closed() const override { return end_.closed(); }
    [[nodiscard]] bool finished() const override { return end_.finished(); }
    void set_room(std::optional<std::size_t> octets) override { end_.set_room(octets); }
    [[nodiscard]] bool wants_tls() const override { return end_.wants_tls(); }
    void start_tls(const PeerInfo& peer) override { end_.start_tls(peer); }

  private:
    Host& host_;
    std::uint64_t number_;
    EngineEnd end_;
};

Host::Host(HostPlan plan, sim::DiskImage disk, Network& network, dns::Zone& zone, Random& random,
           Trace& trace)
    : plan_(std::move(plan)), network_(network), random_(random), trace_(trace),
      names_(zone, random), own_random_(random.next()) {
    open_disk(std::move(disk));
    for (const auto& each : plan_.addresses) network_.attach(each, *this);
}

Host::~Host() {
    crashed_ = true;
    network_.power_off(*this);
    network_.detach(*this);
    life_.reset();
}

void Host::open_disk(sim::DiskImage image) {
    disk_ = std::make_unique<sim::Disk>(std::move(image));
    disk_->lies_about_sync = [this](const std::string& path) {
        if (life_ && syncs_left_ && !crashed_ && (*syncs_left_)-- == 0) {
            // What was said by now was said before this sync; what is said after it, by nobody.
            syncs_left_.reset();
            network_.collect_from(*this);
            after_cut_ = sim::PowerCut(*disk_).at(disk_->operations(), random_);
            crashed_ = true;
        }
        return lies_about_sync && lies_about_sync(path);
    };
    files_ = std::make_unique<sim::FailingFileSystem>(*disk_);
    files_->fail_never();
    files_->set_free_octets(no_limit);
}

bool Host::start(Instant now) {
    if (after_cut_) open_disk(*std::exchange(after_cut_, std::nullopt));
    crashed_ = false;
    stopping_ = false;
    life_ = std::make_unique<Life>(*this, now);
    if (crashed_) return true; // the power went while it started
    const bool opened = life_->store != nullptr;
    trace_.note(now, plan_.name, opened ? "starts" : "cannot start");
    if (!opened) life_.reset();
    return opened;
}

std::unique_ptr<End> Host::accept(const PeerInfo& peer) {
    if (stopping_) return nullptr;
    const auto factory = life_->factories.find(peer.local_port);
    if (factory == life_->factories.end()) return nullptr;
    auto end = std::make_unique<ServerEnd>(*this, life_->scheduler);
    end->end().start(factory->second->create(life_->scheduler, peer, end->end().driver()));
    return end;
}

void Host::begin_stop() {
    stopping_ = true;
    life_->courier->stop();
    for (const auto& [number, end] : ends_) {
        if (end->closed()) continue;
        auto& driver = end->end().driver();
        driver.engine().shut_down(base::ShutdownReason::Drain, life_->scheduler.now());
        driver.wake();
    }
}

bool Host::has_stopped() const {
    return ends_.empty() && life_->courier->under_way() == 0 &&
           life_->parts->intake.under_way() == 0;
}

std::vector<std::string> Host::end_stop() {
    std::vector<std::string> left;
    const auto complain = [&](std::string what) { left.push_back(plan_.name + ": " + what); };
    if (!ends_.empty()) complain(fmt::format("{} connections do not end", ends_.size()));
    if (life_->courier->under_way() > 0) complain("the courier does not come to an end");
    if (life_->parts->intake.under_way() > 0) complain("the intake does not come to an end");
    for (const auto& person : plan_.people) {
        if (!life_->maildrops.lock(account_of(person)))
            complain("the maildrop of " + person + " is still locked");
    }
    network_.power_off(*this);
    life_->courier.reset();
    life_->transport.reset();
    life_->connector.reset();
    life_->factories.clear();
    life_->parts.reset();
    life_->directory.reset();
    life_->store.reset();
    life_->scheduler.run_ready();
    if (const auto timers = life_->scheduler.timers(); timers > 0)
        complain(fmt::format("{} timers are left", timers));
    life_.reset();
    return left;
}

void Host::cut_power() {
    if (!life_) return;
    if (!crashed_) after_cut_ = sim::PowerCut(*disk_).at(disk_->operations(), random_);
    crashed_ = true;
    syncs_left_.reset();
    network_.power_off(*this);
    life_.reset();
    crashed_ = false;
}

void Host::fill_disk(std::uint64_t octets) {
    ++troubles_;
    disk_->set_capacity(disk_->used_octets() + octets);
    files_->set_free_octets(octets);
}

void Host::fail_files(std::size_t operation, sim::Fault fault, std::size_t times) {
    ++troubles_;
    files_->fail_at(operation, fault, times);
}

void Host::mend() {
    disk_->set_capacity(no_limit);
    files_->fail_never();
    files_->set_free_octets(no_limit);
}

void Host::jump_wall(std::chrono::microseconds by) {
    wall_ += by;
    if (life_) life_->scheduler.jump_wall(by);
}

sim::VirtualScheduler* Host::scheduler() { return life_ ? &life_->scheduler : nullptr; }
store::Store& Host::store() { return *life_->store; }
bool Host::is_writable() { return life_ && life_->store->status().writable; }

store::AccountId Host::account_of(const std::string& person) {
    const auto found =
        run_now(life_->scheduler, life_->directory->lookup(address(person + "@" + plan_.domain)));
    return std::get<accounts::ToAccount>(found.value()).account;
}

std::vector<Waiting> Host::queue() { return read_queue(life_->scheduler, *life_->store); }

std::vector<Folder> Host::folders(const std::string& person) {
    return read_folders(life_->scheduler, *life_->store, account_of(person),
                        person + "@" + plan_.domain);
}

std::vector<std::string> Host::check() {
    const auto report = life_->store->check();
    if (!report) return {plan_.name + ": " + report.error().detail};
    std::vector<std::string> problems;
    for (const auto& each : report->problems) problems.push_back(plan_.name + ": " + each);
    return problems;
}

void Host::deliver_again(const std::string& person) {
    if (const auto id = queue_again(life_->scheduler, *life_->store, account_of(person),
                                    person + "@" + plan_.domain))
        life_->courier->notice(*id);
}

void Host::file_again(const std::string& person, const std::string& folder) {
    world::file_again(life_->scheduler, *life_->store, account_of(person), folder);
}

} // namespace mailcore::world
