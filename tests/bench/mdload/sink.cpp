// The receiving half of SMTP, as far as senders need it.
#include "tests/bench/mdload/sink.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mailcore::mdload {

namespace {
constexpr std::string_view data_end = "\r\n.\r\n";
constexpr std::size_t line_octets_max = 4096;
constexpr int backlog = 512;
} // namespace

class Sink::Visitor final : public WireUser {
  public:
    Visitor(Sink& sink, int descriptor) : sink_(sink), wire_(sink.loop_, *this, descriptor) {
        wire_.send("220 sink.example.net ESMTP\r\n");
    }
    [[nodiscard]] bool is_gone() const { return !wire_.is_open(); }

    void received(std::string_view octets) override {
        std::string replies;
        while (!octets.empty() && wire_.is_open()) {
            if (in_data_) {
                octets = data(octets, replies);
                continue;
            }
            const auto end = octets.find('\n');
            partial_ += octets.substr(0, end);
            if (end == std::string_view::npos) break;
            octets.remove_prefix(end + 1);
            line(std::exchange(partial_, {}), replies);
        }
        if (partial_.size() > line_octets_max) return wire_.close();
        wire_.send(replies);
        if (quitting_) wire_.close();
    }
    void lost(const std::string&) override {}

  private:
    void line(const std::string& text, std::string& replies) {
        const auto is = [&](std::string_view verb) {
            return text.size() >= verb.size() &&
                   ::strncasecmp(text.data(), verb.data(), verb.size()) == 0;
        };
        if (is("EHLO"))
            replies += "250-sink.example.net\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                       "250-ENHANCEDSTATUSCODES\r\n250 SIZE 0\r\n";
        else if (is("DATA")) {
            replies += "354 go on\r\n";
            in_data_ = true;
            tail_ = "\r\n";
            virtual_ = 2;
            check_.begin();
        } else if (is("QUIT")) {
            replies += "221 2.0.0 bye\r\n";
            quitting_ = true;
        } else
            replies += "250 2.0.0 ok\r\n";
    }
    void pass(std::string_view octets) {
        const auto skipped = std::min(virtual_, octets.size());
        virtual_ -= skipped;
        octets.remove_prefix(skipped);
        sink_.octets_ += octets.size();
        check_.feed(octets);
    }
    /// Letters have no line that begins with a dot, so nothing is to be unstuffed.
    std::string_view data(std::string_view octets, std::string& replies) {
        tail_ += octets;
        const auto at = tail_.find(data_end);
        if (at == std::string::npos) {
            const auto keep = std::min(tail_.size(), data_end.size() - 1);
            pass(std::string_view(tail_).substr(0, tail_.size() - keep));
            tail_.erase(0, tail_.size() - keep);
            return {};
        }
        pass(std::string_view(tail_).substr(0, at + 2));
        const auto left = tail_.size() - at - data_end.size();
        tail_.clear();
        in_data_ = false;
        replies += "250 2.0.0 taken\r\n";
        sink_.on_message(check_);
        return octets.substr(octets.size() - left);
    }

    Sink& sink_;
    Wire wire_;
    std::string partial_, tail_;
    std::size_t virtual_ = 0;
    bool in_data_ = false, quitting_ = false;
    LetterCheck check_;
};

Sink::Sink(Loop& loop, const std::string& host, std::uint16_t port) : loop_(loop) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    const int on = 1;
    ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 ||
        ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(descriptor_, backlog) != 0)
        give_up(fmt::format("cannot listen on {}:{}: {}", host, port, std::strerror(errno)));
    loop_.watch(descriptor_, *this, false);
}

Sink::~Sink() { ::close(descriptor_); }

void Sink::on_socket(bool, bool) {
    while (true) {
        const auto accepted =
            ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0) return;
        visitors_.push_back(std::make_unique<Visitor>(*this, accepted));
        // Between the turns of the loop: within one, events may still name those that are gone.
        loop_.at(loop_.now(), [this] {
            std::erase_if(visitors_, [](const auto& each) { return each->is_gone(); });
        });
    }
}

} // namespace mailcore::mdload
