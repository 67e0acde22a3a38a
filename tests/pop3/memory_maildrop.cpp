#include "tests/pop3/memory_maildrop.h"

#include "libmailcore/base/overloaded.h"

#include <fmt/format.h>

namespace mailcore::pop3 {

void MemoryDialogue::release() {
    if (open_) open_->in_use = false;
    open_ = nullptr;
}

void MemoryDialogue::log_in(CommandId id, const std::string& user, std::string_view password) {
    const auto found = maildrops_.find(user);
    if (found == maildrops_.end() || found->second.password != password)
        return engine_.refuse(id, Refusal::Auth, "authentication failed");
    auto& maildrop = found->second;
    if (maildrop.in_use) return engine_.refuse(id, Refusal::InUse, "maildrop is open elsewhere");
    maildrop.in_use = true;
    open_ = &maildrop;
    std::vector<Message> messages;
    for (std::size_t i = 0; i < maildrop.messages.size(); ++i)
        messages.push_back({maildrop.messages[i].size(), fmt::format("uid-{}", i + 1)});
    engine_.log_in(id, std::move(messages));
}

void MemoryDialogue::drain() {
    while (auto event = engine_.next_event()) {
        std::visit(
            overloaded{
                [&](Login& login) {
                    record("login " + login.user);
                    log_in(login.id, login.user, login.password.reveal());
                },
                [&](AuthBegin& auth) {
                    record("auth " + auth.mechanism + (auth.initial ? " with initial" : ""));
                    auth_user_.clear();
                    if (auth.mechanism == "LOGIN") return engine_.challenge(auth.id, "Username:");
                    if (!auth.initial) return engine_.challenge(auth.id, "");
                    const std::string message(auth.initial->reveal());
                    const auto first = message.find('\0');
                    const auto second = message.find('\0', first + 1);
                    if (first == std::string::npos || second == std::string::npos)
                        return engine_.refuse(auth.id, Refusal::Auth, "malformed");
                    log_in(auth.id, message.substr(first + 1, second - first - 1),
                           message.substr(second + 1));
                },
                [&](AuthData& data) {
                    const std::string octets(data.octets.reveal());
                    const auto first = octets.find('\0');
                    if (first != std::string::npos) {
                        const auto second = octets.find('\0', first + 1);
                        if (second == std::string::npos)
                            return engine_.refuse(data.id, Refusal::Auth, "malformed");
                        return log_in(data.id, octets.substr(first + 1, second - first - 1),
                                      octets.substr(second + 1));
                    }
                    if (auth_user_.empty()) {
                        auth_user_ = octets;
                        return engine_.challenge(data.id, "Password:");
                    }
                    log_in(data.id, auth_user_, octets);
                },
                [&](AuthEnd&) { record("auth ended"); },
                [&](Retrieve& retrieve) {
                    record(fmt::format("retrieve {}{}", retrieve.message.value,
                                       retrieve.utf8 ? " utf8" : ""));
                    body_ = open_->messages[retrieve.message.value - 1];
                    sent_ = 0;
                    engine_.begin_body(retrieve.id);
                },
                [&](NeedBody& need) {
                    if (open_->body_fails && sent_ > 0) return engine_.body_failed(need.id);
                    const auto piece =
                        std::string_view(body_).substr(sent_, std::min<std::size_t>(need.room, 9));
                    sent_ += piece.size();
                    engine_.body(need.id, piece, sent_ == body_.size());
                },
                [&](BodyEnough&) { record("enough"); },
                [&](Commit& commit) {
                    std::string text = "commit";
                    for (const auto number : commit.deleted)
                        text += fmt::format(" {}", number.value);
                    record(text);
                    if (!open_->commit_fails)
                        for (auto i = commit.deleted.rbegin(); i != commit.deleted.rend(); ++i)
                            open_->messages.erase(open_->messages.begin() + (i->value - 1));
                    engine_.committed(commit.id, !open_->commit_fails);
                },
            },
            *event);
    }
}

} // namespace mailcore::pop3
