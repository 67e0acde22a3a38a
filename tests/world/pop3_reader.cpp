#include "tests/world/pop3_reader.h"

#include <charconv>

namespace mailcore::world {

void Pop3Reader::receive(std::string_view octets) {
    in_ += octets;
    while (!closed_) {
        auto end = in_.find("\r\n");
        if (end == std::string::npos) return;
        const auto status = in_.substr(0, end);
        std::string lines;
        end += 2;
        if (multi_line() && status.starts_with("+OK")) {
            const auto dot = in_.find("\r\n.\r\n", end - 2);
            if (dot == std::string::npos) return;
            lines = in_.substr(end, dot + 2 - end);
            end = dot + 5;
        }
        in_.erase(0, end);
        answer(status, lines);
    }
}

void Pop3Reader::next_message() {
    if (++at_ > uids_.size()) return say(Step::Quit, "QUIT");
    say(Step::Retr, "RETR " + std::to_string(at_));
}

void Pop3Reader::log_in() {
    if (random_.below(2) == 0) return say(Step::User, "USER " + user_);
    say(Step::Auth, "AUTH " + login_->mechanism()); // RFC 5034
}

void Pop3Reader::authenticated(std::string_view status) {
    if (status.starts_with("+ ")) return say(Step::Auth, login_->answer(status.substr(2)));
    const auto verdict = status.starts_with("+OK")           ? Login::Verdict::In
                         : status.starts_with("-ERR [AUTH]") ? Login::Verdict::Denied
                                                             : Login::Verdict::Failed;
    if (login_->end(verdict, letters_, step_ == Step::Auth)) return say(Step::Uidl, "UIDL");
    if (!login_->was_wrong() || random_.below(2) == 0) return reset();
    login_.emplace(random_, user_);
    log_in();
}

void Pop3Reader::answer(std::string_view status, std::string_view lines) {
    const bool good = status.starts_with("+OK");
    if (step_ == Step::Pass || step_ == Step::Auth) return authenticated(status);
    if (!good && step_ != Step::Retr && step_ != Step::Quit) return reset();
    switch (step_) {
    case Step::Greeting:
        login_.emplace(random_, user_, Login::any_password(random_));
        return log_in();
    case Step::User: return say(Step::Pass, "PASS " + login_->password());
    case Step::Pass:
    case Step::Auth: return; // see above
    case Step::Uidl:
        while (!lines.empty()) {
            const auto line = lines.substr(0, lines.find("\r\n"));
            lines.remove_prefix(line.size() + 2);
            const auto id = line.substr(line.find(' ') + 1);
            // This server's ids are UIDVALIDITY and UID.
            MailboxKey key{user_, "INBOX", 0};
            std::uint32_t uid = 0;
            std::from_chars(id.data(), id.data() + 8, key.uidvalidity, 16);
            std::from_chars(id.data() + 8, id.data() + 16, uid, 16);
            uids_.emplace_back(std::move(key), uid);
        }
        return next_message();
    case Step::Retr: {
        if (!good) return next_message(); // somebody else has expunged it
        std::string message;
        while (!lines.empty()) {
            auto line = lines.substr(0, lines.find("\r\n") + 2);
            lines.remove_prefix(line.size());
            if (line.starts_with('.')) line.remove_prefix(1);
            message += line;
        }
        const auto& [key, uid] = uids_[at_ - 1];
        letters_.see(key, uid, message);
        if (random_.below(2) == 0) return next_message();
        letters_.remove(key, uid);
        deleted_.push_back(at_ - 1);
        return say(Step::Dele, "DELE " + std::to_string(at_));
    }
    case Step::Dele: return next_message();
    case Step::Quit:
        if (good)
            for (const auto index : deleted_)
                if (auto* message = letters_.find(uids_[index].first, uids_[index].second))
                    message->gone = true;
        return reset();
    }
}

} // namespace mailcore::world
