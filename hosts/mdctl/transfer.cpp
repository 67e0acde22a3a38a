// mdctl export, mdctl import: the commands, and what is told while they run.
#include "transfer.h"

#include "command.h"
#include "table.h"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace mdctl {

namespace {

constexpr std::size_t problems_max = 1'000;
constexpr auto shown_every = std::chrono::milliseconds{200};

double seconds_between(mailcore::Instant from, mailcore::Instant to) {
    return std::chrono::duration<double>(to - from).count();
}

std::string duration_text(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds);
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
    return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

std::vector<std::string> all_values(const Arguments& arguments, const std::string& name) {
    const auto found = arguments.options.find(name);
    return found == arguments.options.end() ? std::vector<std::string>{} : found->second;
}

MailFormat format_of(const std::string& text) {
    const auto format = parse_format(text);
    if (!format) stop("--format: expected maildir, mbox or eml, not " + text, 2);
    return *format;
}

int export_mail(const Call& call) {
    ExportOptions options;
    options.address = call.arguments.words[0];
    options.folder = call.arguments.words[1];
    options.format = format_of(call.arguments.value("format", "maildir"));
    options.mailboxes = all_values(call.arguments, "mailbox");
    options.json = call.json;
    return run_export(*open_session(call.folder), options);
}

int import_mail(const Call& call) {
    ImportOptions options;
    options.address = call.arguments.words[0];
    options.source = call.arguments.words[1];
    if (call.arguments.has("format")) options.format = format_of(call.arguments.value("format"));
    options.mailboxes = all_values(call.arguments, "mailbox");
    options.into = call.arguments.value("into");
    const auto kind_name = call.arguments.value("mbox-kind", "mboxrd");
    const auto kind = mailcore::mime::parse_mbox_kind(kind_name);
    if (!kind) stop("--mbox-kind: expected mboxrd, mboxo or mboxcl2, not " + kind_name, 2);
    options.mbox_kind = *kind;
    options.mbox_undated = call.arguments.has("mbox-undated");
    options.over_quota = call.arguments.has("over-quota");
    options.json = call.json;
    return run_import(*open_session(call.folder), options);
}

} // namespace

std::vector<Command> transfer_commands() {
    return {
        {"export",
         "ADDRESS FOLDER [--format maildir|mbox|eml] [--mailbox NAME]...",
         "write an account's mail to files, with dates and flags; again: what has come since",
         2,
         2,
         {"format", "mailbox"},
         export_mail},
        {"import",
         "ADDRESS FOLDER|FILE [--format maildir|mbox|eml] [--mailbox NAME]... [--into NAME] "
         "[--mbox-kind mboxrd|mboxo|mboxcl2] [--mbox-undated] [--over-quota]",
         "take mail from files; again, or after an interruption: only what is not there yet",
         2,
         2,
         {"format", "mailbox", "into", "mbox-kind", "mbox-undated!", "over-quota!"},
         import_mail},
    };
}

const char* transfer_manual() {
    return R"(## Export and import

Both work while mail flows, and on the store of a server that does not run. Dates and flags go both
ways; a mailbox with a role (Sent, Trash ...) finds the account's own, whatever its name is there.
What cannot be taken or read is left out and named at the end (exit status 1); all else is done.

- **maildir**: Maildir++ as Dovecot has it (`.Work.Paid`, `dovecot-keywords`, `subscriptions`);
  lines end in LF, and a file's time is the date of arrival. Read are also Courier's, and trees of
  Maildirs as mbsync makes them.
- **mbox**: mboxrd, a file for each mailbox (`Work/Paid.mbox`), flags in Status, X-Status and
  X-Keywords. Read are also files of Thunderbird, mutt and others: `--mbox-kind` says how "From " is
  quoted there, `--mbox-undated` that "From " lines may have no date.
- **eml**: a folder for each mailbox, a file for each message, octet for octet; `mailbox.jsonl` has
  flags and dates with their zone. Read is any tree of `.eml` files: without `mailbox.jsonl` the
  date is that of the topmost Received field, else of Date.

**Again.** The folder of an export knows how far it came (`.mdctl-export.json`): the same command
goes on after an interruption, and later adds what has come since. Flags stay as they were when a
message was written. It writes into no folder that holds something else.

**Once.** An import takes what is not there yet: a message whose very octets are in the mailbox
already is passed over. So it may be interrupted at any moment and begun again, and brings back what
was deleted by mistake. A message that is twice in the source is there twice.

**Where to.** `--mailbox NAME` takes only that mailbox of the source, `--into NAME` puts everything
below that one; a single mailbox becomes it. The quota holds unless `--over-quota` is given. Links
in the source are not followed.
)";
}

Progress::Progress(std::string verb, bool json)
    : verb_(std::move(verb)), json_(json), terminal_(!json && isatty(STDERR_FILENO) == 1),
      begun_(clock_.now()) {}

void Progress::expect(std::uint64_t messages, std::uint64_t octets) {
    messages_expected_ += messages;
    octets_expected_ += octets;
}

void Progress::transferred(std::uint64_t octets) {
    ++messages_;
    octets_ += octets;
}

void Progress::known() { ++known_; }

void Progress::passed(std::uint64_t octets) {
    ++messages_passed_;
    octets_passed_ += octets;
    show(false);
}

void Progress::problem(std::string where, std::string why) {
    ++problem_count_;
    if (problems_.size() < problems_max) problems_.push_back({std::move(where), std::move(why)});
}

void Progress::note(std::string text) { notes_.push_back(std::move(text)); }

/// One line: "12034/100000  120.1 MiB  15.2 MiB/s  1:40 min left".
void Progress::show(bool now) {
    if (!terminal_) return;
    const auto time = clock_.now();
    if (!now && time < shown_ + shown_every) return;
    shown_ = time;
    const auto seconds = seconds_between(begun_, time);
    std::string line = std::to_string(messages_passed_);
    if (messages_expected_ > 0) line += fmt::format("/{}", messages_expected_);
    line += fmt::format(" messages  {}", octets(octets_passed_));
    if (seconds >= 1)
        line += fmt::format("  {}/s", octets(static_cast<std::uint64_t>(
                                          static_cast<double>(octets_passed_) / seconds)));
    double part = 0;
    if (octets_expected_ > 0)
        part = static_cast<double>(octets_passed_) / static_cast<double>(octets_expected_);
    else if (messages_expected_ > 0)
        part = static_cast<double>(messages_passed_) / static_cast<double>(messages_expected_);
    if (part > 0 && part <= 1 && seconds >= 2)
        line += fmt::format("  {} left", duration_text(seconds / part - seconds));
    if (problem_count_ > 0) line += fmt::format("  {} problems", problem_count_);
    fmt::print(stderr, "\r\033[K{}", line);
    std::fflush(stderr);
}

void Progress::wipe() {
    if (terminal_ && shown_ != mailcore::Instant{}) fmt::print(stderr, "\r\033[K");
}

int Progress::finish() {
    wipe();
    const auto seconds = seconds_between(begun_, clock_.now());
    if (json_) {
        Json problems = Json::array();
        for (const auto& [where, why] : problems_)
            problems.push_back(Json{{"where", where}, {"problem", why}});
        summary_[verb_] = messages_;
        summary_["octets"] = octets_;
        summary_["known"] = known_;
        summary_["seconds"] = seconds;
        summary_["notes"] = notes_;
        summary_["problem_count"] = problem_count_;
        summary_["problems"] = std::move(problems);
        print_json(summary_);
        return problem_count_ == 0 ? 0 : 1;
    }
    fmt::print("{} {} messages, {}, in {}", verb_, messages_, octets(octets_),
               duration_text(seconds));
    if (known_ > 0) fmt::print("; {} were there already", known_);
    fmt::print("\n");
    for (const auto& note : notes_) fmt::print("{}\n", note);
    if (problem_count_ == 0) return 0;
    fmt::print("\n{} problems; all else is done:\n\n", problem_count_);
    Table table({"where", "problem"});
    for (const auto& [where, why] : problems_) table.row({where, why});
    table.print("");
    if (problem_count_ > problems_.size())
        fmt::print("and {} more\n", problem_count_ - problems_.size());
    return 1;
}

std::vector<std::string> levels_of(const std::string& path) {
    std::vector<std::string> levels{""};
    for (const char c : path) {
        if (c == '/')
            levels.emplace_back();
        else
            levels.back() += c;
    }
    return levels;
}

std::string path_of(const std::vector<std::string>& levels) {
    return fmt::format("{}", fmt::join(levels, "/"));
}

} // namespace mdctl
