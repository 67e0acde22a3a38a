#include "source_files.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/received.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <nlohmann/json.hpp>

namespace mdctl {

namespace mime = mailcore::mime;
using mailcore::ErrorKind;
using mailcore::fail;
using Json = nlohmann::json;

namespace {

constexpr std::size_t depth_max = 32;
constexpr std::uint64_t state_octets_max = 64 * 1024 * 1024;

/// What an export remembers, as an object; empty: it left nothing here.
Json exported_state(const std::string& folder) {
    const auto text = read_small_file(folder + "/" + export_state_file, state_octets_max);
    if (!text) return Json::object();
    auto json = Json::parse(*text, nullptr, false);
    return json.is_object() ? json : Json::object();
}

bool contains(const std::string& folder, const std::function<bool(const std::string&)>& sought,
              std::size_t depth) {
    if (depth > depth_max) return false;
    const auto names = names_in(folder);
    if (!names) return false;
    for (const auto& name : *names) {
        const auto path = folder + "/" + name;
        if (sought(path)) return true;
        if (is_folder(path) && contains(path, sought, depth + 1)) return true;
    }
    return false;
}

} // namespace

bool is_folder(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}
bool is_file(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Result<std::vector<std::string>> names_in(const std::string& folder) {
    DIR* entries = ::opendir(folder.c_str());
    if (!entries)
        return fail(ErrorKind::NotFound, fmt::format("{}: {}", folder, std::strerror(errno)));
    std::vector<std::string> names;
    while (const auto* entry = ::readdir(entries)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(entries);
    std::ranges::sort(names);
    return names;
}

std::string last_part(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path.substr(path.rfind('/') + 1);
}

std::string level_of(std::string_view name) {
    auto level = level_name(name);
    if (!mailcore::codec::is_utf8(level)) level = mailcore::codec::sanitised_utf8(level);
    return level;
}

std::string without_ending(const std::string& name, std::string_view ending) {
    return mailcore::codec::ends_with_ignoring_case(name, ending)
               ? name.substr(0, name.size() - ending.size())
               : name;
}

bool is_eml(const std::string& name) {
    return mailcore::codec::ends_with_ignoring_case(name, ".eml") && !name.starts_with('.');
}

std::optional<mime::DateTime> date_in(std::string_view message) {
    if (const auto received = mime::find_field(message, "Received"))
        if (auto date = mime::parse_received(received->value).date) return date;
    if (const auto date = mime::find_field(message, "Date")) return mime::parse_date(date->value);
    return std::nullopt;
}

mime::DateTime time_of_file(const struct stat& status) {
    mime::DateTime date;
    date.time = mailcore::base::wall_time(status.st_mtime);
    return date;
}

namespace {

/// False: `email.problem` says why not.
bool read_message(const std::string& path, std::uint64_t octets_max, SourceEmail& email,
                  struct stat& status) {
    if (::lstat(path.c_str(), &status) != 0) {
        email.problem = std::strerror(errno);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        email.problem = "no file";
        return false;
    }
    email.size = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
    if (email.size > octets_max) {
        email.problem = fmt::format("longer than the {} octets that are allowed", octets_max);
        return false;
    }
    auto octets = read_small_file(path, octets_max);
    if (!octets) {
        email.problem = octets.error().detail;
        return false;
    }
    email.octets = std::move(*octets);
    return true;
}

} // namespace

std::optional<SourceEmail> FileSource::next() {
    if (next_ == files_.size()) return std::nullopt;
    SourceEmail email;
    email.name = files_[next_++];
    struct stat status {};
    if (read_message(folder_ + "/" + email.name, options_.mbox.message_octets_max, email, status))
        complete(email, status);
    return email;
}

bool is_maildir(const std::string& folder) { return is_folder(folder + "/cur"); }

Result<void> walk_folders(const std::string& folder, const FolderWalk& walk, const Levels& at) {
    if (at.size() > depth_max) return {};
    MAILCORE_TRY(const auto names, names_in(folder));
    walk.visit(folder, at, names);
    for (const auto& name : names) {
        const auto path = folder + "/" + name;
        if (!is_folder(path)) continue;
        const auto more = walk.levels(name);
        if (!more) continue;
        auto below = at;
        below.insert(below.end(), more->begin(), more->end());
        MAILCORE_TRY(walk_folders(path, walk, below));
    }
    return {};
}

bool contains(const std::string& folder, const std::function<bool(const std::string&)>& sought) {
    return contains(folder, sought, 0);
}

void add_roles(std::vector<SourceMailbox>& mailboxes, const std::string& folder) {
    const auto state = exported_state(folder);
    const auto rows = state.find("mailboxes");
    if (rows == state.end() || !rows->is_object()) return;
    for (auto& mailbox : mailboxes) {
        const auto row = rows->find(fmt::format("{}", fmt::join(mailbox.levels, "/")));
        if (row == rows->end() || !row->is_object()) continue;
        const auto role = row->find("role");
        if (role != row->end() && role->is_string()) mailbox.role = role->get<std::string>();
    }
}

std::optional<MailFormat> exported_format(const std::string& folder) {
    const auto state = exported_state(folder);
    const auto format = state.find("format");
    if (format == state.end() || !format->is_string()) return std::nullopt;
    return parse_format(format->get<std::string>());
}

} // namespace mdctl
