// DNS messages from the network: parsed, interpreted, and a fixed point of writing and reading.
#include "libmailcore/base/assert.h"
#include "libmailcore/dns/caching_resolver.h"

using namespace mailcore::dns;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    const auto message = parse_message(octets);
    if (message) {
        if (message->question) static_cast<void>(interpret(*message, *message->question));
        const auto written = write_message(*message);
        if (written.size() <= message_octets_max) {
            const auto again = parse_message(written);
            MAILCORE_ASSERT(again && *again == *message);
        }
    }
    if (const auto record = parse_record(octets)) {
        const auto name = Name::parse(record->owner.to_string());
        MAILCORE_ASSERT(name && *name == record->owner);
    }
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/dns", nullptr};
    return seeds;
}
