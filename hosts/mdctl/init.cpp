#include "init.h"

#include "command.h"
#include "offline.h"
#include "owner.h"

#include "libmailcore/base/file.h"
#include "libmailcore/base/random.h"
#include "libmailcore/codec/idna.h"
#include "libmailcore/crypto/certificate.h"
#include "libmailcore/server/config_keys.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>

namespace mdctl {

namespace {

using namespace mailcore;

/// Addresses of this machine that others could use.
std::vector<IpAddress> own_addresses() {
    std::vector<IpAddress> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return found;
    for (const auto* each = list; each; each = each->ifa_next) {
        if (!each->ifa_addr || (each->ifa_flags & IFF_LOOPBACK) || !(each->ifa_flags & IFF_UP))
            continue;
        char text[INET6_ADDRSTRLEN] = "";
        const void* octets = nullptr;
        if (each->ifa_addr->sa_family == AF_INET)
            octets = &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr;
        else if (each->ifa_addr->sa_family == AF_INET6) {
            const auto& address = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr;
            if (!IN6_IS_ADDR_LINKLOCAL(&address)) octets = &address;
        }
        if (octets && ::inet_ntop(each->ifa_addr->sa_family, octets, text, sizeof text))
            if (const auto address = IpAddress::parse(text)) found.push_back(*address);
    }
    ::freeifaddrs(list);
    return found;
}

std::string new_password(Random& random) {
    static constexpr std::string_view letters =
        "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    std::string password;
    for (int i = 0; i < 20; ++i) password += letters[random.below(letters.size())];
    return password;
}

struct DnsRecord {
    std::string name, type, value;
};

std::vector<DnsRecord> dns_records(const InitOptions& options) {
    std::vector<DnsRecord> records;
    const auto host = options.hostname + ".";
    const auto port = [&](unsigned number) { return std::to_string(options.port_base + number); };
    const auto domain = options.domain + ".";
    records.push_back({domain, "MX", "10 " + host});
    bool any = false;
    for (const auto& address : own_addresses()) {
        records.push_back({host, address.is_v4() ? "A" : "AAAA", address.to_string()});
        any = true;
    }
    if (!any) records.push_back({host, "A", "(the public address of this machine)"});
    records.push_back({domain, "TXT", "\"v=spf1 mx -all\""});
    records.push_back({"_dmarc." + domain, "TXT",
                       "\"v=DMARC1; p=quarantine; rua=mailto:postmaster@" + options.domain + "\""});
    records.push_back({"_submissions._tcp." + domain, "SRV", "0 1 " + port(465) + " " + host});
    records.push_back({"_submission._tcp." + domain, "SRV", "5 1 " + port(587) + " " + host});
    if (server::built_in(server::ServiceKind::Imap)) {
        records.push_back({"_imaps._tcp." + domain, "SRV", "0 1 " + port(993) + " " + host});
        records.push_back({"_imap._tcp." + domain, "SRV", "5 1 " + port(143) + " " + host});
    }
    if (server::built_in(server::ServiceKind::Pop3)) {
        records.push_back({"_pop3s._tcp." + domain, "SRV", "10 1 " + port(995) + " " + host});
        records.push_back({"_pop3._tcp." + domain, "SRV", "15 1 " + port(110) + " " + host});
    }
    return records;
}

} // namespace

int init(const InitOptions& given) {
    auto options = given;
    const auto domain = codec::domain_to_ascii(options.domain);
    if (!domain) stop("not a domain name: " + options.domain, 2);
    options.domain = *domain;
    if (options.hostname.empty()) options.hostname = "mx." + options.domain;
    if (options.port_base + 995 > 65535) stop("--port-base: at most 64540", 2);
    if (const auto became = become_owner(options.folder); !became) stop(became.error().detail);
    base::PosixFileSystem files;
    base::SystemRandom random;
    base::SystemClock clock;
    const auto settings = options.folder + "/mdserver.toml";
    if (const auto there = files.exists(settings); there && *there)
        stop(options.folder + " is a data folder already; choose another, or remove it first");
    for (const auto& folder : {options.folder, options.folder + "/tls", options.folder + "/log"})
        if (const auto made = files.make_folder(folder); !made) stop(made.error().detail);

    // RFC 5280 §4.1.2.5; long enough that nobody is cut off, and announced before it ends.
    const auto now = clock.wall_now();
    crypto::SelfSignedRequest request{{options.hostname, options.domain},
                                      now - std::chrono::hours{24},
                                      now + std::chrono::hours{24 * 825}};
    const auto certificate = crypto::make_self_signed(request, random);
    if (!certificate) stop(certificate.error().detail);
    if (auto put = base::replace_file(files, options.folder + "/tls/certificate.pem",
                                      certificate->certificate_pem);
        !put)
        stop(put.error().detail);
    if (auto put = base::replace_file(files, options.folder + "/tls/key.pem",
                                      certificate->private_key_pem.reveal());
        !put)
        stop(put.error().detail);

    server::Config config;
    config.hostname = options.hostname;
    config.default_domain = options.domain;
    config.certificates.push_back({"tls/certificate.pem", "tls/key.pem"});
    using server::ServiceKind;
    for (const auto kind :
         {ServiceKind::Smtp, ServiceKind::Submission, ServiceKind::Submissions, ServiceKind::Imap,
          ServiceKind::Imaps, ServiceKind::Pop3, ServiceKind::Pop3s}) {
        if (!server::built_in(kind)) continue;
        server::ListenConfig listen;
        listen.service = kind;
        listen.addresses = options.addresses;
        listen.port = static_cast<std::uint16_t>(options.port_base + server::default_port(kind));
        config.listen.push_back(std::move(listen));
    }
    server::ListenConfig lmtp;
    lmtp.service = ServiceKind::Lmtp;
    lmtp.path = "lmtp.sock";
    config.listen.push_back(std::move(lmtp));

    const auto postmaster = "postmaster@" + options.domain;
    const auto password = options.password.empty() ? new_password(random) : options.password;
    auto only_store = config;
    only_store.data = options.folder;
    auto store = open_store(std::move(only_store));
    if (!store) stop(store.error().detail);
    for (const auto& request :
         {Json{{"method", "domain.add"}, {"name", options.domain}}, Json{{"method", "account.add"},
                                                                         {"address", postmaster},
                                                                         {"password", password},
                                                                         {"administrator", true},
                                                                         {"name", "Postmaster"}}})
        if (const auto done = (*store)->ask(request); !done) stop(done.error().detail);
    store->reset();
    // Last: a folder with settings is complete.
    if (auto put = base::replace_file(files, settings, server::documented_config(config)); !put)
        stop(put.error().detail);

    const auto records = dns_records(options);
    if (options.json) {
        Json list = Json::array();
        for (const auto& record : records)
            list.push_back(
                Json{{"name", record.name}, {"type", record.type}, {"value", record.value}});
        fmt::print("{}\n", Json{{"folder", options.folder},
                                {"postmaster", postmaster},
                                {"password", password},
                                {"dns", list}}
                               .dump(2));
        return 0;
    }
    fmt::print("Made {} with settings (mdserver.toml), a self-signed certificate to start with, "
               "and a store.\n\n"
               "Account:  {}\nPassword: {}\n\nRecords to publish in the DNS:\n\n",
               options.folder, postmaster, password);
    std::size_t width = 0;
    for (const auto& record : records) width = std::max(width, record.name.size());
    for (const auto& record : records)
        fmt::print("  {:<{}}  {:<4}  {}\n", record.name, width, record.type, record.value);
    fmt::print("\nNext:\n  mdserver run {}\n  mdctl -d {} account add jo@{}\n", options.folder,
               options.folder, options.domain);
    return 0;
}

namespace {

int init_folder(const Call& call) {
    InitOptions options;
    options.folder = call.arguments.words[0];
    options.domain = call.arguments.value("domain");
    options.hostname = call.arguments.value("hostname");
    options.port_base = static_cast<unsigned>(call.arguments.number("port-base"));
    if (const auto found = call.arguments.options.find("address");
        found != call.arguments.options.end())
        options.addresses = found->second;
    if (call.arguments.has("password-file")) options.password = read_password(call.arguments);
    options.json = call.json;
    if (options.domain.empty()) stop("init needs --domain", 2);
    return init(options);
}

} // namespace

std::vector<Command> init_commands() {
    return {
        {"init",
         "DIR --domain DOMAIN [--hostname HOST] [--port-base N] [--address IP]... [--password-file "
         "FILE]",
         "make a data folder that is ready to serve",
         1,
         1,
         {"domain", "hostname", "port-base", "address", "password-file"},
         init_folder},
    };
}

} // namespace mdctl
