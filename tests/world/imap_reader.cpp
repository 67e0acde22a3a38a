#include "tests/world/imap_reader.h"

#include "libmailcore/codec/number.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::world {

namespace {

/// How long the first response in `text` is, with its literals and its end; nothing: it is not all
/// here.
std::optional<std::size_t> response_length(std::string_view text) {
    for (std::size_t from = 0;;) {
        const auto end = text.find("\r\n", from);
        if (end == std::string_view::npos) return std::nullopt;
        const auto line = text.substr(from, end - from);
        const auto brace = line.rfind('{');
        if (!line.ends_with('}') || brace == std::string_view::npos) return end + 2;
        const auto octets =
            codec::parse_u32(line.substr(brace + 1, line.size() - brace - 2), UINT32_MAX);
        if (!octets) return end + 2;
        from = end + 2 + *octets;
        if (from > text.size()) return std::nullopt;
    }
}

std::string_view word(std::string_view& text) {
    const auto end = std::min(text.find_first_of(" \r\n"), text.size());
    const auto out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return out;
}

std::uint64_t number(std::string_view text) {
    return codec::parse_u64(text.substr(0, text.find_first_not_of("0123456789")), UINT64_MAX)
        .value_or(0);
}

} // namespace

ImapReader::ImapReader(sim::VirtualScheduler& wire, Random& random, Letters& letters,
                       std::string user)
    : wire_(wire), random_(random), letters_(letters), user_(std::move(user)) {
    key_.mailbox = user_;
    key_.folder = "INBOX";
}

ImapReader::~ImapReader() { reset(); }

void ImapReader::reset() {
    closed_ = true;
    if (timer_) wire_.cancel_timer(*std::exchange(timer_, std::nullopt));
    if (when_over) std::exchange(when_over, {})();
}

void ImapReader::finish() {
    finishing_ = true;
    if (!timer_ || idling_) return;
    wire_.cancel_timer(*timer_);
    think();
}

std::string ImapReader::text() const {
    std::string out;
    for (const auto& entry : view_) {
        out += fmt::format("  {}", entry.uid);
        for (const auto& flag : entry.flags.value_or(std::set<std::string>{"(unknown)"}))
            out += " " + flag;
        out += "\n";
    }
    return out;
}

void ImapReader::complain(const std::string& what) {
    letters_.complain("a session of " + user_ + ": " + what);
}

void ImapReader::receive(std::string_view octets) {
    in_ += octets;
    while (!closed_) {
        const auto length = response_length(in_);
        if (!length) return;
        const auto text = in_.substr(0, *length);
        in_.erase(0, *length);
        response(text);
    }
}

void ImapReader::command(Doing doing, const std::string& text) {
    doing_ = doing;
    tag_ = fmt::format("a{}", ++tags_);
    out_ += tag_ + " " + text + "\r\n";
}

void ImapReader::think() {
    const auto pause =
        finishing_ ? std::chrono::milliseconds(10)
                   : std::chrono::milliseconds(
                         20 + random_.below(static_cast<std::uint64_t>(pause_max_.count())));
    timer_ = wire_.start_timer(wire_.now() + pause, [this] {
        timer_.reset();
        act();
    });
}

const ImapReader::Entry* ImapReader::pick() {
    if (view_.empty()) return nullptr;
    const auto& entry = view_[random_.below(view_.size())];
    return entry.uid != 0 && entry.flags ? &entry : nullptr;
}

void ImapReader::act() {
    const auto unknown = std::ranges::find_if(
        view_, [](const Entry& entry) { return entry.uid == 0 || !entry.flags; });
    const bool ignorant = unknown != view_.end();
    if (ignorant && (finishing_ || random_.below(2) == 0))
        return command(Doing::Learn,
                       fmt::format("FETCH {}:* (UID FLAGS)", unknown - view_.begin() + 1));
    if (finishing_) {
        if (done_) return;
        return command(Doing::LastLook, "NOOP");
    }
    const auto* entry = pick();
    // Seldom does anything go, so that something is left to compare.
    const auto chance = random_.below(41);
    if (chance == 40) return append();
    if (chance < 8 || !entry) {
        if (random_.below(2) == 0) return command(Doing::Look, "NOOP");
        command(Doing::Idle, "IDLE");
        return;
    }
    subject_ = entry->uid;
    const bool known = letters_.has_seen(key_, subject_);
    if (!known || chance < 16)
        return command(Doing::Read,
                       fmt::format("UID FETCH {} (FLAGS INTERNALDATE BODY.PEEK[])", subject_));
    if (chance < 35) {
        const auto place = entry - view_.data() + 1;
        letters_.find(key_, subject_)->flagged = true;
        constexpr const char* flags[] = {"\\Seen", "\\Flagged", "\\Answered", "work"};
        return command(Doing::Flag, fmt::format("STORE {} {}FLAGS ({})", place,
                                                random_.below(3) == 0 ? '-' : '+',
                                                flags[random_.below(std::size(flags))]));
    }
    if (chance < 36) {
        letters_.remove(key_, subject_);
        letters_.find(key_, subject_)->flagged = true;
        return command(Doing::Discard, fmt::format("UID STORE {} +FLAGS (\\Deleted)", subject_));
    }
    if (chance < 37) return command(Doing::Expunge, "EXPUNGE");
    const bool moves = random_.below(2) == 0;
    ++letters_.find(key_, subject_)->copies_asked;
    if (moves) letters_.remove(key_, subject_);
    command(Doing::Copy, fmt::format("UID {} {} Archive", moves ? "MOVE" : "COPY", subject_));
}

void ImapReader::log_in() {
    if (random_.below(2) == 0)
        return command(Doing::LogIn, "LOGIN " + user_ + " " + login_->password());
    command(Doing::Authenticate, "AUTHENTICATE " + login_->mechanism());
}

void ImapReader::authenticated(std::string_view text) {
    const auto verdict = text.starts_with("OK")                          ? Login::Verdict::In
                         : text.starts_with("NO [AUTHENTICATIONFAILED]") ? Login::Verdict::Denied
                                                                         : Login::Verdict::Failed;
    if (login_->end(verdict, letters_, doing_ == Doing::Authenticate))
        return command(Doing::Select, "SELECT INBOX");
    if (!login_->was_wrong() || random_.below(2) == 0) return reset();
    login_.emplace(random_, user_);
    log_in();
}

void ImapReader::append() {
    append_ = &letters_.appends.write(random_, user_, random_.below(3) == 0 ? "Drafts" : "INBOX");
    portions_.assign(1, "APPEND " + append_->folder);
    for (const auto& draft : append_->drafts) {
        auto& before = portions_.back();
        if (!draft.flags.empty() || random_.below(2) == 0) {
            before += " (";
            for (const auto& flag : draft.flags)
                before += (before.ends_with('(') ? "" : " ") + flag;
            before += ")";
        }
        if (draft.date) before += " " + date_time(*draft.date);
        // RFC 7888: what need not be asked for follows at once.
        const bool waits = random_.below(2) == 0;
        before += fmt::format(" {{{}{}}}\r\n", draft.octets.size(), waits ? "" : "+");
        if (waits) portions_.emplace_back();
        portions_.back() += draft.octets;
    }
    portions_.back() += "\r\n";
    tag_ = fmt::format("a{}", ++tags_);
    doing_ = Doing::Append;
    out_ += tag_ + " ";
    go_on_appending();
}

void ImapReader::go_on_appending() {
    out_ += portions_.front();
    portions_.erase(portions_.begin());
    if (!hangs_up || random_.below(20) != 0) return;
    out_.resize(random_.below(out_.size()));
    reset();
}

void ImapReader::appended(std::string_view text) {
    auto& append = *std::exchange(append_, nullptr);
    const auto told = std::exchange(append_uid_, {});
    if (!text.starts_with("OK")) {
        append.answer = Append::Answer::Refused;
        append.refused_in_trouble = is_server_troubled();
        if (!append.refused_in_trouble && !is_full)
            complain("APPEND was refused for no reason: " + std::string(text.substr(0, 80)));
        return;
    }
    if (is_full) complain("APPEND beyond the quota");
    append.answer = Append::Answer::Done;
    std::string_view uids = told;
    append.key = {user_, append.folder, static_cast<std::uint32_t>(number(word(uids)))};
    append.first_uid = static_cast<std::uint32_t>(number(uids));
    const auto last = append.first_uid + append.drafts.size() - 1;
    const auto expected = append.drafts.size() == 1 ? fmt::format("{}", last)
                                                    : fmt::format("{}:{}", append.first_uid, last);
    if (append.first_uid == 0 || uids != expected) return complain("APPENDUID " + told);
    if (append.folder != "INBOX") return;
    if (append.key != key_) return complain("APPENDUID of another INBOX: " + told);
    for (std::size_t i = 0; i < append.drafts.size(); ++i)
        letters_.see(key_, append.first_uid + static_cast<std::uint32_t>(i),
                     append.drafts[i].octets);
}

void ImapReader::response(const std::string& text) {
    std::string_view rest = text;
    if (rest.starts_with("* ")) return untagged(rest.substr(2));
    if (rest.starts_with("+")) {
        if (doing_ == Doing::Authenticate) {
            rest = rest.substr(0, rest.find("\r\n"));
            out_ += login_->answer(rest.substr(std::min<std::size_t>(2, rest.size()))) + "\r\n";
            return;
        }
        if (doing_ == Doing::Append && !portions_.empty()) return go_on_appending();
        if (doing_ != Doing::Idle || idling_) return complain("asked to go on for no reason");
        idling_ = true;
        timer_ = wire_.start_timer(
            wire_.now() + std::chrono::seconds(random_.below(finishing_ ? 1 : 400)), [this] {
                timer_.reset();
                idling_ = false;
                out_ += "DONE\r\n";
            });
        return;
    }
    const auto tag = word(rest);
    if (tag != tag_ || doing_ == Doing::Nothing)
        return complain("an answer to nothing: " + text.substr(0, 80));
    tagged(rest);
}

void ImapReader::tagged(std::string_view text) {
    const bool good = text.starts_with("OK");
    if (text.starts_with("BAD")) complain("BAD: " + std::string(text.substr(0, 80)));
    if (doing_ == Doing::LogIn || doing_ == Doing::Authenticate) return authenticated(text);
    const auto done = std::exchange(doing_, Doing::Nothing);
    if (const auto bracket = text.find('['); bracket != std::string_view::npos)
        code(text.substr(bracket + 1));
    switch (done) {
    case Doing::Append: appended(text); break;
    case Doing::Select:
        if (!good) return reset();
        letters_.select(key_, uidnext_, modseq_);
        break;
    case Doing::LastLook:
        done_ = good && std::ranges::all_of(view_, [](const Entry& entry) {
                    return entry.uid != 0 && entry.flags;
                });
        if (done_) return;
        break;
    default: break;
    }
    think();
}

void ImapReader::code(std::string_view text) {
    auto rest = text.substr(0, text.find(']'));
    const auto name = word(rest);
    if (name == "UIDVALIDITY") key_.uidvalidity = static_cast<std::uint32_t>(number(rest));
    if (name == "UIDNEXT") uidnext_ = static_cast<std::uint32_t>(number(rest));
    if (name == "HIGHESTMODSEQ") modseq_ = number(rest);
    if (name == "APPENDUID") append_uid_ = rest;
    if (name == "COPYUID")
        if (auto* message = letters_.find(key_, subject_)) ++message->copies_made;
}

void ImapReader::untagged(std::string_view text) {
    if (!greeted_) {
        greeted_ = true;
        if (!text.starts_with("OK")) return reset();
        login_.emplace(random_, user_,
                       finishing_ ? Login::Password::Right : Login::any_password(random_));
        return log_in();
    }
    if (text.starts_with("BYE")) return;
    if (text.starts_with("OK [")) return code(text.substr(4));
    if (text.front() < '0' || text.front() > '9') return;
    const auto count = static_cast<std::uint32_t>(number(word(text)));
    const auto what = word(text);
    if (what == "EXISTS") {
        if (count < view_.size())
            return complain(fmt::format("{} EXISTS, and there were {}", count, view_.size()));
        view_.resize(count);
    } else if (what == "EXPUNGE") {
        // RFC 9051 §7.5.1
        if (doing_ == Doing::Nothing || doing_ == Doing::Learn || doing_ == Doing::Flag)
            complain("EXPUNGE where it may not be said");
        if (count == 0 || count > view_.size())
            return complain(fmt::format("{} EXPUNGE of {}", count, view_.size()));
        if (auto* message = letters_.find(key_, view_[count - 1].uid)) {
            if (!message->removed) complain("EXPUNGE of what nobody removed");
            message->gone = true;
        } else if (view_[count - 1].uid != 0) {
            complain("EXPUNGE of what nobody has seen");
        }
        view_.erase(view_.begin() + count - 1);
    } else if (what == "FETCH") {
        fetched(count, text);
    }
}

void ImapReader::fetched(std::uint32_t place, std::string_view items) {
    if (place == 0 || place > view_.size())
        return complain(fmt::format("{} FETCH of {}", place, view_.size()));
    auto& entry = view_[place - 1];
    std::optional<std::string_view> body, date;
    items.remove_prefix(std::min<std::size_t>(1, items.size()));
    while (!items.empty() && items.front() != ')') {
        const auto name = word(items);
        if (name == "UID") {
            const auto uid = static_cast<std::uint32_t>(number(items));
            if (entry.uid != 0 && entry.uid != uid)
                complain(fmt::format("message {} was UID {} and is {}", place, entry.uid, uid));
            if (place > 1 && view_[place - 2].uid >= uid && view_[place - 2].uid != 0)
                complain("UIDs that do not grow");
            entry.uid = uid;
            items.remove_prefix(std::min(items.find_first_not_of("0123456789"), items.size()));
        } else if (name == "FLAGS") {
            const auto end = items.find(')');
            auto list = items.substr(1, end - 1);
            std::set<std::string> flags;
            while (!list.empty()) flags.emplace(word(list));
            flags.erase("\\Recent");
            entry.flags = std::move(flags);
            items.remove_prefix(end + 1);
        } else if (name == "INTERNALDATE") {
            const auto end = std::min(items.find('"', 1), items.size() - 1) + 1;
            date = items.substr(0, end);
            items.remove_prefix(end);
        } else if (name.starts_with("BODY[]")) {
            if (items.starts_with("NIL")) return;
            const auto octets = number(items.substr(1));
            items.remove_prefix(items.find("\r\n") + 2);
            body = items.substr(0, octets);
            items.remove_prefix(octets);
        } else if (name == "MODSEQ") {
            items.remove_prefix(items.find(')') + 1);
        } else {
            return complain("FETCH of " + std::string(name));
        }
        if (items.starts_with(' ')) items.remove_prefix(1);
    }
    if (entry.uid == 0) return;
    if (body) letters_.see(key_, entry.uid, *body);
    if (date && letters_.has_seen(key_, entry.uid)) letters_.see_date(key_, entry.uid, *date);
}

} // namespace mailcore::world
