#include "bindings/lua/host.h"
#include "bindings/lua/json.h"

namespace mailcore::lua {

namespace {

/// What the handler answered, on the top of the stack, as a verdict; nil accepts. False: nonsense.
bool read_verdict(lua_State* L, mailcore_verdict& verdict) {
    verdict.action = MAILCORE_ACCEPT;
    if (lua_isnil(L, -1)) return true;
    if (!lua_istable(L, -1)) return false;
    const int table = lua_gettop(L);
    lua_getfield(L, table, "action");
    lua_getfield(L, table, "code");
    lua_getfield(L, table, "enhanced");
    lua_getfield(L, table, "text");
    const char* action = lua_type(L, table + 1) == LUA_TSTRING ? lua_tostring(L, table + 1) : "";
    verdict.action = std::string_view(action) == "accept"   ? MAILCORE_ACCEPT
                     : std::string_view(action) == "reject" ? MAILCORE_REJECT
                     : std::string_view(action) == "defer"  ? MAILCORE_DEFER
                                                            : 0;
    const bool fits = (lua_isnil(L, table + 2) || lua_isinteger(L, table + 2)) &&
                      (lua_isnil(L, table + 3) || lua_type(L, table + 3) == LUA_TSTRING) &&
                      (lua_isnil(L, table + 4) || lua_type(L, table + 4) == LUA_TSTRING);
    constexpr lua_Integer code_max = 999;
    const auto code = lua_tointeger(L, table + 2);
    verdict.code = code >= 0 && code <= code_max ? static_cast<std::int32_t>(code) : -1;
    verdict.enhanced = lua_tostring(L, table + 3);
    verdict.text = lua_tostring(L, table + 4);
    return fits;
}

/// Calls the script's function for one event; LUA_OK, or an error on the top of the stack.
int handle(lua_State* L, Host& host, const Event& event) {
    const int top = lua_gettop(L);
    const int function = event.kind == Event::Kind::Message ? host.on_message
                         : event.kind == Event::Kind::Log   ? host.on_log
                                                            : host.on_change;
    lua_rawgeti(L, LUA_REGISTRYINDEX, function);
    if (lua_isnil(L, -1)) { // closed by the function for the event before
        lua_settop(L, top);
        return LUA_OK;
    }
    push_json(L, event.json);
    if (event.kind == Event::Kind::Message) {
        lua_pushlstring(L, event.octets.data(), event.octets.size());
        lua_setfield(L, -2, "octets");
    }
    int status = lua_pcall(L, 1, 1, 0);
    if (event.kind == Event::Kind::Message && host.smtp) { // not closed by the handler
        mailcore_verdict verdict = MAILCORE_VERDICT_INIT;
        if (status != LUA_OK) {
            host.defer(event.token);
        } else {
            const bool fits = read_verdict(L, verdict);
            if (!fits) verdict.action = 0;
            Text why;
            const auto replied = mailcore_smtp_reply(host.smtp, event.token, &verdict, why.out());
            if (replied == MAILCORE_REJECTED) {
                lua_pushfstring(L, "the handler's answer made no sense: %s", why.view().data());
                status = LUA_ERRRUN;
            }
        }
    }
    if (status == LUA_OK) {
        lua_settop(L, top);
    } else {
        lua_insert(L, top + 1); // the error, below what was the handler's
        lua_settop(L, top + 1);
    }
    return status;
}

} // namespace

int host_poll(lua_State* L) {
    auto& host = host_at(L, 1);
    const auto seconds = luaL_optnumber(L, 2, 0);
    constexpr lua_Number seconds_max = 86'400;
    luaL_argcheck(L, seconds >= 0 && seconds <= seconds_max, 2, "0 to 86400 seconds");
    lua_Integer handled = 0;
    int status = LUA_OK;
    constexpr lua_Integer batch = 1000; // who is polled goes on some time
    while (status == LUA_OK && handled < batch) {
        auto event = host.queue.take(std::chrono::duration<double>(handled == 0 ? seconds : 0.0));
        if (!event) break;
        ++handled;
        status = handle(L, host, *event);
    }
    if (status != LUA_OK) return lua_error(L);
    lua_pushinteger(L, handled);
    return 1;
}

} // namespace mailcore::lua
