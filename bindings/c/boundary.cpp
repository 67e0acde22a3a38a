#include "bindings/c/boundary.h"

namespace mailcore::c {

namespace {
thread_local unsigned callback_depth = 0;
}

mailcore_status status_of(ErrorKind kind) noexcept {
    switch (kind) {
    case ErrorKind::Rejected: return MAILCORE_REJECTED;
    case ErrorKind::Unavailable: return MAILCORE_UNAVAILABLE;
    case ErrorKind::NotFound: return MAILCORE_NOT_FOUND;
    case ErrorKind::Conflict: return MAILCORE_CONFLICT;
    case ErrorKind::LimitExceeded: return MAILCORE_LIMIT_EXCEEDED;
    case ErrorKind::Corrupt: return MAILCORE_CORRUPT;
    }
    return MAILCORE_FAULT;
}

char* copy_text(std::string_view text) noexcept {
    auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
    if (!copy) return nullptr;
    if (!text.empty()) std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
}

void hand_out(char** into, std::string_view text) {
    *into = copy_text(text);
    if (!*into) throw std::bad_alloc();
}

InCallback::InCallback() noexcept { ++callback_depth; }
InCallback::~InCallback() { --callback_depth; }
bool InCallback::here() noexcept { return callback_depth > 0; }

Result<void> outside_callbacks() {
    if (InCallback::here())
        return fail(ErrorKind::Rejected, "this waits: it must not be called inside a callback");
    return {};
}

Result<void> needed(const void* argument, std::string_view name) {
    if (!argument) return fail(ErrorKind::Rejected, std::string(name) + " is NULL");
    return {};
}

Result<std::string> take_text(const char* text, std::string_view name) {
    if (!text) return std::string();
    const auto length = ::strnlen(text, request_octets_max + 1);
    if (length > request_octets_max)
        return fail(ErrorKind::LimitExceeded, std::string(name) + ": at most 64 MiB");
    return std::string(text, length);
}

Result<std::string_view> take_octets(const char* octets, std::size_t length) {
    if (!octets && length > 0) return fail(ErrorKind::Rejected, "octets is NULL");
    return std::string_view(octets ? octets : "", length);
}

} // namespace mailcore::c
