#include "libmailcore/store/keys.h"

namespace mailcore::store {

std::string prefix_end(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && end.back() == '\xFF') end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return end;
}

std::string Key::end() const { return prefix_end(octets_); }

} // namespace mailcore::store
