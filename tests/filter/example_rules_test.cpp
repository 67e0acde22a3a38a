// The rules that ship, as an administrator would use them.
#include "libmailcore/base/file.h"
#include "libmailcore/codec/base64.h"
#include "tests/catch.h"
#include "tests/filter/rule_bench.h"
#include "tests/filter/zip_writer.h"

using namespace mailcore;
using filter::RuleBench;
using filter::Stage;
using filter::Verdict;

namespace {

std::string shipped(const std::string& name) {
    base::PosixFileSystem files;
    auto text = base::read_file(files, MAILCORE_SOURCE_DIR "/hosts/mdserver/rules/" + name + ".example", 1024 * 1024);
    REQUIRE(text);
    return *text;
}
struct ShippedRule : RuleBench {
    explicit ShippedRule(const std::string& name, const std::string& from = {}, const std::string& to = {})
        : RuleBench(shipped(name), name) {
        if (!from.empty()) replace(source.rules[0].text, from, to);
    }
    static void replace(std::string& text, const std::string& from, const std::string& to) {
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        text.replace(at, from.size(), to);
    }
    std::string header() { return filter::apply_edits(context.header, context.header_edits); }
};

std::string with_attachment(const std::string& name, const std::string& content) {
    std::string encoded;
    codec::Base64Encoder encoder;
    encoder.encode(content, encoded);
    encoder.finish(encoded);
    return "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
           "Content-Type: application/octet-stream; name=\"" + name + "\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
           encoded + "--b--\r\n";
}

} // namespace

TEST_CASE("programs are refused, in archives too") {
    using filter::zip_of;
    const auto inner = zip_of({{"deep/virus.SCR", "MZ"}});
    struct Case {
        const char* name;
        std::string file, content;
        Verdict::Kind kind;
        const char* text;
    };
    const Case cases[] = {
        {"harmless", "a.pdf", "%PDF", Verdict::Kind::Continue, ""},
        {"program", "a.exe", "MZ", Verdict::Kind::Reject, "programs are not taken by mail: a.exe"},
        {"upper case", "a.EXE", "MZ", Verdict::Kind::Reject, "programs are not taken by mail: a.EXE"},
        {"last dot counts", "invoice.pdf.js", "x", Verdict::Kind::Reject, "programs are not taken by mail: invoice.pdf.js"},
        {"dot at the end", "a.exe.", "x", Verdict::Kind::Reject, "programs are not taken by mail: a.exe."},
        {"clean zip", "a.zip", zip_of({{"a.txt", "x"}}), Verdict::Kind::Continue, ""},
        {"zip", "a.zip", zip_of({{"a.txt", "x"}, {"b.exe", "MZ"}}), Verdict::Kind::Reject, "programs are not taken by mail: b.exe"},
        {"zip in zip", "a.zip", zip_of({{"inner.zip", inner}}), Verdict::Kind::Reject, "programs are not taken by mail: deep/virus.SCR"},
        {"locked", "a.zip", zip_of({{"a.txt", "x"}}, {.encrypted = true}), Verdict::Kind::Quarantine, ""},
        {"not really a zip", "a.zip", "no", Verdict::Kind::Continue, ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        ShippedRule rule("10-block-programs.lua");
        rule.set_message(with_attachment(c.file, c.content));
        const auto verdict = rule.judge(Stage::Message);
        CHECK(rule.failures.empty());
        CHECK(verdict.kind == c.kind);
        CHECK(verdict.text == c.text);
    }
}

TEST_CASE("mail from outside is shown as such") {
    ShippedRule rule("20-tag-external.lua");
    rule.set_message("Subject: =?utf-8?q?=C3=A4?=\r\nX-External: no\r\n\r\n");
    rule.context.peer.transport = PeerInfo::Transport::Tcp;
    rule.context.peer.address = *IpAddress::parse("192.0.2.1");
    rule.judge(Stage::Headers);
    CHECK(rule.failures.empty());
    CHECK(rule.header() == "X-External: yes\r\nSubject: [EXTERN] =?utf-8?b?w6Q=?=\r\n");
    rule.context.header_edits.clear();
    rule.context.account = "a@example.org";
    rule.judge(Stage::Headers);
    CHECK(rule.context.header_edits.empty());
    rule.context.account.clear();
    rule.context.peer.address = *IpAddress::parse("127.0.0.1");
    rule.judge(Stage::Headers);
    CHECK(rule.context.header_edits.empty());
}

TEST_CASE("DNS lists refuse, or add to a score that others judge by") {
    ShippedRule rule("30-dns-lists.lua");
    rule.context.peer.transport = PeerInfo::Transport::Tcp;
    rule.context.peer.address = *IpAddress::parse("192.0.2.1");
    CHECK(rule.judge(Stage::Rcpt).kind == Verdict::Kind::Continue);
    CHECK(rule.names.asked.size() == 3);
    rule.judge(Stage::Rcpt); // the second recipient
    CHECK(rule.names.asked.size() == 3);
    rule.context.notes.clear();
    rule.names.records["1.2.0.192.zen.spamhaus.org A"] = {"127.0.0.4"};
    CHECK(rule.judge(Stage::Rcpt).text == "192.0.2.1 is listed by zen.spamhaus.org");
    rule.context.notes.clear();
    rule.names.records = {{"1.2.0.192.zen.spamhaus.org A", {"127.255.255.254"}},
                          {"1.2.0.192.bl.spamcop.net A", {"127.0.0.2"}},
                          {"1.2.0.192.psbl.surriel.com A", {"127.0.0.2"}}};
    CHECK(rule.judge(Stage::Rcpt).kind == Verdict::Kind::Continue);
    CHECK(rule.context.score == 5.5);
    CHECK(rule.said.back() == "zen.spamhaus.org: not usable: 127.255.255.254");
    rule.set_message("Subject: x\r\n\r\n");
    CHECK(rule.judge(Stage::Message).kind == Verdict::Kind::Quarantine);
    CHECK(rule.failures.empty());
}

TEST_CASE("a user who writes to too many is slowed down") {
    ShippedRule rule("40-rate-limit.lua", "local limit = 200", "local limit = 3");
    auto rules = rule.load();
    REQUIRE(rules);
    rule.context.account = "a@example.org";
    for (int i = 0; i < 3; ++i) CHECK(rule.judge(*rules, Stage::Rcpt).kind == Verdict::Kind::Continue);
    const auto verdict = rule.judge(*rules, Stage::Rcpt);
    CHECK(verdict.kind == Verdict::Kind::Defer);
    CHECK(verdict.code == 450);
    rule.context.account = "b@example.org";
    CHECK(rule.judge(*rules, Stage::Rcpt).kind == Verdict::Kind::Continue);
    rule.scheduler.run_until(rule.scheduler.now() + std::chrono::hours{3});
    rule.context.account = "a@example.org";
    CHECK(rule.judge(*rules, Stage::Rcpt).kind == Verdict::Kind::Continue);
}

TEST_CASE("words are found in any charset and script") {
    const char* messages[] = {
        "Subject: Cheap VIAGRA\r\n\r\n",
        "Subject: =?koi8-r?B?68Ha6e7v?=\r\n\r\n", // КаЗИНО
        "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\nabc \x1b$BH/I<\x1b(B def\r\n",
        "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>On<b>line</b> cas=\r\nino</p>\r\n",
    };
    for (const auto* message : messages) {
        INFO(message);
        ShippedRule rule("50-words.lua");
        rule.source.lists.push_back({"blocked-words.txt", shipped("blocked-words.txt")});
        rule.set_message(message);
        CHECK(rule.judge(Stage::Message).kind == Verdict::Kind::Reject);
        CHECK(rule.failures.empty());
    }
    ShippedRule rule("50-words.lua");
    rule.source.lists.push_back({"blocked-words.txt", shipped("blocked-words.txt")});
    rule.set_message("Subject: online casinos and others\r\n\r\nnothing\r\n");
    CHECK(rule.judge(Stage::Message).kind == Verdict::Kind::Continue);
}

TEST_CASE("the other rules do what their heads say") {
    SECTION("route") {
        ShippedRule rule("60-route-domain.lua");
        rule.set_message("Subject: x\r\n\r\n");
        rule.judge(Stage::Message);
        CHECK(rule.context.routes.size() == 1);
        CHECK(rule.context.routes["branch.example.org"] == "[mail.branch.example.org]:25");
        CHECK(rule.failures.empty());
    }
    SECTION("disclaimer") {
        ShippedRule rule("70-disclaimer.lua");
        rule.set_message("Subject: x\r\n\r\n");
        rule.context.account = "a@example.org";
        rule.context.recipients = {"b@Example.org"};
        rule.judge(Stage::Message);
        CHECK(rule.context.appended_text.empty());
        rule.context.recipients = {"b@Example.org", "c@example.net"};
        rule.judge(Stage::Message);
        CHECK(rule.context.appended_text.starts_with("\n--\nExample Ltd"));
        rule.context.appended_text.clear();
        rule.set_message("Content-Type: multipart/encrypted; boundary=b\r\n\r\n");
        rule.judge(Stage::Message);
        CHECK(rule.context.appended_text.empty());
        CHECK(rule.failures.empty());
    }
    SECTION("quarantine by type and group") {
        ShippedRule rule("80-quarantine-types.lua");
        rule.source.lists.push_back({"careful-group.txt", shipped("careful-group.txt")});
        rule.set_message(with_attachment("sheet.xlsm", "PK"));
        rule.context.recipients = {"Accounting@Example.org"};
        CHECK(rule.judge(Stage::Message).kind == Verdict::Kind::Quarantine);
        rule.context.recipients = {"sales@example.org"};
        CHECK(rule.judge(Stage::Message).kind == Verdict::Kind::Continue);
        CHECK(rule.header().starts_with("X-Attachment-Warning: may contain macros: sheet.xlsm\r\n"));
        CHECK(rule.failures.empty());
    }
    SECTION("list subject") {
        ShippedRule rule("90-list-subject.lua");
        rule.set_message("Subject: Re: x\r\n\r\n");
        rule.context.recipients = {"Team@example.org"};
        rule.judge(Stage::Message);
        CHECK(rule.header() == "List-Id: Team <team.example.org>\r\nSubject: [Team] Re: x\r\nReply-To: team@example.org\r\n");
        CHECK(rule.failures.empty());
    }
    SECTION("notify") {
        ShippedRule rule("95-notify.lua");
        rule.set_message("Subject: fire\r\n\r\n");
        rule.context.sender = "s@example.net";
        rule.context.recipients = {"alarm@example.org"};
        auto rules = rule.load();
        REQUIRE(rules);
        rule.judge(*rules, Stage::Message);
        rule.judge(*rules, Stage::Message);
        CHECK(rule.said == std::vector<std::string>{"notify to=alarm@example.org from=s@example.net subject=\"fire\""});
        CHECK(rule.failures.empty());
    }
}
