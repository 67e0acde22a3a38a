#include "libmailcore/filter/lua_rules.h"

#include "libmailcore/base/file.h"
#include "tests/catch.h"
#include "tests/filter/rule_bench.h"

using namespace mailcore;
using namespace std::chrono_literals;
using filter::RuleBench;
using filter::Stage;
using filter::Verdict;

TEST_CASE("a rule gives each verdict") {
    struct Case {
        const char* call;
        Verdict::Kind kind;
        std::uint16_t code;
        const char* enhanced;
        const char* text;
    };
    const Case cases[] = {
        {"", Verdict::Kind::Continue, 0, "", ""},
        {"return mail.reject('no')", Verdict::Kind::Reject, 550, "5.7.1", "no"},
        {"mail.reject('no')", Verdict::Kind::Reject, 550, "5.7.1", "no"},
        {"return mail.reject(554, 'no')", Verdict::Kind::Reject, 554, "5.7.1", "no"},
        {"return mail.reject(554, '5.1.1', 'no')", Verdict::Kind::Reject, 554, "5.1.1", "no"},
        {"return mail.defer('later')", Verdict::Kind::Defer, 451, "4.7.1", "later"},
        {"return mail.defer(421, '4.3.2', 'later')", Verdict::Kind::Defer, 421, "4.3.2", "later"},
        {"return mail.accept()", Verdict::Kind::Accept, 0, "", ""},
        {"return mail.discard()", Verdict::Kind::Discard, 0, "", ""},
        {"return mail.quarantine()", Verdict::Kind::Quarantine, 0, "", ""},
        {"return mail.hold()", Verdict::Kind::Hold, 0, "", ""},
        {"mail.reject('no') return mail.continue()", Verdict::Kind::Continue, 0, "", ""},
    };
    for (const auto& c : cases) {
        INFO(c.call);
        RuleBench bench("mail.on('mail', function(ctx) " + std::string(c.call) + " end)");
        const auto verdict = bench.judge(Stage::Mail);
        CHECK(verdict.kind == c.kind);
        CHECK(verdict.code == c.code);
        CHECK(verdict.enhanced == c.enhanced);
        CHECK(verdict.text == c.text);
        CHECK(bench.failures.empty());
    }
    RuleBench bench("\nmail.on('message', function() return mail.redirect('a@b.test') end)");
    const auto verdict = bench.judge(Stage::Message);
    CHECK(verdict.target == "a@b.test");
    CHECK(verdict.filter == "rule.lua:2");
    CHECK(bench.judge(Stage::Mail).kind == Verdict::Kind::Continue); // another stage
}

TEST_CASE("what a rule does wrong is told with file and line") {
    struct Case {
        const char* name;
        const char* body;
        const char* failure;
    };
    const Case cases[] = {
        {"nil", "local x = nil\nreturn x.y", "rule.lua:3: attempt to index a nil value (local 'x')"},
        {"error", "error('oops')", "rule.lua:2: oops"},
        {"error object", "error({})", "rule.lua:2: error is a table"},
        {"unknown field", "return ctx.sendr", "rule.lua:2: ctx has no field 'sendr'"},
        {"read only", "ctx.sender = 'x'", "rule.lua:2: ctx.sender cannot be set"},
        {"code", "mail.reject(250, 'x')", "rule.lua:2: the reply code is from 500 to 599"},
        {"enhanced", "mail.defer(450, '5.1.1', 'x')", "rule.lua:2: the enhanced status is like 4.7.1"},
        {"stage", "ctx:add_header('X', 'y')", "rule.lua:2: header edits: not at stage mail"},
        {"parts", "ctx:parts()", "rule.lua:2: parts: not at stage mail"},
        {"register late", "mail.on('mail', print)", "rule.lua:2: mail.on is for the file itself, not for functions"},
        {"pattern", "('x'):find('[a')", "rule.lua:2: malformed pattern (missing ']')"},
        {"redirect", "mail.redirect('nobody')", "rule.lua:2: mail.redirect: not an address"},
        {"wait in gsub", "('x'):gsub('x', function() dns.lookup('a.test') end)",
         "rule.lua:2: this waits, and cannot inside a function given to gsub or sort"},
    };
    RuleBench bench;
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(bench.failure_of(c.body) == c.failure);
    }
}

TEST_CASE("a file that is wrong is not loaded, and says where") {
    struct Case {
        const char* text;
        const char* error;
    };
    const Case cases[] = {
        {"x = = 1", "rule.lua:1: unexpected symbol near '='"},
        {"\n\nmail.on('nowhere', print)", "rule.lua:3: bad argument #1 to 'on' (invalid option 'nowhere')"},
        {"mail.on('mail')", "rule.lua:1: bad argument #2 to 'on' (function expected, got no value)"},
        {"mail.on('mail', {fast = true}, print)", "rule.lua:1: mail.on: no option 'fast'"},
        {"mail.on('mail', {on_failure = 'x'}, print)", "rule.lua:1: mail.on: on_failure is \"open\" or \"defer\""},
        {"mail.reject('x')", "rule.lua:1: this can be used only while mail is judged"},
        {"mail.list('none.txt')", "rule.lua:1: mail.list: no file none.txt beside the rules"},
        {"while true do end", "rule.lua:1: the rule has used its 2000000 instructions"},
        {"\x1bLua", "rule.lua: attempt to load a binary chunk (mode is 't')"},
    };
    for (const auto& c : cases) {
        INFO(c.text);
        RuleBench bench(c.text);
        const auto loaded = bench.load();
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().detail == c.error);
    }
    filter::RuleSource source;
    source.rules = {{"a.lua", "x ="}, {"b.lua", "local x = 1"}, {"c.lua", "y ="}};
    sim::VirtualScheduler scheduler;
    CHECK(filter::check_rules(source, {}, scheduler).size() == 2);
}

TEST_CASE("there is no way out of the sandbox") {
    const char* absent[] = {"io", "os", "debug", "load", "loadstring", "loadfile", "dofile", "require",
                            "package", "coroutine", "collectgarbage", "rawset", "_G", "warn", "string.dump",
                            "table.move", "math.random", "math.randomseed"};
    RuleBench bench;
    for (const auto* name : absent) {
        INFO(name);
        CHECK(bench.failure_of("assert(" + std::string(name) + " == nil)").empty());
    }
    struct Case {
        const char* body;
        const char* failure;
    };
    const Case cases[] = {
        {"string.find = nil", "rule.lua:2: this cannot be changed"},
        {"mail.reject = nil", "rule.lua:2: this cannot be changed"},
        {"getmetatable('').__index.find = nil", "rule.lua:2: attempt to index a boolean value"},
        {"setmetatable(string, {})", "rule.lua:2: bad argument #1 to 'setmetatable' (table expected, got userdata)"},
        {"setmetatable(_ENV, {})", "rule.lua:2: cannot change a protected metatable"},
        {"setmetatable({}, {__gc = function() end})", "rule.lua:2: rules have no finalizers (__gc)"},
        {"('x').y = 1", "rule.lua:2: attempt to index a string value"},
        {"assert(getmetatable(ctx) == false)", ""},
        {"assert(getmetatable(string) == false)", ""},
        {"assert(next(_ENV) == nil)", ""},
        {"for k in pairs(mail) do end", "rule.lua:2: bad argument #1 to 'for iterator' (table expected, got userdata)"},
    };
    for (const auto& c : cases) {
        INFO(c.body);
        const auto failure = bench.failure_of(c.body);
        if (*c.failure == '\0')
            CHECK(failure.empty());
        else
            CHECK(failure.starts_with(c.failure));
    }
}

TEST_CASE("one file's globals are not another's") {
    RuleBench bench;
    bench.source.rules = {{"a.lua", "shared = 1 function helper() return 1 end"},
                          {"b.lua", "mail.on('mail', function() assert(shared == nil and helper == nil) end)"}};
    bench.judge(Stage::Mail);
    CHECK(bench.failures.empty());
}

TEST_CASE("no rule takes more than its budget") {
    const char* bodies[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(error) end",
        "local function f() return pcall(f) end while true do f() end",
        "local s = 'x' while true do s = s .. s end",
        "for i = 1, 1e9 do local s = ('x'):rep(1e6) end",
        "local t = {} for i = 1, 1e9 do t[i] = {} end",
        "local t = {} while true do pcall(function() for i = 1, 1e9 do t[#t + 1] = ('x'):rep(1000) end end) end",
        "local s = ('a'):rep(30) while true do s:find('a-a-a-a-a-a-a-a-a-a-b') end",
        "('a'):rep(28):find(('a?'):rep(28) .. ('a'):rep(28) .. 'b')",
        "('x'):rep(100000):gsub('.-.-.-.-y', '')",
        "for i = 1, 1e9 do ('x'):rep(1000):gsub('x', 'yyyyyyyyyyyyyyyy') end",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
        "local function f(n) return 1 + f(n) end return f(1)",
        "local s = ('x'):rep(1e6) while true do s:find('y', 1, true) end",
        "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 0) end",
        "local t = setmetatable({}, {__close = function() while true do end end}) local x <close> = t error('x')",
        "return ('%99999d'):format(1)",
        "return table.concat({}, 'x', 1, 1e9)",
        "return table.unpack({}, 1, 1e8)",
    };
    for (const auto* body : bodies) {
        INFO(body);
        RuleBench bench;
        bench.limits.memory_max = 8 * 1024 * 1024;
        bench.limits.call_memory_max = 4 * 1024 * 1024;
        bench.limits.instructions_max = 300'000;
        const base::SystemClock clock;
        const auto began = clock.now();
        const auto failure = bench.failure_of(body);
        CHECK(failure.starts_with("rule.lua:"));
        CHECK(clock.now() - began < 3s);
    }
}

TEST_CASE("memory goes back when judgements end, whatever way they end") {
    RuleBench bench("mail.on('mail', function() local t = {} for i = 1, 1000 do t[i] = ('x'):rep(i) end "
                    "if mail.counter('n', 'k', '365d') % 2 == 0 then error('x') end end)");
    auto rules = bench.load();
    REQUIRE(rules);
    for (int i = 0; i < 200; ++i) bench.judge(*rules, Stage::Mail);
    CHECK(rules->memory() < 4 * 1024 * 1024);
    CHECK(bench.failures.size() == 100);
}

TEST_CASE("a failed rule leaves no edits and does as it says") {
    RuleBench bench("mail.on('message', {on_failure = 'defer'}, function(ctx)\n"
                    "  ctx:add_header('X', 'y') ctx.score = 5 ctx:route('a.test', 'b.test') error('x') end)");
    bench.set_message("Subject: x\r\n\r\n");
    CHECK(bench.judge(Stage::Message).kind == Verdict::Kind::Defer);
    CHECK(bench.context.header_edits.empty());
    CHECK(bench.context.routes.empty());
    CHECK(bench.context.score == 0);
    bench.source.rules[0].text = "mail.on('message', function(ctx) error('x') end)";
    CHECK(bench.judge(Stage::Message).kind == Verdict::Kind::Continue);
}

TEST_CASE("a rule waits for the DNS while others are judged") {
    RuleBench bench("mail.on('mail', function(ctx)\n"
                    "  local found = dns.lookup(dns.reversed(ctx.helo) .. '.list.test')\n"
                    "  if found and #found > 0 then return mail.reject('listed as ' .. found[1]) end\n"
                    "end)");
    bench.names.records["9.2.0.192.list.test A"] = {"127.0.0.2"};
    auto rules = bench.load();
    REQUIRE(rules);
    const filter::Pipeline pipeline(rules->entries(), Log{});
    filter::Context contexts[2];
    contexts[0].helo = "192.0.2.9";
    contexts[1].helo = "192.0.2.8";
    std::optional<Verdict> verdicts[2];
    Scope scope(bench.scheduler);
    const auto ask = [](const filter::Pipeline& asked, filter::Context& context,
                        std::optional<Verdict>& into) -> Task<void> {
        into = co_await asked.judge(Stage::Mail, context);
    };
    scope.spawn(ask(pipeline, contexts[0], verdicts[0]));
    scope.spawn(ask(pipeline, contexts[1], verdicts[1]));
    bench.scheduler.run_until(bench.scheduler.now() + 99ms);
    CHECK(bench.names.asked.size() == 2);
    CHECK_FALSE(verdicts[0]);
    bench.scheduler.run_until(bench.scheduler.now() + 10ms);
    REQUIRE(verdicts[0]);
    REQUIRE(verdicts[1]);
    CHECK(verdicts[0]->text == "listed as 127.0.0.2");
    CHECK(verdicts[1]->kind == Verdict::Kind::Continue);
}

TEST_CASE("a DNS that cannot answer is nil and why; a rule that waits too long has failed") {
    RuleBench bench;
    CHECK(bench.failure_of("local r, why = dns.lookup('broken.test') assert(r == nil and why == 'dns.lookup: no answer')").empty());
    CHECK(bench.failure_of("dns.lookup('')") == "rule.lua:2: dns.lookup: not a name");
    bench.names.delay = 20s;
    bench.source.rules = {{"rule.lua", "mail.on('mail', {on_failure = 'defer', time_max = 5000}, function()\n"
                                          "dns.lookup('a.test') return mail.reject('x') end)"}};
    CHECK(bench.judge(Stage::Mail).kind == Verdict::Kind::Defer);
    CHECK(bench.scheduler.timers() == 0);
}

TEST_CASE("a judgement that is cancelled leaves its rules usable, and reloading leaves it its rules") {
    RuleBench bench("mail.on('mail', function() dns.lookup('a.test') return mail.reject('old') end)");
    auto rules = bench.load();
    REQUIRE(rules);
    const auto ask = [](const filter::Pipeline& asked, filter::Context& context,
                        std::optional<Verdict>& into) -> Task<void> {
        into = co_await asked.judge(Stage::Mail, context);
    };
    std::optional<Verdict> verdict;
    {
        const filter::Pipeline pipeline(rules->entries(), Log{});
        Scope scope(bench.scheduler);
        scope.spawn(ask(pipeline, bench.context, verdict));
    }
    CHECK_FALSE(verdict);
    CHECK(bench.judge(*rules, Stage::Mail).text == "old");

    Scope scope(bench.scheduler);
    auto pipeline = std::make_unique<filter::Pipeline>(rules->entries(), Log{});
    scope.spawn(ask(*pipeline, bench.context, verdict));
    bench.source.rules[0].text = "mail.on('mail', function() return mail.reject('new') end)";
    rules = bench.load();
    REQUIRE(rules);
    pipeline = std::make_unique<filter::Pipeline>(rules->entries(), Log{});
    bench.scheduler.run_until(bench.scheduler.now() + 1s);
    REQUIRE(verdict);
    CHECK(verdict->text == "old");
    CHECK(bench.judge(*rules, Stage::Mail).text == "new");
}

TEST_CASE("counters and sets count and forget in time") {
    RuleBench bench("mail.on('mail', function(ctx)\n"
                    "  local n = mail.counter('sent', ctx.sender, '1h')\n"
                    "  local seen = mail.set('seen')\n"
                    "  mail.log(n .. ' ' .. tostring(seen:has('k')) .. ' ' .. tostring(seen:add('k', '1m')))\n"
                    "end)");
    auto rules = bench.load();
    REQUIRE(rules);
    bench.judge(*rules, Stage::Mail);
    CHECK(bench.said.back() == "1 false false");
    bench.judge(*rules, Stage::Mail); // a minute later
    CHECK(bench.said.back() == "2 false false");
    bench.scheduler.run_until(bench.scheduler.now() + 3h);
    bench.judge(*rules, Stage::Mail);
    CHECK(bench.said.back() == "1 false false");
    CHECK(bench.failure_of("mail.counter('a b', 'k', 60)")
              .ends_with("bad argument #1 to 'counter' (a name is 1 to 64 letters, digits, \"-\", \"_\" and \".\")"));
    CHECK(bench.failure_of("mail.counter('a', 'k', '5x')").find("a time is a number") != std::string::npos);
    CHECK(bench.failure_of("mail.set('a'):add('k', 60) assert(mail.set('a'):has('k'))\n"
                           "assert(mail.set('a'):remove('k')) assert(not mail.set('a'):has('k'))").empty());
}

TEST_CASE("rules see and change the header") {
    RuleBench bench("mail.on('message', function(ctx)\n"
                    "  assert(ctx:header('subject') == 'Grüße')\n"
                    "  assert(ctx:raw_header('Subject') == '=?utf-8?q?Gr=C3=BC=C3=9Fe?=')\n"
                    "  assert(ctx:header('none') == nil)\n"
                    "  assert(#ctx:headers('X') == 2 and ctx:headers('x')[2] == 'b')\n"
                    "  assert(table.concat(ctx:header_names(), ' ') == 'Subject X X To')\n"
                    "  local to = ctx:addresses('To')\n"
                    "  assert(#to == 2 and to[1].name == 'A B' and to[1].address == 'a@B.test' and to[2].domain == 'd.test')\n"
                    "  ctx:replace_header('Subject', '[neu] ' .. ctx:header('Subject'))\n"
                    "  assert(ctx:header('Subject') == '[neu] Grüße')\n"
                    "  ctx:remove_header('X', 1)\n"
                    "  assert(#ctx:headers('X') == 1)\n"
                    "  ctx:add_header('X-New', 'a\\r\\nEvil: 1')\n"
                    "  assert(ctx:header('Evil') == nil)\n"
                    "  ctx:note('k', 'v') assert(ctx:note('k') == 'v') ctx:tag('t') assert(ctx.tags[1] == 't')\n"
                    "  assert(ctx:remove_recipient('R@x.test') and not ctx:remove_recipient('s@x.test'))\n"
                    "  ctx:add_recipient('new@x.test') ctx:route('Far.test', 'relay.test', 2525)\n"
                    "  ctx.score = ctx.score + 1.5\n"
                    "end)");
    bench.set_message("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX: a\r\nX: b\r\nTo: \"A B\" <a@B.test>,\r\n c@D.test\r\n\r\nbody\r\n");
    bench.context.recipients = {"r@x.test"};
    bench.judge(Stage::Message);
    CHECK(bench.failures == std::vector<std::string>{});
    const auto header = filter::apply_edits(bench.context.header, bench.context.header_edits);
    CHECK(header == "X-New: a Evil: 1\r\nSubject: [neu] =?utf-8?b?R3LDvMOfZQ==?=\r\nX: b\r\nTo: \"A B\" <a@B.test>,\r\n c@D.test\r\n");
    CHECK(bench.context.removed_recipients == std::vector<std::string>{"r@x.test"});
    CHECK(bench.context.added_recipients == std::vector<std::string>{"new@x.test"});
    CHECK(bench.context.routes["far.test"] == "[relay.test]:2525");
    CHECK(bench.context.score == 1.5);
}

TEST_CASE("rules read parts in any encoding and charset") {
    RuleBench bench("mail.on('message', function(ctx)\n"
                    "  local parts = ctx:parts()\n"
                    "  assert(#parts == 3)\n"
                    "  assert(parts[1].type == 'text/plain' and parts[1].charset == 'koi8-r' and parts[1].number == '1')\n"
                    "  assert(parts[1]:text() == 'Привет\\r\\n', parts[1]:text())\n"
                    "  assert(parts[2]:text():find('Hello world', 1, true) and not parts[2]:text():find('<b>', 1, true))\n"
                    "  assert(parts[3].name == 'a.EXE' and parts[3].extension == 'exe' and parts[3].attachment)\n"
                    "  assert(parts[3]:octets() == 'MZ\\0' and parts[3]:octets(2) == 'MZ')\n"
                    "  assert(parts[3]:text() == '')\n"
                    "  local none, why = parts[3]:entries()\n"
                    "  assert(none == nil and why == 'not a zip archive')\n"
                    "  mail.log(parts[3]:sha256())\n"
                    "end)");
    bench.set_message("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                      "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n8NLJ18XUDQo=\r\n--b\r\n"
                      "Content-Type: text/html\r\n\r\n<p>Hello <b>world</b></p>\r\n--b\r\n"
                      "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=a.EXE\r\n"
                      "Content-Transfer-Encoding: base64\r\n\r\nTVoA\r\n--b--\r\n");
    bench.judge(Stage::Message);
    CHECK(bench.failures == std::vector<std::string>{});
    REQUIRE(bench.said.size() == 1);
    CHECK(bench.said[0] == "0def7c7eb38d4010bcb671e24a566daec14890690bf06af36620487ed74d284c");
}

TEST_CASE("a context does not outlive its judgement") {
    RuleBench bench("mail.on('mail', function(ctx) if kept then return kept.sender end kept = ctx end)");
    auto rules = bench.load();
    REQUIRE(rules);
    bench.judge(*rules, Stage::Mail);
    CHECK(bench.failures.empty());
    bench.judge(*rules, Stage::Mail);
    CHECK(bench.failures == std::vector<std::string>{"rule.lua:1: ctx belongs to another judgement"});
}

TEST_CASE("the manual of the interface is what the code says") {
    base::PosixFileSystem files;
    const auto text = base::read_file(files, MAILCORE_SOURCE_DIR "/libmailcore/filter/lua-api.md", 1024 * 1024);
    REQUIRE(text);
    if (std::getenv("MAILCORE_UPDATE")) {
        std::FILE* file = std::fopen(MAILCORE_SOURCE_DIR "/libmailcore/filter/lua-api.md", "wb");
        REQUIRE(file);
        const auto manual = filter::lua_api_manual();
        CHECK(std::fwrite(manual.data(), 1, manual.size(), file) == manual.size());
        std::fclose(file);
        return;
    }
    CHECK(*text == filter::lua_api_manual());
}
