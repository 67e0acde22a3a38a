// Lua values as JSON text and back.
#pragma once

#include <expected>
#include <lua.hpp>
#include <string>
#include <string_view>

namespace mailcore::lua {

/// Marks a table as a list even if it is empty: the name of its metatable.
inline constexpr const char* list_metatable = "mailcore.list";

/// The value at `index`: tables whose next free index is not 1, and those marked, are lists, others
/// objects with texts as keys. At most 32 levels deep. An error: what cannot be written.
[[nodiscard]] std::expected<std::string, std::string> to_json(lua_State* L, int index);

/// Pushes what a text of the library says; null is nil. The text is the library's own, so anything
/// else is pushed as nil.
void push_json(lua_State* L, std::string_view text);

} // namespace mailcore::lua
