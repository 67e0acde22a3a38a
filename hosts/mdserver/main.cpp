// mdserver: a complete mail server from a data folder.
#include "libmailcore/base/file.h"
#include "libmailcore/base/version.h"
#include "libmailcore/server/config_keys.h"
#include "libmailcore/server/log_file.h"
#include "libmailcore/server/server.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace mailcore;

namespace {

constexpr const char* usage =
    R"(usage: mdserver run DIR        serve the data folder DIR until SIGTERM or Ctrl-C
       mdserver check DIR      read DIR/mdserver.toml and say what is wrong with it
       mdserver manual         print the reference of mdserver.toml (Markdown)
       mdserver version        print which release this is

Make a data folder with: mdctl init DIR --domain example.test --hostname mx.example.test
SIGHUP reads mdserver.toml again without dropping a connection.
)";

void say(std::string_view text) { fmt::print(stderr, "mdserver: {}\n", text); }

/// Tells systemd (Type=notify) how we are, if it wants to know.
void notify(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof address.sun_path) return;
    std::strcpy(address.sun_path, path);
    if (path[0] == '@') address.sun_path[0] = '\0';
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    if (::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<sockaddr*>(&address), size) < 0)
        say("cannot notify the service manager");
    ::close(socket);
}

Result<server::Config> read_config(const std::string& folder) {
    base::PosixFileSystem files;
    const auto path = folder + "/mdserver.toml";
    constexpr std::uint64_t octets_max = 1024 * 1024;
    MAILCORE_TRY(const auto text, base::read_file(files, path, octets_max));
    auto config = server::parse_config(text);
    if (!config) return fail(ErrorKind::Rejected, config.error().to_string(path));
    config->data = folder;
    return std::move(*config);
}

/// Gives a folder with all in it to a user; where links lead is left alone.
Result<void> give_folder(const std::string& folder, const passwd& user) {
    const auto give = [&](const std::string& path) -> Result<void> {
        if (::lchown(path.c_str(), user.pw_uid, user.pw_gid) == 0) return {};
        return base::fail_errno(errno, "giving to " + std::string(user.pw_name), path);
    };
    MAILCORE_TRY(give(folder));
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry(folder, error), end;
         !error && entry != end; entry.increment(error)) {
        MAILCORE_TRY(give(entry->path()));
    }
    if (error) return fail(ErrorKind::Unavailable, folder + ": " + error.message());
    return {};
}

/// Becomes `server.user` for good, with the data folder made its own first.
Result<void> drop_privileges(const server::Config& config) {
    if (config.user.empty() || ::geteuid() != 0) return {};
    const auto* user = ::getpwnam(config.user.c_str());
    if (!user) return fail(ErrorKind::NotFound, "server.user: no user " + config.user);
    MAILCORE_TRY(give_folder(config.data, *user));
    if (::initgroups(user->pw_name, user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 ||
        ::setuid(user->pw_uid) != 0)
        return base::fail_errno(errno, "becoming the user", config.user);
    return {};
}

/// Names, sizes and times of the files of rules: another text says that something has changed.
std::string rules_state(const server::Config& config) {
    if (config.rules_folder.empty()) return {};
    const auto folder = config.rules_folder.starts_with('/')
                            ? config.rules_folder
                            : config.data + "/" + config.rules_folder;
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        const auto name = entry.path().filename().string();
        if (!name.ends_with(".lua") && !name.ends_with(".txt")) continue;
        std::error_code gone;
        const auto size = entry.file_size(gone);
        const auto time = entry.last_write_time(gone).time_since_epoch().count();
        found.push_back(fmt::format("{} {} {}\n", name, size, time));
    }
    std::ranges::sort(found);
    return fmt::format("{}", fmt::join(found, ""));
}

int run(const std::string& folder) {
    const auto config = read_config(folder);
    if (!config) {
        say(config.error().detail);
        return 2;
    }
    // Signals are this thread's: block them before any other thread begins.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    std::unique_ptr<server::LogFile> log;
    if (!config->log_file.empty()) {
        const auto path =
            config->log_file.starts_with('/') ? config->log_file : folder + "/" + config->log_file;
        const auto slash = path.rfind('/');
        ::mkdir(path.substr(0, slash).c_str(), 0750);
        auto opened = server::LogFile::open({path, config->log_octets_max, config->log_files_max});
        if (!opened) {
            say(opened.error().detail);
            return 1;
        }
        log = std::move(*opened);
    }
    /// Events as text lines on standard error.
    class TextLog final : public base::LogSink {
      public:
        void write(const base::LogEvent& event) override {
            fmt::print(stderr, "{}\n", base::to_text(event));
        }
    };
    TextLog text_log;

    auto created = server::Server::create(
        *config, {{}, log ? static_cast<base::LogSink*>(log.get()) : &text_log, [] {
                      ::kill(::getpid(), SIGHUP);
                  }});
    if (!created) {
        say(created.error().detail);
        return 1;
    }
    auto& server = **created;
    if (const auto dropped = drop_privileges(*config); !dropped) {
        say(dropped.error().detail);
        return 1;
    }
    if (const auto started = server.start(); !started) {
        say(started.error().detail);
        return 1;
    }
    for (const auto& endpoint : server.endpoints()) {
        if (!endpoint.path.empty())
            say(fmt::format("{} on {}", to_string(endpoint.service), endpoint.path));
        else
            say(fmt::format("{} on {} port {}", to_string(endpoint.service),
                            endpoint.bound.local_address.to_string(), endpoint.bound.local_port));
    }
    for (const auto& warning : server.warnings()) say("warning: " + warning);
    say("ready");
    notify("READY=1");

    auto current = *config;
    auto rules_seen = rules_state(current);
    while (true) {
        int signal = 0;
        if (current.rules_watch_time.count() > 0) {
            const timespec rest{current.rules_watch_time.count(), 0};
            signal = sigtimedwait(&signals, nullptr, &rest);
        } else {
            sigwait(&signals, &signal);
        }
        if (signal < 0 && errno == EINTR) continue;
        const auto rules_now = rules_state(current);
        if (signal < 0 && rules_now == rules_seen) continue;
        if (signal > 0 && signal != SIGHUP) break;
        rules_seen = rules_now;
        notify("RELOADING=1");
        auto next = signal < 0 ? Result<server::Config>(current) : read_config(folder);
        if (next) current = *next;
        if (!next) {
            say("reload refused, the old settings stay in force: " + next.error().detail);
        } else if (auto reloaded = server.reload(std::move(*next)); !reloaded) {
            say("reload refused, the old settings stay in force: " + reloaded.error().detail);
        } else {
            for (const auto& note : *reloaded) say(note);
            say("reloaded");
        }
        notify("READY=1");
    }
    say("stopping");
    notify("STOPPING=1");
    server.stop();
    say("stopped");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::string verb = argc > 1 ? argv[1] : "";
    if (verb == "run" && argc == 3) return run(argv[2]);
    if (verb == "check" && argc == 3) {
        const auto config = read_config(argv[2]);
        if (!config) {
            say(config.error().detail);
            return 2;
        }
        const auto problems = server::check_rule_folder(*config);
        for (const auto& problem : problems) say(problem.detail);
        if (!problems.empty()) return 2;
        fmt::print("{}/mdserver.toml is in order\n", argv[2]);
        return 0;
    }
    if (verb == "manual") {
        fmt::print("{}", server::config_manual());
        return 0;
    }
    if (verb == "version" || verb == "--version") {
        fmt::print("mdserver {}\n", version());
        return 0;
    }
    const bool help = verb == "help" || verb == "--help" || verb == "-h";
    std::fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
}
