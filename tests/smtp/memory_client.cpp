#include "tests/smtp/memory_client.h"

#include "libmailcore/base/overloaded.h"

#include <fmt/format.h>

namespace mailcore::smtp {

void MemoryClientDialogue::drain() {
    while (auto event = engine_.next_event()) handle(*event);
}

/// Begins the next thing that there is to do.
void MemoryClientDialogue::go_on() {
    if (!ready_ || sending_ || !engine_.idle()) return;
    if (login_) {
        const auto& login = *login_;
        asked_ = 0;
        std::optional<Secret> initial;
        if (login.initial && login.mechanism == "PLAIN") {
            std::string message;
            message += '\0';
            message += login.user;
            message += '\0';
            message += login.password;
            initial.emplace(std::move(message));
        }
        engine_.authenticate(login.mechanism, std::move(initial));
    } else if (!messages_.empty()) {
        sending_ = true;
        sent_ = 0;
        engine_.send(messages_.front().envelope);
    } else if (quit_) {
        engine_.quit();
    }
}

void MemoryClientDialogue::give(const NeedBody& need) {
    const auto& message = messages_.front();
    if (message.fails && sent_ > 0) return engine_.body_failed(need.id);
    const auto piece =
        std::string_view(message.octets).substr(sent_, std::min(need.room, message.piece_max));
    sent_ += piece.size();
    engine_.body(need.id, piece, sent_ == message.octets.size());
}

void MemoryClientDialogue::go_on_with_body() {
    hold_body = false;
    if (held_) give(*std::exchange(held_, std::nullopt));
    drain();
}

void MemoryClientDialogue::handle(ClientEvent& event) {
    std::visit(overloaded{
                   [&](Ready&) {
                       log.push_back("ready");
                       ready_ = true;
                       go_on();
                   },
                   [&](AuthChallenge& e) {
                       log.push_back(fmt::format("challenge {}", e.octets.reveal()));
                       const auto& login = *login_;
                       if (login.mechanism == "PLAIN") {
                           std::string message;
                           message += '\0';
                           message += login.user;
                           message += '\0';
                           message += login.password;
                           return engine_.respond(e.id, Secret{message});
                       }
                       if (asked_ > 1) return engine_.cancel(e.id);
                       engine_.respond(e.id, Secret{asked_++ == 0 ? login.user : login.password});
                   },
                   [&](AuthDone& e) {
                       log.push_back("auth " + to_string(e.reply));
                       login_.reset();
                       go_on();
                   },
                   [&](NeedBody& e) {
                       if (hold_body)
                           held_ = e;
                       else
                           give(e);
                   },
                   [&](TransactionDone& e) {
                       for (const auto& result : e.recipients)
                           log.push_back(fmt::format("{} {}", to_string(result.stage),
                                                     result.reply
                                                         ? to_string(*result.reply)
                                                         : std::string(to_string(result.problem))));
                       if (e.longest_line_octets > 998) log.push_back("line too long");
                       done.push_back(std::move(e));
                       messages_.pop_front();
                       sending_ = false;
                       held_.reset();
                       go_on();
                   },
                   [&](Ended& e) {
                       log.push_back(fmt::format("ended {} {}", to_string(e.stage),
                                                 e.reply ? to_string(*e.reply)
                                                         : std::string(to_string(e.problem))));
                       ended = std::move(e);
                   },
               },
               event);
}

} // namespace mailcore::smtp
