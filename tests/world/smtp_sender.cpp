#include "tests/world/smtp_sender.h"

#include "libmailcore/codec/dot_stuffing.h"

#include <algorithm>
#include <utility>

namespace mailcore::world {

SmtpSender::SmtpSender(Letters& letters, Random& random, const Letter& letter,
                       std::vector<std::string> recipients, Manner manner,
                       std::function<void(Outcome)> done)
    : letters_(letters), random_(random), sender_(letter.sender), size_(letter.octets.size()),
      recipients_(std::move(recipients)), manner_(manner), done_(std::move(done)) {
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

void SmtpSender::log_in() {
    step_ = Step::Auth;
    say("AUTH " + login_->mechanism());
}

void SmtpSender::authenticated(std::string_view line) {
    if (line.starts_with("334 ")) return say(login_->answer(line.substr(4)));
    const auto verdict = line.starts_with("235")   ? Login::Verdict::In
                         : line.starts_with("535") ? Login::Verdict::Denied
                                                   : Login::Verdict::Failed;
    if (login_->end(verdict, letters_, true)) return mail();
    if (!login_->was_wrong() || random_.below(2) == 0) return give_up();
    login_.emplace(random_, sender_);
    log_in();
}

void SmtpSender::mail() {
    step_ = Step::Mail;
    say("MAIL FROM:<" + sender_ + ">" +
        (manner_.tells_size ? " SIZE=" + std::to_string(size_) : ""));
    if (manner_.pipelines) say_recipients();
}

void SmtpSender::say_recipients() {
    say("RCPT TO:<" + recipients_[next_] + ">");
    if (!manner_.pipelines) return;
    for (auto i = next_ + 1; i < recipients_.size(); ++i) say("RCPT TO:<" + recipients_[i] + ">");
    say("DATA");
}

void SmtpSender::reply(std::string_view line) {
    const bool good = line.starts_with('2') || (step_ == Step::Data && line.starts_with("354"));
    switch (step_) {
    case Step::Greeting:
        if (!good) return give_up();
        step_ = Step::Hello;
        return say((lmtp() ? "LHLO " : "EHLO ") + std::string("author.world.test"));
    case Step::Hello:
        if (!good) return give_up();
        if (lmtp()) return mail();
        login_.emplace(random_, sender_, Login::any_password(random_));
        return log_in();
    case Step::Auth: return authenticated(line);
    case Step::Mail:
        if (!good) {
            if (manner_.pipelines) return reset(); // what is under way is not worth waiting for
            return give_up();
        }
        step_ = Step::Rcpt;
        if (!manner_.pipelines) say_recipients();
        return;
    case Step::Rcpt:
        if (good)
            accepted_.push_back(recipients_[next_]);
        else if (line.starts_with('5'))
            outcome_.refused.push_back(recipients_[next_]);
        if (++next_ < recipients_.size()) {
            if (!manner_.pipelines) say_recipients();
            return;
        }
        step_ = Step::Data;
        if (manner_.pipelines) return;
        if (accepted_.empty()) return give_up();
        return say("DATA");
    case Step::Data:
        if (!good) return give_up();
        if (accepted_.empty()) return reset(); // it should not have been asked for
        step_ = Step::Body;
        out_ += message_;
        return;
    case Step::Body: {
        // RFC 2033 §4.2: an answer for each recipient that was accepted, in their order.
        const auto end = lmtp() ? accepted_.begin() + 1 : accepted_.end();
        if (good) outcome_.taken.insert(outcome_.taken.end(), accepted_.begin(), end);
        accepted_.erase(accepted_.begin(), end);
        if (!lmtp() || accepted_.empty()) give_up();
        return;
    }
    case Step::Quit: return reset();
    }
}

} // namespace mailcore::world
