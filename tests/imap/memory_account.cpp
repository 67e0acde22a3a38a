#include "tests/imap/memory_account.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::imap {

namespace {

constexpr std::size_t pulled_octets_min = 24; // shorter ones are given at once: both ways are taken

bool contains(std::string_view text, std::string_view part) {
    return codec::find_ignoring_case(text, part) != std::string_view::npos;
}

std::string_view header_of(std::string_view message) {
    const auto end = message.find("\r\n\r\n");
    return end == std::string_view::npos ? message : message.substr(0, end + 4);
}

// A field's value, folded as it is; nothing if there is no such field.
std::optional<std::string_view> field_of(std::string_view message, std::string_view name) {
    auto rest = header_of(message);
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find("\r\n"));
        if (codec::starts_with_ignoring_case(line, name) &&
            line.substr(name.size()).starts_with(':'))
            return codec::trim(line.substr(name.size() + 1));
        if (line.size() == rest.size()) break;
        rest.remove_prefix(line.size() + 2);
    }
    return std::nullopt;
}

std::string section_octets(const std::string& octets, const mime::Structure& structure,
                           const mime::Section& section, bool& found) {
    const auto range = mime::locate(structure, section);
    found = range.has_value();
    if (!range) return {};
    auto text = octets.substr(range->offset, range->octets);
    using Text = mime::Section::Text;
    if (section.text != Text::HeaderFields && section.text != Text::HeaderFieldsNot) return text;
    const auto chosen = mime::select_fields(text, section);
    std::string selected;
    for (const auto& piece : chosen.ranges) selected += text.substr(piece.offset, piece.octets);
    if (chosen.separator_missing) selected += "\r\n";
    return selected;
}

} // namespace

MemoryMessage* MemoryMailbox::find(std::uint32_t uid) {
    const auto at = std::ranges::find(messages, uid, &MemoryMessage::uid);
    return at == messages.end() ? nullptr : &*at;
}

MemoryMailbox& MemoryAccount::create(const std::string& name) {
    auto& mailbox = mailboxes[name];
    mailbox.id = ++last_id;
    mailbox.uid_validity = ++last_uid_validity;
    return mailbox;
}

MemoryMessage& MemoryAccount::add(MemoryMailbox& mailbox, FlagSet flags, mime::DateTime date,
                                  std::shared_ptr<const std::string> octets, std::uint64_t email) {
    return mailbox.messages.emplace_back(MemoryMessage{mailbox.uid_next++, ++modseq,
                                                       email ? email : ++last_id, std::move(flags),
                                                       date, std::move(octets)});
}

void MemoryAccount::tell(const MemoryDialogue* except) {
    for (auto* session : sessions)
        if (session != except) session->account_changed();
}

MemoryDialogue::MemoryDialogue(MemoryAccounts& accounts, Options options, const PeerInfo& peer,
                               base::Waker& waker, base::Scheduler& scheduler, Pace pace,
                               std::vector<std::string>* log)
    : accounts_(accounts), append_octets_max_(options.append_octets_max),
      engine_(std::move(options), peer, scheduler.now()), waker_(waker), scheduler_(scheduler),
      pace_(pace), log_(log) {}

MemoryDialogue::~MemoryDialogue() {
    *alive_ = false;
    leave();
}

void MemoryDialogue::leave() {
    if (account_) account_->sessions.erase(this);
    account_ = nullptr;
}

void MemoryDialogue::closed() {
    closed_ = true;
    leave();
}

void MemoryDialogue::drain() {
    if (pace_ == Pace::Fast) {
        while (auto event = engine_.next_event()) handle(*event);
        return;
    }
    if (posted_) return;
    posted_ = true;
    scheduler_.post([this, alive = alive_] {
        if (!*alive || closed_) return;
        posted_ = false;
        auto event = engine_.next_event();
        if (!event) return;
        handle(*event);
        waker_.wake();
    });
}

void MemoryDialogue::account_changed() {
    if (mailbox_.empty()) return;
    sync();
    waker_.wake();
}

void MemoryDialogue::handle(Event& event) {
    std::visit(
        overloaded{
            [&](CommandReceived& received) {
                if (received.owes_highest_modseq)
                    engine_.respond(received.id,
                                    response::Status{Condition::Ok,
                                                     HighestModSeq{highest_modseq(*selected())},
                                                     "Highest"});
                std::visit([&](auto& command) { run(received.id, command); }, received.command);
            },
            [&](BodyChunk& chunk) {
                if (account_->appends_fail)
                    return engine_.reply(chunk.id, no("Disk full", Code::Limit));
                appended_ += chunk.octets;
                engine_.body_taken(chunk.id);
            },
            [&](AppendNext& next) {
                record(fmt::format("append next {}", next.message.octets));
                complete_.emplace_back(std::move(append_->message), std::exchange(appended_, {}));
                append_->message = std::move(next.message);
                engine_.accept(next.id);
            },
            [&](BodyEnd& end) {
                complete_.emplace_back(std::move(append_->message), std::exchange(appended_, {}));
                auto& mailbox = account_->mailboxes[append_->mailbox.utf8];
                AppendUid code{mailbox.uid_validity, mailbox.uid_next};
                for (auto& [message, octets] : complete_)
                    code.last =
                        account_
                            ->add(mailbox, message.flags,
                                  message.date.value_or(mime::DateTime{scheduler_.wall_now()}),
                                  std::make_shared<std::string>(std::move(octets)))
                            .uid;
                complete_.clear();
                account_->tell(this);
                finish(end.id, ok("APPEND completed", code));
            },
            [&](SaslResponse& response) { sasl_plain(response.id, response.octets.reveal()); },
            [&](IdleDone& done) { finish(done.id, ok("IDLE completed")); },
            [&](Aborted&) {
                record("aborted");
                appended_.clear();
                complete_.clear();
                fetching_.reset();
            },
            [&](NeedBody& need) {
                auto& body = fetching_->bodies[need.token];
                if (account_->bodies_fail && need.offset > 0) return engine_.body_failed(need.id);
                engine_.body(need.id, body.substr(need.offset,
                                                  std::min<std::size_t>(
                                                      need.room, body.size() > 1000 ? 5000 : 13)));
                fetch_on();
            },
            [&](Room&) { fetch_on(); },
            [&](ClientId& id) {
                for (const auto& [name, value] : id.fields)
                    record(fmt::format("id {}={}", name, value.value_or("NIL")));
            },
        },
        event);
}

MemoryMailbox* MemoryDialogue::selected() {
    if (mailbox_.empty()) return nullptr;
    const auto found = account_->mailboxes.find(mailbox_);
    return found == account_->mailboxes.end() ? nullptr : &found->second;
}

std::uint64_t MemoryDialogue::highest_modseq(const MemoryMailbox& mailbox) const {
    std::uint64_t highest = 1;
    for (const auto& message : mailbox.messages) highest = std::max(highest, message.modseq);
    for (const auto& [uid, modseq] : mailbox.expunged) highest = std::max(highest, modseq);
    return highest;
}

// What happened to the selected mailbox and may be told now.
void MemoryDialogue::sync() {
    auto* mailbox = selected();
    if (!mailbox || !engine_.may_announce()) return;
    if (engine_.may_expunge()) {
        response::Expunged gone;
        for (std::size_t i = 0; i < view_.size();) {
            if (mailbox->find(view_[i].uid)) {
                ++i;
                continue;
            }
            gone.numbers.push_back(static_cast<std::uint32_t>(i + 1));
            gone.uids.add(view_[i].uid);
            view_.erase(view_.begin() + static_cast<std::ptrdiff_t>(i));
        }
        if (!gone.numbers.empty()) engine_.announce(gone);
    }
    for (std::size_t i = 0; i < view_.size(); ++i) {
        const auto* message = mailbox->find(view_[i].uid);
        if (!message || message->modseq <= view_[i].modseq) continue;
        view_[i].modseq = message->modseq;
        engine_.announce(response::FlagsChanged{static_cast<std::uint32_t>(i + 1), message->uid,
                                                message->modseq, message->flags});
    }
    const auto known = view_.empty() ? 0 : view_.back().uid;
    const auto before = view_.size();
    for (const auto& message : mailbox->messages)
        if (message.uid > known) view_.push_back({message.uid, message.modseq});
    if (view_.size() != before) {
        engine_.announce(response::Exists{static_cast<std::uint32_t>(view_.size())});
        engine_.announce(response::Recent{0});
    }
}

void MemoryDialogue::finish(CommandId id, Reply reply) {
    sync();
    engine_.reply(id, std::move(reply));
}

std::optional<std::vector<std::uint32_t>> MemoryDialogue::uids_of(const SequenceSet& set,
                                                                  Addressing addressing) {
    std::vector<std::uint32_t> uids;
    if (set.is_saved_result()) {
        for (const auto& seen : view_)
            if (saved_.contains(seen.uid)) uids.push_back(seen.uid);
        return uids;
    }
    if (addressing == Addressing::Numbers) {
        const auto numbers = set.message_numbers(static_cast<std::uint32_t>(view_.size()));
        if (!numbers) return std::nullopt;
        numbers->for_each([&](std::uint32_t number) { uids.push_back(view_[number - 1].uid); });
        return uids;
    }
    const auto wanted = set.resolve(view_.empty() ? 0 : view_.back().uid);
    for (const auto& seen : view_)
        if (wanted.contains(seen.uid)) uids.push_back(seen.uid);
    return uids;
}

std::uint32_t MemoryDialogue::number_of(std::uint32_t uid) const {
    const auto at = std::ranges::find(view_, uid, &Seen::uid);
    return static_cast<std::uint32_t>(at - view_.begin()) + 1;
}

template <class AnsweredByTheEngine>
void MemoryDialogue::run(CommandId, AnsweredByTheEngine&) {
    MAILCORE_ASSERT(!"the engine answers this");
}

// Login

void MemoryDialogue::log_in(CommandId id, std::string_view user, std::string_view password) {
    const auto found = accounts_.find(std::string(user));
    record(fmt::format("login {}", user));
    if (found == accounts_.end() || found->second.password != password)
        return engine_.reply(id, no("Wrong name or password", Code::AuthenticationFailed));
    account_ = &found->second;
    account_->sessions.insert(this);
    engine_.reply(id, ok("Logged in"));
}

void MemoryDialogue::sasl_plain(CommandId id, std::string_view octets) {
    const auto first = octets.find('\0');
    const auto second = octets.find('\0', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos)
        return engine_.reply(id, no("Malformed", Code::AuthenticationFailed));
    log_in(id, octets.substr(first + 1, second - first - 1), octets.substr(second + 1));
}

void MemoryDialogue::run(CommandId id, command::Login& login) {
    log_in(id, login.user, login.password.reveal());
}

void MemoryDialogue::run(CommandId id, command::Authenticate& authenticate) {
    if (!authenticate.initial) return engine_.challenge(id, "");
    sasl_plain(id, authenticate.initial->reveal());
}

// Mailboxes

void MemoryDialogue::run(CommandId id, command::Noop&) { finish(id, ok("NOOP completed")); }
void MemoryDialogue::run(CommandId id, command::Check&) { finish(id, ok("CHECK completed")); }
void MemoryDialogue::run(CommandId, command::Idle&) { sync(); }

void MemoryDialogue::run(CommandId id, command::Select& select) {
    mailbox_.clear();
    view_.clear();
    saved_ = {};
    const auto found = account_->mailboxes.find(select.mailbox.utf8);
    if (found == account_->mailboxes.end())
        return engine_.reply(id, no("No such mailbox", Code::NonExistent));
    auto& mailbox = found->second;
    mailbox_ = found->first;
    read_only_ = select.access == command::Select::Access::ReadOnly;
    for (const auto& message : mailbox.messages) view_.push_back({message.uid, message.modseq});

    FlagSet flags{{SystemFlag::Answered, SystemFlag::Flagged, SystemFlag::Deleted, SystemFlag::Seen,
                   SystemFlag::Draft}};
    std::uint32_t unseen = 0;
    for (std::size_t i = 0; i < mailbox.messages.size(); ++i) {
        flags.add(mailbox.messages[i].flags);
        if (unseen == 0 && !mailbox.messages[i].flags.has(SystemFlag::Seen))
            unseen = static_cast<std::uint32_t>(i + 1);
    }
    const auto status = [&](ResponseCode code, std::string text) {
        engine_.respond(id, response::Status{Condition::Ok, std::move(code), std::move(text)});
    };
    engine_.respond(id, response::Flags{flags});
    engine_.respond(id, response::Exists{static_cast<std::uint32_t>(view_.size())});
    engine_.respond(id, response::Recent{0});
    if (unseen && !engine_.enabled().rev2) status(UnseenCode{unseen}, "First unseen");
    status(PermanentFlags{read_only_ ? FlagSet{} : flags, !read_only_}, "Flags permitted");
    status(UidValidityCode{mailbox.uid_validity}, "UIDs valid");
    status(UidNextCode{mailbox.uid_next}, "Predicted next UID");
    status(HighestModSeq{highest_modseq(mailbox)}, "Highest");
    status(MailboxIdCode{fmt::format("M{}", mailbox.id)}, "Ok");
    if (engine_.enabled().rev2) {
        response::List list;
        list.mailbox = mailbox_;
        list.old_name = select.mailbox.supplied;
        engine_.respond(id, list);
    }
    if (select.known && select.known->uid_validity == mailbox.uid_validity) {
        response::VanishedEarlier vanished;
        for (const auto& [uid, modseq] : mailbox.expunged)
            if (modseq > select.known->modseq &&
                (!select.known->uids || select.known->uids->contains(uid)))
                vanished.uids.add(uid);
        engine_.respond(id, vanished);
        for (const auto& message : mailbox.messages)
            if (message.modseq > select.known->modseq &&
                (!select.known->uids || select.known->uids->contains(message.uid)))
                engine_.respond(id, response::FlagsChanged{number_of(message.uid), message.uid,
                                                           message.modseq, message.flags});
    }
    engine_.reply(id, ok("Selected", read_only_ ? Code::ReadOnly : Code::ReadWrite));
}

void MemoryDialogue::run(CommandId id, command::Create& create) {
    auto name = create.mailbox.utf8;
    while (name.ends_with('/')) name.pop_back();
    if (name.empty() || name.contains("//")) return finish(id, no("Not a name", Code::Cannot));
    if (account_->mailboxes.contains(name)) return finish(id, no("It exists", Code::AlreadyExists));
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
        if (!account_->mailboxes.contains(name.substr(0, slash)))
            account_->create(name.substr(0, slash));
    auto& mailbox = account_->create(name);
    mailbox.special_uses = create.special_uses;
    if (!create.mailbox.supplied.empty()) {
        response::List list;
        list.mailbox = name;
        list.old_name = create.mailbox.supplied;
        engine_.respond(id, list);
    }
    finish(id, ok("CREATE completed", MailboxIdCode{fmt::format("M{}", mailbox.id)}));
}

void MemoryDialogue::run(CommandId id, command::Delete& gone) {
    if (gone.mailbox.is_inbox()) return finish(id, no("INBOX stays", Code::Cannot));
    const auto found = account_->mailboxes.find(gone.mailbox.utf8);
    if (found == account_->mailboxes.end())
        return finish(id, no("No such mailbox", Code::NonExistent));
    const auto next = std::next(found);
    if (next != account_->mailboxes.end() && next->first.starts_with(found->first + "/"))
        return finish(id, no("It has children", Code::HasChildren));
    if (found->first == mailbox_) return finish(id, no("It is selected", Code::InUse));
    account_->mailboxes.erase(found);
    finish(id, ok("DELETE completed"));
}

void MemoryDialogue::run(CommandId id, command::Rename& rename) {
    auto& mailboxes = account_->mailboxes;
    if (!mailboxes.contains(rename.from.utf8))
        return finish(id, no("No such mailbox", Code::NonExistent));
    if (mailboxes.contains(rename.to.utf8)) return finish(id, no("It exists", Code::AlreadyExists));
    if (rename.from.is_inbox()) {
        // RFC 9051 §6.3.6: its messages move, it stays.
        auto& target = account_->create(rename.to.utf8);
        for (auto& message : mailboxes["INBOX"].messages)
            account_->add(target, message.flags, message.date, message.octets, message.email);
        expunge(mailboxes["INBOX"], [](const MemoryMessage&) { return true; });
        return finish(id, ok("RENAME completed"));
    }
    std::vector<std::string> names;
    for (const auto& [name, mailbox] : mailboxes)
        if (name == rename.from.utf8 || name.starts_with(rename.from.utf8 + "/"))
            names.push_back(name);
    for (const auto& name : names) {
        auto node = mailboxes.extract(name);
        node.key() = rename.to.utf8 + name.substr(rename.from.utf8.size());
        mailboxes.insert(std::move(node));
    }
    finish(id, ok("RENAME completed"));
}

void MemoryDialogue::run(CommandId id, command::Subscribe& subscribe) {
    account_->subscribed.insert(subscribe.mailbox.utf8);
    finish(id, ok("SUBSCRIBE completed"));
}

void MemoryDialogue::run(CommandId id, command::Unsubscribe& unsubscribe) {
    account_->subscribed.erase(unsubscribe.mailbox.utf8);
    finish(id, ok("UNSUBSCRIBE completed"));
}

void MemoryDialogue::run(CommandId id, command::Namespace&) {
    response::Namespace names;
    names.personal.push_back({"", '/'});
    engine_.respond(id, names);
    finish(id, ok("NAMESPACE completed"));
}

response::MailboxStatus MemoryDialogue::status_of(const std::string& name,
                                                  const std::vector<StatusItem>& items) {
    const auto& mailbox = account_->mailboxes[name];
    response::MailboxStatus status{name, {}};
    const auto count = [&](auto predicate) {
        return static_cast<std::uint64_t>(std::ranges::count_if(mailbox.messages, predicate));
    };
    for (const auto item : items) {
        switch (item) {
        case StatusItem::Messages: status.items.emplace_back(item, mailbox.messages.size()); break;
        case StatusItem::Recent: status.items.emplace_back(item, std::uint64_t{0}); break;
        case StatusItem::UidNext:
            status.items.emplace_back(item, std::uint64_t{mailbox.uid_next});
            break;
        case StatusItem::UidValidity:
            status.items.emplace_back(item, std::uint64_t{mailbox.uid_validity});
            break;
        case StatusItem::Unseen:
            status.items.emplace_back(
                item, count([](const auto& m) { return !m.flags.has(SystemFlag::Seen); }));
            break;
        case StatusItem::Deleted:
            status.items.emplace_back(
                item, count([](const auto& m) { return m.flags.has(SystemFlag::Deleted); }));
            break;
        case StatusItem::Size: {
            std::uint64_t octets = 0;
            for (const auto& message : mailbox.messages) octets += message.octets->size();
            status.items.emplace_back(item, octets);
            break;
        }
        case StatusItem::HighestModSeq:
            status.items.emplace_back(item, highest_modseq(mailbox));
            break;
        case StatusItem::AppendLimit: status.items.emplace_back(item, append_octets_max_); break;
        case StatusItem::MailboxId:
            status.items.emplace_back(item, fmt::format("M{}", mailbox.id));
            break;
        }
    }
    return status;
}

void MemoryDialogue::run(CommandId id, command::Status& status) {
    if (!account_->mailboxes.contains(status.mailbox.utf8))
        return finish(id, no("No such mailbox", Code::NonExistent));
    engine_.respond(id, status_of(status.mailbox.utf8, status.items));
    finish(id, ok("STATUS completed"));
}

void MemoryDialogue::list_one(CommandId id, const command::List& list, const std::string& name,
                              bool selected_by) {
    const auto& mailboxes = account_->mailboxes;
    const auto found = mailboxes.find(name);
    const bool exists = found != mailboxes.end();
    response::List answer;
    answer.mailbox = name;
    if (!exists) answer.attributes.push_back(MailboxAttribute::NonExistent);
    const auto child = mailboxes.upper_bound(name + "/");
    const bool children = child != mailboxes.end() && child->first.starts_with(name + "/");
    answer.attributes.push_back(children ? MailboxAttribute::HasChildren
                                         : MailboxAttribute::HasNoChildren);
    if (list.return_subscribed && account_->subscribed.contains(name))
        answer.attributes.push_back(MailboxAttribute::Subscribed);
    if (exists)
        std::ranges::copy(found->second.special_uses, std::back_inserter(answer.attributes));
    bool descendant = false;
    for (const auto& other : account_->subscribed) descendant |= other.starts_with(name + "/");
    answer.child_info_subscribed = list.recursive_match && descendant;
    if (!selected_by && !answer.child_info_subscribed) return;
    engine_.respond(id, answer);
    if (exists && !list.return_status.empty())
        engine_.respond(id, status_of(name, list.return_status));
}

void MemoryDialogue::run(CommandId id, command::List& list) {
    if (!list.extended && list.patterns == std::vector<std::string>{""}) {
        response::List root;
        root.attributes = {MailboxAttribute::NoSelect};
        engine_.respond(id, root);
        return finish(id, ok("LIST completed"));
    }
    std::set<std::string> names;
    for (const auto& [name, mailbox] : account_->mailboxes) names.insert(name);
    if (list.select_subscribed)
        names.insert(account_->subscribed.begin(), account_->subscribed.end());
    for (const auto& name : names) {
        const bool matches = std::ranges::any_of(list.patterns, [&](const std::string& pattern) {
            return matches_list_pattern(list.reference + pattern, name, '/');
        });
        if (!matches) continue;
        const auto found = account_->mailboxes.find(name);
        const bool special =
            found != account_->mailboxes.end() && !found->second.special_uses.empty();
        list_one(id, list, name,
                 (!list.select_subscribed || account_->subscribed.contains(name)) &&
                     (!list.select_special_use || special));
    }
    finish(id, ok("LIST completed"));
}

void MemoryDialogue::run(CommandId id, command::Lsub& lsub) {
    for (const auto& name : account_->subscribed)
        if (matches_list_pattern(lsub.reference + lsub.pattern, name, '/')) {
            response::List list;
            list.kind = response::List::Kind::Lsub;
            list.mailbox = name;
            engine_.respond(id, list);
        }
    finish(id, ok("LSUB completed"));
}

void MemoryDialogue::run(CommandId id, command::Append& append) {
    record(fmt::format("append {} {}", append.mailbox.utf8, append.message.octets));
    if (!account_->mailboxes.contains(append.mailbox.utf8))
        return engine_.reply(id, no("No such mailbox", Code::TryCreate));
    append_ = std::move(append);
    appended_.clear();
    complete_.clear();
    engine_.accept(id);
}

// The selected mailbox

void MemoryDialogue::expunge(MemoryMailbox& mailbox,
                             const std::function<bool(const MemoryMessage&)>& which) {
    const auto modseq = ++account_->modseq;
    std::erase_if(mailbox.messages, [&](const MemoryMessage& message) {
        if (!which(message)) return false;
        mailbox.expunged.emplace_back(message.uid, modseq);
        return true;
    });
    account_->tell(this);
}

void MemoryDialogue::run(CommandId id, command::Close&) {
    if (!read_only_)
        expunge(*selected(), [](const MemoryMessage& message) {
            return message.flags.has(SystemFlag::Deleted);
        });
    ResponseCode code = Code::None;
    if (engine_.enabled().qresync) code = HighestModSeq{highest_modseq(*selected())};
    mailbox_.clear();
    engine_.reply(id, ok("CLOSE completed", code));
}

void MemoryDialogue::run(CommandId id, command::Unselect&) {
    mailbox_.clear();
    engine_.reply(id, ok("UNSELECT completed"));
}

void MemoryDialogue::run(CommandId id, command::Expunge& command) {
    if (read_only_) return finish(id, no("Read-only", Code::ReadOnly));
    std::vector<std::uint32_t> uids;
    if (command.uids) uids = *uids_of(*command.uids, Addressing::Uids);
    expunge(*selected(), [&](const MemoryMessage& message) {
        return message.flags.has(SystemFlag::Deleted) &&
               (!command.uids || std::ranges::binary_search(uids, message.uid));
    });
    ResponseCode code = Code::None;
    if (engine_.enabled().qresync) code = HighestModSeq{highest_modseq(*selected())};
    finish(id, ok("EXPUNGE completed", code));
}

bool MemoryDialogue::matches(const SearchKey& key, const MemoryMessage& message,
                             std::uint32_t number) {
    using Kind = SearchKey::Kind;
    const auto below = [&](const SearchKey& other) { return matches(other, message, number); };
    const std::string_view octets = *message.octets;
    const auto day = message.date.local_day();
    switch (key.kind) {
    case Kind::All: return true;
    case Kind::And: return std::ranges::all_of(key.keys, below);
    case Kind::Or: return std::ranges::any_of(key.keys, below);
    case Kind::Not: return !below(key.keys.front());
    case Kind::HasFlag: return message.flags.has(key.system_flag);
    case Kind::Keyword: return message.flags.has_keyword(key.text);
    case Kind::Text: return contains(octets, key.text);
    case Kind::Body: return contains(octets.substr(header_of(octets).size()), key.text);
    case Kind::Header:
    case Kind::Address: {
        const auto value = field_of(octets, key.field);
        return value && contains(*value, key.text);
    }
    case Kind::Before: return day < key.date;
    case Kind::On: return day == key.date;
    case Kind::Since: return day >= key.date;
    case Kind::SentBefore:
    case Kind::SentOn:
    case Kind::SentSince: {
        const auto sent = mime::parse(octets).sent;
        if (!sent) return false;
        const auto on = sent->local_day();
        return key.kind == Kind::SentBefore ? on < key.date
               : key.kind == Kind::SentOn   ? on == key.date
                                            : on >= key.date;
    }
    case Kind::Larger: return octets.size() > key.number;
    case Kind::Smaller: return octets.size() < key.number;
    case Kind::Uid: {
        const auto uids = uids_of(key.set, Addressing::Uids);
        return std::ranges::binary_search(*uids, message.uid);
    }
    case Kind::Number: {
        if (key.set.is_saved_result()) return saved_.contains(message.uid);
        return key.set.resolve(static_cast<std::uint32_t>(view_.size())).contains(number);
    }
    case Kind::ModSeq: return message.modseq >= key.number;
    case Kind::EmailId: return key.text == fmt::format("E{}", message.email);
    case Kind::ThreadId: return key.text == fmt::format("T{}", message.email);
    }
    return false;
}

void MemoryDialogue::run(CommandId id, command::Search& search) {
    response::SearchResult result;
    NumberSet uids;
    const auto* mailbox = selected();
    const bool with_modseq = search.key.mentions(SearchKey::Kind::ModSeq);
    for (std::size_t i = 0; mailbox && i < view_.size(); ++i) {
        const auto* message = selected()->find(view_[i].uid);
        const auto number = static_cast<std::uint32_t>(i + 1);
        if (!message || !matches(search.key, *message, number)) continue;
        uids.add(message->uid);
        result.matches.add(search.addressing == Addressing::Uids ? message->uid : number);
        if (with_modseq) result.modseq = std::max(result.modseq, message->modseq);
    }
    if (search.returns.save) {
        // RFC 9051 §6.4.4.1, table 4
        saved_ = uids;
        if (!search.returns.all && !search.returns.count &&
            (search.returns.min || search.returns.max)) {
            saved_ = {};
            if (search.returns.min && !uids.empty()) saved_.add(uids.min());
            if (search.returns.max && !uids.empty()) saved_.add(uids.max());
        }
    }
    engine_.respond(id, result);
    finish(id, ok("SEARCH completed"));
}

response::FetchValue MemoryDialogue::fetched(const FetchItem& item, const MemoryMessage& message,
                                             std::uint64_t token) {
    using Kind = FetchItem::Kind;
    const auto octets_of = [&](mime::Section section) -> response::FetchValue {
        const auto structure = mime::parse(*message.octets);
        bool found = false;
        auto octets = section_octets(*message.octets, structure, section, found);
        if (!found) return {item, response::Nil{}};
        if (item.kind == Kind::Binary || item.kind == Kind::BinarySize) {
            const auto part = mime::find_part(structure, section.part);
            octets = mime::part_content(structure.parts[part], octets);
            if (item.kind == Kind::BinarySize) return {item, std::uint64_t{octets.size()}};
        }
        if (item.partial)
            octets = item.partial->offset >= octets.size()
                         ? ""
                         : octets.substr(item.partial->offset, item.partial->octets);
        if (octets.size() < pulled_octets_min) return {item, std::move(octets)};
        const response::Pulled pulled{octets.size(), token};
        fetching_->bodies[token] = std::move(octets);
        return {item, pulled};
    };
    switch (item.kind) {
    case Kind::Flags: return {item, message.flags};
    case Kind::InternalDate: return {item, message.date};
    case Kind::Rfc822Size: return {item, std::uint64_t{message.octets->size()}};
    case Kind::Uid: return {item, std::uint64_t{message.uid}};
    case Kind::ModSeq: return {item, message.modseq};
    case Kind::EmailId: return {item, fmt::format("E{}", message.email)};
    case Kind::ThreadId: return {item, fmt::format("T{}", message.email)};
    case Kind::Preview: return {item, std::string(mime::parse(*message.octets).preview)};
    case Kind::BodySection:
    case Kind::Binary:
    case Kind::BinarySize: return octets_of(item.section);
    case Kind::Rfc822: return octets_of({});
    case Kind::Rfc822Header: return octets_of({{}, mime::Section::Text::Header, {}});
    case Kind::Rfc822Text: return octets_of({{}, mime::Section::Text::Body, {}});
    case Kind::Envelope:
    case Kind::Body:
    case Kind::BodyStructure: break;
    }
    return {item, response::Nil{}};
}

void MemoryDialogue::run(CommandId id, command::Fetch& fetch) {
    auto uids = uids_of(fetch.set, fetch.addressing);
    if (!uids) return finish(id, bad("No such message"));
    if (fetch.vanished) {
        const auto asked = fetch.set.is_saved_result()
                               ? saved_
                               : fetch.set.resolve(view_.empty() ? 0 : view_.back().uid);
        response::VanishedEarlier vanished;
        for (const auto& [uid, modseq] : selected()->expunged)
            if (modseq > *fetch.changed_since && asked.contains(uid)) vanished.uids.add(uid);
        engine_.respond(id, vanished);
    }
    fetching_ = Fetching{id, std::move(fetch), std::move(*uids), 0, false, {}};
    fetch_on();
}

// One message after the other, as long as there is room.
void MemoryDialogue::fetch_on() {
    if (!fetching_) return;
    auto& fetching = *fetching_;
    while (fetching.next < fetching.uids.size()) {
        if (engine_.room() == 0) return engine_.await_room(fetching.id);
        auto* message = selected()->find(fetching.uids[fetching.next++]);
        if (!message) {
            fetching.missing = true;
            continue;
        }
        if (fetching.command.changed_since && message->modseq <= *fetching.command.changed_since)
            continue;
        const auto number = number_of(message->uid);
        fetching.bodies.clear();
        const auto structure = mime::parse(*message->octets);
        response::Fetch answer{number, {}};
        bool seen = false;
        std::uint64_t token = 0;
        for (const auto& item : fetching.command.items) {
            auto value = fetched(item, *message, ++token);
            if (item.kind == FetchItem::Kind::Envelope || item.kind == FetchItem::Kind::Body ||
                item.kind == FetchItem::Kind::BodyStructure)
                value.value = &structure;
            seen |= item.sets_seen();
            answer.items.push_back(std::move(value));
        }
        engine_.respond(fetching.id, answer);
        if (seen && !read_only_ && !message->flags.has(SystemFlag::Seen)) {
            message->flags.set(SystemFlag::Seen);
            message->modseq = ++account_->modseq;
            account_->tell(this);
        }
    }
    if (engine_.room() == 0) return engine_.await_room(fetching.id);
    const auto id = fetching.id;
    const bool missing = fetching.missing;
    fetching_.reset();
    finish(id, missing ? no("Some messages are gone", Code::ExpungeIssued) : ok("FETCH completed"));
}

void MemoryDialogue::run(CommandId id, command::Store& store) {
    const auto uids = uids_of(store.set, store.addressing);
    if (!uids) return finish(id, bad("No such message"));
    if (read_only_) return finish(id, no("Read-only", Code::ReadOnly));
    Modified failed;
    const auto modseq = ++account_->modseq;
    for (const auto uid : *uids) {
        auto* message = selected()->find(uid);
        if (!message) continue;
        const auto number = number_of(uid);
        if (store.unchanged_since && message->modseq > *store.unchanged_since) {
            failed.numbers.add(store.addressing == Addressing::Uids ? uid : number);
            continue;
        }
        auto flags = store.action == command::Store::Action::Replace ? store.flags : message->flags;
        if (store.action == command::Store::Action::Add) flags.add(store.flags);
        if (store.action == command::Store::Action::Remove) flags.remove(store.flags);
        if (flags != message->flags) {
            message->flags = flags;
            message->modseq = modseq;
        }
        const bool silent = store.silence == command::Store::Silence::Silent;
        view_[number - 1].modseq = message->modseq;
        engine_.respond(id, response::FlagsChanged{number, uid, message->modseq,
                                                   silent ? std::nullopt : std::optional(flags)});
    }
    account_->tell(this);
    finish(id, ok("STORE completed", failed));
}

template <class CopyOrMove>
std::optional<CopyUid> MemoryDialogue::copy(CommandId id, CopyOrMove& command,
                                            std::vector<std::uint32_t>& uids) {
    auto found = uids_of(command.set, command.addressing);
    if (!found) {
        finish(id, bad("No such message"));
        return std::nullopt;
    }
    if (!account_->mailboxes.contains(command.mailbox.utf8)) {
        finish(id, no("No such mailbox", Code::TryCreate));
        return std::nullopt;
    }
    auto& target = account_->mailboxes[command.mailbox.utf8];
    CopyUid code{target.uid_validity, {}, {}};
    for (const auto uid : *found) {
        const auto* source = selected()->find(uid);
        if (!source) continue;
        const auto copy = *source; // the target may be the same mailbox
        code.source.add(uid);
        code.destination.add(
            account_->add(target, copy.flags, copy.date, copy.octets, copy.email).uid);
        uids.push_back(uid);
    }
    return code;
}

void MemoryDialogue::run(CommandId id, command::Copy& command) {
    std::vector<std::uint32_t> uids;
    const auto code = copy(id, command, uids);
    if (!code) return;
    account_->tell(this);
    finish(id, ok("COPY completed", *code));
}

void MemoryDialogue::run(CommandId id, command::Move& command) {
    if (read_only_) return finish(id, no("Read-only", Code::ReadOnly));
    std::vector<std::uint32_t> uids;
    const auto code = copy(id, command, uids);
    if (!code) return;
    // RFC 9051 §6.4.8: COPYUID comes before the EXPUNGEs.
    if (!uids.empty()) engine_.respond(id, response::Status{Condition::Ok, *code, "Moved"});
    expunge(*selected(), [&](const MemoryMessage& message) {
        return std::ranges::binary_search(uids, message.uid);
    });
    finish(id, ok("MOVE completed"));
}

} // namespace mailcore::imap
