// Whatever a Maildir's names and files hold, what is read of them is written so that it reads the
// same.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/maildir.h"

#include <algorithm>
#include <string>

using namespace mailcore;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);

    if (const auto name = mime::MaildirName::parse(text)) {
        const auto again = mime::MaildirName::parse(name->text());
        MAILCORE_ASSERT(again && again->unique == name->unique && again->letters == name->letters);
    }

    const mime::MaildirKeywords keywords(text);
    const mime::MaildirKeywords same(keywords.text());
    for (char letter = 'a'; letter <= 'z'; ++letter)
        MAILCORE_ASSERT(same.keyword(letter) == keywords.keyword(letter));
    auto known = keywords;
    std::size_t lost = 0;
    const auto flags = mime::maildir_flags(text, keywords);
    const auto letters = mime::maildir_letters(flags, known, lost);
    MAILCORE_ASSERT(lost == 0 && std::ranges::is_sorted(letters));
    auto back = mime::maildir_flags(letters, known);
    MAILCORE_ASSERT(back.size() == flags.size());

    const auto levels_again = [](const std::vector<std::string>& levels) {
        const auto folder = mime::maildir_folder(levels);
        MAILCORE_ASSERT(folder && mime::maildir_levels(*folder) == levels);
    };
    if (const auto levels = mime::maildir_levels(text)) levels_again(*levels);
    for (const auto& levels : mime::parse_maildir_subscriptions(text)) levels_again(levels);
    if (!text.empty() && codec::is_utf8(text)) levels_again({text, text});
    return 0;
}
