#include "libmailcore/imap/framing.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

namespace mailcore::imap {
namespace {

// Assigning an empty string would keep the capacity.
void release(std::string& text) { std::string().swap(text); }

constexpr std::size_t head_octets_max = 128; // of a discarded command: a tag and a verb
constexpr std::size_t end_octets_max = 32; // of a discarded line: the longest announcement and more

// "{" number64 ["+"] "}" at the end of a line.
std::optional<Framer::Announcement> announcement(std::string_view line) {
    if (!line.ends_with('}')) return std::nullopt;
    line.remove_suffix(1);
    Framer::Announcement found;
    if (line.ends_with('+')) {
        found.mode = Framer::Announcement::Mode::NonSynchronising;
        line.remove_suffix(1);
    }
    std::size_t digits = 0;
    while (digits < line.size() && codec::is_digit(line[line.size() - 1 - digits])) ++digits;
    if (digits == 0 || digits == line.size() || line[line.size() - 1 - digits] != '{')
        return std::nullopt;
    found.octets = codec::parse_u64(line.substr(line.size() - digits))
                       .value_or(std::numeric_limits<std::uint64_t>::max());
    return found;
}

} // namespace

Framer::Step Framer::read(std::string_view octets) {
    if (done_) {
        release(buffer_);
        release(head_);
        release(end_);
        command_ = {};
        line_start_ = 0;
        discarded_ = 0;
    }
    std::size_t taken = 0;
    while (taken < octets.size()) {
        done_ = false;
        const auto rest = octets.substr(taken);
        Step step{Outcome::NeedMore, 0};
        switch (mode_) {
        case Mode::Line: step = read_line(rest); break;
        case Mode::DiscardLine: step = read_discarded_line(rest); break;
        case Mode::Literal:
            step.taken =
                static_cast<std::size_t>(std::min<std::uint64_t>(literal_left_, rest.size()));
            buffer_ += rest.substr(0, step.taken);
            literal_left_ -= step.taken;
            if (literal_left_ > 0) break;
            mode_ = Mode::Line;
            line_start_ = buffer_.size();
            break;
        case Mode::DiscardLiteral:
            step.taken =
                static_cast<std::size_t>(std::min<std::uint64_t>(literal_left_, rest.size()));
            literal_left_ -= step.taken;
            if (literal_left_ == 0) mode_ = Mode::DiscardLine;
            break;
        }
        taken += step.taken;
        if (step.outcome == Outcome::NeedMore) continue;
        if (step.outcome != Outcome::Literal) {
            mode_ = Mode::Line;
            done_ = true;
        }
        return {step.outcome, taken};
    }
    return {Outcome::NeedMore, taken};
}

// Up to a CRLF, or all there is.
Framer::Step Framer::read_line(std::string_view octets) {
    std::size_t end = std::string_view::npos; // behind the LF
    if (cr_ && octets.front() == '\n') {
        end = 1;
    } else if (const auto crlf = octets.find("\r\n"); crlf != std::string_view::npos) {
        end = crlf + 2;
    }
    const auto part = octets.substr(0, end);
    cr_ = end == std::string_view::npos && part.ends_with('\r');
    const auto waiting_cr = cr_ ? std::size_t{1} : std::size_t{0};
    const auto crlf_octets = end == std::string_view::npos ? waiting_cr : std::size_t{2};
    if (buffer_.size() + part.size() > limits_.command_octets_max + crlf_octets) {
        begin_discarding();
        return read_discarded_line(octets);
    }
    if (end == std::string_view::npos) {
        buffer_ += part;
        return {Outcome::NeedMore, part.size()};
    }
    if (buffer_.empty()) {
        command_ = part.substr(0, part.size() - 2);
    } else {
        buffer_ += part;
        buffer_.resize(buffer_.size() - 2);
        command_ = buffer_;
    }
    if (const auto found = announcement(command_.substr(line_start_))) {
        literal_ = *found;
        if (buffer_.empty()) buffer_ = command_;
        command_ = buffer_;
        return {Outcome::Literal, part.size()};
    }
    return {Outcome::Command, part.size()};
}

void Framer::begin_discarding() {
    head_ = buffer_.substr(0, head_octets_max);
    end_ = buffer_.substr(buffer_.size() - std::min(buffer_.size(), end_octets_max));
    cr_ = end_.ends_with('\r');
    release(buffer_);
    command_ = {};
    mode_ = Mode::DiscardLine;
}

bool Framer::count_discarded(std::uint64_t octets) {
    if (octets > limits_.discarded_octets_max - std::min(discarded_, limits_.discarded_octets_max))
        return false;
    discarded_ += octets;
    return true;
}

Framer::Step Framer::read_discarded_line(std::string_view octets) {
    std::size_t end = std::string_view::npos;
    if (cr_ && octets.front() == '\n') {
        end = 1;
    } else if (const auto crlf = octets.find("\r\n"); crlf != std::string_view::npos) {
        end = crlf + 2;
    }
    const auto part = octets.substr(0, end);
    cr_ = end == std::string_view::npos && part.ends_with('\r');
    if (head_.size() < head_octets_max) head_ += part.substr(0, head_octets_max - head_.size());
    end_ += part.substr(part.size() - std::min(part.size(), end_octets_max));
    if (end_.size() > end_octets_max) end_.erase(0, end_.size() - end_octets_max);
    if (!count_discarded(part.size())) return {Outcome::Overrun, part.size()};
    if (end == std::string_view::npos) return {Outcome::NeedMore, part.size()};
    const auto line = std::string_view(end_).substr(0, end_.size() - 2);
    const auto found = announcement(line);
    end_.clear();
    if (!found || found->mode == Announcement::Mode::Synchronising)
        return {Outcome::Discarded, part.size()};
    if (!count_discarded(found->octets)) return {Outcome::Overrun, part.size()};
    literal_left_ = found->octets;
    mode_ = literal_left_ > 0 ? Mode::DiscardLiteral : Mode::DiscardLine;
    return {Outcome::NeedMore, part.size()};
}

bool Framer::fits(std::uint64_t literal_octets) const {
    return buffer_.size() + 2 < limits_.command_octets_max &&
           literal_octets <= limits_.command_octets_max - buffer_.size() - 2;
}

void Framer::collect_literal() {
    MAILCORE_ASSERT(fits(literal_.octets));
    buffer_ += "\r\n";
    literal_left_ = literal_.octets;
    mode_ = literal_left_ > 0 ? Mode::Literal : Mode::Line;
    line_start_ = buffer_.size();
}

void Framer::hand_over_literal() {
    wipe();
    mode_ = Mode::Line;
    done_ = true;
}

Framer::Discard Framer::discard() {
    if (literal_.mode == Announcement::Mode::Synchronising) {
        head_ = std::string(command_.substr(0, head_octets_max));
        command_ = {};
        mode_ = Mode::Line;
        done_ = true;
        return Discard::Over;
    }
    begin_discarding();
    end_.clear();
    cr_ = false;
    if (!count_discarded(literal_.octets)) return Discard::Hopeless;
    literal_left_ = literal_.octets;
    mode_ = literal_left_ > 0 ? Mode::DiscardLiteral : Mode::DiscardLine;
    return Discard::Swallowing;
}

void Framer::wipe() {
    for (auto* text : {&buffer_, &head_, &end_}) {
        explicit_bzero(text->data(), text->capacity());
        release(*text);
    }
    command_ = {};
    mode_ = Mode::Line;
    done_ = true;
    cr_ = false;
    line_start_ = 0;
    literal_left_ = 0;
    discarded_ = 0;
}

std::size_t Framer::memory() const {
    static const std::size_t inside = std::string().capacity();
    std::size_t octets = 0;
    for (const auto* text : {&buffer_, &head_, &end_})
        if (text->capacity() > inside) octets += text->capacity();
    return octets;
}

} // namespace mailcore::imap
