#include "libmailcore/journal/detail/chain.h"

#include "libmailcore/journal/detail/scanner.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace mailcore::journal::detail {

namespace {

Result<std::optional<SegmentHeader>> header_of(base::File& file, const StoreId& store) {
    std::string block(segment_header_octets, '\0');
    MAILCORE_TRY(const auto got, file.read_at(0, block));
    block.resize(got);
    auto header = decode_segment_header(block);
    if (!header && header.error().kind == ErrorKind::Rejected)
        return std::unexpected(std::move(header).error());
    if (!header) return std::nullopt;
    if (header->store != store)
        return fail(ErrorKind::Rejected, "a segment of the journal belongs to another store");
    return *header;
}

/// Opens a segment; whether it has a frame that counts. Header and first frame are synced together:
/// with a damaged header the first frame counts only if one behind it says that they were.
Result<bool> look_into(base::FileSystem& files, const StoreId& store, Link& link) {
    MAILCORE_TRY(link.file, files.open(link.path, OpenMode::Read));
    MAILCORE_TRY(link.octets, link.file->size());
    MAILCORE_TRY(link.header, header_of(*link.file, store));
    Scanner scanner(*link.file, store, link.number, link.base, segment_header_octets, link.octets);
    MAILCORE_TRY(const auto first, scanner.next());
    if (!first) return false;
    if (link.header || !first->intact) return first->intact || first->next_durable;
    MAILCORE_TRY(const auto second, scanner.next());
    return second && (second->intact || second->next_durable);
}

} // namespace

Result<Chain> find_chain(base::FileSystem& files, const StoreId& store, std::vector<Link> links,
                         Position from, const std::function<void(const std::string&)>& damaged) {
    Chain chain;
    std::ranges::sort(links, std::greater(), &Link::number);
    // What lies behind `from` begins with this link: those before it may be gone.
    const auto is_first = [from](const Link& link) {
        return link.base <= from || (link.header && link.header->sealed <= from);
    };
    for (auto& link : links) {
        if (!chain.links.empty() && is_first(chain.links.back())) {
            chain.before.push_back(std::move(link));
            continue;
        }
        auto* next = chain.links.empty() ? nullptr : &chain.links.back();
        if (next && next->header && link.number > next->header->previous) {
            chain.leftovers.push_back(std::move(link));
            continue;
        }
        MAILCORE_TRY(const bool has_frame, look_into(files, store, link));
        const bool expected = next && next->header && next->header->previous == link.number;
        if (!has_frame && !expected) {
            chain.leftovers.push_back(std::move(link));
            continue;
        }
        if (!link.header) damaged(fmt::format("segment {}: its header is damaged", link.number));
        if (expected && next->header->sealed >= link.base) {
            link.sealed = next->header->sealed - link.base;
            link.chain = next->header->chain;
            if (link.octets < *link.sealed)
                damaged(fmt::format("segment {} is cut short", link.number));
        } else if (next && next->header) {
            damaged(fmt::format("segment {} is missing", next->header->previous));
        }
        chain.links.push_back(std::move(link));
    }
    if (!chain.links.empty() && !is_first(chain.links.back())) {
        const auto& first = chain.links.back();
        if (first.header && first.header->previous != 0)
            damaged(fmt::format("segment {} is missing", first.header->previous));
    }
    std::ranges::reverse(chain.links);
    std::ranges::reverse(chain.before);
    return chain;
}

} // namespace mailcore::journal::detail
