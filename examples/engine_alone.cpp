// The SMTP engine under a plain poll() loop: no libuv, no thread, one connection.
#include "libmailcore/base/clock.h"
#include "libmailcore/smtp/server_engine.h"

#include "talk.h"

#include <poll.h>
#include <thread>
#include <vector>

using namespace mailcore;

/// Answers the engine's events; returns what it was sent.
static void answer(smtp::ServerEngine& engine, std::string& message) {
    while (auto event = engine.next_event()) {
        if (auto* connected = std::get_if<smtp::Connected>(&*event))
            engine.accept(connected->id);
        else if (auto* hello = std::get_if<smtp::Hello>(&*event))
            engine.accept(hello->id);
        else if (auto* mail = std::get_if<smtp::Mail>(&*event))
            engine.accept(mail->id);
        else if (auto* rcpt = std::get_if<smtp::Rcpt>(&*event))
            engine.accept(rcpt->id);
        else if (auto* begin = std::get_if<smtp::BodyBegin>(&*event))
            engine.accept(begin->id);
        else if (auto* headers = std::get_if<smtp::Headers>(&*event)) {
            message += headers->octets;
            engine.accept(headers->id);
        } else if (auto* chunk = std::get_if<smtp::BodyChunk>(&*event))
            message += chunk->octets;
        else if (auto* end = std::get_if<smtp::BodyEnd>(&*event))
            engine.accept(end->id);
    }
}

/// Drives the engine over `socket` until it wants to close.
static void drive(smtp::ServerEngine& engine, int socket, std::string& message) {
    const base::SystemClock clock;
    std::string unread;
    while (true) {
        answer(engine, message);
        for (const auto piece : engine.output()) {
            const auto count = ::send(socket, piece.data(), piece.size(), MSG_NOSIGNAL);
            if (count > 0) engine.output_sent(static_cast<std::size_t>(count), clock.now());
            break;
        }
        if (engine.output().empty() && engine.next() != base::Engine::Next::Run) return;
        if (!engine.output().empty()) continue;
        if (!unread.empty() && engine.wants_input()) {
            unread.erase(0, engine.receive(unread, clock.now()));
            continue;
        }
        pollfd ready{socket, POLLIN, 0};
        if (::poll(&ready, 1, 1000) == 0) engine.expire(clock.now());
        char buffer[4096];
        const auto count = ::recv(socket, buffer, sizeof buffer, 0);
        if (count > 0)
            unread.append(buffer, static_cast<std::size_t>(count));
        else
            engine.receive_end(clock.now());
    }
}

int main() {
    const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    expect(::bind(listening, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
               ::listen(listening, 1) == 0 &&
               ::getsockname(listening, reinterpret_cast<sockaddr*>(&at), &size) == 0,
           "a port is free");
    std::string answers;
    std::thread client([&] { answers = talk(ntohs(at.sin_port), one_message); });

    const int socket = ::accept(listening, nullptr, nullptr);
    const base::SystemClock clock;
    PeerInfo peer;
    peer.transport = PeerInfo::Transport::Tcp;
    peer.address = *IpAddress::parse("127.0.0.1");
    smtp::ServerEngine engine(std::make_shared<const smtp::ServerOptions>(), peer, clock.now());
    std::string message;
    drive(engine, socket, message);
    ::close(socket);
    client.join();
    ::close(listening);
    expect(message == "Subject: hello\r\n\r\nIt works.\r\n", "the message came");
    expect(answers.find("\r\n221 ") != std::string::npos, "the server said goodbye");
}
