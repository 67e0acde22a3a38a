// The module `mailcore` for Lua 5.4: the C library, with its callbacks run where the script polls.
#include "bindings/lua/host.h"
#include "bindings/lua/json.h"

#include <array>

namespace {

using namespace mailcore::lua;

// mailcore.smtp_server(handler [, options])

int smtp_server(lua_State* L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 2);
    mailcore_smtp_options options = MAILCORE_SMTP_OPTIONS_INIT;
    if (!lua_isnil(L, 2)) {
        check_fields(L, 2,
                     {"address", "port", "hostname", "message_octets_max", "recipients_max",
                      "answer_seconds"});
        constexpr lua_Integer ports = 65535;
        constexpr lua_Integer octets_max = lua_Integer{1} << 40;
        constexpr lua_Integer seconds_max = 24 * 3600;
        constexpr std::uint32_t milliseconds = 1000;
        options.address = text_field(L, 2, "address");
        options.hostname = text_field(L, 2, "hostname");
        options.port = static_cast<std::uint16_t>(number_field(L, 2, "port", ports));
        options.message_octets_max =
            static_cast<std::uint64_t>(number_field(L, 2, "message_octets_max", octets_max));
        options.recipients_max =
            static_cast<std::uint32_t>(number_field(L, 2, "recipients_max", ports));
        options.answer_milliseconds =
            static_cast<std::uint32_t>(number_field(L, 2, "answer_seconds", seconds_max)) *
            milliseconds;
    }
    auto& host = push_host(L);
    lua_pushvalue(L, 1);
    host.on_message = luaL_ref(L, LUA_REGISTRYINDEX);
    return guarded(L, [&]() -> Results {
        Text why;
        // The host knows its server before the first message can be answered: answers are given by
        // `poll`, or by `defer` when the queue is full, which it is not now.
        const auto status =
            mailcore_smtp_start(&options, take_message, &host, &host.smtp, why.out());
        return status == MAILCORE_OK ? 1 : push_failure(L, status, why);
    });
}

// mailcore.server{...}, mailcore.store(folder)

int server(lua_State* L) {
    check_fields(L, 1, {"toml", "data", "in_memory", "on_log", "on_change"});
    lua_settop(L, 1);
    mailcore_server_options options = MAILCORE_SERVER_OPTIONS_INIT;
    options.config = text_field(L, 1, "toml");
    options.data = text_field(L, 1, "data");
    lua_getfield(L, 1, "in_memory");
    options.in_memory = lua_toboolean(L, -1);
    auto& host = push_host(L);
    host.on_log = function_field(L, 1, "on_log");
    host.on_change = function_field(L, 1, "on_change");
    options.on_log = host.on_log == LUA_NOREF ? nullptr : take_log;
    options.on_change = host.on_change == LUA_NOREF ? nullptr : take_change;
    options.context = &host;
    return guarded(L, [&]() -> Results {
        Text why;
        const auto status = mailcore_server_create(&options, &host.server, why.out());
        return status == MAILCORE_OK ? 1 : push_failure(L, status, why);
    });
}

int store(lua_State* L) {
    const char* folder = luaL_optstring(L, 1, nullptr);
    auto& host = push_host(L);
    return guarded(L, [&]() -> Results {
        Text why;
        const auto status = mailcore_store_open(folder, &host.server, why.out());
        return status == MAILCORE_OK ? 1 : push_failure(L, status, why);
    });
}

// Functions without a server

int rule_check(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    return guarded(L, [&]() -> Results {
        const auto request = to_json(L, 1);
        if (!request) return std::unexpected(request.error());
        Text answer;
        Text why;
        const auto status = mailcore_rule_check(request->c_str(), answer.out(), why.out());
        if (status != MAILCORE_OK) return push_failure(L, status, why);
        push_json(L, answer.view());
        lua_getfield(L, -1, "problems");
        return 1;
    });
}

int rule_try(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    std::size_t length = 0;
    const char* octets = luaL_checklstring(L, 2, &length);
    return guarded(L, [&]() -> Results {
        const auto request = to_json(L, 1);
        if (!request) return std::unexpected(request.error());
        Text answer;
        Text why;
        const auto status =
            mailcore_rule_try(request->c_str(), octets, length, answer.out(), why.out());
        return push_answer(L, status, answer, why);
    });
}

int mime(lua_State* L) {
    std::size_t length = 0;
    const char* octets = luaL_checklstring(L, 1, &length);
    constexpr lua_Integer text_octets = 1024 * 1024;
    const auto text_octets_max = luaL_optinteger(L, 2, text_octets);
    luaL_argcheck(L, text_octets_max >= 0, 2, "0 or more octets");
    return guarded(L, [&]() -> Results {
        Text answer;
        Text why;
        const auto status = mailcore_mime_json(
            octets, length, static_cast<std::size_t>(text_octets_max), answer.out(), why.out());
        return push_answer(L, status, answer, why);
    });
}

int list(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, list_metatable);
    return 1;
}

int version(lua_State* L) {
    lua_pushstring(L, mailcore_version());
    return 1;
}

constexpr std::array<luaL_Reg, 9> functions{{{"smtp_server", smtp_server},
                                             {"server", server},
                                             {"store", store},
                                             {"rule_check", rule_check},
                                             {"rule_try", rule_try},
                                             {"mime", mime},
                                             {"list", list},
                                             {"version", version},
                                             {nullptr, nullptr}}};

} // namespace

extern "C" MAILCORE_API int luaopen_mailcore(lua_State* L) {
    luaL_checkversion(L);
    if (mailcore_check_abi(MAILCORE_ABI_VERSION, nullptr) != MAILCORE_OK)
        return luaL_error(L, "libmailcore_c is of another ABI");
    luaL_newmetatable(L, list_metatable);
    luaL_newmetatable(L, host_metatable);
    set_host_methods(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_createtable(L, 0, static_cast<int>(functions.size()));
    luaL_setfuncs(L, functions.data(), 0);
    return 1;
}
