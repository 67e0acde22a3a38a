#include "libmailcore/delivery/seven_bit_body.h"

#include "libmailcore/mime/parser.h"

#include <utility>

namespace mailcore::delivery {

namespace {

Outcome outcome_of(mime::SevenBitObstacle obstacle) {
    const std::string next_host = "the next host takes 7-bit mail only, and ";
    switch (obstacle) {
    case mime::SevenBitObstacle::Signed:
        return Outcome::failed("5.6.2", next_host + "the message is signed with 8-bit content");
    case mime::SevenBitObstacle::Header:
        return Outcome::failed("5.6.9", next_host + "the header has 8-bit octets");
    case mime::SevenBitObstacle::Unreadable: break;
    }
    return Outcome::failed("5.6.3", next_host + "the message cannot be converted");
}

Outcome unreadable() { return Outcome::deferred("4.3.0", "the message cannot be read"); }

} // namespace

Task<std::expected<std::unique_ptr<SevenBitBody>, Outcome>>
SevenBitBody::open(store::Store& store, const queue::Message& message) {
    mime::Parser parser;
    store::PiecesReader pieces(store, message.pieces);
    pieces.start(0, message.size);
    while (true) {
        const auto octets = co_await pieces.next();
        if (!octets) co_return std::unexpected(unreadable());
        if (octets->empty()) break;
        parser.feed(*octets);
    }
    const auto structure = parser.finish();
    auto writer = mime::SevenBitWriter::create(structure);
    if (!writer) co_return std::unexpected(outcome_of(writer.error()));
    auto body = std::make_unique<SevenBitBody>(store, message, *writer);
    auto measured = co_await body->measure();
    if (!measured) co_return std::unexpected(std::move(measured).error());
    body->writer_ = std::move(*writer);
    co_return body;
}

/// Converts it all to see how much it becomes. The writer is spent then.
Task<std::expected<void, Outcome>> SevenBitBody::measure() {
    std::string converted;
    pieces_.start(0, message_.size);
    while (true) {
        const auto octets = co_await pieces_.next();
        if (!octets) co_return std::unexpected(unreadable());
        if (octets->empty()) break;
        if (const auto obstacle = writer_.write(*octets, converted))
            co_return std::unexpected(outcome_of(*obstacle));
        size_ += converted.size();
        converted.clear();
    }
    writer_.finish(converted);
    size_ += converted.size();
    pieces_.start(0, message_.size);
    co_return std::expected<void, Outcome>{};
}

Task<Result<std::string>> SevenBitBody::read(std::size_t room) {
    while (handed_ == converted_.size() && !finished_) {
        converted_.clear();
        handed_ = 0;
        MAILCORE_CO_TRY(const auto octets, pieces_.next());
        finished_ = octets.empty();
        // The obstacles were looked for when it was measured, and nobody changes a blob.
        if (finished_)
            writer_.finish(converted_);
        else if (writer_.write(octets, converted_))
            co_return base::fail(base::ErrorKind::Corrupt, "the message has changed");
    }
    auto out = converted_.substr(handed_, room);
    handed_ += out.size();
    co_return out;
}

} // namespace mailcore::delivery
