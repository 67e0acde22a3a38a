#include "libmailcore/imap/command_table.h"

#include "libmailcore/imap/section.h"
#include "tests/catch.h"

#include <algorithm>
#include <fmt/format.h>

using namespace mailcore;
using namespace mailcore::imap;

namespace {

std::optional<SyntaxError> error_of(std::string_view line, const Grammar& grammar) {
    WireReader in(line, grammar);
    const auto head = read_command_head(in);
    if (in.ok() && head.row) {
        const auto command = head.row->parse(in);
        in.end();
    } else if (in.ok()) {
        in.fail("a command");
    }
    if (in.ok()) return std::nullopt;
    return in.error();
}

template <class T>
T parsed(std::string_view line, Grammar grammar = {}) {
    grammar.enabled = {true, true, true};
    grammar.names = NameEncoding::Utf8;
    WireReader in(line, grammar);
    const auto head = read_command_head(in);
    REQUIRE(head.row);
    auto command = head.row->parse(in);
    in.end();
    INFO(line);
    if (!in.ok()) INFO(in.error().expected);
    REQUIRE(in.ok());
    return std::get<T>(std::move(command));
}

std::string text_of(const command::Fetch& fetch) {
    std::string text;
    for (const auto& item : fetch.items) {
        text += fmt::format("{}{}", text.empty() ? "" : " ", static_cast<int>(item.kind));
        if (item.kind == FetchItem::Kind::BodySection) append_section(item.section, text);
        if (item.partial)
            text += fmt::format("<{}.{}>", item.partial->offset, item.partial->octets);
    }
    return text;
}

std::string text_of(const SearchKey& key) {
    std::string text = fmt::format("{}", static_cast<int>(key.kind));
    if (!key.field.empty()) text += ":" + key.field;
    if (!key.text.empty()) text += "=" + key.text;
    if (key.number) text += fmt::format("#{}", key.number);
    if (key.keys.empty()) return text;
    text += "(";
    for (const auto& below : key.keys) text += (text.ends_with('(') ? "" : " ") + text_of(below);
    return text + ")";
}

} // namespace

TEST_CASE("every row of the command table says where it comes from and when it may come") {
    std::vector<std::string_view> verbs;
    for (const auto& row : command_table()) {
        INFO(row.verb);
        CHECK(row.source.starts_with("RFC "));
        CHECK(row.parse != nullptr);
        CHECK(row.states.find_first_not_of("NAS") == std::string_view::npos);
        CHECK_FALSE(row.states.empty());
        CHECK(std::string_view("=AS").contains(row.ok_leads_to));
        // RFC 9051 §7.5.1: not in these three, but in their UID forms.
        if (row.verb == "FETCH" || row.verb == "STORE" || row.verb == "SEARCH")
            CHECK(row.expunges == Expunges::No);
        if (row.verb.starts_with("UID ")) CHECK(row.expunges == Expunges::Yes);
        verbs.push_back(row.verb);
    }
    std::ranges::sort(verbs);
    CHECK(std::ranges::adjacent_find(verbs) == verbs.end());
}

TEST_CASE("what no command is, is told where it stops being one") {
    struct Case {
        const char* name;
        std::string_view line;
        std::size_t offset;
    };
    static const Case cases[] = {
        {"empty", "", 0},
        {"no tag", " NOOP", 0},
        {"tag alone", "a", 1},
        {"plus in the tag", "a+b NOOP", 1},
        {"two spaces", "a  NOOP", 2},
        {"tab", "a\tNOOP", 1},
        {"8-bit in the tag", "\xc3\xa4 NOOP", 0},
        {"8-bit in the command", "a NO\xc3\xa4OP", 4},
        {"trailing space", "a NOOP ", 6},
        {"UID alone", "a UID", 5},
        {"LOGIN without password", "a LOGIN jo", 10},
        {"LOGIN with an open quote", "a LOGIN \"jo", 11},
        {"LOGIN with a bad escape", "a LOGIN \"j\\o\" x", 11},
        {"LOGIN with a star", "a LOGIN * x", 8},
        {"LOGIN with three", "a LOGIN a b c", 11},
        {"literal without CRLF", "a LOGIN {2}jo pw", 11},
        {"literal cut short", "a LOGIN {20}\r\njo", 12},
        {"literal with NUL", std::string_view("a LOGIN {2}\r\nj\0 pw", 18), 11},
        {"literal of 2^63", "a LOGIN {9223372036854775808}\r\n", 9},
        {"literal8", "a LOGIN ~{2}\r\njo pw", 9},
        {"status without items", "a STATUS INBOX ()", 16},
        {"status with open list", "a STATUS INBOX (MESSAGES", 24},
        {"sequence set with space", "a FETCH 1, 2 FLAGS", 10},
        {"store without flags", "a STORE 1 FLAGS", 15},
        {"store of something else", "a STORE 1 BODY (x)", 14},
        {"store of \\Recent", "a STORE 1 FLAGS (\\Recent)", 24},
        {"store with a bad modifier", "a STORE 1 (UNCHANGED 5) FLAGS ()", 20},
        {"store with a doubled modifier", "a STORE 1 (UNCHANGEDSINCE 5 UNCHANGEDSINCE 6) FLAGS ()",
         27},
        {"copy without mailbox", "a COPY 1", 8},
        {"rename with one name", "a RENAME a", 10},
        {"enable nothing", "a ENABLE", 8},
        {"authenticate with bad base64", "a AUTHENTICATE PLAIN A", 22},
        {"id with a lone field", "a ID (\"x\")", 9},
        {"idle with an argument", "a IDLE x", 6},
        {"list without pattern", "a LIST \"\"", 9},
        {"list with an unknown option", "a LIST (FOO) \"\" *", 11},
        {"search with nothing", "a SEARCH", 8},
        {"search with an unknown key", "a SEARCH FOO", 12},
        {"search with CHARSET alone", "a SEARCH CHARSET UTF-8", 22},
        {"search with open list", "a SEARCH (SEEN", 14},
        {"search with empty list", "a SEARCH ()", 10},
        {"search with a bad date", "a SEARCH ON 1-Foo-2020", 12},
        {"search for 8-bit that is no UTF-8", "a SEARCH TEXT {1}\r\n\xff", 20},
        {"fetch with a doubled bracket", "a FETCH 1 BODY[[1]]", 15},
        {"fetch with part 0", "a FETCH 1 BODY[0]", 15},
        {"fetch with open bracket", "a FETCH 1 BODY[1", 16},
        {"fetch with an endless part", "a FETCH 1 BODY[4294967296]", 15},
        {"fetch with a negative partial", "a FETCH 1 BODY[]<-1.5>", 17},
        {"fetch of a partial's half", "a FETCH 1 BODY[]<5>", 18},
        {"append without a message", "a APPEND INBOX", 14},
        {"append of a doubled tilde", "a APPEND INBOX ~~{1}", 16},
        {"append of a size without end", "a APPEND INBOX ~{1", 18},
        {"append with two dates", "a APPEND INBOX \" 7-Feb-1994 21:52:25 -0800\" \"", 44},
        {"preview with an unknown modifier", "a FETCH 1 PREVIEW (FAST)", 23},
        {"preview with open list", "a FETCH 1 PREVIEW (LAZY", 23},
        {"select with an unknown parameter", "a SELECT INBOX (FOO)", 19},
    };
    const Grammar grammar;
    for (const auto& c : cases) {
        INFO(c.name);
        const auto error = error_of(c.line, grammar);
        REQUIRE(error);
        INFO(error->expected);
        CHECK(error->offset == c.offset);
        CHECK_FALSE(error->expected.empty());
    }
}

TEST_CASE("what has the right form but cannot be is answered NO with its code") {
    const Grammar grammar;
    const auto code_of = [&](std::string_view line) {
        const auto error = error_of(line, grammar);
        if (!error || error->answer != SyntaxError::Answer::No) return std::string("no NO");
        std::string code;
        append_response_code(error->code, code);
        return code;
    };
    CHECK(code_of("a SELECT &-&-&") == "[CANNOT] ");
    CHECK(code_of("a CREATE x (USE (\\Foo))") == "[USEATTR] ");
    CHECK(code_of("a SEARCH CHARSET x-none ALL") == "[BADCHARSET (US-ASCII UTF-8)] ");
    CHECK(code_of("a APPEND INBOX UTF8 (~{1}") == "[CANNOT] ");
    std::string flags = "a STORE 1 FLAGS (";
    for (int i = 0; i < 257; ++i) flags += fmt::format("k{} ", i);
    flags.back() = ')';
    CHECK(code_of(flags) == "[LIMIT] ");
}

TEST_CASE("10,000 parentheses, negations and alternatives are refused before they cost anything") {
    const Grammar grammar;
    std::string lists = "a SEARCH ", nots = "a SEARCH ", ors = "a SEARCH ";
    for (int i = 0; i < 10'000; ++i) lists += "(", nots += "NOT ", ors += "OR ";
    for (const auto& line : {lists, nots, ors}) {
        const auto error = error_of(line, grammar);
        REQUIRE(error);
        CHECK(error->answer == SyntaxError::Answer::No);
    }
    const auto nested = [](std::size_t depth) {
        return "a SEARCH " + std::string(depth, '(') + "ALL" + std::string(depth, ')');
    };
    CHECK_FALSE(error_of(nested(grammar.search_depth_max), grammar));
    CHECK(error_of(nested(grammar.search_depth_max + 1), grammar));
    std::string wide = "a SEARCH ALL";
    for (std::size_t i = 1; i < grammar.search_keys_max; ++i) wide += " ALL";
    CHECK_FALSE(error_of(wide, grammar));
    CHECK(error_of(wide + " ALL", grammar));
}

TEST_CASE("huge sets are read, huge numbers of flags, patterns and items are not") {
    const Grammar grammar;
    std::string set = "a FETCH 1";
    for (int i = 2; i <= 32768; ++i) set += fmt::format(",{}", i * 2);
    CHECK_FALSE(error_of(set + " FLAGS", grammar));
    CHECK(error_of(set + ",1 FLAGS", grammar));
    std::string patterns = "a LIST \"\" (a", items = "a FETCH 1 (UID";
    for (int i = 0; i < 64; ++i) patterns += " b";
    for (int i = 0; i < 256; ++i) items += fmt::format(" BODY[{}]", i + 1);
    CHECK(error_of(patterns + ")", grammar));
    CHECK(error_of(items + ")", grammar));
}

TEST_CASE("FETCH items are kept in order, macros expanded, what the answer must have added") {
    CHECK(text_of(parsed<command::Fetch>("a FETCH 1 FAST")) == "1 2 3");
    CHECK(text_of(parsed<command::Fetch>("a FETCH 1 ALL")) == "1 2 3 0");
    CHECK(text_of(parsed<command::Fetch>("a FETCH 1 full")) == "1 2 3 0 4");
    CHECK(text_of(parsed<command::Fetch>("a UID FETCH 1 FLAGS")) == "1 6");
    CHECK(text_of(parsed<command::Fetch>("a UID FETCH 1 (UID FLAGS UID)")) == "6 1");
    CHECK(text_of(parsed<command::Fetch>("a FETCH 1 FLAGS (CHANGEDSINCE 5)")) == "1 13");
    CHECK(text_of(parsed<command::Fetch>(
              "a FETCH 1 body.peek[1.2.header.fields.not (a \"b c\" {1}\r\nd)]<0.5>")) ==
          "7[1.2.HEADER.FIELDS.NOT (a \"b c\" d)]<0.5>");
    const auto fetch = parsed<command::Fetch>("a UID FETCH $ BODY[] (VANISHED CHANGEDSINCE 7)");
    CHECK(fetch.set.is_saved_result());
    CHECK(fetch.vanished);
    CHECK(fetch.changed_since == 7);
    CHECK(fetch.items.front().sets_seen());
    CHECK_FALSE(parsed<command::Fetch>("a FETCH 1 BINARY.PEEK[1]").items.front().sets_seen());
}

TEST_CASE("search criteria become a tree") {
    const auto tree = [](std::string_view criteria) {
        return text_of(parsed<command::Search>("a SEARCH " + std::string(criteria)).key);
    };
    CHECK(tree("ALL") == "0");
    CHECK(tree("SEEN UNSEEN") == "1(4 3(4))");
    CHECK(tree("OR NOT FROM a (TO b CC c)") == "2(3(9:From=a) 1(9:To=b 9:Cc=c))");
    CHECK(tree("SUBJECT \"a b\"") == "8:Subject=a b");
    CHECK(tree("HEADER X-A {0}\r\n") == "8:X-A");
    CHECK(tree("CHARSET ISO-8859-1 TEXT {1}\r\n\xe4") == "6=ä");
    CHECK(tree("MODSEQ \"/flags/\\\\seen\" all 12 LARGER 5") == "1(20#12 16#5)");
    CHECK(tree("UID 1:* $ 4,5") == "1(18 19 19)");
    const auto returns =
        parsed<command::Search>("a UID SEARCH RETURN (MIN COUNT SAVE) CHARSET UTF-8 ALL").returns;
    CHECK((returns.extended && returns.min && returns.count && returns.save && !returns.all &&
           !returns.max));
    const auto none = parsed<command::Search>("a SEARCH RETURN () ALL").returns;
    CHECK((none.extended && none.all));
}

TEST_CASE("only what RFC 7162 §3.1 names makes a client CONDSTORE-aware") {
    const auto enables = [](std::string_view line) {
        Grammar grammar;
        WireReader in(line, grammar);
        const auto head = read_command_head(in);
        const auto command = head.row->parse(in);
        REQUIRE(in.ok());
        return enables_condstore(command);
    };
    CHECK(enables("a SELECT x (CONDSTORE)"));
    CHECK(enables("a STATUS x (HIGHESTMODSEQ)"));
    CHECK(enables("a LIST \"\" * RETURN (STATUS (HIGHESTMODSEQ))"));
    CHECK(enables("a FETCH 1 MODSEQ"));
    CHECK(enables("a FETCH 1 FLAGS (CHANGEDSINCE 1)"));
    CHECK(enables("a SEARCH OR SEEN NOT MODSEQ 1"));
    CHECK(enables("a STORE 1 (UNCHANGEDSINCE 0) FLAGS ()"));
    CHECK_FALSE(enables("a SELECT x"));
    CHECK_FALSE(enables("a STATUS x (MESSAGES)"));
    CHECK_FALSE(enables("a FETCH 1 FLAGS"));
    CHECK_FALSE(enables("a SEARCH SEEN"));
    CHECK_FALSE(enables("a STORE 1 FLAGS ()"));
}
