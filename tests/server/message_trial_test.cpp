#include "libmailcore/server/message_trial.h"

#include "tests/catch.h"

#include <nlohmann/json.hpp>

using namespace mailcore;
using server::MessageTrial;

namespace {

MessageTrial trial_of(std::string rule) {
    MessageTrial trial;
    trial.source.rules.push_back({"10-test.lua", std::move(rule)});
    trial.message = "From: Jo <jo@example.org>\nTo: an@example.test, bo@example.test\n"
                    "Subject: hello\n\nIt works.\n";
    return trial;
}

} // namespace

TEST_CASE("a message is tried as it would have come: CRLF, sender and recipients of its header") {
    const auto tried = server::try_message(trial_of(R"(
        mail.on("message", function(ctx)
            mail.log(ctx.sender .. " " .. table.concat(ctx.recipients, " ") .. " " .. ctx.size)
            ctx:remove_header("Subject")
            ctx:add_header("X-Seen", "yes")
        end))"));
    REQUIRE(tried);
    CHECK_FALSE(tried->failed());
    REQUIRE(tried->result.steps.size() == 1);
    REQUIRE(tried->result.steps[0].said.size() == 1);
    const auto lines = 5; // each is given its CR
    CHECK(tried->result.steps[0].said[0].ends_with(
        "jo@example.org an@example.test bo@example.test " +
        std::to_string(trial_of("").message.size() + lines)));
    CHECK(tried->header_changes == std::vector<std::string>{"- Subject: hello", "+ X-Seen: yes"});
}

TEST_CASE("the DNS of a trial is what its records say") {
    auto trial = trial_of(R"(
        mail.on("connect", function(ctx)
            if dns.lookup(dns.reversed(ctx.ip) .. ".list.test")[1] then return mail.reject("listed") end
        end))");
    trial.ip = "198.51.100.7";
    REQUIRE(server::try_message(trial));
    CHECK(server::try_message(trial)->result.verdict.kind == filter::Verdict::Kind::Continue);
    trial.records = {"7.100.51.198.list.test A 127.0.0.2"};
    CHECK(server::try_message(trial)->result.verdict.kind == filter::Verdict::Kind::Reject);
}

TEST_CASE("what is wrong with a trial is told") {
    const struct {
        const char* name;
        void (*spoil)(MessageTrial&);
        const char* told;
    } cases[] = {
        {"the rule", [](MessageTrial& trial) { trial.source.rules[0].text = "x = = 1"; },
         "10-test.lua:1"},
        {"the address", [](MessageTrial& trial) { trial.ip = "there"; }, "there"},
        {"a record", [](MessageTrial& trial) { trial.records = {"nonsense"}; }, "nonsense"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        auto trial = trial_of("x = 1");
        c.spoil(trial);
        const auto tried = server::try_message(trial);
        REQUIRE_FALSE(tried);
        CHECK(tried.error().kind == ErrorKind::Rejected);
        CHECK(tried.error().detail.find(c.told) != std::string::npos);
    }
}

TEST_CASE("a trial as JSON has each step, and octets that are no UTF-8 do not spoil it") {
    auto trial = trial_of(R"(mail.on("headers", function(ctx) error("\xff") end))");
    const auto tried = server::try_message(trial);
    REQUIRE(tried);
    CHECK(tried->failed());
    const auto json = nlohmann::json::parse(server::to_json(*tried));
    CHECK(json["verdict"] == "continue");
    CHECK(json["steps"][0]["stage"] == "headers");
    CHECK_FALSE(json["steps"][0]["error"].get<std::string>().empty());
}
