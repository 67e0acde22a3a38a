#include "libmailcore/server/process_memory.h"

#include "tests/catch.h"
#include "tests/temporary_folder.h"

#include <filesystem>
#include <fstream>
#include <memory>

using namespace mailcore;

TEST_CASE("the process's anonymous memory grows with what it touches") {
    constexpr std::size_t octets = 32 * 1024 * 1024;
    const auto before = server::process_memory();
    CHECK(before.anonymous > 0);
    CHECK(before.resident >= before.anonymous);
    const std::string filled(octets, 'x');
    const auto after = server::process_memory();
    CHECK(after.anonymous >= before.anonymous + octets / 2); // whatever else was freed meanwhile
    CHECK(filled.back() == 'x');
}

TEST_CASE("the least limit on the way up the control groups counts") {
    test::TemporaryFolder folder;
    const std::filesystem::path root = folder.path();
    std::filesystem::create_directories(root / "mail.slice/mdserver.service");
    const auto write = [&](const char* group, const char* text) {
        std::ofstream(root / group / "memory.max") << text;
    };
    write("mail.slice", "max\n");
    write("mail.slice/mdserver.service", "max\n");
    const auto limit = [&](std::string_view membership) {
        return server::control_group_limit(root, membership);
    };
    CHECK(limit("0::/mail.slice/mdserver.service\n") == std::nullopt);
    write("mail.slice", "536870912\n");
    CHECK(limit("0::/mail.slice/mdserver.service\n") == 536870912);
    write("mail.slice/mdserver.service", "1073741824\n");
    CHECK(limit("0::/mail.slice/mdserver.service\n") == 536870912);
    write("mail.slice/mdserver.service", "268435456\n");
    CHECK(limit("12:pids:/x\n0::/mail.slice/mdserver.service\n") == 268435456);
    CHECK(limit("0::/mail.slice\n") == 536870912);
    // The root of a container, none at all, nonsense.
    write(".", "1000\n");
    CHECK(limit("0::/\n") == 1000);
    // Version 1; a container sees its own group as the root, under the name that its host gave it.
    std::filesystem::create_directories(root / "memory");
    std::ofstream(root / "memory" / "memory.limit_in_bytes") << "2000\n";
    CHECK(limit("4:memory:/docker/0123\n") == 2000);
    CHECK(limit("4:memory:/docker/0123\n0::/\n") == 1000);
    CHECK(limit("4:pids:/docker/0123\n") == std::nullopt);
    CHECK(limit("") == std::nullopt);
    CHECK(limit("0::") == std::nullopt);
}

TEST_CASE("without a setting the ceiling is a share of what there is") {
    CHECK(server::default_memory_max() > 0);
}
