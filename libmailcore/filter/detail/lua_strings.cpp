// string.find, match, gmatch, gsub (Lua 5.4 manual §6.4) on a matcher that can be interrupted.
#include "libmailcore/filter/detail/lua_pattern.h"
#include "libmailcore/filter/detail/rule_machine.h"

#include <algorithm>
#include <cstring>

namespace mailcore::filter::detail {

namespace {

using Outcome = PatternMatcher::Outcome;

/// A subject, a pattern and where to begin, with a matcher that has what the budget has left.
struct Search {
    std::string_view subject, pattern;
    bool anchored = false;
    std::uint64_t steps = 0;
    PatternMatcher matcher;

    Search(lua_State* L, std::string_view a_subject, std::string_view a_pattern, bool may_anchor)
        : subject(a_subject), pattern(a_pattern), anchored(may_anchor && pattern.starts_with('^')),
          steps(left(L)), matcher(subject, anchored ? pattern.substr(1) : pattern, steps) {}

    static std::uint64_t left(lua_State* L) {
        auto& machine = RuleMachine::of(L);
        const auto max = machine.limits.instructions_max * steps_an_instruction;
        const auto used = machine.meter ? machine.meter->instructions * steps_an_instruction : 0;
        return max - std::min(max, used);
    }
    /// From `at` on; true: matched at `begin`.
    bool run(lua_State* L, std::size_t at, std::size_t& begin) {
        auto outcome = Outcome::Unmatched;
        for (; at <= subject.size(); ++at) {
            outcome = matcher.match_at(at);
            if (outcome != Outcome::Unmatched || anchored) break;
        }
        settle(L, outcome);
        begin = at;
        return outcome == Outcome::Matched;
    }
    void settle(lua_State* L, Outcome outcome) {
        if (outcome == Outcome::Malformed) luaL_error(L, "%s", matcher.problem());
        auto& machine = RuleMachine::of(L);
        const auto used = (steps - matcher.steps_left()) / steps_an_instruction + 1;
        steps = matcher.steps_left();
        if (!machine.charge(used) || outcome == Outcome::OutOfSteps) machine.raise_spent(L);
    }
    static constexpr std::uint64_t steps_an_instruction = 4;
};

void push_capture(lua_State* L, const Search& search, std::size_t begin, std::size_t index) {
    const auto& matcher = search.matcher;
    if (index >= matcher.captures()) {
        if (index != 0) luaL_error(L, "invalid capture index");
        push_text(L, search.subject.substr(begin, matcher.end() - begin));
        return;
    }
    const auto& capture = matcher.capture(index);
    if (capture.position)
        lua_pushinteger(L, static_cast<lua_Integer>(capture.begin) + 1);
    else
        push_text(L, search.subject.substr(capture.begin, capture.octets));
}

/// All captures; the whole match if there are none and `or_whole`.
int push_captures(lua_State* L, const Search& search, std::size_t begin, bool or_whole) {
    auto count = search.matcher.captures();
    if (count == 0 && or_whole) count = 1;
    luaL_checkstack(L, static_cast<int>(count), "too many captures");
    for (std::size_t i = 0; i < count; ++i) push_capture(L, search, begin, i);
    return static_cast<int>(count);
}

/// The place that an argument names: from 1, or from the end if it is negative.
std::size_t place_at(lua_State* L, int index, std::size_t octets) {
    const auto place = luaL_optinteger(L, index, 1);
    if (place > 0) return static_cast<std::size_t>(place) - 1;
    if (place == 0) return 0;
    const auto from_end = static_cast<std::size_t>(-(place + 1)) + 1;
    return from_end > octets ? 0 : octets - from_end;
}

bool is_plain(std::string_view pattern) {
    return pattern.find_first_of("^$*+?.([%-") == std::string_view::npos;
}

int find(lua_State* L) {
    const auto subject = text_at(L, 1);
    const auto pattern = text_at(L, 2);
    const auto from = place_at(L, 3, subject.size());
    if (from > subject.size()) {
        lua_pushnil(L);
        return 1;
    }
    if (lua_toboolean(L, 4) || is_plain(pattern)) {
        charge_octets(L, subject.size() - from + pattern.size());
        const auto* found = static_cast<const char*>(
            ::memmem(subject.data() + from, subject.size() - from, pattern.data(), pattern.size()));
        if (!found) {
            lua_pushnil(L);
            return 1;
        }
        const auto begin = found - subject.data();
        lua_pushinteger(L, begin + 1);
        lua_pushinteger(L, begin + static_cast<lua_Integer>(pattern.size()));
        return 2;
    }
    Search search(L, subject, pattern, true);
    std::size_t begin = 0;
    if (!search.run(L, from, begin)) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, static_cast<lua_Integer>(begin) + 1);
    lua_pushinteger(L, static_cast<lua_Integer>(search.matcher.end()));
    return 2 + push_captures(L, search, begin, false);
}

int match(lua_State* L) {
    const auto subject = text_at(L, 1);
    const auto from = place_at(L, 3, subject.size());
    std::size_t begin = 0;
    if (from <= subject.size()) {
        Search search(L, subject, text_at(L, 2), true);
        if (search.run(L, from, begin)) return push_captures(L, search, begin, true);
    }
    lua_pushnil(L);
    return 1;
}

/// Upvalues: subject, pattern, where to go on, where the last match ended (-1: none yet).
int next_match(lua_State* L) {
    const auto subject = text_at(L, lua_upvalueindex(1));
    auto at = static_cast<std::size_t>(lua_tointeger(L, lua_upvalueindex(3)));
    const auto last = lua_tointeger(L, lua_upvalueindex(4));
    Search search(L, subject, text_at(L, lua_upvalueindex(2)), false);
    std::size_t begin = 0;
    while (at <= subject.size() && search.run(L, at, begin)) {
        const auto end = search.matcher.end();
        if (static_cast<lua_Integer>(end) == last && begin == end) { // empty, right behind the last
            at = begin + 1;
            continue;
        }
        lua_pushinteger(L, static_cast<lua_Integer>(end));
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(L, search, begin, true);
    }
    lua_pushinteger(L, static_cast<lua_Integer>(subject.size()) + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

int gmatch(lua_State* L) {
    const auto subject = text_at(L, 1);
    text_at(L, 2);
    const auto from = place_at(L, 3, subject.size());
    lua_settop(L, 2);
    lua_pushinteger(L, static_cast<lua_Integer>(std::min(from, subject.size() + 1)));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, next_match, 4);
    return 1;
}

/// "%0" to "%9" and "%%" in the replacement of gsub.
void add_template(lua_State* L, luaL_Buffer& out, const Search& search, std::size_t begin) {
    const auto text = text_at(L, 3);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            luaL_addchar(&out, text[i]);
            continue;
        }
        const char digit = ++i < text.size() ? text[i] : '\0';
        if (digit == '%') {
            luaL_addchar(&out, '%');
        } else if (digit == '0') {
            luaL_addlstring(&out, search.subject.data() + begin, search.matcher.end() - begin);
        } else if (digit >= '1' && digit <= '9') {
            push_capture(L, search, begin, static_cast<std::size_t>(digit - '1'));
            luaL_tolstring(L, -1, nullptr);
            lua_remove(L, -2);
            luaL_addvalue(&out);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

void add_replacement(lua_State* L, luaL_Buffer& out, const Search& search, std::size_t begin) {
    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION: {
        lua_pushvalue(L, 3);
        const int captures = push_captures(L, search, begin, true);
        lua_call(L, captures, 1);
        break;
    }
    case LUA_TTABLE:
        push_capture(L, search, begin, 0);
        lua_gettable(L, 3);
        break;
    default: add_template(L, out, search, begin); return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(&out, search.subject.data() + begin, search.matcher.end() - begin);
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(&out);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

int gsub(lua_State* L) {
    const auto subject = text_at(L, 1);
    Search search(L, subject, text_at(L, 2), true);
    const int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    const auto times_max = luaL_optinteger(L, 4, static_cast<lua_Integer>(subject.size()) + 1);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    std::size_t at = 0;
    lua_Integer times = 0;
    bool any = false;
    std::size_t last = 0; // where the last match ended
    while (times < times_max) {
        const auto outcome = search.matcher.match_at(at);
        search.settle(L, outcome);
        if (outcome == Outcome::Matched && !(any && search.matcher.end() == last)) {
            ++times;
            any = true;
            last = search.matcher.end();
            add_replacement(L, out, search, at);
            at = last;
        } else if (at < subject.size()) {
            luaL_addchar(&out, subject[at]);
            ++at;
        } else {
            break;
        }
        if (search.anchored) break;
    }
    if (at < subject.size()) luaL_addlstring(&out, subject.data() + at, subject.size() - at);
    luaL_pushresult(&out);
    lua_pushinteger(L, times);
    return 2;
}

} // namespace

void bound_string_functions(lua_State* L) {
    constexpr luaL_Reg functions[] = {
        {"find", find}, {"match", match}, {"gmatch", gmatch}, {"gsub", gsub}, {nullptr, nullptr}};
    luaL_setfuncs(L, functions, 0);
}

} // namespace mailcore::filter::detail
