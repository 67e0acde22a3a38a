#include "libmailcore/backup/manifest.h"

#include "tests/catch.h"

#include <string>

using namespace mailcore;
using backup::Manifest;

namespace {

Manifest sample() {
    Manifest manifest;
    manifest.store.fill(0xA7);
    manifest.hostname = "mx.example.test";
    manifest.release = "0.1.0";
    manifest.made = base::wall_time(1'769'860'800);
    manifest.position = 0xFFFF'FFFF'FFFF;
    backup::BackupFile file;
    file.path = file.name = "store/journal/0000000000000001-0000000000000000.log";
    file.octets = 1'234'567'890'123;
    file.digest.fill(0x5C);
    manifest.files.push_back(file);
    file.path = "tls/key.pem";
    file.name = "settings/5c5c-key.pem";
    file.gone = base::wall_time(1'769'000'000);
    manifest.files.push_back(file);
    return manifest;
}

std::string with(std::string text, std::string_view what, std::string_view by) {
    const auto at = text.find(what);
    REQUIRE(at != text.npos);
    return text.replace(at, what.size(), by);
}

} // namespace

TEST_CASE("a manifest is read as it was written") {
    const auto manifest = sample();
    const auto text = backup::encode(manifest);
    CHECK(text.find("\"format\": 1") != text.npos);
    const auto read = backup::parse_manifest(text);
    REQUIRE(read);
    CHECK(*read == manifest);
    CHECK(backup::encode(*read) == text);
}

TEST_CASE("a manifest that is damaged or names files elsewhere is refused") {
    const auto good = backup::encode(sample());
    struct Case {
        const char* name;
        std::string text;
    };
    const Case cases[] = {
        {"empty", ""},
        {"no object", "[]"},
        {"cut short", good.substr(0, good.size() / 2)},
        {"no format", with(good, "\"format\"", "\"fromat\"")},
        {"a position that is no number", with(good, "281474976710655", "\"x\"")},
        {"a negative position", with(good, "281474976710655", "-1")},
        {"a store id that is too short", with(good, "a7a7", "a7")},
        {"a digest that is none", with(good, "5c5c5c", "5c5c5x")},
        {"no files", with(good, "\"files\"", "\"flies\"")},
        {"a path outside", with(good, "\"tls/key.pem\"", "\"../key.pem\"")},
        {"a path outside, deeper", with(good, "\"tls/key.pem\"", "\"tls/../../key.pem\"")},
        {"a path from the root", with(good, "\"tls/key.pem\"", "\"/tls/key.pem\"")},
        {"an empty path", with(good, "\"tls/key.pem\"", "\"\"")},
        {"a name outside", with(good, "settings/5c5c", "settings/../..")},
        {"a time that is none", with(good, "2026-01-31T", "2026-01-32T")},
        {"an octet 0 in a path", with(good, "tls/key.pem", "tls/\\u0000.pem")},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto read = backup::parse_manifest(c.text);
        REQUIRE_FALSE(read);
        CHECK(read.error().kind == ErrorKind::Corrupt);
    }
    const auto later = backup::parse_manifest(with(good, "\"format\": 1", "\"format\": 2"));
    REQUIRE_FALSE(later);
    CHECK(later.error().kind == ErrorKind::Rejected);
}
