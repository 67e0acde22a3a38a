// A protocol of lines for the tests of net: what it is told it says again, and it has one command
// for each thing that an engine may want of its driver.
#pragma once

#include "libmailcore/base/engine.h"
#include "libmailcore/base/output_buffer.h"
#include "libmailcore/base/scheduler.h"
#include "libmailcore/net/dialogue_factory.h"

#include <atomic>
#include <memory>
#include <string>

namespace mailcore::net_test {

/// "STARTTLS", "QUIT", "ABORT", "GIVE n" (n times 'x'), "LATER" (answered by the owner), "TLS?";
/// other lines are echoed. Greets with "hello\n".
class EchoEngine final : public base::Engine {
  public:
    EchoEngine(const PeerInfo& peer, Instant now) : peer_(peer), last_(now) {
        output_ += "hello\n";
    }

    std::size_t receive(std::string_view octets, Instant now) override {
        last_ = now;
        std::size_t taken = 0;
        while (taken < octets.size() && wants_input()) {
            const auto end = octets.find('\n', taken);
            if (end == std::string_view::npos) {
                line_ += octets.substr(taken);
                return octets.size();
            }
            line_ += octets.substr(taken, end - taken);
            taken = end + 1;
            run(std::exchange(line_, {}));
        }
        return taken;
    }
    void receive_end(Instant) override {
        output_ += "end\n";
        next_ = Next::CloseFlushed;
    }
    bool wants_input() const override {
        return next_ == Next::Run && !waiting_ && !starting_tls_ && give_ == 0 &&
               output_.size() < 100'000;
    }
    std::span<const std::string_view> output() const override { return output_.pieces(); }
    void output_sent(std::size_t octets, Instant now) override {
        last_ = now;
        output_.sent(octets);
        if (output_.empty() && starting_tls_) next_ = Next::StartTls;
        refill();
    }
    Next next() const override { return next_; }
    void transport_changed(const PeerInfo& peer, Instant now) override {
        peer_ = peer;
        last_ = now;
        next_ = Next::Run;
        starting_tls_ = false;
        line_.clear();
    }
    std::optional<Instant> deadline() const override { return last_ + idle_time; }
    void expire(Instant now) override {
        if (now < last_ + idle_time) return;
        if (!output_.empty())
            next_ = Next::Abort;
        else {
            output_ += "timeout\n";
            next_ = Next::CloseFlushed;
        }
    }
    void shut_down(base::ShutdownReason, Instant) override {
        output_ += "going down\n";
        next_ = Next::CloseFlushed;
    }
    std::size_t memory() const override { return line_.capacity() + output_.memory(); }

    /// The owner's part of LATER.
    bool take_question() { return std::exchange(question_, false); }
    void answer(std::string_view text) {
        waiting_ = false;
        output_ += text;
    }

    std::chrono::milliseconds idle_time{std::chrono::minutes{1}};

  private:
    void run(const std::string& line) {
        if (line == "STARTTLS") {
            output_ += "go\n";
            starting_tls_ = true;
        } else if (line == "QUIT") {
            output_ += "bye\n";
            next_ = Next::CloseFlushed;
        } else if (line == "ABORT") {
            next_ = Next::Abort;
        } else if (line == "LATER") {
            question_ = waiting_ = true;
        } else if (line == "TLS?") {
            output_ += peer_.tls ? peer_.tls->version + "\n" : std::string("plain\n");
        } else if (line.starts_with("GIVE ")) {
            give_ = std::stoul(line.substr(5));
            refill();
        } else {
            output_ += line + "\n";
        }
    }
    void refill() {
        if (give_ == 0 || output_.size() > 60'000) return;
        const auto part = std::min<std::size_t>(give_, 32'000);
        output_ += std::string(part, 'x');
        give_ -= part;
        if (give_ == 0) output_ += "\n";
    }

    PeerInfo peer_;
    Instant last_;
    base::OutputBuffer output_;
    std::string line_;
    std::size_t give_ = 0;
    Next next_ = Next::Run;
    bool waiting_ = false;
    bool question_ = false;
    bool starting_tls_ = false;
};

/// Counts of what the dialogues of one factory live through.
struct EchoCounts {
    std::atomic<int> created = 0;
    std::atomic<int> closed = 0;
    std::atomic<int> destroyed = 0;
};

class EchoDialogue final : public base::Dialogue {
  public:
    EchoDialogue(base::Scheduler& scheduler, const PeerInfo& peer, base::Waker& waker,
                 EchoCounts& counts)
        : scheduler_(scheduler), waker_(waker), counts_(counts), engine_(peer, scheduler.now()) {
        ++counts_.created;
    }
    ~EchoDialogue() override {
        *alive_ = nullptr;
        ++counts_.destroyed;
    }
    base::Engine& engine() override { return engine_; }
    void drain() override {
        if (!engine_.take_question()) return;
        ++working_;
        scheduler_.offload([&scheduler = scheduler_, alive = alive_] {
            scheduler.post([alive] {
                if (!*alive) return;
                --(*alive)->working_;
                if (!(*alive)->gone_) (*alive)->engine_.answer("late\n");
                (*alive)->waker_.wake();
            });
        });
    }
    void closed() override {
        gone_ = true;
        ++counts_.closed;
    }
    [[nodiscard]] bool finished() const override { return working_ == 0; }
    EchoEngine& echo() { return engine_; }

  private:
    base::Scheduler& scheduler_;
    base::Waker& waker_;
    EchoCounts& counts_;
    EchoEngine engine_;
    std::shared_ptr<EchoDialogue*> alive_ = std::make_shared<EchoDialogue*>(this);
    int working_ = 0;
    bool gone_ = false;
};

class EchoFactory final : public net::DialogueFactory {
  public:
    std::unique_ptr<base::Dialogue> create(base::Scheduler& scheduler, const PeerInfo& peer,
                                           base::Waker& waker) override {
        auto dialogue = std::make_unique<EchoDialogue>(scheduler, peer, waker, counts);
        dialogue->echo().idle_time = idle_time;
        return dialogue;
    }
    [[nodiscard]] std::string farewell(const PeerInfo&) const override { return "too many\n"; }
    EchoCounts counts;
    std::chrono::milliseconds idle_time{std::chrono::minutes{1}};
};

/// A client's half: sends what it is told to and keeps what comes.
class ClientEngine final : public base::Engine {
  public:
    std::size_t receive(std::string_view octets, Instant) override {
        received += octets;
        return octets.size();
    }
    void receive_end(Instant) override {
        ended = true;
        next_ = Next::CloseFlushed;
    }
    bool wants_input() const override { return next_ == Next::Run; }
    std::span<const std::string_view> output() const override { return output_.pieces(); }
    void output_sent(std::size_t octets, Instant) override { output_.sent(octets); }
    Next next() const override { return next_; }
    void transport_changed(const PeerInfo& peer, Instant) override {
        tls = peer.tls;
        next_ = Next::Run;
    }
    std::optional<Instant> deadline() const override { return std::nullopt; }
    void expire(Instant) override {}
    void shut_down(base::ShutdownReason, Instant) override { next_ = Next::CloseFlushed; }
    std::size_t memory() const override { return received.capacity() + output_.memory(); }

    void say(std::string_view text) { output_ += text; }
    void start_tls() { next_ = Next::StartTls; }

    std::string received;
    bool ended = false;
    std::optional<TlsFacts> tls;

  private:
    base::OutputBuffer output_;
    Next next_ = Next::Run;
};

class ClientDialogue final : public base::Dialogue {
  public:
    base::Engine& engine() override { return client; }
    void drain() override {
        if (on_drain) on_drain();
    }
    void closed() override {
        gone = true;
        if (on_drain) on_drain();
    }
    ClientEngine client;
    std::move_only_function<void()> on_drain;
    bool gone = false;
};

} // namespace mailcore::net_test
