// Letters and their checksums.
#include "tests/bench/mdload/letters.h"

#include "libmailcore/base/random.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/crc32c.h"
#include "libmailcore/codec/number.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

namespace mailcore::mdload {

namespace {

constexpr std::size_t line_octets = 78; // with CRLF
constexpr std::size_t text_octets = line_octets * 8 * 1024;
constexpr std::size_t base64_octets = line_octets * 56 * 1024; // twice the largest letter
constexpr std::size_t attachment_from = 24 * 1024;             // larger letters have one
constexpr std::size_t head_octets_max = 64 * 1024;             // what servers may put before ours
constexpr std::string_view mark = "X-Mdload: ";

/// Words as in mail: compresses about as well.
std::string text_pool(base::SeededRandom& random) {
    constexpr std::array<std::string_view, 48> words = {
        "the",     "of",      "and",      "a",       "to",       "in",       "is",      "you",
        "that",    "it",      "he",       "was",     "for",      "on",       "are",     "with",
        "meeting", "invoice", "tomorrow", "please",  "find",     "attached", "report",  "quarter",
        "regards", "would",   "could",    "project", "schedule", "delivery", "server",  "question",
        "between", "because", "customer", "update",  "version",  "number",   "address", "contract",
        "I",       "we",      "they",     "this",    "have",     "from",     "one",     "by"};
    std::string pool, line;
    while (pool.size() < text_octets) {
        line.clear();
        while (line.size() < line_octets - 2) {
            line += random.below(12) == 0 ? random.hex(4)
                                          : std::string(words[random.below(words.size())]);
            line += ' ';
        }
        line.resize(line_octets - 2);
        pool += line + "\r\n";
    }
    return pool;
}

std::string base64_pool(base::SeededRandom& random) {
    std::string octets(base64_octets / line_octets * 57, '\0');
    random.fill({reinterpret_cast<unsigned char*>(octets.data()), octets.size()});
    std::string pool;
    codec::Base64Encoder encoder;
    encoder.encode(octets, pool);
    encoder.finish(pool);
    return pool;
}

} // namespace

std::vector<std::size_t> Letters::mixed_sizes() {
    constexpr std::size_t kib = 1024;
    std::vector<std::size_t> sizes;
    // Of fifty: 24 of 4 KiB, 14 of 12 KiB, 8 of 48 KiB, 3 of 200 KiB, 1 of 1 MiB; in mean 46 KiB.
    for (std::size_t i = 0; i < 50; ++i)
        sizes.push_back(i == 25       ? 1024 * kib
                        : i % 17 == 3 ? 200 * kib
                        : i % 6 == 1  ? 48 * kib
                        : i % 3 == 0  ? 12 * kib
                                      : 4 * kib);
    return sizes;
}

Letters::Letters(std::vector<std::size_t> sizes, std::uint64_t seed)
    : sizes_(std::move(sizes)), seed_(seed) {
    base::SeededRandom random(seed + 1);
    text_ = text_pool(random);
    if (std::ranges::any_of(sizes_, [](std::size_t size) { return size >= attachment_from; }))
        base64_ = base64_pool(random);
}

Letter Letters::next() {
    const auto number = number_++;
    const auto size = sizes_[number % sizes_.size()];
    const bool attachment = size >= attachment_from;
    const auto& pool = attachment ? base64_ : text_;
    // The line of X-Mdload has a fixed length, so that its content can be written last.
    const auto mark_line = mark.size() + 10 + 1 + 10 + 1 + 8 + 2;
    head_.assign(mark_line, ' ');
    fmt::format_to(
        std::back_inserter(head_),
        "Message-ID: <{0}.{1}@load.example.org>\r\n"
        "Date: Mon, 6 May 2024 12:{2:02}:{3:02} +0200\r\n"
        "From: \"Sender Number {4}\" <sender{4}@example.org>\r\n"
        "To: User <user{5}@example.test>, \"Somebody Else\" <else{6}@example.test>\r\n"
        "Cc: list-{6}@lists.example.org\r\nSubject: [list-{6}] Re: the matter of {0} {1}\r\n"
        "In-Reply-To: <{7}.{1}@load.example.org>\r\nReferences: <{7}.{1}@load.example.org>\r\n"
        "MIME-Version: 1.0\r\n",
        number, seed_, number / 60 % 60, number % 60, number % 977, number % 100, number % 200,
        number / 2);
    if (attachment)
        fmt::format_to(std::back_inserter(head_),
                       "Content-Type: multipart/mixed; boundary=\"=_part_{0}\"\r\n\r\n"
                       "--=_part_{0}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                       "See the attachment.\r\n\r\n--=_part_{0}\r\n"
                       "Content-Type: application/octet-stream; name=\"report-{0}.bin\"\r\n"
                       "Content-Disposition: attachment; filename=\"report-{0}.bin\"\r\n"
                       "Content-Transfer-Encoding: base64\r\n\r\n",
                       number);
    else
        head_ += "Content-Type: text/plain; charset=utf-8\r\n\r\n";

    auto body_octets = size > head_.size() + 2 ? size - head_.size() : 2;
    body_octets = std::min(body_octets, pool.size() / 2);
    const auto lines = (pool.size() - body_octets) / line_octets;
    const auto from = (number * 7919 % lines) * line_octets;
    // It must end with a line: what is left of the last one goes into the head as a line of text.
    const auto rest = body_octets % line_octets;
    if (rest > 0 && rest != line_octets) {
        if (attachment) {
            body_octets -= rest; // base64 lines cannot be cut anywhere
        } else if (rest >= 2) {
            head_.append(rest - 2, '-');
            head_ += "\r\n";
            body_octets -= rest;
        } else {
            body_octets -= rest;
        }
    }
    const auto body = std::string_view(pool).substr(from, body_octets);
    const auto covered = std::string_view(head_).substr(mark_line);
    const auto crc = codec::crc32c(body, codec::crc32c(covered));
    fmt::format_to(head_.data(), "{}{:010} {:010} {:08x}\r\n", mark, number,
                   covered.size() + body.size(), crc);
    return {head_, body};
}

void LetterCheck::begin() {
    head_.clear();
    found_ = hopeless_ = false;
    crc_ = 0;
}

void LetterCheck::feed(std::string_view octets) {
    if (hopeless_) return;
    if (found_) {
        if (octets.size() > octets_left_) {
            hopeless_ = true;
            return;
        }
        crc_ = codec::crc32c(octets, crc_);
        octets_left_ -= octets.size();
        return;
    }
    head_ += octets;
    std::string_view text = head_;
    auto at = text.starts_with(mark) ? std::size_t{0} : text.find(fmt::format("\r\n{}", mark));
    if (at != std::string_view::npos && at > 0) at += 2;
    const auto end = at == std::string_view::npos ? at : text.find("\r\n", at);
    if (end == std::string_view::npos) {
        hopeless_ = head_.size() > head_octets_max;
        return;
    }
    auto line = text.substr(at + mark.size(), end - at - mark.size());
    const auto number = codec::take_number<std::uint64_t>(line);
    if (line.starts_with(' ')) line.remove_prefix(1);
    const auto left = codec::take_number<std::uint64_t>(line);
    if (!number || !left || line.size() != 9 || line.front() != ' ') {
        hopeless_ = true;
        return;
    }
    line.remove_prefix(1);
    if (std::from_chars(line.data(), line.data() + line.size(), wanted_, 16).ec != std::errc{}) {
        hopeless_ = true;
        return;
    }
    number_ = *number;
    octets_left_ = *left;
    found_ = true;
    const std::string rest(text.substr(end + 2));
    head_.clear();
    feed(rest);
}

std::optional<std::uint64_t> LetterCheck::end() const {
    if (!found_ || hopeless_ || octets_left_ != 0 || crc_ != wanted_) return std::nullopt;
    return number_;
}

} // namespace mailcore::mdload
