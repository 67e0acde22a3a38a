// Messages of 8 bits made ones of 7: the contents stay, and cutting the input changes nothing.
#include "tests/mime/seven_bit_property.h"

using namespace mailcore;

extern "C" const char* const* fuzz_seeds();
extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/corpus/mime",
                                        MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/mime_seven_bit",
                                        nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    mime::check_seven_bit({reinterpret_cast<const char*>(data), size});
    return 0;
}
