// What the C library parses itself: requests and messages. Answers are JSON, failures have a text,
// nothing crosses.
#include "bindings/c/mailcore.h"

#include "libmailcore/base/assert.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace {

void look(mailcore_status status, char* answer, char* why) {
    MAILCORE_ASSERT((status == MAILCORE_OK) == (answer != nullptr));
    MAILCORE_ASSERT((status == MAILCORE_OK) == (why == nullptr));
    MAILCORE_ASSERT(status != MAILCORE_FAULT);
    if (answer) MAILCORE_ASSERT(nlohmann::json::accept(answer));
    mailcore_free(answer);
    mailcore_free(why);
}

} // namespace

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/corpus/mime",
                                        MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/c_abi", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    char* answer = nullptr;
    char* why = nullptr;
    // The text bound comes from the input, so that it is met anywhere.
    auto status =
        mailcore_mime_json(text.data(), text.size(), size > 0 ? data[0] : 0, &answer, &why);
    look(status, answer, why);
    status = mailcore_rule_check(text.c_str(), &answer, &why);
    look(status, answer, why);
    return 0;
}
