#include "libmailcore/store/detail/body_check.h"

#include "libmailcore/store/detail/engine_rows.h"
#include "libmailcore/store/detail/journal_body.h"

#include <fmt/format.h>

namespace mailcore::store::detail {

std::string printable(std::string_view key) {
    std::string text;
    for (const char c : key)
        if (c > ' ' && c < 0x7F && c != '\\')
            text += c;
        else
            text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    return text;
}

Result<Rows> rows_from(kv::Index& index, std::string_view from, std::string_view to) {
    Rows rows;
    MAILCORE_TRY(const auto reader, index.read());
    const auto cursor = reader->cursor();
    for (cursor->start({from, to}, kv::Order::Ascending);
         cursor->valid() && rows.size() < rows_a_step; cursor->next())
        rows.emplace_back(cursor->key(), *cursor->value());
    if (cursor->fault()) return std::unexpected(*cursor->fault());
    return rows;
}

void add_problem(CheckReport& report, std::string text) {
    if (report.problems.size() < problems_max) report.problems.push_back(std::move(text));
}

Result<void> BodyCheck::references() {
    const auto blobs = all_blobs(), references = all_references();
    BlobId last;
    bool there = false;
    for (std::string from = references.from;;) {
        MAILCORE_TRY(const auto rows, rows_from(index, from, references.to));
        MAILCORE_TRY(const auto reader, index.read());
        for (const auto& [key, value] : rows) {
            ++report.references;
            const auto blob = blob_of_reference(key);
            if (!blob) {
                add_problem(report, fmt::format("row {}: no key of a reference", printable(key)));
                continue;
            }
            if (*blob != last) {
                last = *blob;
                MAILCORE_TRY(const auto row, reader->get(blob_key(last)));
                there = row.has_value();
            }
            if (!there)
                add_problem(report, fmt::format("body {}: needed but not there", blob->value));
        }
        if (rows.size() < rows_a_step) break;
        from = rows.back().first + '\0';
    }
    for (std::string from = blobs.from;;) {
        MAILCORE_TRY(const auto rows, rows_from(index, from, blobs.to));
        for (const auto& [key, value] : rows) {
            const auto blob = blob_of_key(key);
            if (!blob) continue;
            const auto owners = references_of(*blob);
            MAILCORE_TRY(const auto reader, index.read());
            const auto cursor = reader->cursor();
            cursor->start({owners.from, owners.to}, kv::Order::Ascending);
            if (!cursor->valid())
                add_problem(report, fmt::format("body {}: nobody needs it", blob->value));
        }
        if (rows.size() < rows_a_step) return {};
        from = rows.back().first + '\0';
    }
}

Result<void> BodyCheck::body(BlobId blob, const BlobRow& row) {
    ++report.bodies;
    report.body_octets += row.place.size;
    auto whole = is_whole(this->journal, row);
    if (whole && *whole) return {};
    if (now) {
        // It may be gone meanwhile, or lie elsewhere.
        const auto present = now(blob);
        if (!present && present.error().kind == ErrorKind::NotFound) return {};
        if (present && present->place != row.place) whole = is_whole(this->journal, *present);
        if (whole && *whole) return {};
    }
    add_problem(report, fmt::format("body {} in segment {} at {}: {}", blob.value,
                                    row.place.segment, row.place.offset,
                                    whole ? "its digest is wrong" : whole.error().detail));
    return {};
}

Result<void> BodyCheck::bodies() {
    const auto blobs = all_blobs();
    for (std::string from = blobs.from;;) {
        MAILCORE_TRY(const auto rows, rows_from(index, from, blobs.to));
        for (const auto& [key, value] : rows) {
            const auto blob = blob_of_key(key);
            const auto row = decode_blob_row(value);
            if (!blob || !row) {
                add_problem(report, fmt::format("row {}: no row of a body", printable(key)));
                continue;
            }
            MAILCORE_TRY(body(*blob, *row));
        }
        if (rows.size() < rows_a_step) return {};
        from = rows.back().first + '\0';
    }
}

} // namespace mailcore::store::detail
