// A server of a script, and the script's functions.
//
// A Lua state belongs to one thread, the library's events come on others: they are queued, and
// `poll` calls the script's functions.
#pragma once

#include "bindings/lua/event_queue.h"
#include "bindings/lua/script.h"

namespace mailcore::lua {

inline constexpr const char* host_metatable = "mailcore.host";

/// A server of either kind, with the script's functions.
struct Host {
    mailcore_smtp_server* smtp = nullptr; // one of the two, until it is closed
    mailcore_server* server = nullptr;
    EventQueue queue;
    int on_message = LUA_NOREF; // in the registry
    int on_log = LUA_NOREF;
    int on_change = LUA_NOREF;

    /// Tells who handed the message in to try again later.
    void defer(std::uint64_t token);
    void close();
};

Host& host_at(lua_State* L, int index);
/// Pushes a new host.
Host& push_host(lua_State* L);

// The library's callbacks, with the host as their context.
extern "C" void take_message(void* context, std::uint64_t token, const char* envelope,
                             const char* octets, std::size_t length);
extern "C" void take_log(void* context, const char* event);
extern "C" void take_change(void* context, const char* event);

/// host:poll([seconds]): waits at most so long for something to happen, then runs the script's
/// functions for all that has; answers how many. An error in one of them is raised, after the peer
/// was told to try again later.
int host_poll(lua_State* L);
/// Adds the methods of a host to the table on the top of the stack.
void set_host_methods(lua_State* L);

} // namespace mailcore::lua
