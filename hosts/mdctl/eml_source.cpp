#include "source_files.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace mdctl {

namespace mime = mailcore::mime;
using Json = nlohmann::json;

namespace {

constexpr std::uint64_t index_octets_max = 1024ULL * 1024 * 1024;

/// A file for each message, a folder for each mailbox; or one message.
class EmlSource final : public FileSource {
  public:
    using FileSource::FileSource;

    Result<std::vector<SourceMailbox>> mailboxes() override {
        std::vector<SourceMailbox> found;
        if (is_file(options_.path)) {
            SourceMailbox one;
            one.levels = {"INBOX"};
            one.place = options_.path;
            one.messages = 1;
            found.push_back(std::move(one));
            return found;
        }
        FolderWalk walk;
        walk.levels = [](const std::string& name) -> std::optional<Levels> {
            if (name.starts_with('.')) return std::nullopt;
            return Levels{level_of(name)};
        };
        walk.visit = [&](const std::string& folder, const Levels& at, const auto& names) {
            SourceMailbox here;
            here.place = folder;
            here.levels = at.empty() ? Levels{"INBOX"} : at;
            here.messages = static_cast<std::uint64_t>(std::ranges::count_if(names, is_eml));
            const bool has_index = std::ranges::find(names, eml_index_file) != names.end();
            if (here.messages > 0 || has_index) found.push_back(std::move(here));
        };
        MAILCORE_TRY(walk_folders(options_.path, walk));
        add_roles(found, options_.path);
        return found;
    }
    Result<void> open(const SourceMailbox& mailbox) override {
        next_ = 0;
        files_.clear();
        index_.clear();
        if (is_file(mailbox.place)) {
            const auto slash = mailbox.place.rfind('/');
            folder_ = slash == std::string::npos ? "." : mailbox.place.substr(0, slash);
            files_.push_back(last_part(mailbox.place));
            return {};
        }
        folder_ = mailbox.place;
        MAILCORE_TRY(auto names, names_in(folder_));
        std::erase_if(names, [](const std::string& name) { return !is_eml(name); });
        // "2.eml" before "10.eml".
        std::ranges::sort(names, [](const std::string& a, const std::string& b) {
            const auto digits = [](const std::string& name) {
                return static_cast<std::size_t>(
                    std::ranges::find_if_not(name, mailcore::codec::is_digit) - name.begin());
            };
            const auto in_a = digits(a), in_b = digits(b);
            if (in_a > 0 && in_b > 0 && in_a != in_b) return in_a < in_b;
            return a < b;
        });
        files_ = std::move(names);
        return read_index();
    }

  private:
    void complete(SourceEmail& email, const struct stat& status) override {
        const auto known = index_.find(email.name);
        if (known != index_.end()) {
            email.flags = known->second.flags;
            email.received = known->second.received;
        }
        // What an export wrote is octet for octet what it was.
        if (known == index_.end() || known->second.size != email.octets.size())
            email.octets = with_crlf(std::move(email.octets));
        if (!email.received) email.received = date_in(email.octets);
        if (!email.received) email.received = time_of_file(status);
    }

    struct Known {
        std::uint64_t size = 0;
        std::optional<mime::DateTime> received;
        std::vector<std::string> flags;
    };

    Result<void> read_index() {
        const auto text = read_small_file(folder_ + "/" + eml_index_file, index_octets_max);
        if (!text) return {};
        for (std::size_t at = 0; at < text->size();) {
            const auto end = std::min(text->find('\n', at), text->size());
            const auto line =
                Json::parse(text->begin() + static_cast<std::ptrdiff_t>(at),
                            text->begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
            at = end + 1;
            if (!line.is_object() || !line.contains("file") || !line["file"].is_string()) continue;
            Known known;
            if (line.contains("size") && line["size"].is_number_unsigned())
                known.size = line["size"].get<std::uint64_t>();
            if (line.contains("received") && line["received"].is_string())
                known.received = mime::parse_rfc3339(line["received"].get<std::string>());
            if (line.contains("flags") && line["flags"].is_array())
                for (const auto& flag : line["flags"])
                    if (flag.is_string()) known.flags.push_back(flag.get<std::string>());
            index_[line["file"].get<std::string>()] = std::move(known);
        }
        return {};
    }

    std::map<std::string, Known> index_;
};

} // namespace

std::unique_ptr<MailSource> eml_source(const SourceOptions& options) {
    return std::make_unique<EmlSource>(options);
}

} // namespace mdctl
