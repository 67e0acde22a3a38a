// The part of ServerEngine between a line and a command, and between an answer and its octets.
#include "libmailcore/imap/server_engine.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/sasl/mechanism.h"

#include <algorithm>

#include <fmt/format.h>

namespace mailcore::imap {
namespace {

constexpr std::uint64_t small_literal_octets_max = 4096; // RFC 7888 §5, RFC 9051 §4.3
constexpr std::size_t fetch_octets_expected = 1'000;     // of one message with its ENVELOPE

// The tag of what could not be read as a command; empty: there is none to answer to.
std::string tag_of(std::string_view head) {
    static const Grammar grammar;
    WireReader in(head, grammar);
    const auto tag = in.tag();
    return in.next_is(' ') ? std::string(tag) : std::string();
}

Reply to_reply(const SyntaxError& error) {
    if (error.answer == SyntaxError::Answer::No) return no(std::string(error.expected), error.code);
    return bad(fmt::format("Expected {} at octet {}", error.expected, error.offset + 1));
}

template <class T>
inline constexpr bool answered_here =
    std::is_same_v<T, command::Capability> || std::is_same_v<T, command::Logout> ||
    std::is_same_v<T, command::Id> || std::is_same_v<T, command::StartTls> ||
    std::is_same_v<T, command::Enable>;

} // namespace

Grammar ServerEngine::grammar() const {
    Grammar grammar;
    grammar.names = enabled_.wide() ? NameEncoding::Utf8 : NameEncoding::ModifiedUtf7;
    grammar.enabled = enabled_;
    grammar.extensions = options_.extensions;
    return grammar;
}

// Commands

void ServerEngine::run(std::string_view line) {
    const auto rules = grammar();
    WireReader in(line, rules);
    std::string tag;
    const auto row = admit(in, tag);
    if (!row) return answer(tag, row.error());
    auto command = (*row)->parse(in);
    in.end();
    if (!in.ok()) return answer(tag, to_reply(in.error()));
    dispatch(std::move(tag), **row, std::move(command));
}

Result<const CommandRow*, Reply> ServerEngine::admit(WireReader& in, std::string& tag) const {
    const auto head = read_command_head(in);
    tag = head.tag;
    if (!in.ok()) return std::unexpected(to_reply(in.error()));
    const auto* row = head.row;
    if (!row) return std::unexpected(bad("Unknown command"));
    const char now_in = state_ == State::Selected        ? 'S'
                        : state_ == State::Authenticated ? 'A'
                                                         : 'N';
    if (!row->states.contains(now_in)) {
        if (now_in == 'N') return std::unexpected(bad("Log in first"));
        if (row->states == "N") return std::unexpected(bad("Already logged in"));
        return std::unexpected(
            bad(now_in == 'A' ? "No mailbox is selected" : "A mailbox is selected"));
    }
    if (row->closes_plaintext && !plaintext_allowed())
        return std::unexpected(no("LOGIN needs TLS", Code::PrivacyRequired));
    return row;
}

void ServerEngine::dispatch(std::string tag, const CommandRow& row, Command command) {
    const bool here = std::visit(
        [&]<class T>(T& known) {
            if constexpr (answered_here<T>) run_here(tag, known);
            return answered_here<T>;
        },
        command);
    if (here) return;
    if (const auto* authenticate = std::get_if<command::Authenticate>(&command))
        if (const auto why = refusal(*authenticate)) return answer(tag, *why);

    CommandReceived received{CommandId{++last_id_.value}, std::move(command)};
    open_.emplace();
    open_->id = received.id;
    open_->tag = std::move(tag);
    open_->row = &row;
    if (enables_condstore(received.command) && !enabled_.condstore) {
        enabled_.condstore = true;
        received.owes_highest_modseq = state_ == State::Selected;
    }
    if (const auto* search = std::get_if<command::Search>(&received.command)) {
        open_->search_return = search->returns;
        open_->addressing = search->addressing;
        open_->names_numbers = search->key.mentions(SearchKey::Kind::Number);
    }
    if (std::holds_alternative<command::Select>(received.command)) {
        received.owes_highest_modseq = false; // SELECT tells it anyway
        // RFC 9051 §6.3.2, §7.1 CLOSED; RFC 7162 §3.2.11. Whether it succeeds or not.
        if (state_ == State::Selected) say("* OK [CLOSED] Previous mailbox is now closed\r\n");
        state_ = State::Authenticated;
    }
    if (std::holds_alternative<command::Idle>(received.command)) {
        say("+ idling\r\n");
        reading_ = Reading::IdleEnd;
    }
    events_.emplace_back(std::move(received));
}

// Literals

void ServerEngine::on_literal() {
    if (reading_ == Reading::MessageEnd && options_.extensions.has(Extension::MultiAppend))
        return on_next_message();
    if (reading_ != Reading::Command) {
        // No line that is wanted here ends with one, so the line says all that is to be said about
        // it.
        on_line(framer_.command());
        return discard_literal();
    }
    const auto literal = framer_.literal();
    const auto rules = grammar();
    WireReader in(framer_.command(), rules);
    std::string tag;
    // The same guards as for a whole command, so that no literal is asked for in vain.
    const auto row = admit(in, tag);
    if (!row) return refuse_literal(std::move(tag), row.error());
    const bool synchronising = literal.mode == Framer::Announcement::Mode::Synchronising;
    if (!synchronising && !options_.large_non_synchronising_literals &&
        literal.octets > small_literal_octets_max)
        return refuse_literal(
            std::move(tag),
            bad("A non-synchronising literal has at most 4096 octets", Code::TooBig));
    if ((*row)->parse == parse_append) {
        auto command = parse_append(in);
        if (in.ok())
            return begin_append(std::move(tag), **row,
                                std::get<command::Append>(std::move(command)), literal);
        if (!in.wants_literal()) return refuse_literal(std::move(tag), to_reply(in.error()));
    }
    if (!framer_.fits(literal.octets))
        return refuse_literal(std::move(tag), bad("The literal is too large", Code::TooBig));
    framer_.collect_literal();
    if (synchronising) say("+ Ready for the literal\r\n");
}

/// Answers at once what need not be sent, and the rest when it is over.
void ServerEngine::refuse_literal(std::string tag, Reply why) {
    switch (framer_.discard()) {
    case Framer::Discard::Over: framer_.wipe(); return answer(tag, why);
    case Framer::Discard::Swallowing: refused_ = Refused{std::move(tag), std::move(why)}; return;
    case Framer::Discard::Hopeless: return say_bye("The literal is too large", Code::TooBig);
    }
}

void ServerEngine::discard_literal() {
    if (closing_) return;
    switch (framer_.discard()) {
    case Framer::Discard::Over: return framer_.wipe();
    case Framer::Discard::Swallowing: swallowing_silently_ = true; return;
    case Framer::Discard::Hopeless: return say_bye("The literal is too large", Code::TooBig);
    }
}

/// A command has been thrown away up to its end.
void ServerEngine::on_discarded() {
    if (std::exchange(swallowing_silently_, false)) return;
    if (const auto refused = std::exchange(refused_, std::nullopt))
        return answer(refused->tag, refused->why);
    if (reading_ != Reading::Command) return on_line("(too long)");
    answer(tag_of(framer_.head()), bad("The command is too long", Code::TooBig));
}

// APPEND

void ServerEngine::begin_append(std::string tag, const CommandRow& row, command::Append append,
                                Framer::Announcement literal) {
    if (literal.octets > options_.append_octets_max)
        return refuse_literal(std::move(tag), no("The message is too large", Code::TooBig));
    framer_.hand_over_literal();
    const auto message = append.message;
    dispatch(std::move(tag), row, std::move(append));
    begin_message(message, literal);
}

/// Of the open APPEND: its owner has been told.
void ServerEngine::begin_message(const command::AppendedMessage& message,
                                 Framer::Announcement literal) {
    open_->is_append = true;
    open_->accepted = false;
    open_->form = message.form;
    open_->message_left = literal.octets;
    open_->synchronising = literal.mode == Framer::Announcement::Mode::Synchronising;
    message_due_ = last_command_ + options_.progress_time +
                   std::chrono::seconds(literal.octets / options_.message_octets_per_second_min);
    reading_ = Reading::Command;
}

/// The line behind a message announces another one (RFC 3502 §6.3.11).
void ServerEngine::on_next_message() {
    const auto literal = framer_.literal();
    const auto rules = grammar();
    WireReader in(framer_.command(), rules);
    if (open_->form == command::AppendedMessage::Form::Utf8) in.close();
    in.sp();
    command::AppendedMessage message;
    parse_appended_message(in, message);
    std::optional<Reply> wrong;
    if (!in.ok())
        wrong = to_reply(in.error());
    else if (literal.octets > options_.append_octets_max)
        wrong = no("The message is too large", Code::TooBig);
    else if (literal.mode == Framer::Announcement::Mode::NonSynchronising &&
             !options_.large_non_synchronising_literals &&
             literal.octets > small_literal_octets_max)
        wrong = bad("A non-synchronising literal has at most 4096 octets", Code::TooBig);
    if (wrong) {
        abort_open(*wrong);
        return discard_literal();
    }
    framer_.hand_over_literal();
    begin_message(message, literal);
    events_.emplace_back(AppendNext{open_->id, std::move(message)});
}

void ServerEngine::accept(CommandId id) {
    auto* append = open(id);
    if (!append) return;
    MAILCORE_ASSERT(append->is_append && !append->accepted);
    append->accepted = true;
    if (append->synchronising) say("+ Ready for the message\r\n");
    reading_ = append->message_left > 0 ? Reading::Message : Reading::MessageEnd;
}

void ServerEngine::body_taken(CommandId id) {
    if (!open(id)) return;
    MAILCORE_ASSERT(chunk_untaken_);
    chunk_untaken_ = false;
}

/// The line behind the last message: empty, or what closes UTF8's parenthesis.
void ServerEngine::on_message_end(std::string_view line) {
    if (reading_ == Reading::FailedMessageEnd) {
        return finish(*std::exchange(open_->failure, std::nullopt));
    }
    const bool closes = open_->form == command::AppendedMessage::Form::Utf8;
    if (line != (closes ? ")" : ""))
        return abort_open(bad(closes ? "Expected \")\" and CRLF behind the message"
                                     : "Expected CRLF behind the message"));
    reading_ = Reading::Command;
    events_.emplace_back(BodyEnd{open_->id});
}

// AUTHENTICATE, IDLE

bool ServerEngine::plaintext_allowed() const {
    return peer_.tls.has_value() || options_.plaintext_without_tls;
}

bool ServerEngine::offers(std::string_view mechanism) const {
    return sasl::is_offerable(mechanism, peer_, plaintext_allowed()) &&
           std::ranges::find(options_.mechanisms, mechanism) != options_.mechanisms.end();
}

std::optional<Reply> ServerEngine::refusal(const command::Authenticate& authenticate) const {
    if (offers(authenticate.mechanism)) return std::nullopt;
    if (std::ranges::find(options_.mechanisms, authenticate.mechanism) != options_.mechanisms.end())
        return no("This mechanism needs TLS", Code::PrivacyRequired);
    return no("This mechanism is not offered", Code::Cannot);
}

// continue-req = "+" SP (resp-text / base64) CRLF
void ServerEngine::challenge(CommandId id, std::string_view octets) {
    if (!open(id)) return;
    MAILCORE_ASSERT(open_->row->parse == parse_authenticate && reading_ == Reading::Command);
    say("+ " + codec::base64_encode(octets) + "\r\n");
    reading_ = Reading::SaslResponse;
}

// base64, or "*" to cancel
void ServerEngine::on_sasl_line(std::string_view line) {
    if (line == "*") return abort_open(bad("Authentication cancelled"));
    auto octets = codec::base64_decode(line);
    if (!octets) return abort_open(bad("Expected base64"));
    reading_ = Reading::Command;
    events_.emplace_back(SaslResponse{open_->id, Secret(*std::move(octets))});
}

void ServerEngine::on_idle_line(std::string_view line) {
    open_->idle_done = true;
    open_->idle_spoilt = !codec::equal_ignoring_case(line, "DONE");
    reading_ = Reading::Command;
    events_.emplace_back(IdleDone{open_->id});
}

// Answers

ServerEngine::Open* ServerEngine::open(CommandId id) {
    if (id == aborted_id_) return nullptr;
    MAILCORE_ASSERT(open_ && open_->id == id);
    return &*open_;
}

void ServerEngine::answer(std::string_view tag, const Reply& reply) {
    std::string line(tag.empty() ? "*" : tag);
    line += ' ';
    write_condition(reply.condition, reply.code, reply.text, enabled_.wide(), line);
    say(line);
    if (reply.condition != Condition::Bad) {
        bad_commands_ = 0;
    } else if (++bad_commands_ >= options_.bad_commands_max) {
        say_bye("Too many bad commands", Code::ClientBug);
    }
}

void ServerEngine::reply(CommandId id, Reply reply) {
    auto* command = open(id);
    if (!command) return;
    MAILCORE_ASSERT(!output_.pull() && reading_ != Reading::IdleEnd && !command->failure);
    const bool message_comes =
        command->is_append &&
        (command->accepted ? reading_ != Reading::Command : !command->synchronising);
    if (message_comes) {
        // What was announced comes whether it is wanted or not.
        if (command->message_left > options_.swallowed_octets_max)
            return say_bye("The message is not wanted", Code::TooBig);
        command->failure = std::move(reply);
        chunk_untaken_ = false;
        reading_ = command->message_left > 0 ? Reading::FailedMessage : Reading::FailedMessageEnd;
        return;
    }
    if (command->idle_spoilt) reply = bad("Expected DONE");
    if (reply.condition == Condition::Ok) {
        const bool login = state_ == State::NotAuthenticated;
        if (command->row->ok_leads_to == 'A') state_ = State::Authenticated;
        if (command->row->ok_leads_to == 'S') state_ = State::Selected;
        if (login && state_ == State::Authenticated) {
            framer_.set_command_octets_max(options_.command_octets_max);
            // RFC 9051 §6.2.2: so that the client need not ask.
            if (const auto* code = std::get_if<Code>(&reply.code); code && *code == Code::None)
                reply.code = CapabilityCode{capabilities()};
        }
    }
    finish(reply);
}

/// The engine ends the open command; its owner is to forget it.
void ServerEngine::abort_open(const Reply& why) {
    tell_aborted();
    finish(why);
}

void ServerEngine::finish(const Reply& reply) {
    const auto tag = std::move(open_->tag);
    reading_ = Reading::Command;
    open_.reset();
    room_awaited_ = false;
    chunk_untaken_ = false;
    answer(tag, reply);
    settle();
}

ResponseContext ServerEngine::context() const {
    ResponseContext context;
    context.enabled = enabled_;
    if (!open_) return context;
    context.uid_command = open_->row->verb.starts_with("UID ");
    context.tag = open_->tag;
    context.search_return = open_->search_return;
    context.addressing = open_->addressing;
    return context;
}

void ServerEngine::respond(CommandId id, const Response& response) {
    if (!open(id)) return;
    announce(response);
}

void ServerEngine::announce(const Response& response) {
    if (closing_) return;
    MAILCORE_ASSERT(!std::holds_alternative<response::Expunged>(response) || may_expunge());
    if (const auto* fetch = std::get_if<response::Fetch>(&response)) return write_fetch(*fetch);
    std::string text;
    write_response(response, context(), text);
    say(text);
}

// message-data = nz-number SP "FETCH" SP msg-att
void ServerEngine::write_fetch(const response::Fetch& fetch) {
    std::string text;
    text.reserve(fetch_octets_expected);
    ResponseWriter out(text, enabled_.wide());
    out.raw("* ").number(fetch.number).raw(" FETCH (");
    const char* separator = "";
    for (const auto& fetched : fetch.items) {
        out.raw(separator);
        separator = " ";
        write_fetch_label(fetched.item, out);
        out.raw(" ");
        const auto* pulled = std::get_if<response::Pulled>(&fetched.value);
        if (!pulled) {
            write_fetch_value(fetched, out);
            continue;
        }
        // What is not at hand cannot be looked through for NUL: literal8 may hold it.
        out.raw(fetched.item.kind == FetchItem::Kind::Binary ? "~{" : "{");
        out.number(pulled->octets).raw("}\r\n");
        say(text);
        text.clear();
        output_.append_pull(pulled->octets, pulled->token);
    }
    out.raw(")\r\n");
    say(text);
    ask_for_body();
}

bool ServerEngine::may_announce() const {
    return open_ && !closing_ && state_ == State::Selected && open_->row->ok_leads_to == '=';
}

bool ServerEngine::may_expunge() const {
    // A command is not in progress before all of it has come (RFC 9051 §7.5.1).
    const bool complete =
        !open_ || !open_->is_append || (open_->accepted && reading_ == Reading::Command);
    return may_announce() && open_->row->expunges == Expunges::Yes && !open_->names_numbers &&
           complete;
}

// What is answered here

void ServerEngine::run_here(std::string_view tag, const command::Capability&) {
    say("* CAPABILITY " + capabilities() + "\r\n");
    answer(tag, ok("CAPABILITY completed"));
}

void ServerEngine::run_here(std::string_view tag, const command::Logout&) {
    say("* BYE Logging out\r\n");
    answer(tag, ok("LOGOUT completed"));
    state_ = State::Logout;
    closing_ = true;
}

// id_response ::= "ID" SPACE id_params_list (RFC 2971 §4)
void ServerEngine::run_here(std::string_view tag, command::Id& id) {
    std::string text;
    ResponseWriter out(text, enabled_.wide());
    out.raw("* ID ");
    const char* separator = "(";
    for (const auto& [field, value] : options_.id) {
        out.raw(separator).string(field).raw(" ").nstring(value);
        separator = " ";
    }
    out.raw(options_.id.empty() ? "NIL" : ")").crlf();
    say(text);
    answer(tag, ok("ID completed"));
    events_.emplace_back(ClientId{std::move(id.fields)});
}

void ServerEngine::run_here(std::string_view tag, const command::StartTls&) {
    if (peer_.tls) return answer(tag, bad("TLS stands already"));
    if (!options_.starttls) return answer(tag, bad("TLS is not offered"));
    answer(tag, ok("Begin TLS now"));
    starting_tls_ = true;
}

// enable-data = "ENABLED" *(SP capability)
void ServerEngine::run_here(std::string_view tag, const command::Enable& enable) {
    std::string line = "* ENABLED";
    const auto switch_on = [&](Extension extension, bool Enabled::*flag) {
        const auto name = to_string(extension);
        const bool asked = std::ranges::any_of(enable.names, [&](const std::string& wanted) {
            return codec::equal_ignoring_case(wanted, name);
        });
        if (!asked || !options_.extensions.has(extension)) return;
        enabled_.*flag = true;
        line += ' ';
        line += name;
    };
    switch_on(Extension::Imap4rev2, &Enabled::rev2);
    switch_on(Extension::CondStore, &Enabled::condstore);
    switch_on(Extension::QResync, &Enabled::qresync);
    switch_on(Extension::Utf8Accept, &Enabled::utf8);
    enabled_.condstore |= enabled_.qresync; // RFC 7162 §3.2.3
    say(line + "\r\n");
    answer(tag, ok("ENABLE completed"));
}

std::string ServerEngine::capabilities() const {
    std::string text = "IMAP4rev1";
    const auto add = [&](std::string_view name) {
        text += ' ';
        text += name;
    };
    if (options_.extensions.has(Extension::Imap4rev2)) add(to_string(Extension::Imap4rev2));
    add(options_.large_non_synchronising_literals ? "LITERAL+" : "LITERAL-");
    for (const auto* name : {"SASL-IR", "ENABLE", "ID"}) add(name);
    if (state_ == State::NotAuthenticated) {
        if (options_.starttls && !peer_.tls) add("STARTTLS");
        if (!plaintext_allowed()) add("LOGINDISABLED");
        for (const auto& mechanism : options_.mechanisms)
            if (offers(mechanism)) add("AUTH=" + mechanism);
        return text;
    }
    for (const auto extension : all_extensions())
        if (extension == Extension::AppendLimit && options_.extensions.has(extension))
            add(fmt::format("APPENDLIMIT={}", options_.append_octets_max));
        else if (extension != Extension::Imap4rev2 && options_.extensions.has(extension))
            add(to_string(extension));
    return text;
}

} // namespace mailcore::imap
