#include "libmailcore/pop3/command.h"

#include "tests/catch.h"
#include "tests/pop3/memory_maildrop.h"
#include "tests/sim/driver.h"

using namespace mailcore;

TEST_CASE("a command line is a verb and words between single spaces") {
    struct Case {
        const char* name;
        std::string_view line;
        int words; // -1: refused
    };
    static constexpr Case cases[] = {
        {"bare verb", "STAT", 0},       {"one word", "LIST 1", 1},
        {"two words", "TOP 1 0", 2},    {"empty", "", -1},
        {"space first", " STAT", -1},   {"trailing space", "STAT ", -1},
        {"two spaces", "TOP 1  0", -1},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto command = pop3::parse_command_line(c.line);
        CHECK((command ? static_cast<int>(command->arguments.words.size()) : -1) == c.words);
    }
}

TEST_CASE("every row of the command table says where it comes from and when it may come") {
    for (const auto& row : pop3::command_table()) {
        INFO(row.verb);
        CHECK(row.source.starts_with("RFC "));
        CHECK((row.states == "A" || row.states == "T" || row.states == "AT"));
        CHECK(row.words_min <= row.words_max);
    }
}

TEST_CASE("an idle connection holds no buffer, and a slow reader does not make one grow") {
    sim::VirtualScheduler scheduler;
    std::map<std::string, pop3::MemoryMaildrop> maildrops;
    maildrops["jo"].password = "pw";
    maildrops["jo"].messages.push_back(std::string(10'000'000, 'x') + "\r\n");
    pop3::Options options;
    options.plaintext_without_tls = true;
    sim::Driver driver(scheduler);
    driver.start(
        std::make_unique<pop3::MemoryDialogue>(maildrops, options, PeerInfo{}, scheduler.now()));
    driver.offer("USER jo\r\nPASS pw\r\n");
    CHECK(driver.engine().memory() < 200); // the maildrop's one row
    driver.set_room(0);
    driver.offer("RETR 1\r\n");
    CHECK(driver.engine().memory() < 300'000);
    CHECK_FALSE(driver.engine().wants_input());
    driver.set_room(std::nullopt);
    CHECK(driver.take_output().size() > 10'000'000);
    CHECK(driver.engine().memory() < 200);
}
