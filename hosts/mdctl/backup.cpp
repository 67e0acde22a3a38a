// mdctl backup, backup verify, restore.
#include "command.h"
#include "restore.h"
#include "table.h"

#include "libmailcore/backup/backup.h"
#include "libmailcore/backup/verify.h"
#include "libmailcore/base/file.h"
#include "libmailcore/base/random.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/server/config_keys.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mdctl {

namespace {

using namespace mailcore;
namespace paths = std::filesystem;

/// "512 MiB of 3.2 GiB, 8 of 40 files", again and again in the same line of a terminal.
backup::OnProgress progress_of(const Call& call) {
    if (call.json || !isatty(STDERR_FILENO)) return {};
    return [shown = std::uint64_t{0}](const backup::Progress& progress) mutable {
        constexpr std::uint64_t step = std::uint64_t{4} << 20;
        if (progress.octets < progress.octets_of && progress.octets < shown + step) return;
        shown = progress.octets < progress.octets_of ? progress.octets : 0;
        fmt::print(stderr, "\r{} of {}, {} of {} files   ", octets(progress.octets),
                   octets(progress.octets_of), progress.files, progress.files_of);
        if (progress.octets >= progress.octets_of) fmt::print(stderr, "\r\033[K");
        std::fflush(stderr);
    };
}

/// Every file of the data folder that is not the store's, the log's or a socket. What is linked to
/// is taken as what it is.
std::vector<std::string> settings_files(const std::string& data) {
    constexpr std::size_t files_max = 10'000;
    constexpr int depth_max = 8;
    std::vector<std::string> files;
    std::error_code error;
    paths::recursive_directory_iterator each(
        data, paths::directory_options::follow_directory_symlink, error);
    for (; !error && each != paths::recursive_directory_iterator(); each.increment(error)) {
        const auto path = each->path().lexically_relative(data).string();
        if (path == "store" || path == "log") each.disable_recursion_pending();
        if (each.depth() >= depth_max) each.disable_recursion_pending();
        std::error_code unknown;
        if (!each->is_regular_file(unknown)) continue;
        files.push_back(path);
        if (files.size() > files_max) stop(data + " holds more than 10,000 files beside the store");
    }
    if (error) stop("reading " + data + ": " + error.message());
    std::ranges::sort(files);
    return files;
}

/// The host's name, if the settings can be read.
std::string hostname_of(base::FileSystem& files, const std::string& data) {
    const auto text = base::read_file(files, data + "/mdserver.toml", 1024 * 1024);
    if (!text) return {};
    const auto config = server::parse_config(*text);
    return config ? config->hostname : std::string();
}

/// As `ask`, in a process of its own: where no server runs, root becomes the owner of the data
/// folder for good to open the store, and may then not write where the backup goes.
Json ask_apart(const std::string& data, const Json& request) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) stop("no pipe could be made");
    const auto child = ::fork();
    if (child < 0) stop("no process could be made");
    if (child == 0) {
        const auto text = ask(data, request).dump();
        for (std::size_t at = 0; at < text.size();) {
            const auto count = ::write(ends[1], text.data() + at, text.size() - at);
            if (count <= 0) ::_exit(1);
            at += static_cast<std::size_t>(count);
        }
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    std::array<char, 65536> buffer;
    while (true) {
        const auto count = ::read(ends[0], buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) // which has said why
        std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    return Json::parse(text, nullptr, false);
}

/// Who says what there is to copy. A running server keeps it in place as long as the connection
/// lasts, which it closes when nothing was asked for ten minutes.
class Lister {
  public:
    explicit Lister(std::string data) : data_(std::move(data)) {}
    Result<Json> list();
    /// Now and then while files are copied.
    void still_copying();

  private:
    const std::string data_;
    base::SystemClock clock_;
    std::unique_ptr<Session> server_;
    Instant asked_;
};

Result<Json> Lister::list() {
    const Json request{{"method", "backup.list"}};
    if (!server_) server_ = open_server_session(data_);
    if (!server_) return ::geteuid() == 0 ? ask_apart(data_, request) : ask(data_, request);
    asked_ = clock_.now();
    auto answer = server_->ask(request);
    if (!answer) server_.reset();
    return answer;
}

void Lister::still_copying() {
    constexpr std::chrono::minutes interval{1};
    if (!server_ || clock_.now() < asked_ + interval) return;
    asked_ = clock_.now();
    // Without it files may go, and the server is asked for those that are there then.
    if (!server_->ask({{"method", "backup.hold"}})) server_.reset();
}

Result<journal::Inventory> inventory_of(Lister& lister) {
    MAILCORE_TRY(const auto answer, lister.list());
    journal::Inventory inventory;
    const auto id = codec::hex_decode(text(answer, "store"));
    if (!id || id->size() != inventory.store.size())
        return fail(ErrorKind::Corrupt, "the server's answer is not understood");
    std::ranges::copy(*id, inventory.store.begin());
    inventory.end = answer.at("end").get<std::uint64_t>();
    for (const auto& file : answer.at("files"))
        inventory.files.push_back({text(file, "name"), file.at("octets").get<std::uint64_t>()});
    return inventory;
}

/// "90d", "12h".
std::chrono::seconds parse_duration(const std::string& given) {
    std::string_view rest = given;
    const auto count = codec::take_number<std::uint32_t>(rest);
    const auto unit = rest == "d"   ? std::chrono::seconds{86'400}
                      : rest == "h" ? std::chrono::seconds{3'600}
                                    : std::chrono::seconds{0};
    if (!count || unit.count() == 0) stop("--keep: expected days or hours, as in 90d", 2);
    return unit * *count;
}

bool lies_in(const std::string& path, const std::string& folder) {
    std::error_code error;
    const auto inner = paths::weakly_canonical(path, error).string() + "/";
    const auto outer = paths::weakly_canonical(folder, error).string() + "/";
    return inner.starts_with(outer);
}

int make_backup(const Call& call) {
    auto folder = call.arguments.words[0];
    while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    if (lies_in(folder, call.folder)) stop("a backup must lie outside of the data folder", 2);
    base::PosixFileSystem files;
    base::SystemClock clock;
    backup::BackupOptions options;
    if (call.arguments.has("keep")) options.keep = parse_duration(call.arguments.value("keep"));
    Lister lister(call.folder);
    options.progress = [&lister, shown = progress_of(call)](const backup::Progress& progress) {
        lister.still_copying();
        if (shown) shown(progress);
    };
    backup::BackupSource source;
    source.data = call.folder;
    source.inventory = [&lister] { return inventory_of(lister); };
    source.settings = settings_files(call.folder);
    source.hostname = hostname_of(files, call.folder);
    const auto made = backup::make_backup(files, source, folder, options, clock);
    if (!made) stop(made.error().detail);
    std::uint64_t total = 0;
    std::size_t gone = 0;
    for (const auto& file : made->manifest.files) {
        total += file.octets;
        gone += file.gone ? 1 : 0;
    }
    const Json answer{{"folder", folder},
                      {"made", mime::format_utc(made->manifest.made)},
                      {"position", made->manifest.position},
                      {"files", made->manifest.files.size()},
                      {"octets", total},
                      {"files_copied", made->files_copied},
                      {"octets_copied", made->octets_copied},
                      {"files_gone", gone},
                      {"files_removed", made->files_removed}};
    return done(call, answer,
                fmt::format("{}: {} files, {}; {} of them copied now, {}{}", folder,
                            made->manifest.files.size(), octets(total), made->files_copied,
                            octets(made->octets_copied),
                            gone == 0 ? std::string()
                                      : fmt::format("; {} are kept that the server has no more "
                                                    "(--keep 90d: not for ever)",
                                                    gone)));
}

int verify_backup(const Call& call) {
    base::PosixFileSystem files;
    base::SystemClock clock;
    base::SystemRandom random;
    const auto found =
        backup::verify(files, call.arguments.words[0], progress_of(call), {}, random, clock, {});
    if (!found) stop(found.error().detail, found.error().kind == ErrorKind::NotFound ? 3 : 1);
    Json gaps = Json::array();
    for (const auto& [from, until] : found->gaps)
        gaps.push_back(Json{{"from", mime::format_utc(from)}, {"until", mime::format_utc(until)}});
    if (call.json) {
        print_json(Json{{"hostname", found->manifest.hostname},
                        {"release", found->manifest.release},
                        {"made", mime::format_utc(found->manifest.made)},
                        {"from", mime::format_utc(found->from)},
                        {"until", mime::format_utc(found->until)},
                        {"gaps", gaps},
                        {"files", found->manifest.files.size()},
                        {"octets", found->octets},
                        {"accounts", found->accounts},
                        {"mailboxes", found->mailboxes},
                        {"emails", found->emails},
                        {"email_octets", found->email_octets},
                        {"bodies", found->store.bodies},
                        {"queued", found->queued},
                        {"problems", found->problems}});
        return found->problems.empty() ? 0 : 1;
    }
    for (const auto& problem : found->problems) fmt::print("{}\n", problem);
    Table table({"what", "count", "octets"});
    table.row({"files", std::to_string(found->manifest.files.size()), octets(found->octets)});
    table.row({"frames of the log", std::to_string(found->store.frames), ""});
    table.row({"bodies", std::to_string(found->store.bodies), octets(found->store.body_octets)});
    table.row({"accounts", std::to_string(found->accounts), ""});
    table.row({"mailboxes", std::to_string(found->mailboxes), ""});
    table.row({"emails", std::to_string(found->emails), octets(found->email_octets)});
    table.row({"messages in the queue", std::to_string(found->queued), ""});
    table.print("");
    fmt::print("\n{} of {}; what was there between {} and {} can be restored\n",
               found->manifest.hostname, mime::format_utc(found->manifest.made),
               mime::format_utc(found->from), mime::format_utc(found->until));
    for (const auto& gap : gaps)
        fmt::print("but nothing that was between {} and {}: back up more often than the server's "
                   "restore_horizon\n",
                   text(gap, "from"), text(gap, "until"));
    fmt::print("{}\n", found->problems.empty()
                           ? "the backup is good"
                           : fmt::format("{} problems", found->problems.size()));
    return found->problems.empty() ? 0 : 1;
}

int restore(const Call& call) {
    const auto& arguments = call.arguments;
    if (arguments.has("account")) {
        if (!arguments.words.empty() || arguments.has("queue"))
            stop("restore --account files into the running server: no BACKUP, NEWDIR or --queue; a "
                 "backup is named by --from",
                 2);
        return restore_account(call);
    }
    for (const auto* option : {"mailbox", "into", "from", "all"})
        if (arguments.has(option)) stop(fmt::format("--{} goes with --account", option), 2);
    if (arguments.words.size() != 2) stop("restore: name a backup and a new folder", 2);
    return restore_folder(call, progress_of(call));
}

} // namespace

std::vector<Command> backup_commands() {
    return {
        {"backup",
         "DIR [--keep 90d]",
         "copy the data folder, while the server runs or not; what is in DIR already is not copied "
         "again; --keep: for how long files are kept that the server has no more (default: for "
         "ever)",
         1,
         1,
         {"keep"},
         make_backup},
        {"backup verify", "DIR", "read a whole backup; damage is named", 1, 1, {}, verify_backup},
        {"restore",
         "BACKUP NEWDIR [--at TIME] [--queue hold|release|drop] | --account ADDRESS --at TIME "
         "[--mailbox M] [--into NAME] [--all] [--from BACKUP]",
         "make a data folder of a backup, as it was at TIME: 2026-01-31T12:00:00Z, \"2026-01-31 "
         "12:00\", \"yesterday 9:00\", \"2h ago\"; mail that was under way is held. With "
         "--account: file what an account had then below a mailbox \"Restored ...\" of the "
         "running server, but what is still in its mailbox (--all: that too)",
         0,
         2,
         {"at", "queue", "account", "mailbox", "into", "all!", "from"},
         restore},
    };
}

} // namespace mdctl
