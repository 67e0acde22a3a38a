// mdload: a load on any mail server, given host and port. `mdload --help` says how.
#include "tests/bench/mdload/load.h"

#include <cstdio>

#include <fmt/format.h>

int main(int argc, char** argv) {
    using namespace mailcore::mdload;
    const auto load = read_arguments(argc, argv);
    fmt::print("{}\n",
               load.work == "limits"
                   ? machine_limits(load.mailbox, static_cast<double>(load.pace.time.count()) / 1e9)
                   : run_work(load));
    return 0;
}
