#include "tests/filter/zip_writer.h"

#include <zlib.h>

namespace mailcore::filter {

namespace {

void put(std::string& out, std::uint32_t value, int octets) {
    for (int i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i));
}

std::string deflated(const std::string& text) {
    z_stream stream{};
    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

} // namespace

std::string zip_of(const std::vector<std::pair<std::string, std::string>>& files, const ZipOptions& options) {
    std::string out;
    std::string directory;
    for (const auto& [name, text] : files) {
        const auto packed = options.deflated ? deflated(text) : text;
        const auto offset = out.size();
        const auto facts = [&](std::string& into) {
            put(into, 20, 2);
            put(into, options.encrypted ? 1 : 0, 2);
            put(into, options.deflated ? 8 : 0, 2);
            put(into, 0, 4); // time
            put(into, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()))), 4);
            put(into, static_cast<std::uint32_t>(packed.size()), 4);
            put(into, options.size_claimed ? options.size_claimed : static_cast<std::uint32_t>(text.size()), 4);
            put(into, static_cast<std::uint32_t>(name.size()), 2);
            put(into, 0, 2); // extra
        };
        out += "PK\x03\x04";
        facts(out);
        out += name + packed;
        directory += "PK\x01\x02";
        put(directory, 20, 2);
        facts(directory);
        put(directory, 0, 4); // comment, disk
        put(directory, 0, 2); // internal attributes
        put(directory, 0, 4); // external attributes
        put(directory, static_cast<std::uint32_t>(offset), 4);
        directory += name;
    }
    const auto begin = out.size();
    out += directory;
    out += "PK\x05\x06";
    put(out, 0, 4);
    put(out, static_cast<std::uint32_t>(files.size()), 2);
    put(out, static_cast<std::uint32_t>(files.size()), 2);
    put(out, static_cast<std::uint32_t>(directory.size()), 4);
    put(out, static_cast<std::uint32_t>(begin), 4);
    put(out, 0, 2);
    return out;
}

} // namespace mailcore::filter
