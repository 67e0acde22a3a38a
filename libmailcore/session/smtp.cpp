#include "libmailcore/session/smtp.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/filter/edits.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/message_id.h"
#include "libmailcore/mime/received.h"
#include "libmailcore/session/smtp_replies.h"
#include "libmailcore/smtp/received.h"
#include "libmailcore/store/account.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::session {

namespace {

using filter::Stage;
using filter::Verdict;

/// The address of a path, without brackets; empty for the null path.
std::string address_of(const smtp::Path& path) {
    return path.is_null() ? std::string() : smtp::to_string(path.mailbox);
}

std::string trace_text(TraceId trace) { return fmt::format("{:016x}", trace.value); }

void add_recipient(std::vector<queue::Recipient>& list, queue::Recipient recipient) {
    const auto same = [&](const queue::Recipient& other) {
        return other.route == recipient.route && other.account == recipient.account &&
               (recipient.route == queue::Route::Local || other.address == recipient.address);
    };
    if (std::ranges::none_of(list, same)) list.push_back(std::move(recipient));
}

/// RFC 6409 §8: what a user's client has left out.
std::string added_fields(std::string_view header, WallTime now, Random& random,
                         std::string_view hostname, std::string_view sender) {
    std::string fields;
    if (!mime::find_field(header, "Date")) fields += "Date: " + mime::format_date(now) + "\r\n";
    if (!mime::find_field(header, "From") && !sender.empty())
        fields += "From: <" + std::string(sender) + ">\r\n";
    if (!mime::find_field(header, "Message-ID"))
        fields += "Message-ID: " + mime::make_message_id(random, now, hostname) + "\r\n";
    return fields;
}

} // namespace

std::string_view to_string(SmtpService service) {
    switch (service) {
    case SmtpService::Mx: return "smtp";
    case SmtpService::Submission: return "submission";
    case SmtpService::Lmtp: return "lmtp";
    }
    return "smtp";
}

std::shared_ptr<const smtp::ServerOptions> engine_options(const Services& services,
                                                          const SmtpOptions& options) {
    auto engine = options.engine;
    engine.hostname = services.hostname;
    engine.dialect =
        options.service == SmtpService::Lmtp ? smtp::Dialect::Lmtp : smtp::Dialect::Smtp;
    if (options.service == SmtpService::Lmtp) engine.banner = "LMTP ready";
    engine.binary_mime = true; // `unbinary` makes lines of it
    engine.requires_auth = options.service == SmtpService::Submission;
    if (options.service == SmtpService::Submission) engine.mechanisms = options.login.mechanisms;
    using Auth = smtp::ServerOptions::AuthWithoutTls;
    engine.auth_without_tls = options.login.plaintext_from_anywhere   ? Auth::Always
                              : options.login.plaintext_from_loopback ? Auth::LocalPeers
                                                                      : Auth::Never;
    return std::make_shared<const smtp::ServerOptions>(std::move(engine));
}

SmtpSession::SmtpSession(Services& services, std::shared_ptr<const SmtpOptions> options,
                         std::shared_ptr<const smtp::ServerOptions> engine_options,
                         const PeerInfo& peer, base::Waker& waker)
    : services_(services), options_(std::move(options)), peer_(peer), waker_(waker),
      engine_(std::move(engine_options), peer, services.scheduler.now()),
      scope_(services.scheduler) {
    if (options_->reverse_lookup && options_->service == SmtpService::Mx && !peer_.is_local())
        scope_.spawn(look_up_peer());
}

// Events are answered one after the other: while a task is at it, the next one waits in the engine.

void SmtpSession::drain() {
    while (!busy_) {
        auto event = engine_.next_event();
        if (!event) return;
        if (handle_now(*event)) continue;
        busy_ = true;
        scope_.spawn(handle(std::move(*event)));
    }
}

/// What needs no waiting.
bool SmtpSession::handle_now(smtp::ServerEvent& event) {
    if (std::holds_alternative<smtp::AuthEnd>(event)) {
        authentication_.reset();
    } else if (std::holds_alternative<smtp::TransactionReset>(event) ||
               std::holds_alternative<smtp::BodyFailed>(event)) {
        transaction_.reset();
    } else if (std::holds_alternative<smtp::TlsStarted>(event)) {
        peer_ = engine_.peer();
        transaction_.reset();
        authentication_.reset();
        who_.reset();
        helo_.clear();
    } else if (const auto* begin = std::get_if<smtp::BodyBegin>(&event)) {
        body_begin(*begin);
    } else {
        return false;
    }
    return true;
}

Task<void> SmtpSession::handle(smtp::ServerEvent event) {
    if (auto* chunk = std::get_if<smtp::BodyChunk>(&event)) {
        MAILCORE_CO_AWAIT(take(std::string(chunk->octets)));
    } else if (auto* connection = std::get_if<smtp::Connected>(&event)) {
        co_await connected(*connection);
    } else if (auto* name = std::get_if<smtp::Hello>(&event)) {
        co_await hello(std::move(*name));
    } else if (auto* sender = std::get_if<smtp::Mail>(&event)) {
        co_await mail(std::move(*sender));
    } else if (auto* recipient = std::get_if<smtp::Rcpt>(&event)) {
        co_await rcpt(std::move(*recipient));
    } else if (auto* block = std::get_if<smtp::Headers>(&event)) {
        co_await headers(std::move(*block));
    } else if (auto* end = std::get_if<smtp::BodyEnd>(&event)) {
        co_await body_end(*end);
    } else if (auto* begin = std::get_if<smtp::AuthBegin>(&event)) {
        authentication_ =
            std::make_unique<Authentication>(services_, "smtp", peer_, options_->login);
        MAILCORE_CO_AWAIT(authenticate(
            begin->id, authentication_->begin(begin->mechanism, std::move(begin->initial))));
    } else if (auto* data = std::get_if<smtp::AuthData>(&event)) {
        co_await authenticate(data->id, authentication_->respond(std::move(data->octets)));
    }
    busy_ = false;
    waker_.wake();
}

Task<void> SmtpSession::look_up_peer() {
    auto names = co_await dns::lookup_confirmed_names(services_.resolver, peer_.address);
    if (names && !names->empty()) peer_name_ = names->front().to_string();
}

std::size_t SmtpSession::memory() const {
    if (!transaction_) return 0;
    return sizeof(Transaction) + transaction_->context.header.capacity() +
           (transaction_->writer ? transaction_->writer->memory() : 0);
}

// Who is there

Task<void> SmtpSession::connected(smtp::Connected event) {
    if (services_.pipeline->wants(Stage::Connect)) {
        filter::Context context;
        context.peer = peer_;
        context.submission = options_->service == SmtpService::Submission;
        const auto verdict = co_await services_.pipeline->judge(Stage::Connect, context);
        if (verdict.refuses()) {
            engine_.reply(event.id, verdict.kind == Verdict::Kind::Reject
                                        ? reply(554, "5.7.1", verdict.text)
                                        : reply(421, "4.7.0", verdict.text));
            co_return;
        }
    }
    engine_.accept(event.id);
}

Task<void> SmtpSession::hello(smtp::Hello event) {
    helo_ = event.client;
    extended_ = event.verb != smtp::Hello::Verb::Helo;
    transaction_.reset();
    if (services_.pipeline->wants(Stage::Helo)) {
        filter::Context context;
        context.peer = peer_;
        context.peer_name = peer_name_;
        context.helo = helo_;
        const auto verdict = co_await services_.pipeline->judge(Stage::Helo, context);
        if (verdict.refuses()) {
            engine_.reply(event.id, smtp_reply_to(verdict));
            co_return;
        }
    }
    engine_.accept(event.id);
}

Task<void> SmtpSession::authenticate(smtp::CommandId id, Task<LoginStep> attempt) {
    auto step = co_await std::move(attempt);
    if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
        engine_.challenge(id, challenge->octets);
        co_return;
    }
    authentication_.reset();
    if (const auto* refused = std::get_if<LoginRefused>(&step)) {
        MAILCORE_LOG(services_.log, Info, "login.refused",
                     {{"service", "smtp"}, {"peer", peer_.address.to_string()}});
        engine_.reply(id, smtp_reply_to(*refused));
        co_return;
    }
    auto who = std::get<LoggedIn>(std::move(step));
    if (services_.pipeline->wants(Stage::Auth)) {
        filter::Context context;
        context.peer = peer_;
        context.helo = helo_;
        context.account = who.address.to_string();
        context.submission = true;
        const auto verdict = co_await services_.pipeline->judge(Stage::Auth, context);
        if (verdict.refuses()) {
            engine_.reply(id, verdict.kind == Verdict::Kind::Reject
                                  ? reply(535, "5.7.8", verdict.text)
                                  : reply(454, "4.7.0", verdict.text));
            co_return;
        }
    }
    who_ = std::move(who);
    MAILCORE_LOG(services_.log, Info, "login.accepted",
                 {{"service", "smtp"},
                  {"user", who_->address.to_string()},
                  {"peer", peer_.address.to_string()}});
    engine_.reply(id, reply(235, "2.7.0", "authenticated"));
}

bool SmtpSession::may_relay() const {
    if (who_) return true;
    return std::ranges::any_of(options_->relay_networks, [&](const auto& network) {
        return network.contains(peer_.address);
    });
}

// The envelope

Task<void> SmtpSession::mail(smtp::Mail event) {
    if (!services_.has_memory_for(base::MemoryGate::Admission::Message)) {
        engine_.reply(event.id, reply(452, "4.3.1", "short of memory; try again later"));
        co_return;
    }
    transaction_.emplace();
    auto& context = transaction_->context;
    context.peer = peer_;
    context.peer_name = peer_name_;
    context.helo = helo_;
    context.submission = options_->service == SmtpService::Submission;
    context.trace = TraceId{services_.random.next() | 1};
    context.sender = address_of(event.reverse_path);
    if (who_) context.account = who_->address.to_string();

    if (who_ && options_->senders_own_address && !event.reverse_path.is_null()) {
        const auto sender = accounts::Address::parse(context.sender);
        bool own = false;
        if (sender) {
            auto answer = co_await services_.directory.may_send_as(who_->account, *sender);
            if (!answer) {
                transaction_.reset();
                engine_.reply(event.id, smtp_reply_to(answer.error()));
                co_return;
            }
            own = *answer;
        }
        if (!own) {
            transaction_.reset();
            engine_.reply(event.id, reply(553, "5.7.1", "sender address is not yours"));
            co_return;
        }
    }
    if (services_.pipeline->wants(Stage::Mail)) {
        const auto verdict = co_await services_.pipeline->judge(Stage::Mail, context);
        if (verdict.refuses()) {
            transaction_.reset();
            engine_.reply(event.id, smtp_reply_to(verdict));
            co_return;
        }
    }
    const auto id = event.id;
    transaction_->mail = std::move(event);
    engine_.accept(id);
}

Task<void> SmtpSession::rcpt(smtp::Rcpt event) {
    auto& context = transaction_->context;
    const auto address = event.forward_path.mailbox.domain.empty()
                             ? event.forward_path.mailbox.local_part
                             : address_of(event.forward_path);
    auto routing = co_await services_.router.route(address);
    if (!routing) {
        engine_.reply(event.id, routing.error().kind == ErrorKind::Rejected
                                    ? reply(553, "5.1.3", "not an address that mail can go to")
                                    : smtp_reply_to(routing.error()));
        co_return;
    }
    using Kind = delivery::Routing::Kind;
    if (routing->kind == Kind::NotLocal && !may_relay()) {
        engine_.reply(event.id, reply(550, "5.7.1", "relaying denied"));
        co_return;
    }
    if (routing->kind != Kind::Known && routing->kind != Kind::NotLocal) {
        engine_.reply(event.id, smtp_reply_to(routing->kind));
        co_return;
    }
    // Better told now than returned later: a mailbox that is full, if the address means just that
    // one.
    if (routing->recipients.size() == 1 &&
        routing->recipients.front().route == queue::Route::Local) {
        const auto account = routing->recipients.front().account;
        MAILCORE_CO_AWAIT(auto quota, services_.store.read([account](store::ReadTransaction& txn) {
            return store::quota(txn, account);
        }));
        const auto size = transaction_->mail.parameters.size.value_or(1);
        if (quota && !quota->has_room(size)) {
            engine_.reply(event.id, reply(452, "4.2.2", "mailbox is full"));
            co_return;
        }
    }
    if (services_.pipeline->wants(Stage::Rcpt)) {
        context.recipient = address;
        const auto verdict = co_await services_.pipeline->judge(Stage::Rcpt, context);
        if (verdict.refuses()) {
            engine_.reply(event.id, smtp_reply_to(verdict));
            co_return;
        }
    }
    queue::Notify notify;
    if (const auto& wanted = event.parameters.notify)
        notify = queue::Notify{wanted->success, wanted->failure, wanted->delay};
    std::string original;
    if (const auto& given = event.parameters.original_recipient)
        original = given->type + ";" + given->address;
    for (auto& recipient : routing->recipients) {
        recipient.notify = notify;
        recipient.original = original;
    }
    context.recipients.push_back(address);
    transaction_->accepted.push_back({address, std::move(routing->recipients)});
    engine_.accept(event.id);
}

// The body

void SmtpSession::body_begin(const smtp::BodyBegin& event) {
    const auto hint = event.octets.value_or(transaction_->mail.parameters.size.value_or(0));
    if (const auto room = services_.store.room_for(hint); !room) {
        transaction_.reset();
        engine_.reply(event.id, smtp_reply_to(room.error()));
        return;
    }
    transaction_->writer = services_.store.new_blob(services_.scheduler, hint);
    transaction_->parser.emplace();
    engine_.accept(event.id);
}

Task<void> SmtpSession::headers(smtp::Headers event) {
    auto& transaction = *transaction_;
    auto& context = transaction.context;
    std::string_view octets = event.octets;
    const auto end = mime::header_octets(octets);
    const auto separated =
        octets.substr(0, end).ends_with("\r\n\r\n") || octets.starts_with("\r\n");
    context.header = octets.substr(0, separated ? end - 2 : end);
    const auto rest = octets.substr(end);

    if (mime::count_received(context.header) > options_->received_max) {
        engine_.fail_body(event.id, reply(554, "5.4.6", "message goes in a circle"));
        co_return;
    }
    if (const auto field = mime::find_field(context.header, "Auto-Submitted"))
        transaction.auto_submitted =
            !codec::starts_with_ignoring_case(codec::trim(field->value), "no");
    if (context.submission)
        context.header = added_fields(context.header, services_.scheduler.wall_now(),
                                      services_.random, services_.hostname, context.sender) +
                         context.header;
    if (services_.pipeline->wants(Stage::Headers)) {
        const auto verdict = co_await services_.pipeline->judge(Stage::Headers, context);
        if (verdict.refuses()) {
            engine_.fail_body(event.id, smtp_reply_to(verdict));
            co_return;
        }
        if (!context.header_edits.empty()) {
            context.header = filter::apply_edits(context.header, context.header_edits);
            context.header_edits.clear();
        }
    }
    // A message without a header section begins with the empty line that it should have had.
    std::string written = context.header;
    if (separated || !rest.empty() || context.submission) written += "\r\n";
    transaction.header_octets = written.size();
    written += rest;
    const auto id = event.id;
    co_await take(std::move(written));
    engine_.accept(id);
}

/// Octets of the message go to the store and through the parser. A store that fails is told at the
/// end.
Task<void> SmtpSession::take(std::string octets) {
    auto& transaction = *transaction_;
    if (!transaction.failure.empty()) co_return;
    if (!services_.has_memory_for(base::MemoryGate::Admission::Octets)) {
        transaction.failure = "short of memory";
        transaction.writer.reset();
        transaction.parser.reset();
        co_return;
    }
    transaction.parser->feed(octets);
    auto taken = co_await transaction.writer->append(octets);
    if (!taken) transaction.failure = taken.error().detail;
}

Task<void> SmtpSession::body_end(smtp::BodyEnd event) {
    auto answer = co_await deliver(event);
    const auto accepted = transaction_->accepted.size();
    transaction_.reset();
    const auto each = options_->service == SmtpService::Lmtp ? accepted : std::size_t{1};
    for (std::size_t i = 0; i < each; ++i) engine_.reply(event.id, answer);
}

namespace {

/// A message that has been taken, as filters read it.
class NewBlobOctets final : public filter::MessageOctets {
  public:
    NewBlobOctets(store::Store& store, store::NewBlobRef blob)
        : store_(store), blob_(std::move(blob)) {}
    std::uint64_t size() const override { return blob_->size(); }
    Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) override {
        return store_.read_new_blob(blob_, offset, octets);
    }

  private:
    store::Store& store_;
    store::NewBlobRef blob_;
};

/// Where a filter wants mail for the domain of `recipient` to go; absent: nowhere else.
const std::string* route_of(const filter::Context& context, std::string_view recipient) {
    const auto at = recipient.rfind('@');
    if (context.routes.empty() || at == std::string_view::npos) return nullptr;
    auto found = context.routes.find(codec::lower(recipient.substr(at + 1)));
    if (found == context.routes.end()) found = context.routes.find("*");
    return found == context.routes.end() ? nullptr : &found->second;
}

} // namespace

/// The message in lines (RFC 3030 §3). Its labels have changed, so its header is read anew.
Task<Result<delivery::DescribedBlob>> SmtpSession::unbinary(delivery::DescribedBlob message) {
    MAILCORE_CO_TRY(auto converted, delivery::without_binary(services_.scheduler, services_.store,
                                                             std::move(message)));
    const auto& whole = converted.structure->parts.front();
    MAILCORE_CO_TRY(auto header,
                    services_.store.read_new_blob(converted.blob, 0, whole.body_begin));
    transaction_->header_octets = header.size();
    header.resize(header.size() - whole.separator_octets);
    transaction_->context.header = std::move(header);
    co_return converted;
}

Task<smtp::Reply> SmtpSession::deliver(const smtp::BodyEnd& event) {
    auto& transaction = *transaction_;
    auto& context = transaction.context;
    if (!transaction.failure.empty()) {
        MAILCORE_LOG(services_.log, Error, "smtp.body_unwritable", {{"error", transaction.failure}},
                     context.trace);
        co_return reply(452, "4.3.1", "the message could not be stored; try again later");
    }
    delivery::Incoming incoming;
    incoming.message.eight_bit = event.has_8bit;
    auto blob = co_await transaction.writer->finish();
    if (!blob) co_return smtp_reply_to(blob.error());
    delivery::DescribedBlob message{
        *std::move(blob), std::make_shared<const mime::Structure>(transaction.parser->finish())};
    if (transaction.mail.parameters.body_type() == smtp::BodyType::BinaryMime &&
        delivery::is_binary(*message.structure)) {
        auto converted = co_await unbinary(std::move(message));
        if (!converted) {
            if (converted.error().kind == ErrorKind::Rejected)
                co_return reply(554, "5.6.3", converted.error().detail);
            co_return smtp_reply_to(converted.error());
        }
        message = *std::move(converted);
        incoming.message.eight_bit = false;
    }
    context.size = message.blob->size();
    context.structure = message.structure.get();
    NewBlobOctets octets(services_.store, message.blob);
    context.octets = &octets;
    if (services_.pipeline->wants(Stage::Message)) {
        const auto verdict = co_await services_.pipeline->judge(Stage::Message, context);
        switch (verdict.kind) {
        case Verdict::Kind::Reject:
        case Verdict::Kind::Defer: co_return smtp_reply_to(verdict);
        case Verdict::Kind::Discard: co_return reply(250, "2.0.0", "accepted");
        case Verdict::Kind::Quarantine:
        case Verdict::Kind::Hold: incoming.held = true; break;
        case Verdict::Kind::Redirect:
            transaction.accepted.clear();
            context.added_recipients.push_back(verdict.target);
            break;
        default: break;
        }
    }
    for (const auto& removed : context.removed_recipients)
        std::erase_if(transaction.accepted,
                      [&](const auto& each) { return each.address == removed; });
    for (auto& each : transaction.accepted)
        for (auto& recipient : each.recipients)
            add_recipient(incoming.recipients, std::move(recipient));
    for (const auto& added : context.added_recipients) {
        auto routing = co_await services_.router.route(added);
        if (!routing) co_return smtp_reply_to(routing.error());
        for (auto& recipient : routing->recipients)
            add_recipient(incoming.recipients, std::move(recipient));
    }
    if (incoming.recipients.empty()) co_return reply(250, "2.0.0", "accepted");
    for (auto& recipient : incoming.recipients)
        if (const auto* route = route_of(context, recipient.address);
            route && recipient.route == queue::Route::Remote)
            recipient.destination = *route;

    incoming.message.trace = context.trace;
    incoming.message.sender = context.sender;
    incoming.message.account = context.account;
    incoming.message.smtputf8 = transaction.mail.parameters.smtp_utf8;
    incoming.message.auto_submitted = transaction.auto_submitted;
    incoming.message.envid = transaction.mail.parameters.envelope_id.value_or("");
    if (const auto ret = transaction.mail.parameters.ret)
        incoming.message.returns =
            *ret == smtp::Return::Full ? queue::Return::Full : queue::Return::Headers;
    incoming.trace_header = trace_field();
    // What filters add on top needs no new description of the message; any other edit does.
    std::vector<filter::HeaderEdit> edits;
    for (auto& edit : context.header_edits) {
        const auto* add = std::get_if<filter::AddHeader>(&edit);
        if (add && add->where == filter::AddHeader::Where::Top)
            incoming.trace_header = filter::apply_edits(incoming.trace_header, {edit});
        else
            edits.push_back(std::move(edit));
    }
    if (!edits.empty()) {
        incoming.edited_header = filter::apply_edits(context.header, edits) + "\r\n";
        incoming.header_octets = transaction.header_octets;
    }
    if (!context.appended_text.empty()) {
        auto wrapping =
            filter::wrap_with_text(filter::apply_edits(context.header, edits),
                                   context.appended_text, "=_" + services_.random.hex(16));
        incoming.edited_header = std::move(wrapping.header);
        incoming.trailer = std::move(wrapping.trailer);
        incoming.header_octets = transaction.header_octets;
    }
    incoming.blob = std::move(message.blob);
    incoming.structure = std::move(message.structure);
    auto accepted = co_await services_.intake.accept(std::move(incoming));
    if (!accepted) {
        MAILCORE_LOG(services_.log, Error, "smtp.unaccepted", {{"error", accepted.error().detail}},
                     context.trace);
        co_return smtp_reply_to(accepted.error());
    }
    co_return reply(250, "2.0.0", "accepted as " + trace_text(context.trace));
}

std::string SmtpSession::trace_field() {
    const auto& transaction = *transaction_;
    smtp::Reception reception;
    reception.peer = peer_;
    reception.client = helo_;
    reception.client_name = peer_name_;
    reception.by = services_.hostname;
    reception.dialect =
        options_->service == SmtpService::Lmtp ? smtp::Dialect::Lmtp : smtp::Dialect::Smtp;
    reception.extended = extended_;
    reception.authenticated = who_.has_value();
    reception.smtp_utf8 = transaction.mail.parameters.smtp_utf8;
    reception.id = trace_text(transaction.context.trace);
    if (transaction.context.recipients.size() == 1) {
        const auto path = smtp::parse_path("<" + transaction.context.recipients.front() + ">",
                                           smtp::Utf8::Allowed);
        if (path) reception.recipient = *path;
    }
    reception.date = mime::format_date(services_.scheduler.wall_now());
    return smtp::received_field(reception);
}

} // namespace mailcore::session
