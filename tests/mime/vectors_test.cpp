// Our parsers against the results of another (the vectors beside the project). Where the two
// differ, the difference is one of the tables here, with its reason.
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/message_id.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/received.h"
#include "libmailcore/mime/text.h"

#include "tests/catch.h"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

using namespace mailcore;
using namespace mailcore::mime;
using nlohmann::json;

namespace {

std::optional<json> vectors(const std::string& name) {
    std::ifstream file(std::string(MAILCORE_SHARED_DIR) + "/vectors/mime/" + name);
    if (!file) {
        WARN("no vectors beside the project: " << name);
        return std::nullopt;
    }
    return json::parse(file);
}

// The vectors hold a whole field and sometimes what follows it: the value ends where no
// continuation is.
std::string field_value(const json& vector) {
    const std::string block = "X:" + vector["header"].get<std::string>();
    HeaderScanner scanner(block);
    const auto field = scanner.next();
    return field ? std::string(field->value) : "";
}

std::string or_empty(const json& value) {
    return value.is_string() ? value.get<std::string>() : "";
}

// Counts agreement. A difference must be in the table, and what is in the table must differ.
class Comparison {
  public:
    struct Known {
        std::string_view input; // the beginning of it
        std::string_view reason;
    };
    Comparison(std::string name, std::vector<Known> known)
        : name_(std::move(name)), known_(std::move(known)) {}

    void add(std::string_view input, const std::string& ours, const std::string& theirs) {
        ++total_;
        const auto known = std::find_if(known_.begin(), known_.end(),
                                        [&](const auto& k) { return input.starts_with(k.input); });
        if (ours == theirs) {
            ++agreed_;
            return;
        }
        if (known != known_.end()) {
            used_.insert(known->input);
            return;
        }
        INFO(name_ << ": " << input);
        CHECK(ours == theirs);
    }
    ~Comparison() {
        for (const auto& known : known_)
            if (!used_.contains(known.input))
                FAIL_CHECK(name_ << ": no longer differs: " << known.input);
        fmt::print("{}: {} of {} agree, {} differ for stated reasons\n", name_, agreed_, total_,
                   total_ - agreed_);
    }

  private:
    std::string name_;
    std::vector<Known> known_;
    std::set<std::string_view> used_;
    std::size_t total_ = 0;
    std::size_t agreed_ = 0;
};

std::string text_of(const std::vector<Address>& rows) {
    std::string out;
    for (const auto& row : rows) {
        if (row.kind == Address::Kind::GroupEnd) {
            out += ";\n";
        } else {
            auto address = row.local;
            if (!row.domain.empty()) address += "@" + row.domain;
            if (!row.route.empty()) address = row.route + ":" + address;
            out += row.kind == Address::Kind::GroupBegin ? "group " : "";
            out += row.display_name() + " <" + address + ">\n";
        }
    }
    return out;
}
std::string addresses_of(const json& list) {
    std::string out;
    for (const auto& row : list)
        out += or_empty(row["name"]) + " <" + or_empty(row["address"]) + ">\n";
    return out;
}
std::string address_text_of(const json& expected) {
    if (expected.is_null()) return "";
    if (expected.contains("List")) return addresses_of(expected["List"]);
    std::string out;
    for (const auto& group : expected["Group"]) {
        // Their "group without name" is a run of addresses outside of groups.
        const bool named = group["name"].is_string();
        if (named) out += "group " + or_empty(group["name"]) + " <>\n";
        out += addresses_of(group["addresses"]);
        if (named) out += ";\n";
    }
    return out;
}

std::string text_of(const DateTime& date) {
    return format_utc(date.time) + " " + std::to_string(date.zone_minutes);
}
std::string date_text_of(const json& expected) {
    if (expected.is_null()) return "";
    using namespace std::chrono;
    const auto number = [&](const char* name) { return expected[name].get<int>(); };
    const int zone =
        (number("tz_hour") * 60 + number("tz_minute")) * (expected["tz_before_gmt"] ? -1 : 1);
    const auto local = sys_days{year{number("year")} / number("month") / number("day")} +
                       hours{number("hour")} + minutes{number("minute")} +
                       seconds{number("second")};
    return text_of(DateTime{WallTime{(local - minutes{zone}).time_since_epoch()},
                            static_cast<std::int16_t>(zone), false});
}

std::string text_of(const ContentType& type) {
    auto out = type.type + "/" + type.subtype;
    std::vector<std::string> names;
    for (const auto& parameter : type.parameters) {
        auto name = parameter.name;
        if (name.ends_with('*')) name.pop_back();
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    std::vector<std::string> lines;
    for (const auto& name : names)
        lines.push_back(name + "=" + *decoded_parameter(type.parameters, name));
    std::sort(lines.begin(), lines.end());
    for (const auto& line : lines) out += "\n" + line;
    return out;
}
std::string type_text_of(const json& expected) {
    if (expected.is_null()) return "";
    auto out =
        codec::lower(or_empty(expected["c_type"])) + "/" +
        (expected.contains("c_subtype") ? codec::lower(or_empty(expected["c_subtype"])) : "");
    if (!expected.contains("attributes") || expected["attributes"].is_null()) return out;
    std::vector<std::string> lines;
    for (const auto& attribute : expected["attributes"]) {
        const auto name = attribute.is_array() ? attribute[0] : attribute["name"];
        const auto value = attribute.is_array() ? attribute[1] : attribute["value"];
        if (name.get<std::string>().ends_with("-language"))
            continue; // theirs, made of RFC 2231's language
        lines.push_back(codec::lower(name.get<std::string>()) + "=" + value.get<std::string>());
    }
    std::sort(lines.begin(), lines.end());
    for (const auto& line : lines) out += "\n" + line;
    return out;
}

// White space does not count: they collapse what folding put in, we keep it (RFC 5322 §2.2.3).
std::string collapsed(std::string_view text) {
    std::string out;
    for (const char c : codec::trim(text))
        if (!codec::is_space(c) || (!out.empty() && out.back() != ' '))
            out += codec::is_space(c) ? ' ' : c;
    return out;
}

} // namespace

TEST_CASE("address lists agree with the vectors") {
    const auto all = vectors("header-address.json");
    if (!all) return;
    Comparison comparison(
        "addresses",
        {{R"(Pete(A nice \) chap))",
          "a comment behind or inside a name is no part of it (RFC 5322 §3.2.2)"},
         {"Pete(A nice \n", "a comment behind or inside a name is no part of it (RFC 5322 §3.2.2); "
                            "folding goes first, so the backslash quotes the blank"},
         {"A Group(Some people)",
          "a comment behind or inside a name is no part of it (RFC 5322 §3.2.2)"},
         {"(Empty list)(start)",
          "a comment behind or inside a name is no part of it (RFC 5322 §3.2.2)"},
         {"Mary Smith <@node.test", "white space around the dot goes (RFC 5322 §4.4)"},
         {"John Doe <jdoe@machine(comment)", "white space around the dot goes (RFC 5322 §4.4)"},
         {"Nathaniel Borenstein <nsb@thumper",
          "a comment behind or inside a name is no part of it (RFC 5322 §3.2.2)"},
         {R"("  James Smythe")", "blanks at the ends of a name are not shown"},
         {"Name (comment)",
          "a comment behind or inside a name is no part of it (RFC 5322 §3.2.2)"}});
    for (const auto& vector : *all)
        comparison.add(or_empty(vector["header"]), text_of(parse_addresses(field_value(vector))),
                       address_text_of(vector["expected"]));
}

TEST_CASE("content types agree with the vectors") {
    const auto all = vectors("header-content_type.json");
    if (!all) return;
    Comparison comparison(
        "content types",
        {{"application/pdf\n   filename*0*",
          "the charset is told once, in the first piece (RFC 2231 §4.1)"},
         {"image/jpeg;\n   name=\"=?iso-8859-1",
          "white space between encoded words goes (RFC 2047 §6.2)"},
         {"test/\n", "what is no type gives the default (RFC 2045 §5.2)"},
         {"=\n", "what is no type gives the default (RFC 2045 §5.2)"},
         {"name=value\n", "what is no type gives the default (RFC 2045 §5.2)"},
         {"text/plain; name=  \n", "an empty value is a value"},
         {"\u00e1/", "what is no type gives the default (RFC 2045 §5.2)"},
         {"inva/lid; name=\"   \n", "white space at the end of a field goes, quotes or not"},
         {"malicious/attempt", "names with stars in odd places are no parameters (RFC 2231 §7)"},
         {"text/\n", "what is no type gives the default (RFC 2045 §5.2)"},
         {"text/;", "what is no type gives the default (RFC 2045 §5.2)"},
         {"text/ ;", "what is no type gives the default (RFC 2045 §5.2)"},
         {"text/plain/format", "a subtype is a token (RFC 2045 §5.1)"}});
    for (const auto& vector : *all) {
        const auto value = field_value(vector);
        const auto type = parse_content_type(value);
        const bool disposition =
            !vector["expected"].is_null() && vector["expected"]["c_subtype"].is_null() &&
            (value.find("inline") != std::string::npos || value.starts_with("attachment"));
        std::string ours;
        if (disposition) {
            const auto parsed = parse_content_disposition(value);
            ours = text_of(ContentType{parsed->type, "", parsed->parameters});
        } else if (type) {
            ours = text_of(*type);
        }
        comparison.add(or_empty(vector["header"]), ours, type_text_of(vector["expected"]));
    }
}

TEST_CASE("dates agree with the vectors") {
    const auto all = vectors("header-date.json");
    if (!all) return;
    Comparison comparison("dates", {{" 4 8 15 16", "a date has a time of day with colons"},
                                    {"by 2002:aa7", "a Received field is read by parse_received"}});
    for (const auto& vector : *all) {
        const auto date = parse_date(field_value(vector));
        comparison.add(or_empty(vector["header"]), date ? text_of(*date) : "",
                       date_text_of(vector["expected"]));
    }
}

TEST_CASE("message ids agree with the vectors") {
    const auto all = vectors("header-id.json");
    if (!all) return;
    Comparison comparison("message ids",
                          {{"<1234   @", "white space in an id says nothing (RFC 5322 §4.5.4)"},
                           {"   m", "an id has an at sign"}});
    for (const auto& vector : *all) {
        std::string ours;
        std::string theirs;
        for (const auto& id : parse_message_ids(field_value(vector))) ours += id + "\n";
        if (vector["expected"].is_array())
            for (const auto& id : vector["expected"]) theirs += id.get<std::string>() + "\n";
        comparison.add(or_empty(vector["header"]), ours, theirs);
    }
}

TEST_CASE("unstructured texts agree with the vectors") {
    const auto all = vectors("header-unstructured.json");
    if (!all) return;
    Comparison comparison(
        "unstructured",
        {{"[SUSPECTED SPAM]", "no blank is put before an encoded word that has none"}});
    for (const auto& vector : *all)
        comparison.add(or_empty(vector["header"]),
                       collapsed(decode_encoded_words(field_value(vector))),
                       collapsed(or_empty(vector["expected"])));
}

TEST_CASE("Received fields agree with the vectors") {
    const auto all = vectors("header-received.json");
    if (!all) return;
    Comparison comparison(
        "Received",
        {{"FROM ca-ex-bridge1", "the order of ctime is read"},
         {"from ([10.225", "an id may hold a slash"},
         {"from ([127.0.0.1:32923]", "an id may hold a slash"},
         {"from ([192.168.1.151:49601]", "an id may hold a slash"},
         {"from [193.220.176.134]", "zones by name count (RFC 5322 §4.3)"},
         {"from snake.corp", "two-digit years below 50 are of this century (RFC 5322 §4.3)"},
         {"from smtp.greyware", "two-digit years below 50 are of this century (RFC 5322 §4.3)"},
         {"from [10.128.128.81]:50999", "what the client said is kept with its port"},
         {"from [192.168.0.13]", "a name keeps its odd brackets"},
         {"from TCE-E-7", "the order of ctime is read"},
         {"from pl027", "the order of ctime is read"},
         {"from qmail-scanner", "of two clauses of one kind the first counts"},
         {"from Unknown/Local", "a name may hold a slash"},
         {"from olgisoft.com", "no clause stands behind the date; two-digit years below 50 are of "
                               "this century (RFC 5322 §4.3)"},
         {"from MjA3NDc4Mg", "fractions of a second do not undo the seconds"},
         {"from [<4124973", "a name keeps what it holds; the order of ctime is read"},
         {"from mail-qw0-f46.google.com", "a path without domain is a path"},
         {"(from localhost", "what stands in a comment is not the clause (RFC 5321 §4.4)"},
         {"(from username", "what stands in a comment is not the clause (RFC 5321 §4.4)"},
         {"(from vashugins", "what stands in a comment is not the clause (RFC 5321 §4.4)"},
         {"(qmail 84907", "what stands in a comment is not the clause (RFC 5321 §4.4)"},
         {"by oak.ein.cz", "what stands in a comment is not the clause (RFC 5321 §4.4)"}});
    const auto name = [](const json& expected, const char* field) -> std::string {
        if (!expected.contains(field) || expected[field].is_null()) return "";
        const auto& value = expected[field];
        if (value.is_string()) return value;
        return value.begin().value().get<std::string>();
    };
    for (const auto& vector : *all) {
        const auto ours = parse_received(field_value(vector));
        const auto& theirs = vector["expected"];
        const auto line = [](auto... fields) { return (... + (std::string(fields) + "|")); };
        auto from = ours.from; // theirs reads addresses in brackets
        auto by = ours.by;
        for (auto* text : {&from, &by})
            std::erase_if(*text, [](char c) { return c == '[' || c == ']'; });
        comparison.add(
            or_empty(vector["header"]),
            line(from, by, ours.id, ours.for_recipient, ours.date ? text_of(*ours.date) : ""),
            line(name(theirs, "from"), name(theirs, "by"), name(theirs, "id"), name(theirs, "for_"),
                 theirs.contains("date") ? date_text_of(theirs["date"]) : ""));
    }
}

TEST_CASE("messages agree with the vectors") {
    const auto all = vectors("messages.json");
    if (!all) return;
    Comparison trees("part trees and places", {});
    Comparison texts(
        "texts of parts",
        {{"rfc/000 part 4", "what says it is base64 is decoded"},
         {"rfc/000 part 5", "what says it is base64 is decoded"},
         {"legacy/026 part 2", "raw 8-bit octets that are no UTF-8 are read as windows-1252"},
         {"legacy/052 part 0", "raw 8-bit octets that are no UTF-8 are read as windows-1252"}});
    Comparison fields(
        "fields of messages",
        {{"rfc/001 from", "a bare word is a local part"},
         {"rfc/001 to", "a bare word is a local part"},
         {"rfc/004 from", "a bare word is a local part"},
         {"rfc/004 to", "a bare word is a local part"},
         {"legacy/010", "raw 8-bit octets that are no UTF-8 are read as windows-1252"},
         {"legacy/017 to", "raw 8-bit octets that are no UTF-8 are read as windows-1252"},
         {"legacy/020", "raw 8-bit octets that are no UTF-8 are read as windows-1252"},
         {"legacy/022", "raw 8-bit octets that are no UTF-8 are read as windows-1252"},
         {"legacy/027", "raw 8-bit octets that are no UTF-8 are read as windows-1252"},
         {"legacy/052", "raw 8-bit octets that are no UTF-8 are read as windows-1252"}});
    for (const auto& vector : *all) {
        const auto id = vector["id"].get<std::string>();
        codec::Base64Decoder decoder;
        std::string raw;
        decoder.decode(vector["raw_b64"].get<std::string>(), raw);
        decoder.finish(raw);
        const auto& expected = vector["expected"]["parts"];
        // Some were parsed with bare LF and are kept with CRLF.
        if (expected[0]["offset_end"].get<std::size_t>() != raw.size()) std::erase(raw, '\r');
        const auto structure = parse(raw);
        // Theirs keeps an embedded message as one part; ours goes on into it.
        std::string ours;
        std::string theirs;
        std::vector<const Part*> outer;
        for (const auto& part : structure.parts) {
            bool inner = false;
            for (auto up = part.parent; up != no_part; up = structure.parts[up].parent)
                inner = inner || structure.parts[up].kind == Part::Kind::Message;
            if (!inner) outer.push_back(&part);
        }
        for (const auto* part : outer)
            ours += fmt::format("{} {} {} {}\n", part->kind == Part::Kind::Multipart,
                                part->header_begin, part->body_begin,
                                part->kind == Part::Kind::Multipart ? 0 : part->end);
        for (const auto& part : expected) {
            const bool multipart = part["body"].is_object() && part["body"].contains("Multipart");
            theirs += fmt::format("{} {} {} {}\n", multipart, part["offset_header"].get<int>(),
                                  part["offset_body"].get<int>(),
                                  multipart ? 0 : part["offset_end"].get<int>());
        }
        trees.add(id, ours, theirs);
        for (std::size_t i = 0; i < outer.size() && i < expected.size(); ++i) {
            const auto& body = expected[i]["body"];
            for (const auto* kind : {"Text", "Html"})
                if (body.is_object() && body.contains(kind))
                    texts.add(fmt::format("{} part {}", id, i),
                              part_text(*outer[i], part_body(*outer[i], raw)), body[kind]);
        }
        for (const auto& field : expected[0]["headers"]) {
            const auto name = or_empty(field["name"]);
            const auto& value = field["value"];
            const auto raw_value = std::string_view(raw).substr(
                field["offset_start"].get<std::size_t>(),
                field["offset_end"].get<std::size_t>() - field["offset_start"].get<std::size_t>());
            const auto label = fmt::format("{} {}", id, name);
            if (name == "subject" && value.contains("Text"))
                fields.add(label, collapsed(decode_encoded_words(*structure.envelope().subject)),
                           collapsed(or_empty(value["Text"])));
            if (name == "date")
                fields.add(label, structure.sent ? text_of(*structure.sent) : "",
                           value.is_object() ? date_text_of(value["DateTime"]) : "");
            if (value.is_object() && value.contains("Address"))
                fields.add(label, text_of(parse_addresses(raw_value)),
                           address_text_of(value["Address"]));
            if (name == "message_id" && value.contains("Text"))
                fields.add(label, std::string(structure.message_id), or_empty(value["Text"]));
        }
    }
}
