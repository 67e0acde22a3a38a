#include "libmailcore/delivery/binary_body.h"

#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/seven_bit.h"
#include "libmailcore/store/email.h"

#include <algorithm>
#include <string>
#include <utility>

namespace mailcore::delivery {

namespace {

constexpr std::uint64_t line_octets_max = 998; // RFC 5322 §2.1.1

bool has_binary_lines(const mime::Structure& structure) {
    return structure.nul || structure.bare_lf || structure.bare_cr ||
           structure.line_octets > line_octets_max;
}

std::unexpected<Error> inconvertible() {
    return fail(ErrorKind::Rejected, "the binary content cannot be converted");
}

} // namespace

bool is_binary(const mime::Structure& structure) {
    return has_binary_lines(structure) ||
           std::ranges::any_of(structure.parts, [](const mime::Part& part) {
               return part.encoding == mime::Encoding::Binary;
           });
}

Task<Result<DescribedBlob>> without_binary(Scheduler& scheduler, store::Store& store,
                                           DescribedBlob message) {
    auto converter = mime::SevenBitWriter::create(*message.structure);
    if (!converter) co_return inconvertible();
    const auto size = message.blob->size();
    auto into = store.new_blob(scheduler, size + size / 2);
    mime::Parser parser;
    for (std::uint64_t at = 0; at < size;) {
        MAILCORE_CO_TRY(const auto octets,
                        store.read_new_blob(message.blob, at, store::blob_step_octets));
        if (octets.empty()) co_return fail(ErrorKind::Corrupt, "the message has become shorter");
        at += octets.size();
        std::string converted;
        if (converter->write(octets, converted)) co_return inconvertible();
        if (at == size) converter->finish(converted);
        parser.feed(converted);
        MAILCORE_CO_TRY(into->append(converted));
    }
    DescribedBlob made;
    made.structure = std::make_shared<const mime::Structure>(parser.finish());
    // What is left of it lies in a header, or where nobody looks for content.
    if (has_binary_lines(*made.structure)) co_return inconvertible();
    MAILCORE_CO_TRY(made.blob, into->finish());
    co_return made;
}

} // namespace mailcore::delivery
