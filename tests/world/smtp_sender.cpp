#include "tests/world/smtp_sender.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/dot_stuffing.h"

#include <algorithm>
#include <utility>

namespace mailcore::world {

SmtpSender::SmtpSender(const Letter& letter, std::vector<std::string> recipients, bool pipelines,
                       std::function<void(Outcome)> done)
    : sender_(letter.sender), recipients_(std::move(recipients)), pipelines_(pipelines),
      done_(std::move(done)) {
    codec::DotStuffer stuffer;
    stuffer.append(letter.octets, message_);
    stuffer.finish(message_);
}

void SmtpSender::reset() {
    if (std::exchange(closed_, true)) return;
    if (done_) std::exchange(done_, {})(std::move(outcome_));
}

std::string SmtpSender::take_output() {
    const auto count = room_ ? std::min(*room_, out_.size()) : out_.size();
    if (room_) *room_ -= count;
    auto octets = out_.substr(0, count);
    out_.erase(0, count);
    return octets;
}

void SmtpSender::receive(std::string_view octets) {
    in_ += octets;
    for (std::size_t end; !closed_ && (end = in_.find("\r\n")) != std::string::npos;) {
        const auto line = in_.substr(0, end);
        in_.erase(0, end + 2);
        if (line.size() > 3 && line[3] == '-') continue;
        reply(line);
    }
}

void SmtpSender::give_up() {
    step_ = Step::Quit;
    say("QUIT");
}

void SmtpSender::say_recipients() {
    say("RCPT TO:<" + recipients_[next_] + ">");
    if (!pipelines_) return;
    for (auto i = next_ + 1; i < recipients_.size(); ++i) say("RCPT TO:<" + recipients_[i] + ">");
    say("DATA");
}

void SmtpSender::reply(std::string_view line) {
    const bool good = line.starts_with('2') || (step_ == Step::Data && line.starts_with("354"));
    switch (step_) {
    case Step::Greeting:
        if (!good) return give_up();
        step_ = Step::Hello;
        return say("EHLO author.world.test");
    case Step::Hello: {
        if (!good) return give_up();
        step_ = Step::Auth;
        using namespace std::string_literals;
        return say("AUTH PLAIN " + codec::base64_encode("\0"s + sender_ + "\0secret"s));
    }
    case Step::Auth:
        if (!good) return give_up();
        step_ = Step::Mail;
        say("MAIL FROM:<" + sender_ + ">");
        if (pipelines_) say_recipients();
        return;
    case Step::Mail:
        if (!good) {
            if (pipelines_) return reset(); // what is under way is not worth waiting for
            return give_up();
        }
        step_ = Step::Rcpt;
        if (!pipelines_) say_recipients();
        return;
    case Step::Rcpt:
        if (good)
            outcome_.accepted.push_back(recipients_[next_]);
        else if (line.starts_with('5'))
            outcome_.refused.push_back(recipients_[next_]);
        if (++next_ < recipients_.size()) {
            if (!pipelines_) say_recipients();
            return;
        }
        step_ = Step::Data;
        if (pipelines_) return;
        if (outcome_.accepted.empty()) return give_up();
        return say("DATA");
    case Step::Data:
        if (!good) return give_up();
        step_ = Step::Body;
        out_ += message_;
        return;
    case Step::Body: outcome_.acknowledged = good; return give_up();
    case Step::Quit: return reset();
    }
}

} // namespace mailcore::world
