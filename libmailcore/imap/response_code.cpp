#include "libmailcore/imap/response_code.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/number.h"

namespace mailcore::imap {
namespace {

struct Named {
    Code code;
    std::string_view name;
};
constexpr Named names[] = {
    {Code::Alert, "ALERT"},
    {Code::AlreadyExists, "ALREADYEXISTS"},
    {Code::AuthenticationFailed, "AUTHENTICATIONFAILED"},
    {Code::AuthorizationFailed, "AUTHORIZATIONFAILED"},
    {Code::Cannot, "CANNOT"},
    {Code::ClientBug, "CLIENTBUG"},
    {Code::Closed, "CLOSED"},
    {Code::ContactAdmin, "CONTACTADMIN"},
    {Code::Corruption, "CORRUPTION"},
    {Code::Expired, "EXPIRED"},
    {Code::ExpungeIssued, "EXPUNGEISSUED"},
    {Code::HasChildren, "HASCHILDREN"},
    {Code::InUse, "INUSE"},
    {Code::Limit, "LIMIT"},
    {Code::NoModSeq, "NOMODSEQ"},
    {Code::NonExistent, "NONEXISTENT"},
    {Code::NoPerm, "NOPERM"},
    {Code::NotSaved, "NOTSAVED"},
    {Code::OverQuota, "OVERQUOTA"},
    {Code::Parse, "PARSE"},
    {Code::PrivacyRequired, "PRIVACYREQUIRED"},
    {Code::ReadOnly, "READ-ONLY"},
    {Code::ReadWrite, "READ-WRITE"},
    {Code::ServerBug, "SERVERBUG"},
    {Code::TooBig, "TOOBIG"},
    {Code::TryCreate, "TRYCREATE"},
    {Code::UidNotSticky, "UIDNOTSTICKY"},
    {Code::Unavailable, "UNAVAILABLE"},
    {Code::UnknownCte, "UNKNOWN-CTE"},
    {Code::UseAttr, "USEATTR"},
};

class CodeWriter {
  public:
    explicit CodeWriter(std::string& into) : into_(into) {}

    void operator()(Code code) { into_ += to_string(code); }
    void operator()(const PermanentFlags& permanent) {
        into_ += "PERMANENTFLAGS (";
        permanent.flags.append_to(into_);
        if (permanent.new_keywords) into_ += permanent.flags.empty() ? "\\*" : " \\*";
        into_ += ')';
    }
    void operator()(const UidNextCode& code) { numbered("UIDNEXT ", code.uid); }
    void operator()(const UidValidityCode& code) { numbered("UIDVALIDITY ", code.uid_validity); }
    void operator()(const UnseenCode& code) { numbered("UNSEEN ", code.number); }
    void operator()(const HighestModSeq& code) { numbered("HIGHESTMODSEQ ", code.modseq); }
    void operator()(const AppendUid& code) {
        numbered("APPENDUID ", code.uid_validity);
        numbered(" ", code.uid);
        if (code.last > code.uid) numbered(":", code.last);
    }
    void operator()(const CopyUid& code) {
        numbered("COPYUID ", code.uid_validity);
        into_ += ' ';
        code.source.append_to(into_);
        into_ += ' ';
        code.destination.append_to(into_);
    }
    void operator()(const Modified& code) {
        into_ += "MODIFIED ";
        code.numbers.append_to(into_);
    }
    void operator()(const MailboxIdCode& code) {
        into_ += "MAILBOXID (";
        into_ += code.id;
        into_ += ')';
    }
    void operator()(const BadCharset& code) {
        into_ += "BADCHARSET";
        if (code.supported.empty()) return;
        for (std::size_t i = 0; i < code.supported.size(); ++i) {
            into_ += i == 0 ? " (" : " ";
            into_ += code.supported[i];
        }
        into_ += ')';
    }
    void operator()(const CapabilityCode& code) {
        into_ += "CAPABILITY ";
        into_ += code.capabilities;
    }

  private:
    void numbered(std::string_view name, std::uint64_t number) {
        into_ += name;
        codec::append_number(into_, number);
    }
    std::string& into_; // the caller's
};

// What would be no valid code: none, an empty set.
bool says_nothing(const ResponseCode& code) {
    return std::visit(overloaded{[](Code simple) { return simple == Code::None; },
                                 [](const CopyUid& copy) { return copy.source.empty(); },
                                 [](const Modified& modified) { return modified.numbers.empty(); },
                                 [](const auto&) { return false; }},
                      code);
}

} // namespace

std::string_view to_string(Code code) {
    for (const auto& named : names)
        if (named.code == code) return named.name;
    return {};
}

void append_response_code(const ResponseCode& code, std::string& into) {
    if (says_nothing(code)) return;
    into += '[';
    std::visit(CodeWriter(into), code);
    into += "] ";
}

} // namespace mailcore::imap
