#include "libmailcore/store/detail/overview.h"

#include "libmailcore/codec/bytes.h"

namespace mailcore::store::detail {

namespace {

constexpr std::uint64_t overview_version = 1;

/// Made from the rows of its blocks.
TxnTask<Result<Overview>> make(ReadTransaction& txn, AccountId owner, MailboxId mailbox,
                               std::uint32_t number) {
    BlockSpan span;
    span.first = number * Overview::blocks;
    span.last = span.first + (Overview::blocks - 1);
    Overview overview;
    MAILCORE_CO_TRY(const auto rows,
                    block_rows(txn, owner, Table::Flags, mailbox, span, Overview::blocks));
    for (const auto& row : rows) {
        const auto block = FlagBlock::decode(row.value);
        if (!block) co_return std::unexpected(block.error());
        overview.set(key_u32(row.key, 4) % Overview::blocks, block->outline());
    }
    co_return overview;
}

} // namespace

void Overview::set(unsigned bit, const BlockOutline& outline) {
    const auto mask = std::uint64_t{1} << bit;
    const auto mark = [mask](std::uint64_t& bits, bool is) {
        bits = is ? bits | mask : bits & ~mask;
    };
    mark(some, outline.some);
    mark(full, outline.full);
    mark(unseen, outline.unseen);
    mark(deleted, outline.deleted);
}

std::string Overview::encode() const {
    std::string row;
    codec::Writer writer(row);
    writer.varint(overview_version).u64le(some).u64le(full).u64le(unseen).u64le(deleted);
    return row;
}

Result<Overview> Overview::decode(std::string_view row) {
    codec::Reader reader(row);
    Overview overview;
    if (reader.varint() != overview_version)
        return fail(ErrorKind::Corrupt, "overview of unknown version");
    overview.some = reader.u64le();
    overview.full = reader.u64le();
    overview.unseen = reader.u64le();
    overview.deleted = reader.u64le();
    const auto all = overview.full | overview.unseen | overview.deleted;
    if (!reader.at_end() || (all & ~overview.some) != 0)
        return fail(ErrorKind::Corrupt, "row of an overview");
    return overview;
}

Key overview_key(AccountId owner, MailboxId mailbox, std::uint32_t number) {
    return block_key(owner, Table::Overview, mailbox, number);
}

TxnTask<Result<std::vector<Overview>>> read_overviews(ReadTransaction& txn, AccountId owner,
                                                      MailboxId mailbox, Uid uidnext) {
    constexpr std::size_t rows_max = 1'024;
    std::vector<Overview> overviews;
    if (uidnext.value <= 1) co_return overviews;
    const auto count = block_of(Uid{uidnext.value - 1}) / Overview::blocks + 1;
    overviews.resize(count);
    std::vector<bool> known(count);
    BlockSpan span{0, count - 1};
    for (bool more = true; more;) {
        MAILCORE_CO_TRY(const auto rows,
                        block_rows(txn, owner, Table::Overview, mailbox, span, rows_max));
        for (const auto& row : rows) {
            const auto number = key_u32(row.key, 4);
            const auto overview = Overview::decode(row.value);
            known[number] = overview.has_value();
            if (overview) overviews[number] = *overview;
            span.first = number + 1;
        }
        more = rows.size() == rows_max;
    }
    for (std::uint32_t number = 0; number < count; ++number) {
        if (known[number]) continue;
        MAILCORE_CO_TRY(overviews[number], make(txn, owner, mailbox, number));
    }
    co_return overviews;
}

TxnTask<Result<void>> note_block(AccountEdit& edit, MailboxId mailbox, std::uint32_t block,
                                 const BlockOutline& outline) {
    const auto number = block / Overview::blocks;
    auto key = overview_key(edit.owner(), mailbox, number).str();
    Overview overview;
    MAILCORE_CO_TRY(const auto row, edit.txn().get(key));
    const auto known = Overview::decode(row.value_or(std::string()));
    if (known) {
        overview = *known;
    } else {
        MAILCORE_CO_TRY(overview, make(edit.txn(), edit.owner(), mailbox, number));
    }
    overview.set(block % Overview::blocks, outline);
    edit.txn().put(std::move(key), overview.encode());
    co_return Result<void>{};
}

UidSet blocks_with_deleted(const std::vector<Overview>& overviews) {
    UidSet uids;
    for (std::size_t number = 0; number < overviews.size(); ++number) {
        for_each_bit(overviews[number].deleted, [&](unsigned bit) {
            const auto block = static_cast<std::uint32_t>(number) * Overview::blocks + bit;
            uids.add_bits(first_uid(block), ~std::uint64_t{0});
        });
    }
    return uids;
}

} // namespace mailcore::store::detail
