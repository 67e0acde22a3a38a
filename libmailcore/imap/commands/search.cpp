#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/charset.h"
#include "libmailcore/codec/utf8.h"

namespace mailcore::imap {
namespace {

using codec::equal_ignoring_case;
using Kind = SearchKey::Kind;

enum class Argument : std::uint8_t { None, Text, Header, Keyword, Date, Number, Uids, ModSeq, Id };

// Every search key that begins with a word, but NOT, OR and UID with their own grammar below.
struct KnownKey {
    std::string_view name;
    Kind kind;
    Argument argument = Argument::None;
    SystemFlag flag{};
    std::string_view field = {};
    bool negated = false;
    std::optional<Extension> needs = {};
};
constexpr KnownKey known_keys[] = {
    {"ALL", Kind::All},
    {"ANSWERED", Kind::HasFlag, Argument::None, SystemFlag::Answered},
    {"BCC", Kind::Address, Argument::Text, {}, "Bcc"},
    {"BEFORE", Kind::Before, Argument::Date},
    {"BODY", Kind::Body, Argument::Text},
    {"CC", Kind::Address, Argument::Text, {}, "Cc"},
    {"DELETED", Kind::HasFlag, Argument::None, SystemFlag::Deleted},
    {"DRAFT", Kind::HasFlag, Argument::None, SystemFlag::Draft},
    {"EMAILID", Kind::EmailId, Argument::Id, {}, {}, false, Extension::ObjectId},
    {"FLAGGED", Kind::HasFlag, Argument::None, SystemFlag::Flagged},
    {"FROM", Kind::Address, Argument::Text, {}, "From"},
    {"HEADER", Kind::Header, Argument::Header},
    {"KEYWORD", Kind::Keyword, Argument::Keyword},
    {"LARGER", Kind::Larger, Argument::Number},
    {"MODSEQ", Kind::ModSeq, Argument::ModSeq, {}, {}, false, Extension::CondStore},
    {"OLD", Kind::HasFlag, Argument::None, SystemFlag::Recent, {}, true},
    {"ON", Kind::On, Argument::Date},
    {"RECENT", Kind::HasFlag, Argument::None, SystemFlag::Recent},
    {"SEEN", Kind::HasFlag, Argument::None, SystemFlag::Seen},
    {"SENTBEFORE", Kind::SentBefore, Argument::Date},
    {"SENTON", Kind::SentOn, Argument::Date},
    {"SENTSINCE", Kind::SentSince, Argument::Date},
    {"SINCE", Kind::Since, Argument::Date},
    {"SMALLER", Kind::Smaller, Argument::Number},
    {"SUBJECT", Kind::Header, Argument::Text, {}, "Subject"},
    {"TEXT", Kind::Text, Argument::Text},
    {"THREADID", Kind::ThreadId, Argument::Id, {}, {}, false, Extension::ObjectId},
    {"TO", Kind::Address, Argument::Text, {}, "To"},
    {"UID", Kind::Uid, Argument::Uids},
    {"UNANSWERED", Kind::HasFlag, Argument::None, SystemFlag::Answered, {}, true},
    {"UNDELETED", Kind::HasFlag, Argument::None, SystemFlag::Deleted, {}, true},
    {"UNDRAFT", Kind::HasFlag, Argument::None, SystemFlag::Draft, {}, true},
    {"UNFLAGGED", Kind::HasFlag, Argument::None, SystemFlag::Flagged, {}, true},
    {"UNKEYWORD", Kind::Keyword, Argument::Keyword, {}, {}, true},
    {"UNSEEN", Kind::HasFlag, Argument::None, SystemFlag::Seen, {}, true},
};

SearchKey negation(SearchKey key) {
    SearchKey negated;
    negated.kind = Kind::Not;
    negated.keys.push_back(std::move(key));
    return negated;
}

SearchKey flag_key(SystemFlag flag) {
    SearchKey key;
    key.kind = Kind::HasFlag;
    key.system_flag = flag;
    return key;
}

class SearchParser {
  public:
    explicit SearchParser(WireReader& in) : in_(in) {}

    // ["CHARSET" SP charset SP] search-key *(SP search-key)
    SearchKey program() {
        SearchKey all;
        all.kind = Kind::And;
        auto word = key_word();
        if (word && equal_ignoring_case(*word, "CHARSET")) {
            // RFC 6855 §3: all strings are UTF-8 already.
            if (in_.grammar().enabled.utf8) in_.fail("no CHARSET once UTF8=ACCEPT is enabled");
            in_.sp();
            set_charset(in_.astring());
            in_.sp();
            word = key_word();
        }
        all.keys.push_back(key(word, 0));
        while (in_.take(' ')) all.keys.push_back(key(key_word(), 0));
        if (all.keys.size() == 1) {
            auto only = std::move(all.keys.front());
            return only;
        }
        return all;
    }

  private:
    // The word that a key begins with; nothing if it begins with a set or a parenthesis.
    std::optional<std::string_view> key_word() {
        if (in_.next_is('(') || in_.next_is('*') || in_.next_is('$') || in_.next_is_digit())
            return std::nullopt;
        return in_.atom();
    }

    void set_charset(std::string name) {
        if (!in_.ok()) return;
        // What mail calls by no name is guessed (codec/charset.h); what a client names must be
        // known.
        ascii_ = equal_ignoring_case(name, "US-ASCII");
        if (ascii_ || equal_ignoring_case(name, "UTF-8")) return;
        if (!codec::is_known_charset(name)) {
            in_.refuse(BadCharset{{"US-ASCII", "UTF-8"}}, "Charset is not supported");
            return;
        }
        charset_ = std::move(name);
    }

    // In UTF-8. Without CHARSET the strings are UTF-8 (RFC 9051 §6.4.4).
    std::string text() {
        auto octets = in_.astring();
        if (!charset_.empty()) return codec::to_utf8(octets, charset_);
        if (ascii_ ? !codec::is_ascii(octets) : !codec::is_utf8(octets))
            in_.fail(ascii_ ? "US-ASCII, as CHARSET says" : "UTF-8");
        return octets;
    }

    SearchKey key(std::optional<std::string_view> word, std::size_t depth) {
        if (!in_.ok()) return {};
        if (depth > in_.grammar().search_depth_max || ++keys_ > in_.grammar().search_keys_max) {
            in_.refuse(Code::Limit, "Search criteria are too complex");
            return {};
        }
        if (!word) return in_.next_is('(') ? list(depth) : numbers();
        if (equal_ignoring_case(*word, "NOT")) {
            in_.sp();
            return negation(key(key_word(), depth + 1));
        }
        if (equal_ignoring_case(*word, "OR")) {
            SearchKey either;
            either.kind = Kind::Or;
            for (int i = 0; i < 2; ++i) {
                in_.sp();
                either.keys.push_back(key(key_word(), depth + 1));
            }
            return either;
        }
        // RFC 3501 §6.4.4: NEW is (RECENT UNSEEN).
        if (equal_ignoring_case(*word, "NEW")) {
            SearchKey both;
            both.kind = Kind::And;
            both.keys.push_back(flag_key(SystemFlag::Recent));
            both.keys.push_back(negation(flag_key(SystemFlag::Seen)));
            return both;
        }
        for (const auto& known : known_keys)
            if (equal_ignoring_case(known.name, *word) &&
                (!known.needs || in_.grammar().extensions.has(*known.needs)))
                return with_argument(known);
        in_.fail("a search key");
        return {};
    }

    // "(" search-key *(SP search-key) ")"
    SearchKey list(std::size_t depth) {
        SearchKey all;
        all.kind = Kind::And;
        in_.open();
        do all.keys.push_back(key(key_word(), depth + 1));
        while (in_.take(' '));
        in_.close();
        return all;
    }

    SearchKey numbers() {
        SearchKey key;
        key.kind = Kind::Number;
        key.set = in_.sequence_set();
        return key;
    }

    SearchKey with_argument(const KnownKey& known) {
        SearchKey key;
        key.kind = known.kind;
        key.system_flag = known.flag;
        key.field = known.field;
        if (known.argument != Argument::None) in_.sp();
        switch (known.argument) {
        case Argument::None: break;
        case Argument::Text: key.text = text(); break;
        case Argument::Header:
            key.field = in_.astring();
            in_.sp();
            key.text = text();
            break;
        case Argument::Keyword: key.text = in_.atom(); break;
        case Argument::Date: key.date = in_.date(); break;
        case Argument::Number: key.number = in_.number64(); break;
        case Argument::Uids: key.set = in_.sequence_set(); break;
        case Argument::ModSeq: key.number = mod_sequence(); break;
        case Argument::Id: key.text = in_.atom(); break;
        }
        return known.negated ? negation(std::move(key)) : key;
    }

    // search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer
    // search-modseq-ext = SP entry-name SP entry-type-req, of which nothing is kept (RFC 7162
    // §3.1.5)
    std::uint64_t mod_sequence() {
        if (in_.next_is('"')) {
            in_.string();
            in_.sp();
            const auto type = in_.atom();
            if (!equal_ignoring_case(type, "priv") && !equal_ignoring_case(type, "shared") &&
                !equal_ignoring_case(type, "all"))
                in_.fail("priv, shared or all");
            in_.sp();
        }
        return in_.number64();
    }

    WireReader& in_;
    std::string charset_; // empty: UTF-8, or US-ASCII if ascii_
    bool ascii_ = false;
    std::size_t keys_ = 0;
};

// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
void parse_return(WireReader& in, command::Search& search) {
    search.returns.extended = true;
    in.sp();
    in.open();
    if (!in.take(')')) {
        do {
            const auto name = in.atom();
            if (equal_ignoring_case(name, "MIN"))
                search.returns.min = true;
            else if (equal_ignoring_case(name, "MAX"))
                search.returns.max = true;
            else if (equal_ignoring_case(name, "ALL"))
                search.returns.all = true;
            else if (equal_ignoring_case(name, "COUNT"))
                search.returns.count = true;
            else if (equal_ignoring_case(name, "SAVE") &&
                     in.grammar().extensions.has(Extension::SearchRes))
                search.returns.save = true;
            else
                in.fail("a return option of SEARCH");
        } while (in.take(' '));
        in.close();
    }
    // RFC 4731 §3.1: "()" is (ALL). SAVE alone returns nothing (RFC 9051 §6.4.4).
    auto& returns = search.returns;
    if (!returns.min && !returns.max && !returns.count && !returns.save) returns.all = true;
}

// search = "SEARCH" [search-return-opts] SP search-program
Command parse(WireReader& in, Addressing addressing) {
    command::Search search;
    search.addressing = addressing;
    in.sp();
    if (in.grammar().extensions.has(Extension::ESearch) && in.take_word("RETURN")) {
        parse_return(in, search);
        in.sp();
    } else if (in.grammar().enabled.rev2) {
        search.returns.extended = search.returns.all = true;
    }
    search.key = SearchParser(in).program();
    return search;
}

} // namespace

Command parse_search(WireReader& in) { return parse(in, Addressing::Numbers); }
Command parse_uid_search(WireReader& in) { return parse(in, Addressing::Uids); }

} // namespace mailcore::imap
