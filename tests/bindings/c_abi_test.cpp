#include "bindings/c/mailcore.h"

#include "tests/catch.h"

#include <nlohmann/json.hpp>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;
using namespace std::string_literals;

struct Free {
    void operator()(char* text) const { mailcore_free(text); }
};
using Text = std::unique_ptr<char, Free>;

struct Asked {
    mailcore_status status;
    std::string answer;
    std::string why;
};
template <class Function>
Asked ask(Function function) {
    char* answer = nullptr;
    char* why = nullptr;
    const auto status = function(&answer, &why);
    const Text answer_owner(answer);
    const Text why_owner(why);
    return {status, answer ? answer : "", why ? why : ""};
}

struct CloseServer {
    void operator()(mailcore_server* server) const { mailcore_server_free(server); }
};
struct CloseSmtp {
    void operator()(mailcore_smtp_server* server) const { mailcore_smtp_free(server); }
};

void refuse_all(void* context, std::uint64_t token, const char*, const char*, std::size_t) {
    mailcore_verdict verdict = MAILCORE_VERDICT_INIT;
    verdict.action = MAILCORE_REJECT;
    [[maybe_unused]] const auto status = mailcore_smtp_reply(
        *static_cast<mailcore_smtp_server**>(context), token, &verdict, nullptr);
}

struct Started {
    mailcore_status status;
    std::unique_ptr<mailcore_smtp_server, CloseSmtp> server;
    std::string why;
};
Started start(const mailcore_smtp_options* options) {
    static mailcore_smtp_server* nobody = nullptr;
    mailcore_smtp_server* server = nullptr;
    char* why = nullptr;
    const auto status = mailcore_smtp_start(options, refuse_all, &nobody, &server, &why);
    const Text owner(why);
    return {status, std::unique_ptr<mailcore_smtp_server, CloseSmtp>(server), why ? why : ""};
}

mailcore_status create(const char* config, std::int32_t in_memory, const char* data,
                       std::string* why) {
    mailcore_server_options options = MAILCORE_SERVER_OPTIONS_INIT;
    options.config = config;
    options.in_memory = in_memory;
    options.data = data;
    mailcore_server* server = nullptr;
    char* text = nullptr;
    const auto status = mailcore_server_create(&options, &server, &text);
    const Text owner(text);
    const std::unique_ptr<mailcore_server, CloseServer> closed(server);
    if (why) *why = text ? text : "";
    return status;
}

} // namespace

TEST_CASE(
    "a program of an older header gives smaller structs, and what it does not know is default") {
    // As if the header ended with `address`.
    struct Older {
        std::size_t size;
        const char* address;
    } older{sizeof(Older), "127.0.0.1"};
    const auto started = start(reinterpret_cast<const mailcore_smtp_options*>(&older));
    CHECK(started.why.empty());
    REQUIRE(started.status == MAILCORE_OK);
    CHECK(mailcore_smtp_port(started.server.get()) != 0);
}

TEST_CASE("a program of a newer header may give larger structs if it leaves alone what is new") {
    struct Newer {
        mailcore_smtp_options known;
        std::uint64_t added;
    } newer{MAILCORE_SMTP_OPTIONS_INIT, 0};
    newer.known.size = sizeof(Newer);
    CHECK(start(&newer.known).status == MAILCORE_OK);
    newer.added = 1;
    const auto refused = start(&newer.known);
    CHECK(refused.status == MAILCORE_REJECTED);
    CHECK(refused.why.find("does not know") != std::string::npos);
    CHECK(refused.server == nullptr);
}

TEST_CASE("a struct's size that cannot be is refused before anything behind it is read") {
    mailcore_smtp_options options = MAILCORE_SMTP_OPTIONS_INIT;
    for (const std::size_t size : {std::size_t{0}, sizeof(std::size_t) - 1, std::size_t{4097},
                                   std::numeric_limits<std::size_t>::max()}) {
        INFO(size);
        options.size = size;
        CHECK(start(&options).status == MAILCORE_REJECTED);
    }
    options.size = sizeof(std::size_t); // nothing but itself: all default
    CHECK(start(&options).status == MAILCORE_OK);
}

TEST_CASE("options of an SMTP server that make no sense are refused with their name") {
    mailcore_smtp_options options = MAILCORE_SMTP_OPTIONS_INIT;
    options.address = "localhost";
    const auto started = start(&options);
    CHECK(started.status == MAILCORE_REJECTED);
    CHECK(started.why.find("localhost") != std::string::npos);
    options.address = "203.0.113.1"; // not of this machine
    CHECK(start(&options).status != MAILCORE_OK);
    CHECK(start(nullptr).status == MAILCORE_OK);
}

TEST_CASE("NULL is refused wherever it is not allowed, and `why` may be NULL everywhere") {
    char* answer = nullptr;
    char* why = nullptr;
    mailcore_smtp_server* smtp = nullptr;
    mailcore_server* server = nullptr;
    const mailcore_verdict verdict = MAILCORE_VERDICT_INIT;
    const struct {
        const char* name;
        mailcore_status status;
    } cases[] = {
        {"no callback", mailcore_smtp_start(nullptr, nullptr, nullptr, &smtp, &why)},
        {"no place for a server",
         mailcore_smtp_start(nullptr, refuse_all, nullptr, nullptr, nullptr)},
        {"reply without server", mailcore_smtp_reply(nullptr, 1, &verdict, nullptr)},
        {"stop without server", mailcore_smtp_stop(nullptr, nullptr)},
        {"create without options", mailcore_server_create(nullptr, &server, nullptr)},
        {"start without server", mailcore_server_start(nullptr, nullptr)},
        {"call without server", mailcore_server_call(nullptr, "status", nullptr, &answer, nullptr)},
        {"endpoints without server", mailcore_server_endpoints(nullptr, &answer, nullptr)},
        {"reload without server", mailcore_server_reload(nullptr, "", &answer, nullptr)},
        {"stop of no server", mailcore_server_stop(nullptr, nullptr)},
        {"no place for a store", mailcore_store_open(nullptr, nullptr, nullptr)},
        {"check without request", mailcore_rule_check(nullptr, &answer, nullptr)},
        {"check without place", mailcore_rule_check("{}", nullptr, nullptr)},
        {"try without request", mailcore_rule_try(nullptr, "", 0, &answer, nullptr)},
        {"try without octets",
         mailcore_rule_try(R"({"rule": "x = 1"})", nullptr, 1, &answer, nullptr)},
        {"parse without octets", mailcore_mime_json(nullptr, 1, 0, &answer, nullptr)},
        {"parse without place", mailcore_mime_json("", 0, 0, nullptr, nullptr)},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(c.status == MAILCORE_REJECTED);
    }
    CHECK(std::string(why) == "on_message is NULL");
    mailcore_free(why);
    CHECK(smtp == nullptr);
    CHECK(server == nullptr);
    CHECK(mailcore_smtp_free(nullptr) == MAILCORE_OK);
    CHECK(mailcore_server_free(nullptr) == MAILCORE_OK);
    CHECK(mailcore_smtp_port(nullptr) == 0);
}

TEST_CASE("settings of a server that are wrong are told with line and column") {
    std::string why;
    CHECK(create("", 1, nullptr, &why) == MAILCORE_REJECTED);
    CHECK(why.find("hostname") != std::string::npos);
    CHECK(create("[server]\nhostname = 1\n", 1, nullptr, &why) == MAILCORE_REJECTED);
    CHECK(why.starts_with("config:2:"));
    CHECK(create("[server", 1, nullptr, &why) == MAILCORE_REJECTED);
    CHECK(create(nullptr, 0, nullptr, &why) == MAILCORE_REJECTED);
    CHECK(why.find("data") != std::string::npos);
    CHECK(create(nullptr, 0, "/no/such/folder", &why) == MAILCORE_NOT_FOUND);
    CHECK(create(nullptr, 0, MAILCORE_SOURCE_DIR, &why) == MAILCORE_NOT_FOUND);
    CHECK(why.find("mdserver.toml") != std::string::npos);
    CHECK(create(nullptr, 1, nullptr, &why) == MAILCORE_OK);
}

TEST_CASE(
    "a request that is no JSON object, or not one that is wanted, is refused with its field") {
    mailcore_server* opened = nullptr;
    REQUIRE(mailcore_store_open(nullptr, &opened, nullptr) == MAILCORE_OK);
    const std::unique_ptr<mailcore_server, CloseServer> store(opened);
    const std::string deep(100'000, '[');
    const struct {
        const char* name;
        const char* request;
    } cases[] = {
        {"no JSON", "account"},
        {"a list", "[]"},
        {"a text", "\"x\""},
        {"cut", "{\"address\": "},
        {"two", "{} {}"},
        {"deep", deep.c_str()},
        {"not UTF-8", "{\"address\": \"\xff\"}"},
        {"unknown", R"({"x": 1})"},
        {"mistyped", R"({"address": ["a"], "password": "b"})"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto asked = ask([&](char** answer, char** why) {
            return mailcore_server_call(store.get(), "account.add", c.request, answer, why);
        });
        CHECK(asked.status == MAILCORE_REJECTED);
        CHECK_FALSE(asked.why.empty());
        CHECK(asked.answer.empty());
        CHECK(ask([&](char** answer, char** why) {
                  return mailcore_rule_check(c.request, answer, why);
              }).status == MAILCORE_REJECTED);
    }
    const auto reload = ask([&](char** answer, char** why) {
        return mailcore_server_reload(store.get(), "[server]\nhostname = \"a.test\"\n", answer,
                                      why);
    });
    CHECK(reload.status == MAILCORE_REJECTED);
}

TEST_CASE("a store in memory is empty at first and gone with its handle") {
    for (int i = 0; i < 2; ++i) {
        mailcore_server* opened = nullptr;
        REQUIRE(mailcore_store_open(nullptr, &opened, nullptr) == MAILCORE_OK);
        const std::unique_ptr<mailcore_server, CloseServer> store(opened);
        const auto domain = ask([&](char** answer, char** why) {
            return mailcore_server_call(store.get(), "domain.add", R"({"name": "example.test"})",
                                        answer, why);
        });
        CHECK(domain.why.empty());
        CHECK(domain.status == MAILCORE_OK);
    }
}

TEST_CASE("requests about rules are read strictly") {
    const struct {
        const char* name;
        const char* request;
        const char* why;
    } cases[] = {
        {"no rule", R"({"name": "x.lua"})", "rule: "},
        {"a number", R"({"rule": 1})", "rule: expected a text"},
        {"lists as a list", R"({"rule": "x = 1", "lists": []})", "lists: "},
        {"a list that is no text", R"({"rule": "x = 1", "lists": {"a": 1}})", "lists: "},
        {"recipients", R"({"rule": "x = 1", "recipients": "a@b"})", "recipients: "},
        {"recipients of numbers", R"({"rule": "x = 1", "recipients": [1]})", "recipients: "},
        {"an address", R"({"rule": "x = 1", "ip": "there"})", "ip: "},
        {"a record", R"({"rule": "x = 1", "records": ["nonsense"]})", "record: "},
        {"unknown", R"({"rule": "x = 1", "colour": "red"})", "colour: no such field"},
        {"a wrong rule", R"({"rule": "x = = 1"})", "rule.lua:1"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto asked = ask([&](char** answer, char** why) {
            return mailcore_rule_try(c.request, "", 0, answer, why);
        });
        CHECK(asked.status == MAILCORE_REJECTED);
        INFO(asked.why);
        CHECK(asked.why.find(c.why) != std::string::npos);
    }
}

TEST_CASE("a rule sees what the request says of the message's way") {
    const Json request{
        {"rule", R"(
            mail.on("message", function(ctx)
                mail.log(ctx.ip .. " " .. ctx.helo .. " " .. ctx.sender .. " " ..
                    table.concat(ctx.recipients, ",") .. " " .. mail.list("words.txt"):find("a swordfish") .. " " ..
                    dns.lookup("mx.example.test")[1])
            end))"},
        {"lists", {{"words.txt", "swordfish\n"}}},
        {"ip", "2001:db8::1"},
        {"helo", "client.example"},
        {"sender", "a@example.org"},
        {"recipients", Json::array({"b@example.test"})},
        {"records", {"mx.example.test A 192.0.2.7"}},
    };
    const auto asked = ask([&](char** answer, char** why) {
        return mailcore_rule_try(request.dump().c_str(), "Subject: x\n\n", 12, answer, why);
    });
    INFO(asked.why);
    INFO(asked.answer);
    REQUIRE(asked.status == MAILCORE_OK);
    const auto answer = Json::parse(asked.answer);
    CHECK(answer["verdict"] == "continue");
    const auto said = answer["steps"][0]["said"][0].get<std::string>();
    CHECK(said.ends_with(
        "2001:db8::1 client.example a@example.org b@example.test swordfish 192.0.2.7"));
}

TEST_CASE("any octets are a message, and its tree is JSON") {
    const std::string mixed =
        "From: =?iso-8859-1?q?J=F6?= <jo@example.org>\r\nTo: an@example.test\r\n"
        "Subject: two\r\n parts\r\nDate: Tue, 1 Jul 2003 10:52:37 +0200\r\n"
        "Message-ID: <1@example.org>\r\nReferences: <0@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
        "--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
        "Content-Disposition: attachment\r\n\r\n\x00\xff\r\n--b--\r\n"s;
    const auto parse = [](std::string_view octets, std::size_t text_octets_max) {
        const auto asked = ask([&](char** answer, char** why) {
            return mailcore_mime_json(octets.data(), octets.size(), text_octets_max, answer, why);
        });
        CHECK(asked.status == MAILCORE_OK);
        return Json::parse(asked.answer);
    };
    const auto tree = parse(mixed, 1000);
    CHECK(tree["subject"] == "two parts");
    CHECK(tree["from"] == Json::array({Json{{"name", "Jö"}, {"address", "jo@example.org"}}}));
    CHECK(tree["references"] == Json{"0@example.org"});
    CHECK(tree["has_attachment"] == true);
    REQUIRE(tree["part"]["parts"].size() == 2);
    const auto& text = tree["part"]["parts"][0];
    CHECK(text["number"] == "1");
    CHECK(text["type"] == "text/plain");
    CHECK(text["text"] == "Grüße");
    CHECK(text["header"][0] ==
          Json{{"name", "Content-Type"}, {"value", "text/plain; charset=iso-8859-1"}});
    const auto& attachment = tree["part"]["parts"][1];
    CHECK(attachment["file_name"] == "a.pdf");
    CHECK_FALSE(attachment.contains("text"));
    CHECK(mixed.substr(attachment["offset"].get<std::size_t>(), 2) == "\x00\xff"s);
    CHECK(attachment["size"] == 2);

    CHECK(parse(mixed, 4)["part"]["parts"][0]["text"] == "Gr\u00fc"); // cut between characters
    CHECK_FALSE(parse(mixed, 0)["part"]["parts"][0].contains("text"));
    CHECK(parse("", 10)["size"] == 0);
    CHECK(parse(std::string(1000, '\0'), 10)["size"] == 1000);
    CHECK(parse("Subject: \xff\xfe\r\n\r\n\xff", 10)["part"]["type"] == "text/plain");
    // A hundred levels and more are no reason to recurse without end.
    std::string nested;
    for (int i = 0; i < 300; ++i)
        nested += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" +
                  std::to_string(i) + "\r\n";
    CHECK(parse(nested, 10)["truncated"] == true);
}

TEST_CASE("every status has a name") {
    for (int status = MAILCORE_OK; status <= MAILCORE_FAULT; ++status)
        CHECK(std::strcmp(mailcore_status_name(static_cast<mailcore_status>(status)), "unknown") !=
              0);
    CHECK(std::string(mailcore_status_name(static_cast<mailcore_status>(99))) == "unknown");
}
