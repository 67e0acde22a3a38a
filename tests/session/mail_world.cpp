#include "tests/session/mail_world.h"

#include "libmailcore/codec/dot_stuffing.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/store/journal_store.h"
#include "tests/sim/file_index.h"

namespace mailcore::test {

People::OpenStore on_disk(sim::Disk& disk, base::FileSystem* files) {
    return [&disk, files](sim::VirtualScheduler& scheduler,
                          base::Random& random) -> std::unique_ptr<store::Store> {
        store::JournalStoreOptions options;
        options.threads = store::StoreThreads::None;
        options.journal.segment_octets = 256 * 1024;
        options.journal.body_segment_octets = 256 * 1024;
        options.journal.pool_octets = 0;
        options.journal.fill_octets = 0;
        options.journal.reserve_octets = 32'768;
        options.checkpoint_octets = 64 * 1024;
        options.open_index = [&disk](const std::string& path) {
            return sim::open_file_index(disk, path);
        };
        auto opened = store::JournalStore::open(files ? *files : disk, "/s", options, random,
                                                scheduler, Log());
        if (!opened) throw std::runtime_error(opened.error().detail);
        return std::move(*opened);
    };
}

accounts::StoreDirectoryOptions MailWorld::short_passwords() {
    auto directory = People::cheap();
    directory.password_octets_min = 4;
    return directory;
}

MailWorld::MailWorld(StoreKind kind)
    : MailWorld(kind == StoreKind::Durable ? std::make_shared<sim::Disk>() : nullptr) {}

MailWorld::MailWorld(std::shared_ptr<sim::Disk> disk)
    : MailWorld(disk ? on_disk(*disk) : People::OpenStore(People::in_memory)) {
    disk_ = std::move(disk);
}

MailWorld::MailWorld(const People::OpenStore& open)
    : people(short_passwords(), open), router(people.directory()),
      reporter(people.scheduler(), people.store(), router, {"mail.example.test"}, random_),
      local(people.store(), reporter, {}, {}),
      intake(people.scheduler(), people.store(), local,
             [this](queue::QueueId id) { told.push_back(id); }, {}),
      services{people.scheduler(),
               people.store(),
               people.directory(),
               maildrops_,
               router,
               intake,
               zone_,
               std::make_shared<const filter::Pipeline>(),
               random_,
               {},
               Secret("salt"),
               "mail.example.test"} {
    login.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
    login.plaintext_from_anywhere = true;
}

std::vector<std::string> MailWorld::mail_of(const std::string& user) {
    std::vector<std::string> mail;
    Pop3Client client(*this);
    (void)client("USER " + user);
    if (!client("PASS secret").starts_with("+OK")) return mail;
    for (int number = 1;; ++number) {
        auto message = client.multi_line("RETR " + std::to_string(number));
        if (message.empty()) return mail;
        mail.push_back(std::move(message));
    }
}

std::vector<Queued> MailWorld::queue() {
    auto& store = people.store();
    auto messages = people.read([](store::ReadTransaction& txn) {
        return queue::list_messages(txn, queue::QueueId{}, 1000);
    });
    std::vector<Queued> out;
    for (auto& message : messages.value().messages) {
        auto recipients = people.read([id = message.id](store::ReadTransaction& txn) {
            return queue::read_recipients(txn, id, 0, 1000);
        });
        auto octets = people.run(
            store::read_octets(store, message.pieces, 0, static_cast<std::size_t>(message.size)));
        out.push_back({std::move(message), recipients.value().recipients,
                       octets ? std::move(*octets) : "unreadable: " + octets.error().detail});
    }
    return out;
}

Client::Client(MailWorld& world, const char* address)
    : world_(world), driver_(world.people.scheduler()) {
    peer_.address = IpAddress::parse(address).value();
}

Client::~Client() {
    driver_.cut();
    world_.people.scheduler().run_ready();
}

std::string Client::hear() {
    auto& scheduler = world_.people.scheduler();
    scheduler.run_ready();
    auto out = take();
    // A refused login is answered late.
    for (int i = 0; i < 200 && out.empty() && !driver_.closed(); ++i) {
        scheduler.run_until(scheduler.now() + std::chrono::milliseconds(50));
        out = take();
    }
    return out;
}

SmtpClient::SmtpClient(MailWorld& world, session::SmtpOptions options, const char* address)
    : Client(world, address) {
    options.login = world.login;
    const auto engine = session::engine_options(world.services, options);
    driver_.start(std::make_unique<session::SmtpSession>(
        world.services, std::make_shared<const session::SmtpOptions>(std::move(options)), engine,
        peer_, driver_));
    (void)hear();
}

void SmtpClient::say_message(std::string_view sender, const std::vector<std::string>& recipients,
                             std::string_view message) {
    auto octets = "MAIL FROM:<" + std::string(sender) + ">\r\n";
    for (const auto& recipient : recipients) octets += "RCPT TO:<" + recipient + ">\r\n";
    octets += "DATA\r\n";
    codec::DotStuffer stuffer;
    stuffer.append(message, octets);
    stuffer.finish(octets);
    say(octets);
}

Pop3Client::Pop3Client(MailWorld& world, session::Pop3Options options) : Client(world) {
    driver_.start(std::make_unique<session::Pop3Session>(world.services, options, peer_, driver_));
    (void)hear();
}

Pop3Client::Pop3Client(MailWorld& world)
    : Pop3Client(world, session::Pop3Options{.login = world.login}) {}

std::string Pop3Client::multi_line(std::string_view command) {
    const auto answer = (*this)(command);
    if (!answer.starts_with("+OK")) return {};
    if (!answer.ends_with("\r\n.\r\n")) return "cut off: " + answer;
    auto rest = std::string_view(answer).substr(answer.find("\r\n") + 2);
    rest.remove_suffix(3);
    std::string out;
    while (!rest.empty()) {
        const auto end = rest.find("\r\n") + 2;
        const auto line = rest.substr(0, end);
        out += line.starts_with('.') ? line.substr(1) : line;
        rest.remove_prefix(end);
    }
    return out;
}

} // namespace mailcore::test
