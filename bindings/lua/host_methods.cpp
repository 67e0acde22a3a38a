#include "bindings/lua/host.h"
#include "bindings/lua/json.h"

#include <array>
#include <utility>

namespace mailcore::lua {

namespace {

int host_start(lua_State* L) {
    auto& host = host_at(L, 1);
    return guarded(L, [&]() -> Results {
        Text why;
        const auto status = mailcore_server_start(host.server, why.out());
        if (status != MAILCORE_OK) return push_failure(L, status, why);
        lua_settop(L, 1);
        return 1;
    });
}

int host_call(lua_State* L) {
    auto& host = host_at(L, 1);
    const char* method = luaL_checkstring(L, 2);
    if (!lua_isnoneornil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    return guarded(L, [&]() -> Results {
        std::string request = "{}";
        if (!lua_isnil(L, 3)) {
            auto written = to_json(L, 3);
            if (!written) return std::unexpected(std::move(written).error());
            request = std::move(*written);
        }
        Text answer;
        Text why;
        const auto status =
            mailcore_server_call(host.server, method, request.c_str(), answer.out(), why.out());
        return push_answer(L, status, answer, why);
    });
}

int host_endpoints(lua_State* L) {
    auto& host = host_at(L, 1);
    return guarded(L, [&]() -> Results {
        Text answer;
        Text why;
        const auto status = mailcore_server_endpoints(host.server, answer.out(), why.out());
        if (status != MAILCORE_OK) return push_failure(L, status, why);
        push_json(L, answer.view());
        lua_getfield(L, -1, "endpoints");
        return 1;
    });
}

/// server:port(): of an SMTP server; server:port("imap"): of the whole server's first such
/// endpoint.
int host_port(lua_State* L) {
    auto& host = host_at(L, 1);
    if (host.smtp) {
        lua_pushinteger(L, mailcore_smtp_port(host.smtp));
        return 1;
    }
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    if (host_endpoints(L) != 1) return 3;
    const auto count = static_cast<lua_Integer>(lua_rawlen(L, -1));
    for (lua_Integer i = 1; i <= count; ++i) {
        lua_rawgeti(L, -1, i);
        lua_getfield(L, -1, "service");
        if (lua_rawequal(L, -1, 2)) {
            lua_getfield(L, -2, "port");
            return 1;
        }
        lua_pop(L, 2);
    }
    lua_pushnil(L);
    lua_pushliteral(L, "nothing listens for this service");
    lua_pushstring(L, mailcore_status_name(MAILCORE_NOT_FOUND));
    return 3;
}

int host_reload(lua_State* L) {
    auto& host = host_at(L, 1);
    const char* config = luaL_checkstring(L, 2);
    return guarded(L, [&]() -> Results {
        Text answer;
        Text why;
        const auto status = mailcore_server_reload(host.server, config, answer.out(), why.out());
        return push_answer(L, status, answer, why);
    });
}

/// store:read(address, mailbox, uid): the octets of an email.
int host_read(lua_State* L) {
    auto& host = host_at(L, 1);
    const char* address = luaL_checkstring(L, 2);
    const char* mailbox = luaL_checkstring(L, 3);
    const auto uid = luaL_checkinteger(L, 4);
    constexpr lua_Integer uid_max = 0xFFFFFFFF;
    luaL_argcheck(L, uid >= 1 && uid <= uid_max, 4, "not a UID");
    return guarded(L, [&]() -> Results {
        std::string read;
        std::int32_t last = 0;
        while (last == 0) {
            Text octets;
            Text why;
            std::size_t length = 0;
            const auto status =
                mailcore_email_read(host.server, address, mailbox, static_cast<std::uint32_t>(uid),
                                    read.size(), octets.out(), &length, &last, why.out());
            if (status != MAILCORE_OK) return push_failure(L, status, why);
            read.append(octets.view().data(), length);
        }
        lua_pushlstring(L, read.data(), read.size());
        return 1;
    });
}

/// store:add({address = ..., mailbox = ..., flags = {...}}, octets): {uid = ..., uidvalidity =
/// ...}.
int host_add(lua_State* L) {
    auto& host = host_at(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    std::size_t length = 0;
    const char* octets = luaL_checklstring(L, 3, &length);
    return guarded(L, [&]() -> Results {
        const auto request = to_json(L, 2);
        if (!request) return std::unexpected(request.error());
        Text answer;
        Text why;
        const auto status = mailcore_email_add(host.server, request->c_str(), octets, length,
                                               answer.out(), why.out());
        return push_answer(L, status, answer, why);
    });
}

int host_dropped(lua_State* L) {
    lua_pushinteger(L, static_cast<lua_Integer>(host_at(L, 1).queue.dropped()));
    return 1;
}

void forget(lua_State* L, int& reference) {
    luaL_unref(L, LUA_REGISTRYINDEX, std::exchange(reference, LUA_NOREF));
}

int host_close(lua_State* L) {
    auto& host = host_at(L, 1);
    host.close();
    forget(L, host.on_message);
    forget(L, host.on_log);
    forget(L, host.on_change);
    return 0;
}

int host_collect(lua_State* L) {
    auto** slot = static_cast<Host**>(luaL_checkudata(L, 1, host_metatable));
    if (!*slot) return 0;
    host_close(L);
    delete std::exchange(*slot, nullptr);
    return 0;
}

constexpr std::array<luaL_Reg, 13> host_methods{{{"start", host_start},
                                                 {"call", host_call},
                                                 {"endpoints", host_endpoints},
                                                 {"port", host_port},
                                                 {"reload", host_reload},
                                                 {"read", host_read},
                                                 {"add", host_add},
                                                 {"poll", host_poll},
                                                 {"dropped", host_dropped},
                                                 {"close", host_close},
                                                 {"__close", host_close},
                                                 {"__gc", host_collect},
                                                 {nullptr, nullptr}}};

} // namespace

void set_host_methods(lua_State* L) { luaL_setfuncs(L, host_methods.data(), 0); }

} // namespace mailcore::lua
