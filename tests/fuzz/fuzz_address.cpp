// Addresses and paths of mailboxes: what is taken is written so that it is taken again as the same.
#include "libmailcore/accounts/address.h"
#include "libmailcore/base/assert.h"
#include "libmailcore/store/mailbox.h"

using namespace mailcore;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto address = accounts::Address::parse(text)) {
        const auto again = accounts::Address::parse(address->to_string());
        MAILCORE_ASSERT(again && *again == *address);
        MAILCORE_ASSERT(accounts::local_part_key(address->local).has_value());
    }
    if (const auto levels = store::split_path(text)) {
        const auto again = store::split_path(store::join_path(*levels));
        MAILCORE_ASSERT(again && *again == *levels);
    }
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/address", nullptr};
    return seeds;
}
