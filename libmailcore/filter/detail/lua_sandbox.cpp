// What of Lua's own library rules see, and how it is bounded.
#include "libmailcore/filter/detail/rule_machine.h"

namespace mailcore::filter::detail {

namespace {

constexpr const char* base_functions[] = {"assert", "error",    "getmetatable", "ipairs", "next",
                                          "pairs",  "pcall",    "rawequal",     "rawget", "rawlen",
                                          "select", "tonumber", "tostring",     "type"};

/// A finalizer runs whenever Lua likes, without hooks: nothing would bound it.
int set_metatable(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_type(L, 2) == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL) return luaL_error(L, "rules have no finalizers (__gc)");
        lua_pop(L, 1);
    }
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

int print(lua_State* L) {
    const int count = lua_gettop(L);
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; ++i) {
        if (i > 1) luaL_addchar(&line, ' ');
        luaL_tolstring(L, i, nullptr);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    say(L, text_at(L, -1));
    return 0;
}

/// Calls the function in its upvalue after charging for the size of the first argument, through
/// which it goes in C, where nothing counts, if it is given as many arguments as the second upvalue
/// says.
int bounded(lua_State* L) {
    const int arguments = lua_gettop(L);
    const int type = lua_type(L, 1);
    if (arguments >= lua_tointeger(L, lua_upvalueindex(2)) &&
        (type == LUA_TTABLE || type == LUA_TSTRING))
        charge_octets(L, static_cast<std::size_t>(lua_rawlen(L, 1)) * 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, arguments, LUA_MULTRET);
    return lua_gettop(L);
}

void forget(lua_State* L, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        lua_pushnil(L);
        lua_setfield(L, -2, name);
    }
}

/// Of the table on top: functions, and with how many arguments they go through the first of them.
void bound_functions(lua_State* L, std::initializer_list<std::pair<const char*, int>> functions) {
    for (const auto& [name, arguments] : functions) {
        lua_getfield(L, -1, name);
        lua_pushinteger(L, arguments);
        lua_pushcclosure(L, bounded, 2);
        lua_setfield(L, -2, name);
    }
}

int no_write(lua_State* L) { return luaL_error(L, "this cannot be changed"); }

/// Replaces the table on top by an object that shows its fields and cannot be written.
void protect(lua_State* L) {
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, no_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

int read_field(lua_State* L) {
    lua_pushvalue(L, 2);
    switch (lua_rawget(L, lua_upvalueindex(1))) {
    case LUA_TFUNCTION: return 1;
    case LUA_TLIGHTUSERDATA: {
        const auto& row = *static_cast<const ApiRow*>(lua_touserdata(L, -1));
        lua_settop(L, 2);
        return row.get(L);
    }
    default:
        return luaL_error(L, "%s has no field '%s'", lua_tostring(L, lua_upvalueindex(2)),
                          luaL_tolstring(L, 2, nullptr));
    }
}

int write_field(lua_State* L) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TLIGHTUSERDATA) {
        const auto& row = *static_cast<const ApiRow*>(lua_touserdata(L, -1));
        lua_settop(L, 3);
        if (row.set) return row.set(L);
    }
    return luaL_error(L, "%s.%s cannot be set", lua_tostring(L, lua_upvalueindex(2)),
                      luaL_tolstring(L, 2, nullptr));
}

} // namespace

void register_objects(lua_State* L, const char* scope, std::span<const ApiRow> rows) {
    luaL_newmetatable(L, scope);
    lua_newtable(L); // name -> function, or the row of a field
    for (const auto& row : rows) {
        if (std::string_view(row.scope) != scope) continue;
        if (row.function)
            lua_pushcfunction(L, row.function);
        else
            lua_pushlightuserdata(L, const_cast<ApiRow*>(&row));
        lua_setfield(L, -2, row.name);
    }
    for (const auto& [event, function] :
         {luaL_Reg{"__index", read_field}, luaL_Reg{"__newindex", write_field}}) {
        lua_pushvalue(L, -1);
        lua_pushstring(L, scope);
        lua_pushcclosure(L, function, 2);
        lua_setfield(L, -3, event);
    }
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void push_functions(lua_State* L, const char* scope, std::span<const ApiRow> rows) {
    lua_newtable(L);
    for (const auto& row : rows) {
        if (std::string_view(row.scope) != scope) continue;
        lua_pushcfunction(L, row.function);
        lua_setfield(L, -2, row.name);
    }
    protect(L);
}

void open_globals(lua_State* L) {
    // On top: the table that becomes what all files see.
    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    for (const char* name : base_functions) {
        lua_getfield(L, -1, name);
        lua_setfield(L, -3, name);
    }
    lua_getfield(L, -1, "setmetatable");
    lua_pushcclosure(L, set_metatable, 1);
    lua_setfield(L, -3, "setmetatable");
    lua_pop(L, 1);
    lua_pushcfunction(L, print);
    lua_setfield(L, -2, "print");

    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
    forget(L, {"dump"});
    bound_string_functions(L);
    // Texts' methods: the same table, which rules cannot reach to change it.
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    protect(L);
    lua_setfield(L, -2, LUA_STRLIBNAME);

    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 0);
    forget(L, {"move"}); // goes through any number of absent elements
    bound_functions(L, {{"concat", 1}, {"insert", 3}, {"remove", 2}, {"sort", 1}, {"unpack", 1}});
    protect(L);
    lua_setfield(L, -2, LUA_TABLIBNAME);

    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
    forget(L, {"random", "randomseed"}); // a rule says the same of the same mail
    protect(L);
    lua_setfield(L, -2, LUA_MATHLIBNAME);

    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 0);
    bound_functions(L, {{"len", 1}});
    protect(L);
    lua_setfield(L, -2, LUA_UTF8LIBNAME);

    push_functions(L, "mail", mail_api());
    lua_setfield(L, -2, "mail");
    push_functions(L, "dns", mail_api());
    lua_setfield(L, -2, "dns");
    register_objects(L, "ctx", context_api());
    register_objects(L, "part", part_api());
    register_objects(L, "entry", part_api());
    register_objects(L, "set", store_api());
    register_objects(L, "list", store_api());
    // The libraries' own tables, through which a file could change what others see.
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

} // namespace mailcore::filter::detail
