// The people of a world, and the programs: who writes, who reads, and what they believe in the end.
#include "tests/world/pop3_reader.h"
#include "tests/world/world.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::world {

using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t submission_port = 587, lmtp_port = 24, imap_port = 143, pop3_port = 110;
constexpr unsigned tries_max = 30, program_tries_max = 3;

} // namespace

Host& World::home_of(const std::string& address) {
    const auto domain = address.substr(address.find('@') + 1);
    const auto found = std::ranges::find_if(
        hosts_, [&](const auto& host) { return host->plan().domain == domain; });
    return **found;
}

Network::LinkId World::visit(Host& host, std::uint16_t port,
                             std::function<std::unique_ptr<End>(Network::LinkId)> begin,
                             std::function<void()> failed) {
    const auto link = std::make_shared<Network::LinkId>();
    const auto waits = std::make_shared<bool>(true);
    const auto source = IpAddress::v4({10, 9, 0, static_cast<std::uint8_t>(1 + random_.below(9))});
    const auto& addresses = host.plan().addresses;
    const base::TcpDestination to{addresses[random_.below(addresses.size())], port};
    *link = network_.connect(nullptr, source, to, [this, link, waits, begin, failed](bool there) {
        *waits = false;
        if (there)
            network_.begin(*link, begin(*link));
        else
            failed();
    });
    wire_.start_timer(wire_.now() + 60s, [this, link, waits, failed] {
        if (!std::exchange(*waits, false)) return;
        network_.drop(*link);
        failed();
    });
    return *link;
}

void World::lose_patience(Network::LinkId link) {
    wire_.start_timer(wire_.now() + 20min, [this, link] {
        if (auto* end = network_.client(link); end && !end->closed()) end->reset();
    });
}

// Who writes

World::Errand World::plan_errand(const std::vector<std::string>& people) {
    Errand errand;
    auto& host = *hosts_[random_.below(hosts_.size())];
    const auto at_home = [&](const std::string& name) { return name + "@" + host.plan().domain; };
    std::vector<std::string> targets;
    // A program of a host hands over mail for that host, but knows little of who is there.
    if (host.plan().lmtp && chance(40)) {
        errand.to = &host;
        errand.dialect = smtp::Dialect::Lmtp;
        for (const auto& person : host.plan().people) targets.push_back(at_home(person));
        for (const auto& name : {std::string("nobody"), host.plan().full})
            targets.push_back(at_home(name));
        for (const auto& [name, to] : host.plan().aliases) targets.push_back(at_home(name));
        targets.emplace_back("ann@nowhere.test");
    } else {
        targets = people;
        for (const auto& other : hosts_) targets.push_back("nobody@" + other->plan().domain);
        // Each of these leads elsewhere: two that end in one mailbox are not written to at once.
        for (const auto* alias : {"team@h0.test", "forward@h1.test"}) targets.emplace_back(alias);
        targets.emplace_back("circle@h0.test");
        targets.emplace_back("ann@nowhere.test");
    }
    std::set<std::string> taken;
    for (auto wanted = 1 + random_.below(4); wanted > 0; --wanted) {
        const auto& target = targets[random_.below(targets.size())];
        const auto way = letters_.addresses.way(target);
        if (std::ranges::any_of(way, [&](const auto& each) { return taken.contains(each); }))
            continue;
        taken.insert(way.begin(), way.end());
        errand.recipients.push_back(target);
    }
    return errand;
}

void World::plan_letters() {
    std::vector<std::string> people;
    for (const auto& host : hosts_)
        for (const auto& person : host->plan().people)
            people.push_back(person + "@" + host->plan().domain);
    const auto count = 3 + random_.below(letters_max_ - 2);
    for (std::uint64_t i = 0; i < count; ++i) {
        auto errand = std::make_unique<Errand>(plan_errand(people));
        const auto lines = chance(3) ? 2200 + random_.below(1000) : random_.below(30);
        const auto& sender = people[random_.below(people.size())];
        errand->letter = &letters_.write(random_, sender, errand->recipients, lines);
        if (!errand->to) errand->to = &home_of(sender);
        at(in_busy_time(2, 3), [this, &each = *errand] { send(each); });
        errands_.push_back(std::move(errand));
    }
}

void World::send(Errand& errand) {
    ++errand.tries;
    SmtpSender::Manner manner;
    manner.dialect = errand.dialect;
    manner.pipelines = random_.below(2) == 0;
    manner.tells_size = random_.below(16) != 0;
    const auto link = visit(
        *errand.to, errand.dialect == smtp::Dialect::Lmtp ? lmtp_port : submission_port,
        [this, &errand, manner](Network::LinkId) {
            return std::make_unique<SmtpSender>(
                letters_, random_, *errand.letter, errand.recipients, manner,
                [this, &errand](const SmtpSender::Outcome& outcome) {
                    if (!ending_) sent(errand, outcome);
                });
        },
        [this, &errand] { send_later(errand); });
    lose_patience(link);
}

void World::send_later(Errand& errand) {
    // Some give up; what they do not know then may have arrived all the same.
    const auto most = errand.dialect == smtp::Dialect::Lmtp ? program_tries_max : tries_max;
    if (errand.tries > most || (errand.tries > 1 && chance(4))) {
        errand.done = true;
        return;
    }
    wire_.start_timer(wire_.now() + std::chrono::seconds(30 + random_.below(1800)),
                      [this, &errand] { send(errand); });
}

void World::sent(Errand& errand, const SmtpSender::Outcome& outcome) {
    if (!outcome.taken.empty()) {
        trace_.note(wire_.now(), errand.letter->sender,
                    fmt::format("knows letter {} accepted", errand.letter->number));
        letters_.acknowledge(errand.letter->number, outcome.taken);
    }
    for (const auto* told : {&outcome.taken, &outcome.refused})
        for (const auto& each : *told) std::erase(errand.recipients, each);
    if (errand.recipients.empty())
        errand.done = true;
    else
        send_later(errand);
}

// Who reads

void World::plan_readers() {
    for (const auto& host : hosts_) {
        const auto& plan = host->plan();
        for (const auto& person : plan.people) {
            const auto user = person + "@" + plan.domain;
            if (chance(60)) at(in_busy_time(1, 3), [this, user] { read_over_imap(user); });
            for (auto visits = random_.below(3); visits > 0; --visits)
                at(in_busy_time(4, 5), [this, user] { read_over_pop3(user); });
        }
        if (chance(10))
            at(in_busy_time(1, 3),
               [this, user = plan.full + "@" + plan.domain] { read_over_imap(user); });
    }
}

std::unique_ptr<ImapReader> World::new_reader(const std::string& user) {
    auto& home = home_of(user);
    auto reader = std::make_unique<ImapReader>(wire_, random_, letters_, user);
    reader->is_server_troubled = [&home] { return home.is_troubled(); };
    reader->is_full = user.starts_with(home.plan().full + "@");
    reader->hangs_up = !calm_;
    return reader;
}

void World::read_over_imap(const std::string& user) {
    if (!writing_) return;
    visit(
        home_of(user), imap_port,
        [this, user](Network::LinkId link) {
            auto reader = new_reader(user);
            readers_[user] = {reader.get(), link};
            reader->when_over = [this, user] {
                readers_.erase(user);
                if (!ending_ && writing_)
                    wire_.start_timer(wire_.now() + std::chrono::seconds(1 + random_.below(900)),
                                      [this, user] { read_over_imap(user); });
            };
            return reader;
        },
        [this, user] {
            wire_.start_timer(wire_.now() + 10min, [this, user] { read_over_imap(user); });
        });
}

void World::read_over_pop3(const std::string& user) {
    if (!writing_) return;
    const auto link = visit(
        home_of(user), pop3_port,
        [this, user](Network::LinkId) {
            return std::make_unique<Pop3Reader>(random_, letters_, user);
        },
        [] {});
    lose_patience(link);
}

void World::compare_views() {
    Readings old = std::exchange(readers_, {}), fresh;
    for (const auto& [user, reading] : old) {
        reading.reader->when_over = [user, &old] { old.erase(user); };
        reading.reader->finish();
    }
    // What they still had under way comes before what the new ones are told.
    pass(wire_.now() + 15min);
    for (const auto& [user, reading] : old)
        visit(
            home_of(user), imap_port,
            [this, user, &fresh](Network::LinkId link) {
                auto reader = new_reader(user);
                reader->finish();
                reader->when_over = [user, &fresh] { fresh.erase(user); };
                fresh[user] = {reader.get(), link};
                return reader;
            },
            [] {});
    pass(wire_.now() + 10min);
    for (const auto& [user, reading] : old) {
        if (!network_.is_alive(reading.link)) continue; // and does not know it
        const auto& session = *reading.reader;
        const auto found = fresh.find(user);
        if (!session.done() || found == fresh.end() || !found->second.reader->done()) {
            letters_.complain("the sessions of " + user + " do not come to an end");
            continue;
        }
        if (session.view() != found->second.reader->view())
            letters_.complain("a session of " + user + " believes\n" + session.text() +
                              "where a new one is told\n" + found->second.reader->text());
        ++outcome_.compared;
    }
    for (auto* readings : {&old, &fresh})
        for (auto& [user, reading] : *readings) {
            reading.reader->when_over = {};
            reading.reader->reset();
        }
}

} // namespace mailcore::world
