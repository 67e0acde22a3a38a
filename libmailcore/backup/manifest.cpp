#include "libmailcore/backup/manifest.h"

#include "libmailcore/codec/hex.h"
#include "libmailcore/mime/date.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mailcore::backup {

namespace {

using Json = nlohmann::json;

constexpr unsigned format_version = 1;

/// A path that stays below the folder it is taken from.
bool stays_below(std::string_view path) {
    if (path.empty() || path.size() > 4096 || path.find('\0') != path.npos) return false;
    for (std::size_t at = 0; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const auto level = path.substr(at, end - at);
        if (level.empty() || level == "." || level == "..") return false;
        at = end + 1;
    }
    return true;
}

template <std::size_t size>
std::string hex(const std::array<unsigned char, size>& octets) {
    return codec::hex_encode({reinterpret_cast<const char*>(octets.data()), size});
}

/// Takes fields out of an object; remembers that one was not what it must be.
class Fields {
  public:
    explicit Fields(const Json& object) : object_(object) { good_ = object.is_object(); }
    std::string text(const char* name) {
        const auto* value = find(name);
        if (value && value->is_string()) return value->get<std::string>();
        good_ = false;
        return {};
    }
    std::uint64_t number(const char* name) {
        const auto* value = find(name);
        if (value && value->is_number_unsigned()) return value->get<std::uint64_t>();
        good_ = false;
        return 0;
    }
    WallTime time(const char* name) {
        const auto date = mime::parse_rfc3339(text(name));
        good_ = good_ && date;
        return date ? date->time : WallTime{};
    }
    template <std::size_t size>
    void octets(const char* name, std::array<unsigned char, size>& into) {
        const auto decoded = codec::hex_decode(text(name));
        good_ = good_ && decoded && decoded->size() == size;
        if (good_) std::copy(decoded->begin(), decoded->end(), into.begin());
    }
    [[nodiscard]] bool has(const char* name) const { return good_ && object_.contains(name); }
    [[nodiscard]] bool good() const { return good_; }

  private:
    const Json* find(const char* name) {
        if (!good_) return nullptr;
        const auto found = object_.find(name);
        return found == object_.end() ? nullptr : &*found;
    }
    const Json& object_;
    bool good_;
};

} // namespace

std::string encode(const Manifest& manifest) {
    Json files = Json::array();
    for (const auto& file : manifest.files) {
        Json row{{"path", file.path},
                 {"name", file.name},
                 {"octets", file.octets},
                 {"blake2b_256", hex(file.digest)}};
        if (file.gone) row["gone"] = mime::format_utc(*file.gone);
        files.push_back(std::move(row));
    }
    return Json{{"format", format_version},
                {"store", hex(manifest.store)},
                {"hostname", manifest.hostname},
                {"release", manifest.release},
                {"made", mime::format_utc(manifest.made)},
                {"position", manifest.position},
                {"files", std::move(files)}}
               .dump(1, ' ', false, Json::error_handler_t::replace) +
           "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
    const auto corrupt = [] {
        return fail(ErrorKind::Corrupt, std::string(manifest_name) + " is damaged");
    };
    const auto json = Json::parse(text, nullptr, false);
    Fields fields(json);
    if (const auto version = fields.number("format"); fields.good() && version > format_version)
        return fail(ErrorKind::Rejected, "the backup was made by a later release");
    Manifest manifest;
    fields.octets("store", manifest.store);
    manifest.hostname = fields.text("hostname");
    manifest.release = fields.text("release");
    manifest.made = fields.time("made");
    manifest.position = fields.number("position");
    if (!fields.good() || !json.contains("files") || !json["files"].is_array()) return corrupt();
    for (const auto& row : json["files"]) {
        Fields of(row);
        BackupFile file;
        file.path = of.text("path");
        file.name = of.text("name");
        file.octets = of.number("octets");
        of.octets("blake2b_256", file.digest);
        if (of.has("gone")) file.gone = of.time("gone");
        if (!of.good() || !stays_below(file.path) || !stays_below(file.name)) return corrupt();
        manifest.files.push_back(std::move(file));
    }
    return manifest;
}

Result<Manifest> read_manifest(base::FileSystem& files, const std::string& folder) {
    auto text =
        base::read_file(files, folder + "/" + std::string(manifest_name), manifest_octets_max);
    if (!text && text.error().kind == ErrorKind::NotFound)
        return fail(ErrorKind::NotFound, folder + " holds no backup that was finished");
    if (!text) return std::unexpected(std::move(text).error());
    return parse_manifest(*text);
}

} // namespace mailcore::backup
