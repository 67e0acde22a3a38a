#include "bindings/lua/host.h"

#include <new>
#include <utility>

namespace mailcore::lua {

void Host::defer(std::uint64_t token) {
    mailcore_verdict verdict = MAILCORE_VERDICT_INIT;
    verdict.action = MAILCORE_DEFER;
    // Who asked may have gone: nothing is lost then.
    [[maybe_unused]] const auto status = mailcore_smtp_reply(smtp, token, &verdict, nullptr);
}

void Host::close() {
    for (const auto& event : queue.close())
        if (event.kind == Event::Kind::Message) defer(event.token);
    mailcore_smtp_free(std::exchange(smtp, nullptr));
    mailcore_server_free(std::exchange(server, nullptr));
}

namespace {

/// False: there is no room for it.
bool keep(Host& host, Event::Kind kind, const char* json, std::uint64_t token = 0,
          std::string_view octets = {}) {
    try {
        return host.queue.put({kind, json, token, std::string(octets)});
    } catch (const std::bad_alloc&) {
        return false;
    }
}

} // namespace

extern "C" void take_message(void* context, std::uint64_t token, const char* envelope,
                             const char* octets, std::size_t length) {
    auto& host = *static_cast<Host*>(context);
    if (!keep(host, Event::Kind::Message, envelope, token, {octets, length})) host.defer(token);
}
extern "C" void take_log(void* context, const char* event) {
    keep(*static_cast<Host*>(context), Event::Kind::Log, event);
}
extern "C" void take_change(void* context, const char* event) {
    keep(*static_cast<Host*>(context), Event::Kind::Change, event);
}

Host& host_at(lua_State* L, int index) {
    auto* slot = static_cast<Host**>(luaL_checkudata(L, index, host_metatable));
    return **slot;
}

Host& push_host(lua_State* L) {
    auto** slot = static_cast<Host**>(lua_newuserdatauv(L, sizeof(Host*), 0));
    *slot = nullptr;
    luaL_setmetatable(L, host_metatable);
    *slot = new (std::nothrow) Host;
    if (!*slot) luaL_error(L, "out of memory");
    return **slot;
}

} // namespace mailcore::lua
