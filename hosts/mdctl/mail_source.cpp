#include "source_files.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

namespace mdctl {

using mailcore::ErrorKind;
using mailcore::fail;

namespace {

MailFormat recognised(const std::string& path) {
    if (is_file(path)) return is_eml(last_part(path)) ? MailFormat::Eml : MailFormat::Mbox;
    if (const auto format = exported_format(path)) return *format;
    if (is_maildir(path) || contains(path, is_maildir)) return MailFormat::Maildir;
    const auto eml = [](const std::string& each) { return is_eml(last_part(each)); };
    return contains(path, eml) ? MailFormat::Eml : MailFormat::Mbox;
}

} // namespace

Result<std::unique_ptr<MailSource>> open_source(const SourceOptions& given) {
    auto options = given;
    char* real = ::realpath(given.path.c_str(), nullptr);
    if (!real)
        return fail(ErrorKind::NotFound, fmt::format("{}: {}", given.path, std::strerror(errno)));
    options.path = real;
    std::free(real);
    if (!is_file(options.path) && !is_folder(options.path))
        return fail(ErrorKind::Rejected, given.path + ": neither a file nor a folder");
    switch (options.format ? *options.format : recognised(options.path)) {
    case MailFormat::Maildir: return maildir_source(options);
    case MailFormat::Mbox: return mbox_source(options);
    case MailFormat::Eml: return eml_source(options);
    }
    return fail(ErrorKind::Rejected, "unknown format");
}

} // namespace mdctl
