#include "bindings/lua/script.h"

#include "bindings/lua/json.h"

namespace mailcore::lua {

int push_failure(lua_State* L, mailcore_status status, const Text& why) {
    lua_pushnil(L);
    lua_pushlstring(L, why.view().data(), why.view().size());
    lua_pushstring(L, mailcore_status_name(status));
    return 3;
}

int push_answer(lua_State* L, mailcore_status status, const Text& answer, const Text& why) {
    if (status != MAILCORE_OK) return push_failure(L, status, why);
    push_json(L, answer.view());
    return 1;
}

const char* text_field(lua_State* L, int table, const char* name) {
    lua_getfield(L, table, name);
    if (lua_isnil(L, -1)) return nullptr;
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "%s: expected a text", name);
    return lua_tostring(L, -1);
}
lua_Integer number_field(lua_State* L, int table, const char* name, lua_Integer most) {
    lua_getfield(L, table, name);
    int is_number = 0;
    const auto number = lua_isnil(L, -1) ? 0 : lua_tointegerx(L, -1, &is_number);
    if ((!lua_isnil(L, -1) && !is_number) || number < 0 || number > most)
        luaL_error(L, "%s: expected a whole number up to %I", name, static_cast<LUAI_UACINT>(most));
    lua_pop(L, 1);
    return number;
}
int function_field(lua_State* L, int table, const char* name) {
    lua_getfield(L, table, name);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return LUA_NOREF;
    }
    if (!lua_isfunction(L, -1)) luaL_error(L, "%s: expected a function", name);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}
void check_fields(lua_State* L, int table, std::initializer_list<const char*> known) {
    luaL_checktype(L, table, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        bool found = false;
        for (const auto* name : known)
            found = found || (lua_type(L, -2) == LUA_TSTRING &&
                              std::string_view(lua_tostring(L, -2)) == name);
        if (!found) luaL_error(L, "%s: no such option", luaL_tolstring(L, -2, nullptr));
        lua_pop(L, 1);
    }
}

} // namespace mailcore::lua
