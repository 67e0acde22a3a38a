// BDAT (RFC 3030 §2).
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/smtp/server_engine.h"

#include <algorithm>

namespace mailcore::smtp {

// "BDAT" SP chunk-size [ SP "LAST" ]. The chunk comes whatever we think of the command, so a
// refusal swallows it first.
void ServerEngine::bdat(std::string_view arguments) {
    const auto space = std::min(arguments.find(' '), arguments.size());
    const auto octets = codec::parse_u64(arguments.substr(0, space));
    const auto marker = arguments.substr(std::min(space + 1, arguments.size()));
    const bool last = codec::equal_ignoring_case(marker, "LAST");
    // Of a chunk whose size is not known, nobody can say where it ends.
    if (!octets || (!last && space != arguments.size()))
        return close_with({501, EnhancedStatus{5, 5, 4}, "Syntax: BDAT size [LAST]"},
                          EndReason::Junk);

    const auto refusal = [&]() -> std::optional<Reply> {
        if (options_->requires_tls && !peer_.tls)
            return Reply{530, EnhancedStatus{5, 7, 0}, "Must issue a STARTTLS command first"};
        if (options_->requires_auth && !authenticated_)
            return Reply{530, EnhancedStatus{5, 7, 0}, "Authentication required"};
        if (state_ == State::Mail)
            return Reply{503, EnhancedStatus{5, 5, 1}, "No valid recipients"};
        if (state_ != State::Recipients && state_ != State::Chunking)
            return Reply{503, EnhancedStatus{5, 5, 1}, "Not in a transaction"};
        return std::nullopt;
    }();

    if (!body_) {
        const auto text = body_type_ == BodyType::BinaryMime ? detail::BodyReader::Text::Binary
                                                             : detail::BodyReader::Text::Lines;
        body_ = std::make_unique<Body>(
            Body{.reader = detail::BodyReader(body_limits(), text), .chunked = true});
    }
    body_->reader.begin_chunk(*octets, last);
    block_at_ = window_began_ = now_;
    window_octets_ = 0;
    if (refusal) {
        body_->failure = *refusal;
        body_->stray = state_ != State::Mail && state_ != State::Failed;
        return swallow();
    }
    begin_chunk(*octets, last);
}

} // namespace mailcore::smtp
