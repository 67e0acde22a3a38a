// The client engine's way with a message: MAIL, RCPT, DATA or BDAT, pipelined where the server lets
// us.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/smtp/client_engine.h"

#include <algorithm>
#include <utility>

namespace mailcore::smtp {

namespace {

constexpr std::size_t commands_under_way_max = 256; // what a server may keep unread of us

} // namespace

TransactionId ClientEngine::send(Envelope envelope) {
    MAILCORE_ASSERT(!envelope.recipients.empty());
    ++last_id_.value;
    if (over()) {
        const RecipientResult lost{Stage::Mail, std::nullopt, Problem::PeerClosed};
        events_.push_front(TransactionDone{last_id_, {envelope.recipients.size(), lost}});
        return last_id_;
    }
    MAILCORE_ASSERT(idle());
    const bool utf8 =
        envelope.sender.needs_utf8() ||
        std::ranges::any_of(envelope.recipients, [](const auto& r) { return r.path.needs_utf8(); });
    if (utf8) envelope.parameters.smtp_utf8 = true;
    transaction_ = std::make_unique<Transaction>();
    transaction_->id = last_id_;
    transaction_->envelope = std::move(envelope);
    transaction_->results.resize(transaction_->envelope.recipients.size());
    stage_ = Stage::Mail;
    if (const auto problem = unable(transaction_->envelope); problem != Problem::None) {
        for (auto& result : transaction_->results) result = {Stage::Mail, std::nullopt, problem};
        finish_transaction();
        return last_id_;
    }
    pump();
    return last_id_;
}

/// What the envelope needs and the server does not offer.
Problem ClientEngine::unable(const Envelope& envelope) const {
    const auto& wanted = envelope.parameters;
    if (to_string(envelope.sender).empty()) return Problem::BadAddress;
    if (wanted.smtp_utf8 && !capabilities_.smtp_utf8) return Problem::NeedsSmtpUtf8;
    if (wanted.body_type() == BodyType::EightBitMime && !capabilities_.eight_bit_mime)
        return Problem::NeedsEightBitMime;
    if (wanted.body_type() == BodyType::BinaryMime &&
        !(capabilities_.binary_mime && capabilities_.chunking))
        return Problem::NeedsBinaryMime;
    if (wanted.require_tls && !(capabilities_.require_tls && peer_.tls))
        return Problem::NeedsRequireTls;
    if (wanted.size && capabilities_.size.value_or(0) > 0 && *wanted.size > *capabilities_.size)
        return Problem::TooLarge;
    return Problem::None;
}

/// Writes what may be written now.
void ClientEngine::pump() {
    if (!transaction_ || closing_ || aborted_) return;
    auto& t = *transaction_;
    if (t.in_body) return ask_for_body();
    const bool pipelining = options_->pipelining && capabilities_.pipelining;
    const auto may_write = [&] {
        return pipelining ? awaited_.size() < commands_under_way_max &&
                                output_.size() < options_->output_octets_max
                          : awaited_.empty();
    };
    if (t.over) {
        if (awaited_.empty()) finish_transaction();
        return;
    }
    if (needs_reset_ && may_write()) {
        needs_reset_ = false;
        command("RSET", Awaited::Rset);
    }
    if (!t.mail_written && !needs_reset_ && may_write()) write_mail();
    while (t.mail_written && !t.mail_refused && t.written < t.envelope.recipients.size() &&
           may_write()) {
        const auto index = t.written++;
        const auto& recipient = t.envelope.recipients[index];
        const auto path = to_string(recipient.path);
        if (path.empty() || recipient.path.is_null()) {
            t.results[index] = {Stage::Rcpt, std::nullopt, Problem::BadAddress};
            continue;
        }
        std::string line = "RCPT TO:" + path;
        append_parameters(recipient.parameters, capabilities_, line);
        t.results[index].stage = Stage::Rcpt; // and no reply yet
        command(line, Awaited::Rcpt);
    }
    if (t.written < t.envelope.recipients.size() || t.mail_refused) return after_recipients();
    // DATA may close the group: what it is answered tells whether anybody was accepted (RFC 2920
    // §3.1).
    if (pipelining && !t.data_written && !uses_chunks() && may_write() && any_hope()) {
        t.data_written = true;
        command("DATA", Awaited::Data);
    }
    after_recipients();
}

void ClientEngine::write_mail() {
    auto& t = *transaction_;
    std::string line = "MAIL FROM:" + to_string(t.envelope.sender);
    append_parameters(t.envelope.parameters, capabilities_, line);
    t.mail_written = true;
    command(line, Awaited::Mail);
}

bool ClientEngine::uses_chunks() const {
    return capabilities_.chunking &&
           (options_->chunking ||
            transaction_->envelope.parameters.body_type() == BodyType::BinaryMime);
}

/// Whether a recipient has been accepted, or may still be.
bool ClientEngine::any_hope() const {
    return !transaction_->accepted.empty() ||
           std::ranges::any_of(awaited_, [](auto awaited) { return awaited == Awaited::Rcpt; });
}

void ClientEngine::handle_mail(Reply reply) {
    auto& t = *transaction_;
    if (!reply.is_positive()) {
        t.mail_refused = true;
        for (auto& result : t.results) result = {Stage::Mail, reply, Problem::None};
    } else {
        stage_ = Stage::Rcpt;
    }
    pump();
}

void ClientEngine::handle_recipient(Reply reply) {
    auto& t = *transaction_;
    // Answers come in order; those that were never asked for have a problem instead.
    while (t.results[t.answered].problem != Problem::None && !t.mail_refused) ++t.answered;
    const auto index = t.answered++;
    if (!t.mail_refused) {
        if (reply.is_positive()) t.accepted.push_back(index);
        t.results[index].reply = std::move(reply);
        if (t.data_written && awaited_.front() == Awaited::Data) stage_ = Stage::Data;
    }
    pump();
}

/// When all of MAIL and RCPT is answered: on to the body, or it is over.
void ClientEngine::after_recipients() {
    auto& t = *transaction_;
    const bool all_written = t.mail_refused || t.written == t.envelope.recipients.size();
    if (!all_written || !awaited_.empty() || t.data_written) return;
    if (t.mail_refused || t.accepted.empty()) {
        needs_reset_ = t.mail_written && !t.mail_refused;
        return finish_transaction();
    }
    if (uses_chunks()) return begin_body();
    t.data_written = true;
    stage_ = Stage::Data;
    command("DATA", Awaited::Data);
}

void ClientEngine::handle_data(Reply reply) {
    auto& t = *transaction_;
    if (reply.is_positive()) return end(Problem::ProtocolError, std::nullopt);
    if (reply.is_intermediate()) {
        if (!t.accepted.empty()) return begin_body();
        // RFC 2033 §4.2 forbids this answer, and there is none to come behind the message.
        if (lmtp()) return end(Problem::ProtocolError, std::nullopt);
        // RFC 2920 §3.1: nobody was accepted, and still it wants a message: an empty one goes to
        // nobody.
        t.over = true;
        if (output_.empty()) asked_late_ = true;
        output_ += ".\r\n";
        awaited_.push_back(Awaited::Final);
        return;
    }
    fail_accepted(Stage::Data, std::move(reply), Problem::None);
    needs_reset_ = !t.mail_refused;
    finish_transaction();
}

// The body

void ClientEngine::begin_body() {
    using Framing = detail::BodyWriter::Framing;
    auto& t = *transaction_;
    stage_ = Stage::Body;
    t.in_body = true;
    const bool binary = t.envelope.parameters.body_type() == BodyType::BinaryMime;
    t.writer.begin(!uses_chunks() ? Framing::Dots
                   : binary       ? Framing::BinaryChunks
                                  : Framing::Chunks,
                   options_->bare_line_ends);
    ask_for_body();
}

void ClientEngine::ask_for_body() {
    auto& t = *transaction_;
    if (t.body_asked || output_.size() >= options_->output_octets_max) return;
    const auto chunks_max =
        options_->pipelining && capabilities_.pipelining ? options_->chunks_under_way_max : 1;
    if (t.chunks >= chunks_max) return;
    t.body_asked = true;
    events_.push_back(NeedBody{t.id, options_->body_octets_max});
}

void ClientEngine::body(TransactionId id, std::string_view octets, bool last) {
    if (!transaction_ || transaction_->id != id || !transaction_->in_body) return;
    auto& t = *transaction_;
    MAILCORE_ASSERT(t.body_asked && octets.size() <= options_->body_octets_max);
    t.body_asked = false;
    if (t.writer.framing() == detail::BodyWriter::Framing::Dots) {
        if (output_.empty()) asked_late_ = true;
        auto& out = output_.tail();
        const auto before = out.size();
        t.writer.append(octets, last, out);
        if (t.writer.refused()) {
            out.resize(before); // above all not the end of the message
            return give_up(Problem::BareLineEnd);
        }
    } else {
        std::string chunk;
        t.writer.append(octets, last, chunk);
        if (t.writer.refused()) return give_up(Problem::BareLineEnd);
        if (chunk.empty() && !last) return ask_for_body();
        write_chunk(chunk, last);
    }
    if (!last) return ask_for_body();
    t.in_body = false;
    stage_ = Stage::Final;
    const auto answers = lmtp() ? t.accepted.size() : 1;
    for (std::size_t i = 0; i < answers; ++i) awaited_.push_back(Awaited::Final);
}

void ClientEngine::write_chunk(std::string_view octets, bool last) {
    if (output_.empty()) asked_late_ = true;
    auto& out = output_.tail();
    out += "BDAT ";
    codec::append_number(out, octets.size());
    out += last ? " LAST\r\n" : "\r\n";
    out += octets;
    if (last) return;
    ++transaction_->chunks;
    awaited_.push_back(Awaited::Chunk);
}

void ClientEngine::body_failed(TransactionId id) {
    if (!transaction_ || transaction_->id != id || !transaction_->in_body) return;
    MAILCORE_ASSERT(transaction_->body_asked);
    transaction_->body_asked = false;
    give_up(Problem::BodyUnavailable);
}

/// The message cannot be finished. Between chunks RSET takes it back; after DATA only the end of
/// the connection does.
void ClientEngine::give_up(Problem problem) {
    auto& t = *transaction_;
    if (t.writer.framing() == detail::BodyWriter::Framing::Dots) return end(problem, std::nullopt);
    fail_accepted(Stage::Body, std::nullopt, problem);
    t.in_body = false;
    t.over = true;
    needs_reset_ = true;
    pump();
}

void ClientEngine::handle_chunk(Reply reply) {
    auto& t = *transaction_;
    --t.chunks;
    if (!reply.is_positive() && !t.over) {
        // RFC 3030 §2: no more chunks; those under way are answered too, and mean nothing.
        fail_accepted(Stage::Body, std::move(reply), Problem::None);
        t.in_body = false;
        t.over = true;
        needs_reset_ = true;
    }
    pump();
}

void ClientEngine::handle_final(const Reply& reply) {
    auto& t = *transaction_;
    if (!t.over) {
        if (lmtp()) {
            t.results[t.accepted[t.finals]] = {Stage::Final, reply, Problem::None};
        } else {
            for (const auto index : t.accepted)
                t.results[index] = {Stage::Final, reply, Problem::None};
        }
        ++t.finals;
    }
    if (awaited_.empty()) finish_transaction();
}

// The end

void ClientEngine::fail_accepted(Stage stage, std::optional<Reply> reply, Problem problem) {
    for (const auto index : transaction_->accepted)
        transaction_->results[index] = {stage, reply, problem};
}

void ClientEngine::finish_transaction() {
    auto transaction = std::move(transaction_);
    stage_ = Stage::Idle;
    events_.push_back(TransactionDone{transaction->id, std::move(transaction->results),
                                      transaction->writer.longest_line_octets()});
    settle();
}

/// The connection ends in the middle: what has no answer gets none.
void ClientEngine::lose_transaction(Stage stage, Problem problem,
                                    const std::optional<Reply>& reply) {
    auto& t = *transaction_;
    const RecipientResult lost{stage, reply, reply ? Problem::None : problem};
    if (!t.over && !t.mail_refused) {
        for (std::size_t i = 0; i < t.results.size(); ++i) {
            auto& result = t.results[i];
            const bool refused =
                result.problem != Problem::None || (result.reply && !result.reply->is_positive());
            if (!refused && !(result.stage == Stage::Final && result.reply)) result = lost;
        }
    }
    auto transaction = std::move(transaction_);
    events_.push_back(TransactionDone{transaction->id, std::move(transaction->results),
                                      transaction->writer.longest_line_octets()});
}

} // namespace mailcore::smtp
