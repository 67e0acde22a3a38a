// A server whose files fail at every operation in turn: what it answered 250 stays, what could not
// be synced is never acknowledged, mail is read on, and it says what is wrong.
#include "tests/catch.h"
#include "tests/world/world.h"

#include <cstdlib>

using namespace mailcore;
using world::Setting;
using world::World;

namespace {

struct Case {
    const char* name;
    sim::Fault fault;
    std::size_t times;
};

constexpr Case cases[] = {
    {"ENOSPC once", sim::Fault::NoSpace, 1},
    {"ENOSPC from then on", sim::Fault::NoSpace, SIZE_MAX},
    {"ENOSPC after half a write", sim::Fault::ShortWrite, 1},
    {"EIO once", sim::Fault::Broken, 1},
    {"EIO from then on", sim::Fault::Broken, SIZE_MAX},
    {"EMFILE from then on", sim::Fault::NoFiles, SIZE_MAX},
    {"ENOMEM once", sim::Fault::NoMemory, 1},
};

/// Of the log or of bodies: what an acknowledgement stands on.
bool is_sync_of_mail(const std::string& failure) {
    return failure.starts_with("syncing ") &&
           (failure.ends_with(".log") || failure.ends_with(".bodies"));
}

/// False: the world was over before operation `operation`.
bool fail_at(const Setting& setting, const Case& each, std::size_t operation) {
    INFO(each.name << ", operation " << operation);
    World world(setting, 3);
    world.nothing_goes_wrong();
    world.keep_short();
    bool failed = false;
    world.before_the_start = [&] {
        world.hosts()[0]->fail_files(operation, each.fault, each.times);
    };
    world.before_mending = [&] {
        auto& host = *world.hosts()[0];
        failed = host.files().failed();
        if (!host.is_up()) return; // it could not be started so
        INFO(host.files().first_failure());
        const auto status = host.store().status();
        CHECK(status.writable == status.reason.empty());
        if (is_sync_of_mail(host.files().first_failure())) CHECK_FALSE(status.writable);
        for (const auto& person : host.plan().people)
            for (const auto& folder : host.folders(person))
                for (const auto& [uid, message] : folder.messages)
                    CHECK(message.octets != "unreadable");
    };
    const auto outcome = world.run();
    std::string wrong;
    for (const auto& text : outcome.wrong) wrong += text + "\n";
    INFO(wrong);
    CHECK(outcome.wrong.empty());
    // What cannot be written down is not sent again and again.
    CHECK(outcome.counts.doubles <= outcome.counts.acknowledged / 2);
    return failed;
}

} // namespace

TEST_CASE("whatever operation of its files fails, a server keeps what it has acknowledged") {
    const Setting setting;
    // Every third of them in a short run, another third for each kind of fault.
    const bool all = std::getenv("MAILCORE_WORLD_RUNS") != nullptr;
    std::size_t first = 0, runs = 0;
    for (const auto& each : cases) {
        std::size_t operation = all ? 0 : first++ % 3;
        while (fail_at(setting, each, operation)) {
            operation += all ? 1 : 3;
            ++runs;
        }
        CHECK(operation > 30); // so many at least there are in half an hour
    }
    INFO(runs);
    CHECK(runs > 100);
}
