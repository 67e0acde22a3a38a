#include "libmailcore/store/detail/row_transaction.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/store/detail/engine_rows.h"

#include <algorithm>
#include <utility>

namespace mailcore::store::detail {

namespace {

constexpr std::size_t user_key_octets_max = 480;

bool is_user_key(std::string_view key) {
    return key >= user_keys_from && key.size() <= user_key_octets_max;
}

Result<std::vector<Row>> collect(const kv::View& view, std::string_view from, std::string_view to,
                                 std::size_t rows_max, Order order, kv::Cursor* above) {
    std::vector<Row> rows;
    if (rows_max == 0) return rows;
    const kv::Bounds bounds{std::max(from, user_keys_from), to};
    MAILCORE_TRY(view.walk(bounds,
                           order == Order::Ascending ? kv::Order::Ascending : kv::Order::Descending,
                           above, [&](std::string_view key, std::string_view value) {
                               rows.push_back({std::string(key), std::string(value)});
                               return rows.size() < rows_max;
                           }));
    return rows;
}

} // namespace

TxnAnswer<std::optional<std::string>> RowReader::get(std::string_view key) {
    auto found = view_.get(key);
    if (!found)
        return Result<std::optional<std::string>>(std::unexpected(std::move(found).error()));
    std::optional<std::string> value;
    if (*found && is_user_key(key)) value.emplace(**found);
    return Result<std::optional<std::string>>(std::move(value));
}

TxnAnswer<std::vector<Row>> RowReader::range(std::string_view from, std::string_view to,
                                             std::size_t rows_max, Order order) {
    return collect(view_, from, to, rows_max, order, nullptr);
}

RowWriter::RowWriter(const kv::View& view, WallTime now, IdSource& ids, const Store& maker)
    : view_(view), now_(now), ids_(ids), maker_(maker) {}

Result<std::optional<std::string_view>> RowWriter::look_up(std::string_view key) {
    if (const auto own = changes_.find(key); own != changes_.end()) return own->second;
    return view_.get(key);
}

TxnAnswer<std::optional<std::string>> RowWriter::get(std::string_view key) {
    auto found = look_up(key);
    if (!found)
        return Result<std::optional<std::string>>(std::unexpected(std::move(found).error()));
    std::optional<std::string> value;
    if (*found && is_user_key(key)) value.emplace(**found);
    return Result<std::optional<std::string>>(std::move(value));
}

TxnAnswer<std::vector<Row>> RowWriter::range(std::string_view from, std::string_view to,
                                             std::size_t rows_max, Order order) {
    ChangeCursor own(changes_);
    return collect(view_, from, to, rows_max, order, &own);
}

void RowWriter::set(std::string key, std::optional<std::string> value) {
    change_octets_ += key.size() + (value ? value->size() : 0);
    changes_.insert_or_assign(std::move(key), std::move(value));
}

void RowWriter::put(std::string key, std::string value) {
    MAILCORE_ASSERT(is_user_key(key));
    MAILCORE_ASSERT(value.size() <= kv::value_octets_max);
    set(std::move(key), std::move(value));
}

void RowWriter::erase(std::string key) {
    MAILCORE_ASSERT(is_user_key(key));
    set(std::move(key), std::nullopt);
}

std::uint64_t RowWriter::next_id() {
    // The counter goes on whatever becomes of this transaction; its row makes it outlive the
    // process.
    set(std::string(last_id_key), encode_number(++ids_.last));
    return ids_.last;
}

BlobId RowWriter::add_blob(const NewBlob& blob) {
    const auto* body = dynamic_cast<const Body*>(&blob);
    MAILCORE_ASSERT(body && body->maker == &maker_);
    for (const auto& [id, added] : bodies_)
        if (added.get() == body) return id;
    // Named before, and still there: its octets are not written again.
    if (body->named.value != 0) {
        const auto row = look_up(blob_key(body->named));
        if (row && *row) {
            touched_.insert(body->named);
            return body->named;
        }
    }
    const BlobId id{next_id()};
    set(blob_key(id), std::string());
    bodies_.emplace(id, body->shared_from_this());
    touched_.insert(id);
    return id;
}

TxnAnswer<bool> RowWriter::refer(BlobId blob, std::string_view owner) {
    MAILCORE_ASSERT(!owner.empty() && owner.size() <= user_key_octets_max);
    auto row = look_up(blob_key(blob));
    if (!row) return Result<bool>(std::unexpected(std::move(row).error()));
    if (!*row) return Result<bool>(fail(ErrorKind::NotFound, "no such body"));
    auto key = reference_key(blob, owner);
    auto before = look_up(key);
    if (!before) return Result<bool>(std::unexpected(std::move(before).error()));
    const bool fresh = !*before;
    if (fresh) set(std::move(key), std::string());
    return Result<bool>(fresh);
}

TxnAnswer<bool> RowWriter::release(BlobId blob, std::string_view owner) {
    MAILCORE_ASSERT(!owner.empty() && owner.size() <= user_key_octets_max);
    auto key = reference_key(blob, owner);
    auto before = look_up(key);
    if (!before) return Result<bool>(std::unexpected(std::move(before).error()));
    if (!*before) return Result<bool>(false);
    set(std::move(key), std::nullopt);
    touched_.insert(blob);
    return Result<bool>(true);
}

void RowWriter::announce(AccountId account, ModSeq modseq, std::vector<MailboxId> mailboxes) {
    announcements_.push_back({account, modseq, std::move(mailboxes)});
}

Result<bool> RowWriter::has_references(BlobId blob) {
    const auto range = references_of(blob);
    ChangeCursor own(changes_);
    bool any = false;
    MAILCORE_TRY(view_.walk({range.from, range.to}, kv::Order::Ascending, &own,
                            [&](std::string_view, std::string_view) {
                                any = true;
                                return false;
                            }));
    return any;
}

Result<void> RowWriter::close() {
    for (const auto blob : touched_) {
        MAILCORE_TRY(const bool needed, has_references(blob));
        if (needed) continue;
        if (bodies_.erase(blob) > 0)
            changes_.erase(blob_key(blob)); // it never was
        else
            set(blob_key(blob), std::nullopt);
    }
    if (change_octets_ > change_octets_max)
        return fail(ErrorKind::LimitExceeded, "the transaction changes more than 64 MiB of rows");
    return {};
}

} // namespace mailcore::store::detail
