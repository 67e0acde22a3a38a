#include "libmailcore/store/detail/engine_rows.h"

#include "libmailcore/codec/bytes.h"

namespace mailcore::store::detail {

namespace {

constexpr std::string_view blob_prefix{"\0b", 2};
constexpr std::string_view reference_prefix{"\0r", 2};

std::string with_number(std::string_view prefix, std::uint64_t number) {
    std::string key(prefix);
    codec::Writer(key).u64be(number);
    return key;
}

} // namespace

std::string blob_key(BlobId blob) { return with_number(blob_prefix, blob.value); }

std::string reference_key(BlobId blob, std::string_view owner) {
    auto key = with_number(reference_prefix, blob.value);
    key += owner;
    return key;
}

KeyRange references_of(BlobId blob) {
    return {with_number(reference_prefix, blob.value),
            with_number(reference_prefix, blob.value + 1)};
}

KeyRange all_blobs() { return {std::string(blob_prefix), std::string("\0c", 2)}; }

KeyRange all_references() { return {std::string(reference_prefix), std::string("\0s", 2)}; }

std::optional<BlobId> blob_of_key(std::string_view key) {
    if (!key.starts_with(blob_prefix) || key.size() != blob_prefix.size() + 8) return std::nullopt;
    return BlobId{codec::Reader(key.substr(blob_prefix.size())).u64be()};
}

std::optional<BlobId> blob_of_reference(std::string_view key) {
    if (!key.starts_with(reference_prefix) || key.size() < reference_prefix.size() + 8)
        return std::nullopt;
    return BlobId{codec::Reader(key.substr(reference_prefix.size())).u64be()};
}

std::string encode_number(std::uint64_t number) {
    std::string value;
    codec::Writer(value).u64le(number);
    return value;
}

Result<std::uint64_t> decode_number(std::string_view value) {
    codec::Reader reader(value);
    const auto number = reader.u64le();
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "a counter's row has a wrong length");
    return number;
}

} // namespace mailcore::store::detail
