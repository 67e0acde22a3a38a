#include "libmailcore/delivery/rule_rows.h"

#include "libmailcore/codec/bytes.h"
#include "libmailcore/store/keys.h"

namespace mailcore::delivery {

namespace {

using store::Key;
using store::TxnTask;

constexpr std::uint64_t row_version = 1;

Key rule_space() { return Key(store::Space::System).text("r"); }

/// NUL cannot be part of a name and ends it; a key is the last thing but for the window's 8 octets.
std::string counter_key(std::string_view name, std::string_view key, std::chrono::seconds window) {
    return rule_space()
        .text("c")
        .text(name)
        .u8(0)
        .u64(static_cast<std::uint64_t>(window.count()))
        .text(key)
        .str();
}
std::string member_key(std::string_view name, std::string_view key) {
    return rule_space().text("m").text(name).u8(0).text(key).str();
}

/// Every row: version, until when it means something, then its own.
struct RuleRow {
    std::int64_t expires = 0;
    filter::WindowCount count;
};
std::string encode(const RuleRow& row) {
    std::string out;
    codec::Writer writer(out);
    writer.varint(row_version)
        .svarint(row.expires)
        .varint(row.count.window)
        .varint(row.count.now)
        .varint(row.count.before);
    return out;
}
Result<RuleRow> decode(std::string_view octets) {
    codec::Reader reader(octets);
    RuleRow row;
    const auto version = reader.varint();
    row.expires = reader.svarint();
    row.count.window = reader.varint();
    row.count.now = reader.varint();
    row.count.before = reader.varint();
    if (!reader.ok() || version != row_version)
        return fail(ErrorKind::Corrupt, "a row of rules is damaged");
    return row;
}

TxnTask<Result<std::optional<RuleRow>>> read_row(store::ReadTransaction& txn, std::string key) {
    auto found = co_await txn.get(key);
    if (!found) co_return std::unexpected(std::move(found).error());
    if (!*found) co_return std::optional<RuleRow>{};
    auto row = decode(**found);
    if (!row) co_return std::unexpected(std::move(row).error());
    std::optional<RuleRow> answer = *row;
    if (row->expires <= base::unix_seconds(txn.now())) answer.reset();
    co_return answer;
}

TxnTask<Result<std::uint64_t>> add(store::WriteTransaction& txn, std::string key,
                                   std::chrono::seconds window, std::uint64_t by) {
    auto found = co_await read_row(txn, key);
    if (!found) co_return std::unexpected(std::move(found).error());
    auto row = found->value_or(RuleRow{});
    const auto now = base::unix_seconds(txn.now());
    const auto sum = row.count.add(now, window, by);
    row.expires = now + 2 * window.count();
    if (by > 0) txn.put(std::move(key), encode(row));
    co_return sum;
}
TxnTask<Result<std::uint64_t>> estimate(store::ReadTransaction& txn, std::string key,
                                        std::chrono::seconds window) {
    auto found = co_await read_row(txn, std::move(key));
    if (!found) co_return std::unexpected(std::move(found).error());
    auto row = found->value_or(RuleRow{});
    co_return row.count.add(base::unix_seconds(txn.now()), window, 0);
}
TxnTask<Result<bool>> is_there(store::ReadTransaction& txn, std::string key) {
    auto found = co_await read_row(txn, std::move(key));
    if (!found) co_return std::unexpected(std::move(found).error());
    co_return found->has_value();
}
TxnTask<Result<bool>> keep(store::WriteTransaction& txn, std::string key,
                           std::chrono::seconds lifetime) {
    auto found = co_await read_row(txn, key);
    if (!found) co_return std::unexpected(std::move(found).error());
    RuleRow row;
    row.expires = base::unix_seconds(txn.now()) + lifetime.count();
    txn.put(std::move(key), encode(row));
    co_return found->has_value();
}
TxnTask<Result<bool>> forget(store::WriteTransaction& txn, std::string key) {
    auto found = co_await read_row(txn, key);
    if (!found) co_return std::unexpected(std::move(found).error());
    if (*found) txn.erase(std::move(key));
    co_return found->has_value();
}
TxnTask<Result<std::string>> sweep(store::WriteTransaction& txn, std::string from,
                                   std::size_t rows_max) {
    const auto space = rule_space();
    auto rows = co_await txn.range(from.empty() ? space.str() : from, space.end(), rows_max);
    if (!rows) co_return std::unexpected(std::move(rows).error());
    const auto now = base::unix_seconds(txn.now());
    for (const auto& row : *rows) {
        const auto read = decode(row.value);
        if (!read || read->expires <= now) txn.erase(row.key);
    }
    if (rows->size() < rows_max) co_return std::string{};
    co_return rows->back().key + '\0';
}

} // namespace

Task<Result<std::uint64_t>> RuleRows::count(std::string name, std::string key,
                                            std::chrono::seconds window, std::uint64_t by) {
    auto row = counter_key(name, key, window);
    if (by == 0) {
        MAILCORE_CO_AWAIT(auto seen, store_.read([row, window](store::ReadTransaction& txn) {
            return estimate(txn, row, window);
        }));
        co_return seen;
    }
    MAILCORE_CO_AWAIT(auto sum, store_.write([row, window, by](store::WriteTransaction& txn) {
        return add(txn, row, window, by);
    }));
    co_return sum;
}

Task<Result<bool>> RuleRows::contains(std::string name, std::string key) {
    auto row = member_key(name, key);
    MAILCORE_CO_AWAIT(auto answer, store_.read([row](store::ReadTransaction& txn) {
        return is_there(txn, row);
    }));
    co_return answer;
}

Task<Result<bool>> RuleRows::insert(std::string name, std::string key,
                                    std::chrono::seconds lifetime) {
    auto row = member_key(name, key);
    MAILCORE_CO_AWAIT(auto answer, store_.write([row, lifetime](store::WriteTransaction& txn) {
        return keep(txn, row, lifetime);
    }));
    co_return answer;
}

Task<Result<bool>> RuleRows::erase(std::string name, std::string key) {
    auto row = member_key(name, key);
    MAILCORE_CO_AWAIT(auto answer, store_.write([row](store::WriteTransaction& txn) {
        return forget(txn, row);
    }));
    co_return answer;
}

Task<Result<std::string>> sweep_rule_rows(store::Store& store, std::string from,
                                          std::size_t rows_max) {
    MAILCORE_CO_AWAIT(auto next, store.write([from, rows_max](store::WriteTransaction& txn) {
        return sweep(txn, from, rows_max);
    }));
    co_return next;
}

} // namespace mailcore::delivery
