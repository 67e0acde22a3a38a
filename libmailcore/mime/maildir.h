// Names in a Maildir: files with their flags, folders of Maildir++, keywords as Dovecot keeps them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// The name of a message's file: "1700000000.M1P2.host,S=1234,W=1250:2,RS".
struct MaildirName {
    std::string unique;  ///< up to the colon
    std::string letters; ///< behind ":2,": D F P R S T, and a to z for keywords

    /// Nothing: no message's file (it begins with a dot, or is empty).
    [[nodiscard]] static std::optional<MaildirName> parse(std::string_view file);
    /// The file's name in cur.
    [[nodiscard]] std::string text() const { return unique + ":2," + letters; }
};

/// The keywords that a folder's letters a to z stand for: Dovecot's file `dovecot-keywords`, a line
/// "0 name" for each.
class MaildirKeywords {
  public:
    static constexpr std::size_t keywords_max = 26;

    MaildirKeywords() = default;
    /// Reads the file; lines that are none are passed over.
    explicit MaildirKeywords(std::string_view file);
    [[nodiscard]] std::string text() const;

    /// The letter of a keyword, which gets one if one is left; case does not matter.
    std::optional<char> letter(std::string_view keyword);
    /// Empty: nobody said what the letter stands for.
    [[nodiscard]] std::string_view keyword(char letter) const;

  private:
    std::vector<std::string> names_;
};

/// The letters for flags with IMAP's names, in order; $Forwarded is P, and a keyword's letter too,
/// since Dovecot shows only that one. `lost` counts the keywords for which no letter was left.
[[nodiscard]] std::string maildir_letters(const std::vector<std::string>& flags,
                                          MaildirKeywords& keywords, std::size_t& lost);
/// And back. Letters that nobody knows are passed over.
[[nodiscard]] std::vector<std::string> maildir_flags(std::string_view letters,
                                                     const MaildirKeywords& keywords);

/// The folder of a mailbox: ".Work.Paid" for Work/Paid. Names are in modified UTF-7 (RFC 3501
/// §5.1.3), as Dovecot has them; "." and "\" inside of one level are "\2e" and "\5c", as with its
/// plugin listescape. Nothing: a level is not UTF-8.
[[nodiscard]] std::optional<std::string> maildir_folder(const std::vector<std::string>& levels);
/// And back; a name that is not modified UTF-7 is taken as UTF-8. Nothing: it is neither, or has an
/// empty level.
[[nodiscard]] std::optional<std::vector<std::string>> maildir_levels(std::string_view folder);

/// Mailboxes that a file `subscriptions` of Dovecot or Courier names, in either of its forms.
[[nodiscard]] std::vector<std::vector<std::string>>
parse_maildir_subscriptions(std::string_view file);

} // namespace mailcore::mime
