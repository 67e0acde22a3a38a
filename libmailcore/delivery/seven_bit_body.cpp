#include "libmailcore/delivery/seven_bit_body.h"

#include "libmailcore/mime/parser.h"

#include <algorithm>
#include <utility>

namespace mailcore::delivery {

namespace {

constexpr std::size_t piece_octets = 64 * 1024;

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
    for (std::uint64_t at = 0; at < message.size;) {
        const auto octets = co_await store::read_octets(store, message.pieces, at, piece_octets);
        if (!octets || octets->empty()) co_return std::unexpected(unreadable());
        parser.feed(*octets);
        at += octets->size();
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
    for (std::uint64_t at = 0; at < message_.size;) {
        const auto octets = co_await store::read_octets(store_, message_.pieces, at, piece_octets);
        if (!octets || octets->empty()) co_return std::unexpected(unreadable());
        if (const auto obstacle = writer_.write(*octets, converted))
            co_return std::unexpected(outcome_of(*obstacle));
        at += octets->size();
        size_ += converted.size();
        converted.clear();
    }
    writer_.finish(converted);
    size_ += converted.size();
    co_return std::expected<void, Outcome>{};
}

Task<Result<std::string>> SevenBitBody::read(std::size_t room) {
    while (handed_ == converted_.size() && taken_ < message_.size) {
        converted_.clear();
        handed_ = 0;
        const auto octets =
            co_await store::read_octets(store_, message_.pieces, taken_, piece_octets);
        if (!octets) co_return std::unexpected(octets.error());
        if (octets->empty()) co_return base::fail(base::ErrorKind::NotFound, "the message is gone");
        // The obstacles were looked for when it was measured, and nobody changes a blob.
        if (writer_.write(*octets, converted_))
            co_return base::fail(base::ErrorKind::Corrupt, "the message has changed");
        taken_ += octets->size();
        if (taken_ == message_.size) writer_.finish(converted_);
    }
    auto out = converted_.substr(handed_, room);
    handed_ += out.size();
    co_return out;
}

} // namespace mailcore::delivery
