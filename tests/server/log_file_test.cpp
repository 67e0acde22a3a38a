#include "libmailcore/server/log_file.h"

#include "tests/catch.h"

#include <cstdlib>
#include <unistd.h>

using namespace mailcore;

TEST_CASE("an event is one JSON line, whatever its values hold") {
    const base::LogField fields[] = {{"text", "a \"quote\"\n\xff"}, {"number", 5}, {"flag", true}};
    const auto line = server::to_json({base::LogLevel::Warning, "x.y", TraceId{0xab}, fields},
                                      base::wall_time(0));
    CHECK(line ==
          "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"warning\",\"event\":\"x.y\","
          "\"trace\":\"00000000000000ab\",\"text\":\"a \\\"quote\\\"\\u000a\xef\xbf\xbd\","
          "\"number\":5,\"flag\":true}");
}

TEST_CASE("a trace finds all events of the messages that a text is about, in older files too") {
    constexpr int files_max = 40;
    char folder[] = "/tmp/mailcore-log-test-XXXXXX";
    REQUIRE(::mkdtemp(folder));
    const std::string path = std::string(folder) + "/log";
    {
        // Enough files even if each line goes out by itself.
        auto opened = server::LogFile::open({path, 300, files_max});
        REQUIRE(opened);
        auto& log = **opened;
        for (int i = 1; i <= 20; ++i) {
            const base::LogField first[] = {
                {"sender", i == 3 ? "jo@example.test" : "other@example.test"}};
            log.write({base::LogLevel::Info, "queue.accepted",
                       TraceId{static_cast<std::uint64_t>(i)}, first});
            log.write({base::LogLevel::Info,
                       "delivery.filed",
                       TraceId{static_cast<std::uint64_t>(i)},
                       {}});
        }
    }
    const auto found = server::trace_log(path, "jo@example.test");
    REQUIRE(found);
    REQUIRE(found->size() == 2);
    CHECK((*found)[0].contains("queue.accepted"));
    CHECK((*found)[1].contains("delivery.filed"));
    CHECK(server::trace_log(path, "nobody")->empty());
    CHECK(server::trace_log(path, "", 5)->size() == 5);
    for (int i = 0; i <= files_max; ++i)
        ::unlink((i == 0 ? path : path + "." + std::to_string(i)).c_str());
    CHECK(::rmdir(folder) == 0);
}
