#include "libmailcore/mime/mbox.h"

#include "libmailcore/mime/header.h"
#include "tests/catch.h"

using namespace mailcore;
using mime::MboxKind;
using mime::MboxMessage;
using mime::MboxOptions;
using mime::MboxReader;

namespace {

struct Read {
    std::vector<MboxMessage> messages;
    bool mbox = true;
};

Read read(std::string_view file, const MboxOptions& options, std::size_t piece) {
    Read all;
    MboxReader reader(options);
    while (!file.empty()) {
        const auto step = reader.read(file.substr(0, piece));
        REQUIRE((step.taken > 0 || step.outcome == MboxReader::Outcome::NotMbox));
        if (step.outcome == MboxReader::Outcome::NotMbox) {
            all.mbox = false;
            return all;
        }
        if (step.outcome == MboxReader::Outcome::Message) all.messages.push_back(reader.message());
        file.remove_prefix(step.taken);
    }
    while (true) {
        const auto outcome = reader.finish();
        if (outcome == MboxReader::Outcome::NotMbox) all.mbox = false;
        if (outcome != MboxReader::Outcome::Message) return all;
        all.messages.push_back(reader.message());
    }
}

constexpr const char* separator = "From jo@example.org Tue Jul  1 08:52:37 2003\n";

} // namespace

TEST_CASE("a mailbox file is cut into messages, however it comes") {
    struct Case {
        const char* name;
        std::string file;
        MboxOptions options;
        std::vector<std::string> messages;
        bool mbox = true;
    };
    const std::string from = separator;
    const Case cases[] = {
        {"empty", "", {}, {}},
        {"only empty lines", "\n\n", {}, {}},
        {"one", from + "A: b\n\ntext\n\n", {}, {"A: b\r\n\r\ntext\r\n"}},
        {"two",
         from + "A: b\n\n1\n\n" + from + "A: c\n\n2\n\n",
         {},
         {"A: b\r\n\r\n1\r\n", "A: c\r\n\r\n2\r\n"}},
        {"CRLF already",
         "From a Tue Jul  1 08:52:37 2003\r\nA: b\r\n\r\n1\r\n\r\n",
         {},
         {"A: b\r\n\r\n1\r\n"}},
        {"no empty line before the next",
         from + "A: b\n\n1\n" + from + "A: c\n\n2\n",
         {},
         {"A: b\r\n\r\n1\r\n", "A: c\r\n\r\n2\r\n"}},
        {"no end of the last line", from + "A: b\n\n1", {}, {"A: b\r\n\r\n1"}},
        {"no body", from + "A: b\n\n\n" + from + "A: c\n\n", {}, {"A: b\r\n\r\n", "A: c\r\n\r\n"}},
        {"an empty line that is the message's own",
         from + "A: b\n\n1\n\n\n",
         {},
         {"A: b\r\n\r\n1\r\n\r\n"}},
        {"nothing behind the last From line",
         from + "A: b\n\n1\n\n" + from,
         {},
         {"A: b\r\n\r\n1\r\n", ""}},
        {"quoted",
         from + "A: b\n\n>From x\n>>From y\n>Fro\n> From z\n\n",
         {},
         {"A: b\r\n\r\nFrom x\r\n>From y\r\n>Fro\r\n> From z\r\n"}},
        {"quoted once only",
         from + "A: b\n\n>From x\n>>From y\n\n",
         {.kind = MboxKind::Mboxo},
         {"A: b\r\n\r\nFrom x\r\n>>From y\r\n"}},
        {"a From line without date is text",
         from + "A: b\n\nFrom here on\n\n",
         {},
         {"A: b\r\n\r\nFrom here on\r\n"}},
        {"a From line without date separates where that is wanted",
         "From x\nA: b\n\n1\n\nFrom y\nA: c\n\n2\nFrom here on\n\n",
         {.undated = true},
         {"A: b\r\n\r\n1\r\n", "A: c\r\n\r\n2\r\nFrom here on\r\n"}},
        {"by length",
         from + "Content-Length: 46\nA: b\n\n" + from + "\n" + from + "A: c\n\n2\n\n",
         {.kind = MboxKind::Mboxcl2},
         {"A: b\r\n\r\nFrom jo@example.org Tue Jul  1 08:52:37 2003\r\n\r\n", "A: c\r\n\r\n2\r\n"}},
        {"flags are no part of it",
         from + "Status: RO\nA: b\nX-Keywords: x\n y\nX-UID: 5\n\n1\n\n",
         {},
         {"A: b\r\n\r\n1\r\n"}},
        {"flags in the body are",
         from + "A: b\n\nStatus: RO\n\n",
         {},
         {"A: b\r\n\r\nStatus: RO\r\n"}},
        {"the folder's own data",
         from + "X-IMAP: 1 2\n\nDON'T DELETE\n\n" + from + "A: b\n\n1\n\n",
         {},
         {"A: b\r\n\r\n1\r\n"}},
        {"a bare CR", from + "A: b\n\n1\r2\r\n\n", {}, {"A: b\r\n\r\n1\r2\r\n"}},
        {"no mbox", "A: b\n\n1\n", {}, {}, false},
        {"no mbox: binary", std::string("\xff\xd8\0\n\n", 5), {}, {}, false},
        {"no mbox: undated", "From x\nA: b\n\n", {}, {}, false},
        {"a line that goes on for ever",
         from + "A: b\n\nFrom " + std::string(5'000, 'x') + "\n",
         {},
         {"A: b\r\n\r\nFrom " + std::string(5'000, 'x') + "\r\n"}},
    };
    for (const auto& c : cases) {
        for (const std::size_t piece :
             {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{100'000}}) {
            INFO(c.name << ", " << piece);
            const auto all = read(c.file, c.options, piece);
            CHECK(all.mbox == c.mbox);
            std::vector<std::string> octets;
            for (const auto& message : all.messages) {
                octets.push_back(message.octets);
                CHECK(message.size == message.octets.size());
                CHECK_FALSE(message.length_wrong);
            }
            CHECK(octets == c.messages);
        }
    }
}

TEST_CASE("a From line tells sender and date, in the ways that are about") {
    struct Case {
        const char* line;
        const char* sender;
        const char* date; // "": it is none
    };
    static constexpr Case cases[] = {
        {"From jo@example.org Tue Jul  1 08:52:37 2003", "jo@example.org", "2003-07-01T08:52:37Z"},
        {"From - Tue Jul 01 08:52:37 2003", "-", "2003-07-01T08:52:37Z"},
        {"From jo@example.org  Tue Jul  1 08:52:37 2003", "jo@example.org", "2003-07-01T08:52:37Z"},
        {"From jo Tue Jul  1 10:52:37 2003 +0200", "jo", "2003-07-01T10:52:37+02:00"},
        {"From jo Tue, 1 Jul 2003 10:52:37 +0200", "jo", "2003-07-01T10:52:37+02:00"},
        {"From \"jo doe\"@example.org Tue Jul  1 08:52:37 2003", "\"jo doe\"@example.org",
         "2003-07-01T08:52:37Z"},
        {"From Tuesday Tue Jul  1 08:52:37 2003", "Tuesday", "2003-07-01T08:52:37Z"},
        {"From jo@example.org", "", ""},
        {"From jo@example.org Tue Jul", "", ""},
        {"From jo@example.org Tue Jul 41 08:52:37 2003", "", ""},
        {"From jo at Tuesday we met", "", ""},
        {"FROM jo@example.org Tue Jul  1 08:52:37 2003", "", ""},
        {">From jo@example.org Tue Jul  1 08:52:37 2003", "", ""},
    };
    for (const auto& c : cases) {
        INFO(c.line);
        const auto all = read(c.line + std::string("\nA: b\n\n"), {}, 5);
        CHECK(all.mbox == (*c.date != 0));
        if (!all.mbox) continue;
        REQUIRE(all.messages.size() == 1);
        CHECK(all.messages[0].sender == c.sender);
        CHECK(mime::format_rfc3339(*all.messages[0].date) == c.date);
        CHECK(all.messages[0].offset == 0);
    }
}

TEST_CASE("flags are read from the fields that mail programs write") {
    struct Case {
        const char* fields;
        std::vector<std::string> flags;
    };
    const Case cases[] = {
        {"", {}},
        {"Status: O\n", {}},
        {"Status: RO\n", {"\\Seen"}},
        {"Status: R\nX-Status: AFTD\n",
         {"\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"}},
        {"X-Keywords: $Forwarded  Work   \n", {"$Forwarded", "Work"}},
        {"X-Keywords: a A\nX-Keywords: b\n", {"a", "b"}},
        {"X-Mozilla-Status: 0001\nX-Mozilla-Status2: 00000000\n", {"\\Seen"}},
        {"X-Mozilla-Status: 100f\nX-Mozilla-Keys: $label1   \n",
         {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "$Forwarded", "$label1"}},
        {"X-Mozilla-Status: what\n", {}},
        {"X-IMAPbase: 1 2\nX-UID: 7\nstatus: r\n", {}},
    };
    for (const auto& c : cases) {
        INFO(c.fields);
        const auto all = read(separator + std::string(c.fields) + "A: b\n\n1\n\n", {}, 100);
        REQUIRE(all.messages.size() == 1);
        CHECK(all.messages[0].flags == c.flags);
        CHECK(all.messages[0].octets == "A: b\r\n\r\n1\r\n");
    }
}

TEST_CASE("a message that is too long is told, and costs no memory; the next one is read") {
    const std::string from = separator;
    MboxOptions options;
    options.message_octets_max = 1'000;
    const auto file = from + "A: b\n\n" + std::string(500'000, 'x') + "\n\n" + from + "A: c\n\n" +
                      std::string(992 - 2, 'y') + "\n\n" + from + "A: c\n\n" +
                      std::string(993 - 2, 'y') + "\n\n";
    const auto all = read(file, options, 64 * 1024);
    REQUIRE(all.messages.size() == 3);
    CHECK(all.messages[0].too_long);
    CHECK(all.messages[0].size == 500'000 + 10);
    CHECK(all.messages[0].octets.empty());
    CHECK_FALSE(all.messages[1].too_long);
    CHECK(all.messages[1].size == 1'000);
    CHECK(all.messages[2].too_long);
    CHECK(all.messages[1].offset == file.find("From ", 10));
}

TEST_CASE("a Content-Length that leads elsewhere is told") {
    const std::string from = separator;
    MboxOptions options;
    options.kind = MboxKind::Mboxcl2;
    for (const char* length : {"1", "4000000000", "3"}) {
        INFO(length);
        const auto all =
            read(from + "Content-Length: " + length + "\n\n12\n34\n\n" + from + "A: c\n\n2\n\n",
                 options, 3);
        REQUIRE_FALSE(all.messages.empty());
        CHECK(all.messages[0].length_wrong);
    }
}

TEST_CASE("what is written reads as it was, by all three readers as far as they can") {
    const std::string messages[] = {
        "A: b\r\n\r\ntext\r\n",
        "A: b\r\n\r\nFrom me\r\n>From you\r\n>>From all\r\n> From\r\n>\r\nFrom \r\nFrom\r\n",
        "A: b\r\n\r\n",
        "A: b\r\n\r\nends in two\r\n\r\n",
        "A: b\r\nFrom nobody Tue Jul  1 08:52:37 2003\r\n\r\nx\r\n",
        "A: b\r\n\r\na\rb\r\nFrom\r From \r\n",
        "A: b\r\n\r\n\xff\xfe\r\n",
    };
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{1'000}}) {
        std::string file;
        mime::MboxWriter writer;
        for (const auto& message : messages) {
            writer.begin("jo@example.org", base::wall_time(1'057'049'557),
                         {"\\Seen", "\\Flagged", "Work"}, file);
            for (std::size_t at = 0; at < message.size(); at += piece)
                writer.write(std::string_view(message).substr(at, piece), file);
            writer.finish(file);
        }
        CHECK(file.starts_with(separator + std::string("Status: RO\nX-Status: F\nX-Keywords: Work\n"
                                                       "A: b\n\ntext\n\nFrom ")));
        const auto all = read(file, {}, piece);
        REQUIRE(all.messages.size() == std::size(messages));
        for (std::size_t i = 0; i < std::size(messages); ++i) {
            INFO(i);
            CHECK(all.messages[i].octets == messages[i]);
            CHECK(all.messages[i].flags == std::vector<std::string>{"\\Seen", "\\Flagged", "Work"});
        }
    }
}

TEST_CASE("a sender that would break the From line is not written") {
    for (const char* sender : {"", "jo doe@example.org", "x\ny", "j\xc3\xb6@example.org"}) {
        std::string file;
        mime::MboxWriter().begin(sender, base::wall_time(0), {}, file);
        CHECK(file == "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\nStatus: O\n");
    }
}
