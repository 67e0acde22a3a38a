#include "libmailcore/server/control.h"

#include "tests/accounts/accounts_fixture.h"
#include "tests/catch.h"
#include "tests/sim/driver.h"

#include <nlohmann/json.hpp>

using namespace mailcore;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

/// A server of which only store and directory are real.
struct Target final : server::ControlTarget {
    store::Store& store() override { return people.store(); }
    accounts::StoreDirectory& directory() override { return people.directory(); }
    std::vector<server::Metric> metrics() override { return {{"mailcore_x", "X.", 1, false}}; }
    std::vector<server::BoundEndpoint> endpoints() override {
        server::BoundEndpoint endpoint;
        endpoint.service = server::ServiceKind::Imaps;
        endpoint.bound.local_port = 993;
        return {endpoint};
    }
    std::vector<std::string> warnings() override { return {"certificate expires soon"}; }
    void queue_changed(queue::QueueId, bool) override {}
    Task<std::vector<net::ConnectionFacts>> connections() override {
        net::ConnectionFacts facts;
        facts.service = "imap";
        facts.memory = 4000;
        co_return std::vector{facts};
    }
    std::string log_file() override { return log; }
    const server::Config& configuration() override { return config; }
    bool request_reload() override {
        ++reloads;
        return has_settings;
    }

    test::People people;
    server::Config config;
    std::string log;
    bool has_settings = true;
    int reloads = 0;
};

/// One connection to the control socket, in virtual time.
struct Control {
    explicit Control(Target& to)
        : target(to), factory(server::make_control_factory(to, {})), driver(to.people.scheduler()) {
        driver.start(factory->create(to.people.scheduler(), {}, driver));
    }
    ~Control() {
        driver.cut();
        target.people.scheduler().run_ready();
    }
    /// All that comes to `octets`, however long it takes.
    std::string raw(std::string_view octets) {
        driver.offer(octets);
        std::string out;
        for (int i = 0; i < 100; ++i) {
            target.people.scheduler().run_ready();
            out += driver.take_output();
            if (out.ends_with('\n') || driver.closed()) break;
            target.people.scheduler().run_until(target.people.scheduler().now() + 50ms);
        }
        return out;
    }
    Json ask(const Json& request) { return Json::parse(raw(request.dump() + "\r\n")); }

    Target& target;
    std::shared_ptr<net::DialogueFactory> factory;
    sim::Driver driver;
};

} // namespace

TEST_CASE("a request is answered with ok or with an error and its kind") {
    Target target;
    target.config.hostname = "mx.example.test";
    Control control(target);
    const auto status = control.ask({{"method", "status"}});
    REQUIRE(status.contains("ok"));
    CHECK(status["ok"]["hostname"] == "mx.example.test");
    CHECK(status["ok"]["endpoints"][0]["service"] == "imaps");
    CHECK(status["ok"]["warnings"][0] == "certificate expires soon");
    CHECK(status["ok"]["store"]["writable"] == true);
    CHECK(status["ok"]["queue"]["messages"] == 0);
    CHECK(control.ask({{"method", "metrics"}})["ok"]["text"] ==
          "# HELP mailcore_x X.\n# TYPE mailcore_x gauge\nmailcore_x 1\n");
    CHECK(control.ask({{"method", "connections"}})["ok"]["connections"][0]["memory"] == 4000);
    CHECK(control.ask({{"method", "store.check"}})["ok"]["problems"].empty());
    CHECK(control.ask({{"method", "store.rebuild"}})["kind"] == "rejected");
    CHECK(control.ask({{"method", "account.list"}})["ok"]["accounts"].empty());
    CHECK(control.ask({{"method", "reload"}}) == Json{{"ok", Json::object()}});
    CHECK(target.reloads == 1);
    target.has_settings = false;
    CHECK(control.ask({{"method", "reload"}})["kind"] == "rejected");
    CHECK(control.ask({{"method", "trace"}, {"text", "x"}})["kind"] == "not found");
}

TEST_CASE("what is no request is told so, and the next one is answered") {
    Target target;
    Control control(target);
    for (const char* line :
         {"", " ", "hello", "{", "[]", "5", "null", "{}", "{\"method\":5}", "{\"method\":null}",
          "{\"method\":\"status\"", "{\"method\":\"no.such\"}", "{\"method\":\"trace\"}",
          "{\"method\":\"trace\",\"text\":5}", "{\"method\":\"account.add\",\"address\":{}}",
          "{\"method\":\"account.show\",\"address\":\"\xc3\x28\"}", "{\"method\":\"\\u0000\"}"}) {
        INFO(line);
        const auto answer = Json::parse(control.raw(std::string(line) + "\r\n"));
        CHECK(answer.contains("error"));
        CHECK(answer.contains("kind"));
    }
    const std::string deep(200'000, '[');
    CHECK(Json::parse(control.raw("{\"method\":" + deep + "\r\n")).contains("error"));
    CHECK(control.ask({{"method", "metrics"}}).contains("ok"));
}

TEST_CASE("a request that is too long is not kept, and is told when it ends") {
    Target target;
    Control control(target);
    for (int i = 0; i < 100; ++i) {
        control.driver.offer(std::string(64 * 1024, 'x'));
        target.people.scheduler().run_ready();
        CHECK(control.driver.engine().memory() < 3 * 1024 * 1024);
    }
    CHECK(control.driver.take_output() == "");
    CHECK(Json::parse(control.raw("\r\n"))["kind"] == "rejected");
    CHECK(control.ask({{"method", "metrics"}}).contains("ok"));
    CHECK(control.driver.engine().memory() < 1024 * 1024);
}

TEST_CASE("requests that come together are answered in order, octet by octet too") {
    Target target;
    Control control(target);
    const std::string two = "{\"method\":\"metrics\"}\r\n{\"method\":\"no.such\"}\r\n";
    auto all = control.raw(two);
    all += control.driver.take_output();
    CHECK(all.find("mailcore_x") < all.find("no operation"));
    Control slow(target);
    std::string answers;
    for (const char octet : two) answers += slow.raw({&octet, 1}).substr(0);
    CHECK(answers == all);
}

TEST_CASE("a peer that stops reading is not read from, and one that is silent is closed") {
    Target target;
    Control control(target);
    control.driver.set_room(0);
    for (int i = 0; i < 1000; ++i) control.driver.offer("{\"method\":\"metrics\"}\r\n");
    target.people.scheduler().run_ready();
    CHECK(control.driver.engine().memory() < 1024 * 1024);
    CHECK_FALSE(control.driver.closed());
    target.people.scheduler().run_until(target.people.scheduler().now() + 700s);
    CHECK(control.driver.closed());

    Control silent(target);
    target.people.scheduler().run_until(target.people.scheduler().now() + 599s);
    CHECK_FALSE(silent.driver.closed());
    target.people.scheduler().run_until(target.people.scheduler().now() + 2s);
    CHECK(silent.driver.closed());
}

TEST_CASE("who ends its side after a request still gets the answer") {
    Target target;
    Control control(target);
    control.driver.offer("{\"method\":\"metrics\"}\r\n");
    control.driver.end();
    target.people.scheduler().run_ready();
    CHECK(control.driver.take_output().contains("mailcore_x"));
    target.people.scheduler().run_ready();
    CHECK(control.driver.closed());
}

TEST_CASE("a change that was asked for is made even if nobody waits for its answer") {
    Target target;
    {
        Control control(target);
        control.driver.offer("{\"method\":\"account.add\",\"address\":\"jo@example.test\","
                             "\"password\":\"a long password\"}\r\n");
        control.driver.cut();
        target.people.scheduler().run_until(target.people.scheduler().now() + 1s);
    }
    Control again(target);
    CHECK(again.ask({{"method", "account.list"}})["ok"]["accounts"].size() == 1);
}
