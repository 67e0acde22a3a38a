// What the examples' self-checks share: a blocking client for a few lines.
#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

/// Sends `lines` to 127.0.0.1:`port` and returns all that came back until the server closed.
inline std::string talk(std::uint16_t port, std::string_view lines) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string came;
    char buffer[4096];
    if (::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
        // A client waits for the greeting (RFC 5321 §3.1).
        if (const auto count = ::recv(socket, buffer, sizeof buffer, 0); count > 0)
            came.append(buffer, static_cast<std::size_t>(count));
        if (::send(socket, lines.data(), lines.size(), MSG_NOSIGNAL) > 0)
            for (ssize_t count; (count = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
                came.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(socket);
    return came;
}

inline void expect(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "not as expected: %s\n", what);
    std::exit(1);
}

inline constexpr std::string_view one_message =
    "EHLO client.example\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<jo@example.test>\r\nDATA\r\n"
    "Subject: hello\r\n\r\nIt works.\r\n.\r\nQUIT\r\n";
