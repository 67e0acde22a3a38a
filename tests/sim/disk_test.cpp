#include "tests/sim/disk.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

#include <set>

using namespace mailcore;

namespace {

sim::DiskImage root() {
    sim::DiskImage image;
    image.folders = {"/"};
    return image;
}

/// Everything that may be in a file after a cut at the end.
std::set<std::string> outcomes(const sim::Disk& disk, const std::string& path) {
    std::set<std::string> seen;
    base::SeededRandom random(7);
    sim::PowerCut power(disk);
    for (int i = 0; i < 400; ++i) {
        const auto image = power.at(disk.operations(), random);
        const auto found = image.files.find(path);
        seen.insert(found == image.files.end() ? "(none)" : *found->second);
    }
    return seen;
}

void write(sim::Disk& disk, const std::string& path, std::uint64_t offset,
           std::string_view octets) {
    auto file = disk.open(path, OpenMode::Create);
    REQUIRE(file);
    REQUIRE((*file)->write_at(offset, std::span(&octets, 1)));
}

void sync(sim::Disk& disk, const std::string& path) {
    REQUIRE((*disk.open(path, OpenMode::Write))->sync_data());
}

} // namespace

TEST_CASE("what was synced is left by a power cut, and of the rest anything") {
    sim::Disk disk(root());
    write(disk, "/a", 0, "synced");
    CHECK(outcomes(disk, "/a").contains("(none)")); // not even its name is there for certain
    CHECK(outcomes(disk, "/a").contains("synced"));
    sync(disk, "/a");
    REQUIRE(disk.sync_folder("/"));
    CHECK(outcomes(disk, "/a") == std::set<std::string>{"synced"});
    write(disk, "/a", 0, "SYN");
    CHECK(outcomes(disk, "/a") == std::set<std::string>{"synced", "SYNced"});
    REQUIRE((*disk.open("/a", OpenMode::Write))->truncate(3));
    CHECK(outcomes(disk, "/a") == std::set<std::string>{"synced", "SYNced", "SYN", "syn"});
}

TEST_CASE("sectors arrive each by itself") {
    sim::Disk disk(root());
    write(disk, "/a", 0, std::string(1536, '-'));
    sync(disk, "/a");
    REQUIRE(disk.sync_folder("/"));
    write(disk, "/a", 256, std::string(1024, 'x'));
    std::set<std::string> shapes;
    for (const auto& content : outcomes(disk, "/a"))
        shapes.insert({content[0], content[256], content[511], content[512], content[1023],
                       content[1024], content[1279], content[1280]});
    CHECK(shapes == std::set<std::string>{"--------", "-xx-----", "---xx---", "-----xx-",
                                          "-xxxx---", "-xx--xx-", "---xxxx-", "-xxxxxx-"});
}

TEST_CASE("a rename arrives whole or not at all") {
    sim::Disk disk(root());
    REQUIRE(base::replace_file(disk, "/a", "old"));
    REQUIRE(base::replace_file(disk, "/a", "new"));
    base::SeededRandom random(1);
    sim::PowerCut power(disk);
    for (std::size_t moment = 0; moment <= disk.operations(); ++moment) {
        const auto image = power.at(moment, random);
        const auto found = image.files.find("/a");
        if (found != image.files.end()) CHECK((*found->second == "old" || *found->second == "new"));
    }
}

TEST_CASE("a folder that was not synced takes its files with it") {
    sim::Disk disk(root());
    REQUIRE(disk.make_folder("/f"));
    write(disk, "/f/a", 0, "x");
    sync(disk, "/f/a");
    REQUIRE(disk.sync_folder("/f"));
    CHECK(outcomes(disk, "/f/a") == std::set<std::string>{"(none)", "x"});
    REQUIRE(disk.sync_folder("/"));
    CHECK(outcomes(disk, "/f/a") == std::set<std::string>{"x"});
}
