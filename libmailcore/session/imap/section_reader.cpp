#include "libmailcore/session/imap/section_reader.h"

#include <algorithm>

namespace mailcore::session {

namespace {

constexpr std::size_t step_octets = 64 * 1024;

} // namespace

std::optional<mime::Range> locate_in(const store::Email& email, const mime::Structure& structure,
                                     const mime::Section& section) {
    using Text = mime::Section::Text;
    if (section.part.empty() && section.text == Text::All) return mime::Range{0, email.size};
    auto range = mime::locate(structure, section);
    if (!range) return range;
    const bool is_header = section.text != Text::All && section.text != Text::Body;
    if (is_header && range->offset == 0)
        range->octets += email.structure_offset;
    else
        range->offset += email.structure_offset;
    return range;
}

Task<Result<std::string>> read_range(store::Store& store, const store::Email& email,
                                     mime::Range range) {
    std::string octets;
    store::PiecesReader pieces(store, email.pieces);
    pieces.start(range.offset, std::min(range.octets, header_octets_max));
    while (true) {
        MAILCORE_CO_TRY(auto more, pieces.next());
        if (more.empty()) co_return octets;
        store::append_octets(octets, std::move(more));
    }
}

SectionReader::SectionReader(store::Store& store, std::shared_ptr<const store::Email> email,
                             mime::Range range, mime::Encoding encoding)
    : email_(std::move(email)), pieces_(store, email_->pieces), range_(range), encoding_(encoding),
      decoder_(encoding) {
    pieces_.start(range_.offset, range_.octets);
}

bool SectionReader::is_encoded() const {
    return encoding_ == mime::Encoding::Base64 || encoding_ == mime::Encoding::QuotedPrintable;
}

Task<Result<std::string>> SectionReader::read_raw(std::size_t octets_max) {
    auto raw = co_await pieces_.next(octets_max);
    if (raw && raw->empty())
        co_return fail(ErrorKind::Corrupt, "an email is shorter than its structure says");
    co_return raw;
}

Task<Result<std::uint64_t>> SectionReader::measure() {
    if (!is_encoded()) co_return range_.octets;
    mime::BodyDecoder decoder(encoding_);
    std::uint64_t octets = 0;
    std::string decoded;
    for (std::uint64_t at = 0; at < range_.octets;) {
        auto raw = co_await read_raw(step_octets);
        if (!raw) co_return std::unexpected(raw.error());
        at += raw->size();
        decoder.decode(*raw, decoded);
        octets += decoded.size();
        decoded.clear();
    }
    decoder.finish(decoded);
    pieces_.start(range_.offset, range_.octets);
    co_return octets + decoded.size();
}

std::uint64_t SectionReader::select(std::optional<imap::Partial> partial, std::uint64_t octets) {
    if (!partial) return octets;
    const auto offset = std::min(partial->offset, octets);
    const auto selected = std::min(partial->octets, octets - offset);
    if (is_encoded()) {
        skip_ = offset; // the end is kept by whoever pulls no more than was selected
    } else {
        range_ = {range_.offset + offset, selected};
        pieces_.start(range_.offset, range_.octets);
    }
    return selected;
}

Task<Result<void>> SectionReader::decode_more() {
    if (read_ == range_.octets)
        co_return fail(ErrorKind::Corrupt, "an encoded part changed its length");
    auto raw = co_await read_raw(step_octets);
    if (!raw) co_return std::unexpected(raw.error());
    read_ += raw->size();
    decoder_.decode(*raw, decoded_);
    if (read_ == range_.octets) decoder_.finish(decoded_);
    const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, decoded_.size()));
    decoded_.erase(0, skipped);
    skip_ -= skipped;
    co_return Result<void>{};
}

Task<Result<std::string>> SectionReader::next(std::size_t octets_max) {
    if (!is_encoded()) {
        auto raw = co_await read_raw(octets_max);
        co_return raw;
    }
    while (decoded_.empty()) {
        MAILCORE_CO_TRY(decode_more());
    }
    auto piece = decoded_.substr(0, octets_max);
    decoded_.erase(0, piece.size());
    co_return piece;
}

} // namespace mailcore::session
