#include "libmailcore/filter/zip_archive.h"

#include "tests/catch.h"
#include "tests/filter/zip_writer.h"

using namespace mailcore;
using filter::read_zip;
using filter::zip_of;

TEST_CASE("what a zip archive holds is listed and unpacked") {
    for (const bool deflated : {true, false}) {
        const auto archive = zip_of({{"a.txt", std::string(100'000, 'x')}, {"d/\xC3\xA4.bin", "y"}}, {.deflated = deflated});
        for (const auto* prefix : {"", "#!self-extracting stub"}) {
            const auto octets = prefix + archive;
            const auto entries = read_zip(octets);
            REQUIRE(entries);
            REQUIRE(entries->size() == 2);
            CHECK((*entries)[0].name == "a.txt");
            CHECK((*entries)[0].size == 100'000);
            CHECK((*entries)[1].name == "d/\xC3\xA4.bin");
            CHECK(filter::unpack(octets, (*entries)[0], 1 << 20) == std::string(100'000, 'x'));
            CHECK(filter::unpack(octets, (*entries)[0], 99) == std::string(99, 'x'));
            CHECK(filter::unpack(octets, (*entries)[1], 10) == "y");
        }
    }
}

TEST_CASE("a broken archive is an error, never a read outside") {
    const auto archive = zip_of({{"a.txt", std::string(1000, 'x')}, {"b", "y"}});
    for (std::size_t size = 0; size < archive.size(); ++size) {
        INFO(size);
        CHECK_FALSE(read_zip(std::string_view(archive).substr(0, size)));
    }
    for (std::size_t at = 0; at < archive.size(); ++at)
        for (const int flip : {0x01, 0x80, 0xFF}) {
            auto damaged = archive;
            damaged[at] = static_cast<char>(damaged[at] ^ flip);
            const auto entries = read_zip(damaged);
            if (!entries) continue;
            for (const auto& entry : *entries) {
                const auto content = filter::unpack(damaged, entry, 4096);
                if (content) CHECK(content->size() <= 4096);
            }
        }
    CHECK_FALSE(read_zip(""));
    CHECK_FALSE(read_zip("PK\x03\x04"));
    const auto locked = zip_of({{"a", "x"}}, {.encrypted = true});
    CHECK(read_zip(locked)->front().encrypted);
    CHECK_FALSE(filter::unpack(locked, read_zip(locked)->front(), 10));
}
