#include "restore.h"

#include "table.h"

#include "libmailcore/backup/past_time.h"
#include "libmailcore/backup/restore.h"
#include "libmailcore/base/random.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/net/loop.h"

#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

namespace mdctl {

namespace {

using namespace mailcore;

std::chrono::minutes local_offset(WallTime at) {
    const std::time_t seconds = base::unix_seconds(at);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return std::chrono::minutes{local.tm_gmtoff / 60};
}

/// The option --at; ends the program if it is no time, or one to come.
std::optional<WallTime> time_of(const Call& call) {
    if (!call.arguments.has("at")) return std::nullopt;
    const base::SystemClock clock;
    const auto given = call.arguments.value("at");
    const auto now = clock.wall_now();
    const auto at = backup::parse_past_time(given, now, local_offset);
    if (!at)
        stop("--at: not understood: \"" + given +
                 "\"; expected a time as 2026-01-31T12:00:00Z, \"2026-01-31 12:00\", \"2h ago\"",
             2);
    if (*at > now) stop("--at: " + mime::format_utc(*at) + " is still to come", 2);
    return at;
}

backup::QueuedMail queued_of(const Call& call) {
    const auto given = call.arguments.value("queue", "hold");
    if (given == "hold") return backup::QueuedMail::Hold;
    if (given == "release") return backup::QueuedMail::Release;
    if (given == "drop") return backup::QueuedMail::Drop;
    stop("--queue: expected hold, release or drop", 2);
}

Task<void> run_restore(Task<Result<backup::RestoreReport>> work,
                       std::optional<Result<backup::RestoreReport>>& outcome, net::Loop& loop) {
    auto done = co_await std::move(work);
    outcome.emplace(std::move(done));
    loop.stop();
}

/// "Restored 2026-01-31 12.00", in local time.
std::string restored_name(WallTime at) {
    const std::time_t seconds = base::unix_seconds(at);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    char text[64];
    const auto size = std::strftime(text, sizeof text, "Restored %Y-%m-%d %H.%M", &local);
    return {text, size};
}

} // namespace

int restore_account(const Call& call) {
    const auto& arguments = call.arguments;
    const auto at = time_of(call);
    if (!at) stop("restore --account needs --at TIME", 2);
    Json request{{"method", "restore.begin"},
                 {"address", arguments.value("account")},
                 {"at", mime::format_utc(*at)},
                 {"into", arguments.value("into", restored_name(*at))}};
    if (arguments.has("mailbox")) request["mailbox"] = arguments.value("mailbox");
    if (arguments.has("all")) request["all"] = true;
    if (arguments.has("from")) {
        base::PosixFileSystem files;
        std::error_code error;
        const auto folder = std::filesystem::absolute(arguments.value("from"), error).string();
        const auto manifest = backup::read_manifest(files, folder);
        if (!manifest)
            stop(manifest.error().detail, manifest.error().kind == ErrorKind::NotFound ? 3 : 1);
        request["journal"] = folder + "/" + std::string(backup::journal_folder);
        request["position"] = manifest->position;
    }
    const bool shows = !call.json && isatty(STDERR_FILENO);
    if (shows) fmt::print(stderr, "looking up what was there ...\n");
    const auto server = open_session(call.folder);
    const auto ask = [&](const Json& each) {
        auto answer = server->ask(each);
        if (!answer)
            stop(answer.error().detail, answer.error().kind == ErrorKind::NotFound ? 3 : 1);
        return std::move(*answer);
    };
    auto answer = ask(request);
    const auto messages = answer.at("messages").get<std::uint64_t>();
    std::uint64_t filed = 0, known = 0, left_out = 0;
    Json failed = Json::array();
    constexpr std::size_t failed_max = 1000;
    for (bool finished = false; !finished;) {
        const auto step = ask({{"method", "restore.step"}});
        filed += step.at("filed").get<std::uint64_t>();
        known += step.at("known").get<std::uint64_t>();
        left_out += step.at("left_out").get<std::uint64_t>();
        for (const auto& each : step.at("failed"))
            if (failed.size() < failed_max) failed.push_back(each);
        finished = step.at("done").get<bool>();
        if (shows)
            fmt::print(stderr, "\r\033[K{} of {} messages: {}{}",
                       filed + known + left_out + failed.size(), messages, text(step, "mailbox"),
                       finished ? "\n" : "");
    }
    answer["filed"] = filed;
    answer["known"] = known;
    answer["left_out"] = left_out;
    answer["failed"] = failed;
    if (call.json) return print_json(answer), failed.empty() ? 0 : 1;
    for (const auto& each : failed)
        fmt::print("lost: {} UID {}: {}\n", text(each, "mailbox"), text(each, "uid"),
                   text(each, "error"));
    fmt::print("{} as it was at {}: {} messages filed below \"{}\"", arguments.value("account"),
               text(answer, "at"), filed, text(answer, "into"));
    if (known > 0) fmt::print(", {} were there already", known);
    if (left_out > 0) fmt::print("; {} are still in their mailboxes (--all: these too)", left_out);
    fmt::print("\n");
    return failed.empty() ? 0 : 1;
}

int restore_folder(const Call& call, const backup::OnProgress& progress) {
    auto folder = call.arguments.words[1];
    while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    base::PosixFileSystem files;
    base::SystemClock clock;
    base::SystemRandom random;
    backup::RestoreOptions options;
    options.at = time_of(call);
    options.queued = queued_of(call);
    options.progress = progress;
    net::WorkerPool pool(1);
    const auto loop = net::Loop::create(pool);
    if (!loop) stop(loop.error().detail);
    std::optional<Result<backup::RestoreReport>> outcome;
    {
        Scope scope(**loop);
        (*loop)->post([&] {
            auto work =
                backup::restore(files, call.arguments.words[0], folder, options, random, clock, {});
            scope.spawn(run_restore(std::move(work), outcome, **loop));
        });
        (*loop)->run();
    }
    pool.stop();
    if (!*outcome)
        stop(outcome->error().detail, outcome->error().kind == ErrorKind::NotFound ? 3 : 1);
    const auto& report = **outcome;
    static constexpr const char* queue_words[] = {"held", "left to go out", "dropped"};
    const auto* const queue_word = queue_words[static_cast<std::size_t>(options.queued)];
    const int status = report.problems.empty() ? 0 : 1;
    if (call.json) {
        print_json(Json{{"folder", folder},
                        {"at", mime::format_utc(report.at)},
                        {"accounts", report.accounts},
                        {"mailboxes", report.mailboxes},
                        {"emails", report.emails},
                        {"email_octets", report.email_octets},
                        {"queued_recipients", report.queued},
                        {"queue", queue_word},
                        {"settings", report.settings},
                        {"problems", report.problems}});
        return status;
    }
    for (const auto& problem : report.problems) fmt::print("damaged: {}\n", problem);
    fmt::print("{} is {} as it was at {}: {} accounts, {} mailboxes, {} emails, {}\n", folder,
               report.manifest.hostname, mime::format_utc(report.at), report.accounts,
               report.mailboxes, report.emails, octets(report.email_octets));
    if (report.queued > 0) {
        fmt::print("\nRecipients of mail that was under way: {}, {}.\n", report.queued, queue_word);
        if (options.queued == backup::QueuedMail::Hold)
            fmt::print("Some of it may have been delivered since. Look at it, then release it:\n"
                       "  mdctl -d {} queue list\n  mdctl -d {} queue release --all\n",
                       folder, folder);
    }
    fmt::print("\nEvery mailbox has a new UIDVALIDITY: clients load their mail anew.\n");
    if (::geteuid() == 0)
        fmt::print("The files belong to root: if the server runs as somebody else, chown them.\n");
    fmt::print("Next:\n  mdserver check {}\n  mdserver run {}\n", folder, folder);
    return status;
}

} // namespace mdctl
