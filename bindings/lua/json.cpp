#include "bindings/lua/json.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace mailcore::lua {

namespace {

using Json = nlohmann::json;
using Written = std::expected<Json, std::string>;

constexpr int depth_max = 32;

bool is_list(lua_State* L, int index) {
    if (lua_rawlen(L, index) > 0) return true;
    if (!lua_getmetatable(L, index)) return false;
    luaL_getmetatable(L, list_metatable);
    const bool marked = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    return marked;
}

Written write(lua_State* L, int index, int depth);

Written write_table(lua_State* L, int index, int depth) {
    if (depth >= depth_max || !lua_checkstack(L, 4)) return std::unexpected("too many levels");
    if (is_list(L, index)) {
        Json list = Json::array();
        const auto length = static_cast<lua_Integer>(lua_rawlen(L, index));
        for (lua_Integer i = 1; i <= length; ++i) {
            lua_rawgeti(L, index, i);
            auto value = write(L, lua_gettop(L), depth + 1);
            lua_pop(L, 1);
            if (!value) return value;
            list.push_back(std::move(*value));
        }
        return list;
    }
    Json object = Json::object();
    lua_pushnil(L);
    while (lua_next(L, index)) {
        // lua_tolstring on a number would change the key under lua_next.
        if (lua_type(L, -2) != LUA_TSTRING) {
            lua_pop(L, 2);
            return std::unexpected("fields of an object have texts as names");
        }
        std::size_t length = 0;
        const char* name = lua_tolstring(L, -2, &length);
        auto value = write(L, lua_gettop(L), depth + 1);
        if (!value) {
            lua_pop(L, 2);
            return value;
        }
        object[std::string(name, length)] = std::move(*value);
        lua_pop(L, 1);
    }
    return object;
}

Written write(lua_State* L, int index, int depth) {
    switch (lua_type(L, index)) {
    case LUA_TNIL: return Json();
    case LUA_TBOOLEAN: return Json(lua_toboolean(L, index) != 0);
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            // Whole numbers of the library have no sign.
            const auto number = lua_tointeger(L, index);
            return number < 0 ? Json(number) : Json(static_cast<std::uint64_t>(number));
        }
        return Json(lua_tonumber(L, index));
    case LUA_TSTRING: {
        std::size_t length = 0;
        const char* text = lua_tolstring(L, index, &length);
        return Json(std::string(text, length));
    }
    case LUA_TTABLE: return write_table(L, index, depth);
    default:
        return std::unexpected("a " + std::string(luaL_typename(L, index)) + " has no place here");
    }
}

void push(lua_State* L, const Json& json) {
    luaL_checkstack(L, 4, "an answer");
    switch (json.type()) {
    case Json::value_t::boolean: lua_pushboolean(L, json.get<bool>() ? 1 : 0); break;
    case Json::value_t::number_integer: lua_pushinteger(L, json.get<lua_Integer>()); break;
    case Json::value_t::number_unsigned: {
        constexpr auto integer_max =
            static_cast<std::uint64_t>(std::numeric_limits<lua_Integer>::max());
        const auto number = json.get<std::uint64_t>();
        if (number <= integer_max)
            lua_pushinteger(L, static_cast<lua_Integer>(number));
        else
            lua_pushnumber(L, static_cast<lua_Number>(number));
        break;
    }
    case Json::value_t::number_float: lua_pushnumber(L, json.get<lua_Number>()); break;
    case Json::value_t::string: {
        const auto& text = json.get_ref<const std::string&>();
        lua_pushlstring(L, text.data(), text.size());
        break;
    }
    case Json::value_t::array: {
        lua_createtable(L, static_cast<int>(std::min<std::size_t>(json.size(), 1 << 20)), 0);
        lua_Integer i = 0;
        for (const auto& each : json) {
            push(L, each);
            lua_rawseti(L, -2, ++i);
        }
        luaL_setmetatable(L, list_metatable);
        break;
    }
    case Json::value_t::object:
        lua_createtable(L, 0, static_cast<int>(std::min<std::size_t>(json.size(), 1 << 20)));
        for (const auto& [name, value] : json.items()) {
            lua_pushlstring(L, name.data(), name.size());
            push(L, value);
            lua_rawset(L, -3);
        }
        break;
    default: lua_pushnil(L);
    }
}

} // namespace

std::expected<std::string, std::string> to_json(lua_State* L, int index) {
    auto json = write(L, lua_absindex(L, index), 0);
    if (!json) return std::unexpected(std::move(json).error());
    try {
        return json->dump();
    } catch (const Json::exception&) {
        return std::unexpected("texts are UTF-8 here");
    }
}

void push_json(lua_State* L, std::string_view text) { push(L, Json::parse(text, nullptr, false)); }

} // namespace mailcore::lua
