#include "libmailcore/imap/response/writer.h"

#include "libmailcore/mime/parser.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::imap;

namespace {

template <class Write>
std::string written(Write write, bool utf8 = false) {
    std::string text;
    ResponseWriter out(text, utf8);
    write(out);
    return text;
}

std::string line_of(const Response& response, Enabled enabled = {}, bool uid = false) {
    ResponseContext context;
    context.enabled = enabled;
    context.uid_command = uid;
    context.tag = "a1";
    std::string text;
    write_response(response, context, text);
    return text;
}

std::string structure_of(std::string_view message, BodyExtensions extensions = BodyExtensions::No) {
    const auto structure = mime::parse(message);
    return written([&](ResponseWriter& out) { write_body_structure(structure, extensions, out); });
}

} // namespace

TEST_CASE("a string is quoted where that can hold it, else a literal") {
    struct Case {
        const char* name;
        std::string_view octets;
        std::string_view rev1, rev2;
    };
    static const Case cases[] = {
        {"plain", "abc", "\"abc\"", "\"abc\""},
        {"empty", "", "\"\"", "\"\""},
        {"specials", "a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
        {"UTF-8", "\xc3\xa4", "{2}\r\n\xc3\xa4", "\"\xc3\xa4\""},
        {"8-bit that is no UTF-8", "\xe4", "{1}\r\n\xe4", "{1}\r\n\xe4"},
        {"CRLF", "a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
        {"tab", "a\tb", "\"a\tb\"", "\"a\tb\""},
        {"NUL is left out", std::string_view("a\0b", 3), "\"ab\"", "\"ab\""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(written([&](ResponseWriter& out) { out.string(c.octets); }) == c.rev1);
        CHECK(written([&](ResponseWriter& out) { out.string(c.octets); }, true) == c.rev2);
    }
    CHECK(written([](ResponseWriter& out) {
              out.string(std::string(1001, 'x'));
          }).starts_with("{1001}\r\n"));
    CHECK(written([](ResponseWriter& out) { out.nstring(std::nullopt); }) == "NIL");
}

TEST_CASE("mailbox names are atoms where they can be, in the session's encoding") {
    const auto name = [](std::string_view utf8, bool rev2) {
        return written([&](ResponseWriter& out) { out.mailbox(utf8); }, rev2);
    };
    CHECK(name("INBOX", false) == "INBOX");
    CHECK(name("a]b", false) == "a]b");
    CHECK(name("a b", false) == "\"a b\"");
    CHECK(name("", false) == "\"\"");
    CHECK(name("NIL", false) == "\"NIL\"");
    CHECK(name("100%", false) == "\"100%\"");
    CHECK(name("Entwürfe", false) == "Entw&APw-rfe");
    CHECK(name("Entwürfe", true) == "\"Entwürfe\"");
    CHECK(name("A&B", false) == "A&-B");
    CHECK(name("A&B", true) == "A&B");
}

TEST_CASE("text is one line, ASCII before IMAP4rev2 is enabled") {
    std::string text;
    write_condition(Condition::No, Code::None, "a\r\n* BYE \xc3\xa4", false, text);
    CHECK(text == "NO a??* BYE ??\r\n");
    text.clear();
    write_condition(Condition::Ok, Code::ReadOnly, "\xc3\xa4", true, text);
    CHECK(text == "OK [READ-ONLY] \xc3\xa4\r\n");
}

TEST_CASE("response codes") {
    const auto code = [](ResponseCode value) {
        std::string text;
        append_response_code(value, text);
        return text;
    };
    CHECK(code(Code::None).empty());
    CHECK(code(PermanentFlags{{SystemFlag::Seen}, true}) == "[PERMANENTFLAGS (\\Seen \\*)] ");
    CHECK(code(PermanentFlags{{}, true}) == "[PERMANENTFLAGS (\\*)] ");
    CHECK(code(PermanentFlags{}) == "[PERMANENTFLAGS ()] ");
    CHECK(code(AppendUid{5, 7}) == "[APPENDUID 5 7] ");
    CHECK(code(CopyUid{5, NumberSet({{1, 2}, {9, 9}}), NumberSet({{3, 5}})}) ==
          "[COPYUID 5 1:2,9 3:5] ");
    CHECK(code(CopyUid{5, {}, {}}).empty());
    CHECK(code(Modified{}).empty());
    CHECK(code(Modified{NumberSet({{7, 7}})}) == "[MODIFIED 7] ");
    CHECK(code(BadCharset{}) == "[BADCHARSET] ");
    for (int i = static_cast<int>(Code::None) + 1; i <= static_cast<int>(Code::UseAttr); ++i)
        CHECK_FALSE(to_string(static_cast<Code>(i)).empty());
}

TEST_CASE("what a session is told depends on what it has enabled") {
    const response::Expunged gone{{3, 3}, NumberSet({{7, 8}})};
    CHECK(line_of(gone) == "* 3 EXPUNGE\r\n* 3 EXPUNGE\r\n");
    CHECK(line_of(gone, {false, true, true}) == "* VANISHED 7:8\r\n");
    CHECK(line_of(response::VanishedEarlier{}).empty());
    CHECK(line_of(response::Recent{2}) == "* 2 RECENT\r\n");
    CHECK(line_of(response::Recent{2}, {true, false, false}).empty());

    response::FlagsChanged changed{2, 9, 77, FlagSet{{SystemFlag::Seen}}};
    CHECK(line_of(changed) == "* 2 FETCH (FLAGS (\\Seen))\r\n");
    CHECK(line_of(changed, {}, true) == "* 2 FETCH (UID 9 FLAGS (\\Seen))\r\n");
    CHECK(line_of(changed, {true, false, false}) == "* 2 FETCH (UID 9 FLAGS (\\Seen))\r\n");
    CHECK(line_of(changed, {false, true, false}) ==
          "* 2 FETCH (UID 9 MODSEQ (77) FLAGS (\\Seen))\r\n");
    changed.flags.reset();
    CHECK(line_of(changed).empty());
    CHECK(line_of(changed, {false, true, false}) == "* 2 FETCH (UID 9 MODSEQ (77))\r\n");
}

TEST_CASE("LIST, STATUS, NAMESPACE and SEARCH in their own words") {
    response::List list;
    list.attributes = {MailboxAttribute::NonExistent, MailboxAttribute::Subscribed};
    list.mailbox = "a b";
    list.child_info_subscribed = true;
    list.old_name = "c";
    CHECK(line_of(list) == "* LIST (\\NonExistent \\Subscribed) \"/\" \"a b\" (\"CHILDINFO\" "
                           "(\"SUBSCRIBED\") \"OLDNAME\" (c))\r\n");
    list = {};
    list.delimiter.reset();
    list.mailbox = "x";
    CHECK(line_of(list) == "* LIST () NIL x\r\n");
    list.delimiter = '\\';
    CHECK(line_of(list) == "* LIST () \"\\\\\" x\r\n");

    CHECK(line_of(response::MailboxStatus{"x",
                                          {{StatusItem::Messages, std::uint64_t{3}},
                                           {StatusItem::MailboxId, std::string("F1")}}}) ==
          "* STATUS x (MESSAGES 3 MAILBOXID (F1))\r\n");
    CHECK(line_of(response::Namespace{{{"", '/'}}, {{"~", '/'}}, {}}) ==
          "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL\r\n");
    CHECK(line_of(response::SearchResult{NumberSet({{1, 3}}), 9}) ==
          "* SEARCH 1 2 3 (MODSEQ 9)\r\n");
    CHECK(line_of(response::SearchResult{{}, 9}) == "* SEARCH\r\n");

    ResponseContext context;
    context.tag = "x\"y";
    context.addressing = Addressing::Uids;
    context.search_return = {true, true, true, true, true, false};
    std::string text;
    write_response(response::SearchResult{NumberSet({{2, 4}}), 5}, context, text);
    CHECK(text == "* ESEARCH (TAG \"x\\\"y\") UID MIN 2 MAX 4 COUNT 3 ALL 2:4 MODSEQ 5\r\n");
    text.clear();
    write_response(response::SearchResult{}, context, text);
    CHECK(text == "* ESEARCH (TAG \"x\\\"y\") UID COUNT 0\r\n");
    text.clear();
    context.search_return = {true, false, false, false, false, true};
    write_response(response::SearchResult{NumberSet({{2, 4}}), 5}, context, text);
    CHECK(text.empty());
}

TEST_CASE("ENVELOPE tells groups, missing fields and missing domains apart") {
    const auto envelope = [](std::string_view header) {
        const auto structure = mime::parse(header);
        return written([&](ResponseWriter& out) { write_envelope(structure.envelope(), out); });
    };
    CHECK(envelope("Subject: \r\n\r\n") == "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    CHECK(envelope("To: A Group: a@b.example, \"C D\" <c@d.example>;\r\n\r\n") ==
          "(NIL NIL NIL NIL NIL ((NIL NIL \"A Group\" NIL)(NIL NIL \"a\" \"b.example\")"
          "(\"C D\" NIL \"c\" \"d.example\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
    CHECK(envelope("From: a@b.example\r\nSender: s@b.example\r\nReply-To: r@b.example\r\n"
                   "In-Reply-To: <x>\r\nMessage-ID: <y>\r\n\r\n") ==
          "(NIL NIL ((NIL NIL \"a\" \"b.example\")) ((NIL NIL \"s\" \"b.example\")) "
          "((NIL NIL \"r\" \"b.example\")) NIL NIL NIL \"<x>\" \"<y>\")");
    CHECK(envelope("From: nobody\r\n\r\n").find("(NIL NIL \"nobody\" \"\")") != std::string::npos);
}

TEST_CASE("BODYSTRUCTURE never promises parts that cannot be fetched") {
    CHECK(structure_of("\r\nhello\r\n") ==
          "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1)");
    CHECK(structure_of("Content-Type: image/png; name=x\r\nContent-Transfer-Encoding: BASE64\r\n"
                       "Content-Disposition: attachment; filename=x.png\r\nContent-Language: de, "
                       "en\r\n\r\nAAAA\r\n",
                       BodyExtensions::Yes) ==
          "(\"image\" \"png\" (\"name\" \"x\") NIL NIL \"BASE64\" 6 NIL "
          "(\"attachment\" (\"filename\" \"x.png\")) (\"de\" \"en\") NIL)");
    // A multipart without a boundary, and a message deeper than is looked at, are octets.
    CHECK(structure_of("Content-Type: multipart/mixed\r\n\r\nx\r\n")
              .starts_with("(\"application\" \"octet-stream\""));
}
