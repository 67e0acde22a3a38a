// What the machine can do at all: what servers are measured against besides each other.
#include "tests/bench/mdload/load.h"

#include "libmailcore/base/random.h"
#include "libmailcore/crypto/certificate.h"
#include "libmailcore/tls/client_context.h"
#include "libmailcore/tls/server_context.h"
#include "libmailcore/tls/session.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mailcore::mdload {

namespace {

/// How often `step` can be done a second.
template <class Step>
double rate_of(double seconds, Step&& step) {
    const base::SystemClock clock;
    const auto begun = clock.now();
    std::uint64_t done = 0;
    double took = 0;
    do {
        step();
        ++done;
        took = std::chrono::duration<double>(clock.now() - begun).count();
    } while (took < seconds);
    return static_cast<double>(done) / took;
}

class ScratchFile {
  public:
    explicit ScratchFile(const std::string& folder) : path_(folder + "/mdload.limits") {
        descriptor_ = ::open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
        if (descriptor_ < 0)
            give_up(fmt::format("cannot write in {}: {}", folder, std::strerror(errno)));
    }
    ~ScratchFile() {
        ::close(descriptor_);
        ::unlink(path_.c_str());
    }
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    void append_durably(std::string_view octets) {
        if (::write(descriptor_, octets.data(), octets.size()) !=
                static_cast<ssize_t>(octets.size()) ||
            ::fdatasync(descriptor_) != 0)
            give_up(fmt::format("cannot write: {}", std::strerror(errno)));
    }

  private:
    std::string path_;
    int descriptor_;
};

/// 128 octets there and back between two threads.
double round_trips(double seconds) {
    std::array<int, 2> ends{};
    // TCP over loopback, not a socket pair: what the servers have.
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 1) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        give_up("no loopback");
    ends[0] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(ends[0], reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        give_up("no loopback");
    ends[1] = ::accept(listener, nullptr, nullptr);
    ::close(listener);
    std::thread echo([end = ends[1]] {
        std::array<char, 128> octets;
        while (::recv(end, octets.data(), octets.size(), MSG_WAITALL) > 0)
            if (::send(end, octets.data(), octets.size(), MSG_NOSIGNAL) <= 0) break;
    });
    std::array<char, 128> octets{};
    const auto rate = rate_of(seconds, [&] {
        if (::send(ends[0], octets.data(), octets.size(), MSG_NOSIGNAL) <= 0 ||
            ::recv(ends[0], octets.data(), octets.size(), MSG_WAITALL) <= 0)
            give_up("loopback is broken");
    });
    ::shutdown(ends[0], SHUT_RDWR);
    echo.join();
    ::close(ends[0]);
    ::close(ends[1]);
    return rate;
}

} // namespace

std::string machine_limits(const std::string& folder, double seconds) {
    const std::string page(4096, 'x'), mebibyte(1 << 20, 'x');
    double syncs = 0, megabytes = 0;
    {
        ScratchFile file(folder);
        syncs = rate_of(seconds, [&] { file.append_durably(page); });
    }
    {
        // 8 MiB a sync: large enough that more is no faster, small enough not to wait at the end.
        ScratchFile file(folder);
        std::string much;
        for (int i = 0; i < 8; ++i) much += mebibyte;
        megabytes = rate_of(seconds, [&] { file.append_durably(much); }) *
                    static_cast<double>(much.size()) / 1e6;
    }
    return fmt::format(R"({{"fdatasync_4k": {:.1f}, "write_mb": {:.1f}, "round_trips": {:.1f}}})",
                       syncs, megabytes, round_trips(seconds));
}

} // namespace mailcore::mdload
