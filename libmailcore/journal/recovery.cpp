// How a journal is opened: what of it counts, what is damaged, and what has to be written again.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/journal/detail/chain.h"
#include "libmailcore/journal/detail/scanner.h"
#include "libmailcore/journal/detail/state.h"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <utility>

namespace mailcore::journal {

using detail::Link;
using detail::Scanner;
using detail::Stretch;

namespace {

constexpr std::string_view id_name = "id";
constexpr std::string_view id_begins = "libmailcore journal 1\n";

/// A frame of which no later one says that it is on disk.
struct Pending {
    Stretch frame;
    FrameInfo info;
};

/// What recovering goes through, in order.
class Recovery {
  public:
    Recovery(Journal::State& state, const Mark& from, const Replay& replay);
    Result<void> run(const std::vector<std::string>& names);

  private:
    std::vector<Link> find_segments(const std::vector<std::string>& names);
    Result<void> scan(Link& log, bool last);
    Result<void> take(const Link& log, Stretch stretch);
    Result<void> salvage(const Link& log, const Stretch& stretch);
    Result<void> settle_pending();
    Result<void> deliver(const Stretch& frame, const FrameInfo& info);
    Result<void> write_again(Link& log);
    void damaged(const std::string& what);

    Journal::State& state_;
    const Position from_;
    const Replay& replay_;
    Position durable_;  // all before it is known to be on disk
    Position good_end_; // behind the last frame that counts
    std::uint32_t chain_;
    std::uint64_t batch_; // of the last frame; 0: unknown
    std::deque<Pending> pending_;
};

Recovery::Recovery(Journal::State& state, const Mark& from, const Replay& replay)
    : state_(state), from_(from.position), replay_(replay), durable_(from.position),
      good_end_(from.position), chain_(from.chain), batch_(from.batch) {}

void Recovery::damaged(const std::string& what) {
    MAILCORE_LOG(state_.log, Error, "journal.damage", {{"what", what}});
    if (replay_.damage) replay_.damage(what);
}

std::vector<Link> Recovery::find_segments(const std::vector<std::string>& names) {
    std::vector<Link> links;
    for (const auto& name : names) {
        const auto parsed = parse_segment_name(name);
        if (!parsed) continue;
        state_.last_number = std::max(state_.last_number.load(), parsed->number);
        if (parsed->kind == SegmentKind::Bodies) state_.body_numbers.push_back(parsed->number);
        if (parsed->kind != SegmentKind::Log) continue;
        Link link;
        link.number = parsed->number;
        link.base = parsed->base;
        link.path = state_.path(name);
        links.push_back(std::move(link));
    }
    std::ranges::sort(state_.body_numbers);
    return links;
}

Result<void> Recovery::deliver(const Stretch& frame, const FrameInfo& info) {
    MAILCORE_TRY(read_records(
        frame.records, [&](const Record& record) { return replay_.record(info, record); },
        [&](std::size_t at, std::string_view what) {
            damaged(fmt::format("segment {} at {}, record at {}: {}", info.segment, frame.offset,
                                at, what));
        }));
    if (replay_.frame_end) {
        MAILCORE_TRY(replay_.frame_end(info));
    }
    return {};
}

/// Gives out the frames that are known to be on disk by now.
Result<void> Recovery::settle_pending() {
    while (!pending_.empty() && pending_.front().info.end <= durable_) {
        MAILCORE_TRY(deliver(pending_.front().frame, pending_.front().info));
        pending_.pop_front();
    }
    return {};
}

Result<void> Recovery::take(const Link& log, Stretch stretch) {
    const auto& header = *stretch.header;
    if (batch_ != 0 && header.batch > batch_ + 1)
        damaged(fmt::format("segment {} at {}: {} frames before it are missing", log.number,
                            stretch.offset, header.batch - batch_ - 1));
    batch_ = header.batch;
    chain_ = header.checksum;
    good_end_ = log.base + stretch.until;
    durable_ = std::max(durable_, header.durable);
    state_.last_number = std::max(state_.last_number.load(), header.segments_used);
    const auto info = detail::info_of(stretch, log.number, log.base);
    pending_.push_back({std::move(stretch), info});
    return settle_pending();
}

/// A damaged frame: what of its records still matches its own checksum counts.
Result<void> Recovery::salvage(const Link& log, const Stretch& stretch) {
    damaged(fmt::format("segment {} at {}: a damaged frame, {} octets", log.number, stretch.offset,
                        stretch.until - stretch.offset));
    if (batch_ != 0) ++batch_;
    chain_ = 0; // unknown
    good_end_ = log.base + stretch.until;
    durable_ = std::max(durable_, log.base + stretch.offset);
    MAILCORE_TRY(settle_pending());
    if (!stretch.header) return {};
    return deliver(stretch, detail::info_of(stretch, log.number, log.base));
}

Result<void> Recovery::scan(Link& log, bool last) {
    Scanner scanner(*log.file, state_.store, log.number, log.base,
                    from_ > log.base ? from_ - log.base : 0,
                    std::min(log.octets, log.sealed.value_or(log.octets)));
    while (true) {
        MAILCORE_TRY(auto stretch, scanner.next());
        if (!stretch) break;
        if (stretch->intact) {
            MAILCORE_TRY(take(log, std::move(*stretch)));
            continue;
        }
        // Where the end is known, all before it was on disk; else a later frame's word is needed.
        const auto position = log.base + stretch->offset;
        if (!log.sealed && (!stretch->next_durable || *stretch->next_durable <= position)) break;
        MAILCORE_TRY(salvage(log, *stretch));
    }
    if (last) return {};
    // What a later segment goes on from had been synced.
    durable_ = std::max(durable_, good_end_);
    MAILCORE_TRY(settle_pending());
    if (log.chain && *log.chain != 0 && chain_ != 0 && *log.chain != chain_)
        damaged(fmt::format("segment {}: its end does not match the segment after it", log.number));
    return {};
}

/// The frames that may not be on disk yet (they may be in the kernel's memory only) go into a new
/// segment, in one frame, which is synced before anybody sees them.
Result<void> Recovery::write_again(Link& log) {
    Frame again;
    std::string bodies; // keeps the octets that `again` views
    std::uint64_t bodies_octets = 0;
    bool anything = false;
    for (const auto& each : pending_) bodies_octets += each.frame.header->bodies_octets;
    bodies.reserve(static_cast<std::size_t>(bodies_octets));
    for (const auto& each : pending_) {
        if (!detail::verify_bodies(*log.file, each.frame, state_.codec)) break; // torn after all
        const auto add = [&](const Record& record) -> Result<void> {
            if (record.header.type == RecordType::End) return {};
            anything = true;
            if (record.header.type == RecordType::Body) {
                MAILCORE_TRY(const auto body, decode_body_record(record.content));
                if (body.place.segment == 0) {
                    const auto at = bodies.size();
                    bodies.resize(at + static_cast<std::size_t>(body.place.stored));
                    MAILCORE_TRY(const auto got,
                                 log.file->read_at(each.info.bodies_offset + body.place.offset,
                                                   std::span(bodies).subspan(at)));
                    MAILCORE_ASSERT(got == body.place.stored);
                    again.add_body(body, std::string_view(bodies).substr(at));
                    return {};
                }
            }
            again.add(record.header.type, record.header.account, record.content);
            return {};
        };
        MAILCORE_TRY(read_records(each.frame.records, add, [](std::size_t, std::string_view) {}));
    }
    if (!anything) return {};
    // What the new frame is replayed from: the same records, in their new place.
    const auto records = again.content();
    // On a full disk it may have to be the reserve.
    auto put = state_.append(again, Space::Normal);
    if (!put && put.error().kind == ErrorKind::LimitExceeded)
        put = state_.append(std::move(again), Space::Reserve);
    MAILCORE_TRY(const auto info, std::move(put));
    MAILCORE_TRY(read_records(
        records, [&](const Record& record) { return replay_.record(info, record); },
        [](std::size_t, std::string_view) {}));
    if (replay_.frame_end) {
        MAILCORE_TRY(replay_.frame_end(info));
    }
    return {};
}

Result<void> Recovery::run(const std::vector<std::string>& names) {
    MAILCORE_TRY(auto chain,
                 detail::find_chain(state_.files, state_.store, find_segments(names), from_,
                                    [this](const auto& what) { damaged(what); }));
    auto& links = chain.links;
    for (auto& link : links) {
        MAILCORE_TRY(scan(link, &link == &links.back()));
    }
    // Where the log goes on. Of the frames that are not known to be on disk none counts in its old
    // place.
    auto seal = good_end_;
    if (!pending_.empty()) {
        seal = pending_.front().info.begin;
        chain_ = pending_.front().frame.header->chain;
        batch_ = pending_.front().info.batch - 1;
    }
    state_.batch = batch_;
    state_.chain = chain_;
    state_.base_min = std::max(round_to_blocks(from_), round_to_blocks(good_end_));
    for (const auto& link : chain.leftovers) {
        state_.leftovers.push_back(link.path);
        const auto file = state_.files.open(link.path, OpenMode::Read);
        const auto octets = file ? (*file)->size() : Result<std::uint64_t>(0);
        state_.base_min =
            std::max(state_.base_min, round_to_blocks(link.base + octets.value_or(0)));
    }
    for (const auto& link : chain.before) state_.segments.push_back({link.number, link.base, 0});
    for (const auto& link : links) {
        state_.base_min = std::max(state_.base_min, round_to_blocks(link.base + link.octets));
        const auto end = &link == &links.back() ? std::max(seal, link.base) - link.base
                                                : link.sealed.value_or(link.octets);
        state_.segments.push_back({link.number, link.base, end});
    }
    if (links.empty()) {
        if (from_ > 0) damaged(fmt::format("the log is gone; it had reached {}", from_));
        return {};
    }
    auto& last = links.back();
    if (from_ > last.base + last.octets)
        damaged(
            fmt::format("the log ends at {}; it had reached {}", last.base + last.octets, from_));
    state_.previous = last.number;
    state_.sealed = std::max(seal, last.base);
    return write_again(last);
}

} // namespace

namespace {

Result<StoreId> read_id_file(base::FileSystem& files, const std::string& folder) {
    MAILCORE_TRY(const auto text,
                 base::read_file(files, folder + "/" + std::string(id_name), 1024));
    std::string_view rest = text;
    StoreId id{};
    const auto octets = [&]() -> std::optional<std::string> {
        if (!rest.starts_with(id_begins)) return std::nullopt;
        rest.remove_prefix(id_begins.size());
        if (rest.size() != id.size() * 2 + 1 || !rest.ends_with('\n')) return std::nullopt;
        rest.remove_suffix(1);
        return codec::hex_decode(rest);
    }();
    if (!octets || octets->size() != id.size())
        return fail(ErrorKind::Corrupt, folder + "/" + std::string(id_name) + " cannot be read");
    std::copy(octets->begin(), octets->end(), id.begin());
    return id;
}

/// Any segment knows it.
Result<std::optional<StoreId>> id_of_segments(base::FileSystem& files, const std::string& folder) {
    MAILCORE_TRY(const auto names, files.list(folder));
    for (const auto& name : names) {
        if (!parse_segment_name(name)) continue;
        MAILCORE_TRY(const auto file, files.open(folder + "/" + name, OpenMode::Read));
        std::string block(segment_header_octets, '\0');
        MAILCORE_TRY(const auto got, file->read_at(0, block));
        block.resize(got);
        if (const auto header = decode_segment_header(block)) return header->store;
    }
    return std::nullopt;
}

} // namespace

Result<StoreId> Journal::read_store_id(base::FileSystem& files, const std::string& folder) {
    auto known = read_id_file(files, folder);
    if (known ||
        (known.error().kind != ErrorKind::NotFound && known.error().kind != ErrorKind::Corrupt))
        return known;
    MAILCORE_TRY(const bool there, files.exists(folder));
    if (!there) return known;
    MAILCORE_TRY(const auto found, id_of_segments(files, folder));
    if (found) return *found;
    return known;
}

Result<void> Journal::State::load_store_id() {
    if (const auto known = read_id_file(files, folder)) {
        store = *known;
        return {};
    }
    const auto known = Journal::read_store_id(files, folder);
    if (known)
        store = *known;
    else if (known.error().kind != ErrorKind::NotFound && known.error().kind != ErrorKind::Corrupt)
        return std::unexpected(known.error());
    else
        random.fill(store);
    std::string text(id_begins);
    text += codec::hex_encode({reinterpret_cast<const char*>(store.data()), store.size()});
    text += '\n';
    return base::replace_file(files, path(std::string(id_name)), text);
}

Result<void> Journal::State::recover(const Mark& from, const Replay& replay) {
    MAILCORE_TRY(const auto names, files.list(folder));
    MAILCORE_TRY(load_store_id());
    MAILCORE_TRY(auto found, find_snapshots(files, folder, store));
    snapshots = std::move(found.finished);
    for (const auto& name : found.unfinished) {
        MAILCORE_LOG(log, Info, "journal.snapshot.unfinished", {{"file", name}});
        leftovers.push_back(path(name));
    }
    // Usable if it has the size that counts; else it is made again when there is time.
    if (options.reserve_octets > 0 && std::ranges::binary_search(names, "reserve")) {
        MAILCORE_TRY(const auto file, files.open(reserve_path(), OpenMode::Read));
        MAILCORE_TRY(const auto octets, file->size());
        reserve_ready = octets >= options.reserve_octets;
    }
    last_number = options.numbers_from > 0 ? options.numbers_from - 1 : 0;
    Recovery recovery(*this, from, replay);
    return recovery.run(names);
}

Result<std::unique_ptr<Journal>> Journal::open(base::FileSystem& files, std::string folder,
                                               const Options& options, base::Random& random,
                                               const base::Clock& clock, Log log, const Mark& from,
                                               const Replay& replay) {
    MAILCORE_TRY(base::make_durable_folder(files, folder));
    auto state = std::make_unique<State>(files, std::move(folder), options, random, clock, log);
    MAILCORE_TRY(state->recover(from, replay));
    return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

} // namespace mailcore::journal
