// What functions that a script calls are made of: arguments, answers, errors.
//
// Lua's errors jump over C++ destructors: arguments are checked before there is an object to
// destroy, and what goes wrong later is raised by `guarded` after all of them have gone. (Only
// Lua's own lack of memory may leak.)
#pragma once

#include "bindings/c/mailcore.h"

#include <exception>
#include <expected>
#include <initializer_list>
#include <lua.hpp>
#include <string>
#include <string_view>

namespace mailcore::lua {

/// Values that a function answers, or the error that it raises.
using Results = std::expected<int, std::string>;

/// Runs `work() -> Results`; raises its error when nothing of C++ is alive any more.
template <class Work>
int guarded(lua_State* L, Work&& work) {
    int results = -1;
    {
        Results done = std::unexpected(std::string());
        try {
            done = work();
        } catch (const std::exception& error) {
            done = std::unexpected(std::string(error.what()));
        }
        if (done)
            results = *done;
        else
            lua_pushlstring(L, done.error().data(), done.error().size());
    }
    if (results < 0) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
        return lua_error(L);
    }
    return results;
}

/// A text that the library handed out.
class Text {
  public:
    Text() = default;
    Text(const Text&) = delete;
    Text& operator=(const Text&) = delete;
    ~Text() { mailcore_free(text_); }
    char** out() { return &text_; }
    [[nodiscard]] std::string_view view() const { return text_ ? text_ : ""; }

  private:
    char* text_ = nullptr;
};

/// nil, why, kind: how Lua's own libraries tell failures.
int push_failure(lua_State* L, mailcore_status status, const Text& why);
/// What a call answered, or its failure.
int push_answer(lua_State* L, mailcore_status status, const Text& answer, const Text& why);

// Fields of a table of options, checked: raised while there is no object to destroy. Texts stay on
// the stack, which keeps them.

const char* text_field(lua_State* L, int table, const char* name);
lua_Integer number_field(lua_State* L, int table, const char* name, lua_Integer most);
int function_field(lua_State* L, int table, const char* name);
/// A field that nobody knows is a mistake.
void check_fields(lua_State* L, int table, std::initializer_list<const char*> known);

} // namespace mailcore::lua
