// Files of mail as export writes and import reads them: names, complete files, line ends.
#pragma once

#include "libmailcore/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdctl {

using mailcore::Result;

enum class MailFormat : std::uint8_t { Maildir, Mbox, Eml };
[[nodiscard]] std::string_view to_string(MailFormat format);
[[nodiscard]] std::optional<MailFormat> parse_format(std::string_view text);

/// What an export leaves in its folder: how far it came, and what the mailboxes are for.
inline constexpr const char* export_state_file = ".mdctl-export.json";
/// Beside the messages of an .eml tree's folder: a line {"file", "received", "flags", "size"} each.
inline constexpr const char* eml_index_file = "mailbox.jsonl";

/// A level of a mailbox's path as the name of a file or folder, and back. "%" and two digits stand
/// for what would be hidden, lead upwards, or look like one of the files beside it.
[[nodiscard]] std::string file_name(const std::string& level);
[[nodiscard]] std::string level_name(std::string_view name);

/// Follows no link. LimitExceeded: it is longer.
Result<std::string> read_small_file(const std::string& path, std::uint64_t octets_max);
/// Complete or as it was; durable after `sync_files`.
Result<void> replace_file(const std::string& path, std::string_view content);
/// All that was written to the file system that `folder` is on is durable when it returns.
Result<void> sync_files(const std::string& folder);
/// With all above it that are missing; for their owner only.
Result<void> make_folders(const std::string& path);
Result<void> remove_file(const std::string& path);

/// A file that is written from the front, or from where it was cut.
class OutFile {
  public:
    OutFile() = default;
    OutFile(OutFile&& other) noexcept;
    OutFile& operator=(OutFile&& other) noexcept;
    ~OutFile();
    static Result<OutFile> create(const std::string& path);
    /// Made if it is missing; what is behind `octets` is cut off.
    static Result<OutFile> append(const std::string& path, std::uint64_t octets);

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    /// With what is still to be written.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    Result<void> write(std::string_view octets);
    Result<void> flush();
    Result<void> truncate(std::uint64_t octets);
    /// In whole seconds since 1970; what is written later dates it anew.
    Result<void> set_times(std::int64_t seconds);
    Result<void> close();

  private:
    int descriptor_ = -1;
    std::string path_;
    std::string pending_;
    std::uint64_t size_ = 0;
};

/// CRLF to LF, in pieces cut anywhere; any other CR and LF stays.
class LfWriter {
  public:
    void write(std::string_view octets, std::string& into);
    void finish(std::string& into);

  private:
    bool cr_ = false;
};
/// Every LF that is not behind a CR becomes CRLF.
[[nodiscard]] std::string with_crlf(std::string octets);

} // namespace mdctl
