// The tables `mail` and `dns`, sets and lists.
#include "libmailcore/base/address.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/filter/detail/rule_machine.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace mailcore::filter::detail {

namespace {

constexpr std::size_t name_octets_max = 64;
constexpr const char* stage_names[] = {"connect", "helo",    "auth",    "mail", "rcpt",
                                       "headers", "message", "deliver", "sent", nullptr};

// Registering

int on(lua_State* L) {
    auto& machine = RuleMachine::of(L);
    if (!machine.loading) return luaL_error(L, "mail.on is for the file itself, not for functions");
    const auto stage = static_cast<Stage>(luaL_checkoption(L, 1, nullptr, stage_names));
    const int function = lua_type(L, 2) == LUA_TTABLE ? 3 : 2;
    luaL_checktype(L, function, LUA_TFUNCTION);
    constexpr std::size_t functions_max = 100'000;
    if (machine.handlers.size() >= functions_max) return luaL_error(L, "too many functions");

    const char* on_failure = nullptr;
    lua_Integer time_max = 0;
    if (function == 3) {
        lua_pushnil(L);
        while (lua_next(L, 2)) {
            if (lua_type(L, -2) != LUA_TSTRING) return luaL_error(L, "mail.on: options have names");
            const std::string_view name = lua_tostring(L, -2);
            if (name == "on_failure") {
                on_failure = luaL_checkstring(L, -1);
                if (std::strcmp(on_failure, "open") != 0 && std::strcmp(on_failure, "defer") != 0)
                    return luaL_error(L, "mail.on: on_failure is \"open\" or \"defer\"");
            } else if (name == "time_max") {
                time_max = luaL_checkinteger(L, -1);
                if (time_max < 1 || time_max > 600'000)
                    return luaL_error(L, "mail.on: time_max is 1 to 600000 milliseconds");
            } else {
                return luaL_error(L, "mail.on: no option '%s'", lua_tostring(L, -2));
            }
            lua_pop(L, 1);
        }
    }
    lua_pushvalue(L, function);
    lua_Debug facts{};
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &facts);
    const int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    RuleHandler handler;
    handler.name = fmt::format("{}:{}", machine.loading->name, facts.linedefined);
    handler.stage = stage;
    handler.function = ref;
    handler.on_failure = !on_failure          ? machine.limits.on_failure
                         : *on_failure == 'o' ? OnFailure::Open
                                              : OnFailure::Defer;
    handler.time_max = time_max > 0 ? std::chrono::milliseconds{time_max} : machine.limits.time_max;
    machine.handlers.push_back(std::move(handler));
    return 0;
}

// Verdicts: the last one that is given counts when the function ends

int refuse(lua_State* L, Verdict::Kind kind, int least, int code, const char* enhanced) {
    auto& call = call_of(L);
    const int count = lua_gettop(L);
    int at = 1;
    if (count > at && lua_type(L, at) == LUA_TNUMBER) {
        code = static_cast<int>(luaL_checkinteger(L, at++));
        if (code < least || code > least + 99)
            return luaL_error(L, "the reply code is from %d to %d", least, least + 99);
    }
    if (count > at) enhanced = luaL_checkstring(L, at++);
    const auto text = text_at(L, at);
    const std::string_view status = enhanced;
    if (status.size() < 5 || status.size() > 9 || status[1] != '.' ||
        status[0] != (least == 500 ? '5' : '4'))
        return luaL_error(L, "the enhanced status is like %d.7.1", least / 100);
    const auto reply = static_cast<std::uint16_t>(code);
    call.verdict = kind == Verdict::Kind::Reject
                       ? Verdict::reject(std::string(text), reply, std::string(status))
                       : Verdict::defer(std::string(text), reply, std::string(status));
    return 0;
}
int reject(lua_State* L) { return refuse(L, Verdict::Kind::Reject, 500, 550, "5.7.1"); }
int defer(lua_State* L) { return refuse(L, Verdict::Kind::Defer, 400, 451, "4.7.1"); }
int accept(lua_State* L) { return call_of(L).verdict = Verdict::accept(), 0; }
int discard(lua_State* L) { return call_of(L).verdict = Verdict::discard(), 0; }
int quarantine(lua_State* L) { return call_of(L).verdict = Verdict::quarantine(), 0; }
int hold(lua_State* L) { return call_of(L).verdict = Verdict::hold(), 0; }
int proceed(lua_State* L) { return call_of(L).verdict = Verdict::go_on(), 0; }

bool is_address(std::string_view text) {
    const auto at = text.rfind('@');
    return at != std::string_view::npos && at > 0 && at + 1 < text.size() && text.size() <= 254 &&
           std::ranges::none_of(text, [](char c) {
               return codec::is_control(c) || c == ' ' || c == '<' || c == '>';
           });
}
int redirect(lua_State* L) {
    auto& call = call_of(L);
    const auto address = text_at(L, 1);
    if (!is_address(address)) return luaL_error(L, "mail.redirect: not an address");
    call.verdict = Verdict::redirect(std::string(address));
    return 0;
}

// Words and time

int log(lua_State* L) {
    luaL_tolstring(L, 1, nullptr);
    say(L, text_at(L, -1));
    return 0;
}
int now(lua_State* L) {
    lua_pushinteger(L, base::unix_seconds(RuleMachine::of(L).ports.clock.wall_now()));
    return 1;
}
int date(lua_State* L) {
    const auto seconds = luaL_opt(L, luaL_checkinteger, 1,
                                  base::unix_seconds(RuleMachine::of(L).ports.clock.wall_now()));
    constexpr lua_Integer seconds_max = 253'402'300'799; // the end of the year 9999
    luaL_argcheck(L, seconds >= 0 && seconds <= seconds_max, 1, "out of range");
    const std::chrono::sys_seconds at{std::chrono::seconds{seconds}};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day civil{day};
    const std::chrono::hh_mm_ss time{at - day};
    lua_createtable(L, 0, 7);
    const auto field = [&](const char* name, lua_Integer value) {
        lua_pushinteger(L, value);
        lua_setfield(L, -2, name);
    };
    field("year", static_cast<int>(civil.year()));
    field("month", static_cast<unsigned>(civil.month()));
    field("day", static_cast<unsigned>(civil.day()));
    field("hour", time.hours().count());
    field("min", time.minutes().count());
    field("sec", time.seconds().count());
    field("wday", std::chrono::weekday{day}.c_encoding() + 1);
    return 1;
}
int fold(lua_State* L) {
    const auto text = text_at(L, 1);
    charge_octets(L, text.size() * 4);
    auto& call = call_of(L);
    call.scratch = codec::fold_case_sanitised(text);
    push_text(L, call.scratch);
    return 1;
}
int domain(lua_State* L) {
    const auto address = text_at(L, 1);
    const auto at = address.rfind('@');
    if (at == std::string_view::npos) {
        lua_pushliteral(L, "");
        return 1;
    }
    auto& call = call_of(L);
    call.scratch = codec::lower(address.substr(at + 1));
    push_text(L, call.scratch);
    return 1;
}
int in_network(lua_State* L) {
    const auto address = IpAddress::parse(text_at(L, 1));
    bool found = false;
    const auto look = [&](std::string_view text) {
        const auto network = IpNetwork::parse(text);
        if (!network) luaL_error(L, "mail.in_network: not a network: %s", text.data());
        found = found || (address && network->contains(*address));
    };
    if (lua_type(L, 2) == LUA_TTABLE) {
        const auto count = static_cast<lua_Integer>(lua_rawlen(L, 2));
        for (lua_Integer i = 1; i <= count; ++i) {
            lua_rawgeti(L, 2, i);
            look(text_at(L, -1));
            lua_pop(L, 1);
        }
    } else {
        look(text_at(L, 2));
    }
    lua_pushboolean(L, found ? 1 : 0);
    return 1;
}

// The DNS

Task<void> look_up(Call& call, std::string name, std::string type) {
    auto answer = co_await call.machine.ports.names->lookup(std::move(name), std::move(type));
    if (answer) {
        call.answer.kind = Answer::Kind::Texts;
        call.answer.texts = std::move(*answer);
    } else {
        call.answer.kind = answer.error().kind == ErrorKind::Rejected ? Answer::Kind::Failure
                                                                      : Answer::Kind::NilBecause;
        call.answer.text = "dns.lookup: " + answer.error().detail;
    }
}
int lookup(lua_State* L) {
    auto& call = call_of(L);
    const auto name = text_at(L, 1);
    const auto type = lua_isnoneornil(L, 2) ? std::string_view("A") : text_at(L, 2);
    if (!call.machine.ports.names) {
        lua_pushnil(L);
        lua_pushliteral(L, "dns.lookup: there is no DNS here");
        return 2;
    }
    call.wait.emplace(look_up(call, std::string(name), std::string(type)));
    return wait_for(L, call);
}
int reversed(lua_State* L) {
    auto& call = call_of(L);
    const auto address = IpAddress::parse(text_at(L, 1));
    if (!address) return luaL_error(L, "dns.reversed: not an address");
    const auto octets = address->octets();
    call.scratch.clear();
    for (auto i = octets.size(); i-- > 0;) {
        const auto octet = static_cast<unsigned char>(octets[i]);
        if (!call.scratch.empty()) call.scratch += '.';
        if (address->is_v4())
            call.scratch += std::to_string(octet);
        else
            call.scratch += fmt::format("{:x}.{:x}", octet & 15u, octet >> 4u);
    }
    push_text(L, call.scratch);
    return 1;
}

// Counters, sets and lists

/// Seconds: a number, or a text such as "90s", "15m", "1h", "7d".
std::chrono::seconds duration_at(lua_State* L, int index) {
    lua_Integer seconds = 0;
    if (lua_type(L, index) == LUA_TSTRING) {
        const auto text = text_at(L, index);
        const auto number = codec::parse_u64(text.substr(0, text.size() - (text.empty() ? 0 : 1)));
        const char unit = text.empty() ? '\0' : text.back();
        const lua_Integer each = unit == 's'   ? 1
                                 : unit == 'm' ? 60
                                 : unit == 'h' ? 3600
                                 : unit == 'd' ? 86'400
                                               : 0;
        constexpr std::uint64_t number_max = 10'000'000;
        if (number && *number <= number_max) seconds = static_cast<lua_Integer>(*number) * each;
    } else {
        seconds = luaL_checkinteger(L, index);
    }
    constexpr lua_Integer seconds_max = 10 * 366 * 86'400LL;
    luaL_argcheck(L, seconds >= 1 && seconds <= seconds_max, index,
                  "a time is a number of seconds, or a text like \"90s\", \"15m\", \"1h\", \"7d\"");
    return std::chrono::seconds{seconds};
}
std::string_view name_at(lua_State* L, int index) {
    const auto name = text_at(L, index);
    const bool good =
        !name.empty() && name.size() <= name_octets_max && std::ranges::all_of(name, [](char c) {
            return codec::is_alnum(c) || c == '-' || c == '_' || c == '.';
        });
    luaL_argcheck(L, good, index, "a name is 1 to 64 letters, digits, \"-\", \"_\" and \".\"");
    return name;
}
std::string_view key_at(lua_State* L, int index) {
    const auto key = text_at(L, index);
    luaL_argcheck(L, key.size() <= rule_key_octets_max, index, "a key has at most 256 octets");
    return key;
}
RuleStore& store_of(lua_State* L, Call& call) {
    if (!call.machine.ports.store) luaL_error(L, "there is no store for counters and sets here");
    return *call.machine.ports.store;
}

Task<void> count_up(Call& call, std::string name, std::string key, std::chrono::seconds window,
                    std::uint64_t by) {
    auto answer =
        co_await call.machine.ports.store->count(std::move(name), std::move(key), window, by);
    call.answer.kind = answer ? Answer::Kind::Number : Answer::Kind::Failure;
    if (answer)
        call.answer.number = *answer;
    else
        call.answer.text = "mail.counter: " + answer.error().detail;
}
int counter(lua_State* L) {
    auto& call = call_of(L);
    store_of(L, call);
    const auto name = name_at(L, 1);
    const auto key = key_at(L, 2);
    const auto window = duration_at(L, 3);
    const auto by = luaL_optinteger(L, 4, 1);
    luaL_argcheck(L, by >= 0 && by <= 1'000'000'000, 4, "0 to 1000000000");
    call.wait.emplace(count_up(call, std::string(name), std::string(key), window,
                               static_cast<std::uint64_t>(by)));
    return wait_for(L, call);
}

int set(lua_State* L) {
    const auto name = name_at(L, 1);
    auto* kept = static_cast<char*>(lua_newuserdatauv(L, name_octets_max + 1, 0));
    std::memcpy(kept, name.data(), name.size());
    kept[name.size()] = '\0';
    luaL_setmetatable(L, "set");
    return 1;
}
Task<void> settle(Call& call, Task<Result<bool>> work) {
    auto answer = co_await std::move(work);
    call.answer.kind = answer ? Answer::Kind::Flag : Answer::Kind::Failure;
    if (answer)
        call.answer.flag = *answer;
    else
        call.answer.text = "set: " + answer.error().detail;
}
int set_has(lua_State* L) {
    auto& call = call_of(L);
    const auto* name = static_cast<const char*>(luaL_checkudata(L, 1, "set"));
    const auto key = key_at(L, 2);
    auto& store = store_of(L, call);
    call.wait.emplace(settle(call, store.contains(name, std::string(key))));
    return wait_for(L, call);
}
int set_add(lua_State* L) {
    auto& call = call_of(L);
    const auto* name = static_cast<const char*>(luaL_checkudata(L, 1, "set"));
    const auto key = key_at(L, 2);
    const auto lifetime = duration_at(L, 3);
    auto& store = store_of(L, call);
    call.wait.emplace(settle(call, store.insert(name, std::string(key), lifetime)));
    return wait_for(L, call);
}
int set_remove(lua_State* L) {
    auto& call = call_of(L);
    const auto* name = static_cast<const char*>(luaL_checkudata(L, 1, "set"));
    const auto key = key_at(L, 2);
    auto& store = store_of(L, call);
    call.wait.emplace(settle(call, store.erase(name, std::string(key))));
    return wait_for(L, call);
}

int list(lua_State* L) {
    auto& machine = RuleMachine::of(L);
    const auto name = text_at(L, 1);
    const auto found = machine.list_names.find(name);
    if (found == machine.list_names.end())
        return luaL_error(L, "mail.list: no file %s beside the rules", name.data());
    const auto index = found->second;
    *static_cast<std::size_t*>(lua_newuserdatauv(L, sizeof(std::size_t), 0)) = index;
    luaL_setmetatable(L, "list");
    return 1;
}
const WordList& list_of(lua_State* L) {
    return RuleMachine::of(L).lists[*static_cast<std::size_t*>(luaL_checkudata(L, 1, "list"))];
}
int list_has(lua_State* L) {
    const auto& words = list_of(L);
    const auto value = text_at(L, 2);
    charge_octets(L, value.size() * 4);
    lua_pushboolean(L, words.has(value) ? 1 : 0);
    return 1;
}
int list_find(lua_State* L) {
    auto& call = call_of(L);
    const auto& words = list_of(L);
    const auto text = text_at(L, 2);
    charge_octets(L, text.size() * 4);
    call.texts.clear();
    if (auto found = words.find_in(text)) call.texts.push_back(std::move(*found));
    if (call.texts.empty())
        lua_pushnil(L);
    else
        push_text(L, call.texts.front());
    return 1;
}
int list_size(lua_State* L) {
    lua_pushinteger(L, static_cast<lua_Integer>(list_of(L).size()));
    return 1;
}

constexpr ApiRow mail_rows[] = {
    {"mail", "on", "mail.on(stage, [options,] function(ctx) ... end)",
     "Registers a function for a stage: connect, helo, auth, mail, rcpt (once for each recipient), "
     "headers, message, deliver (once for each local recipient), sent. Options: `on_failure` "
     "(\"open\": go on as if the rule were not there; \"defer\": 451), `time_max` (milliseconds, "
     "with waiting). Only in the file itself.",
     on},
    {"mail", "reject", "mail.reject([code,] [enhanced,] text)",
     "Refuses for good: 550 5.7.1 unless said otherwise. A verdict ends the stage for all rules "
     "behind this one; the last verdict that the function gives counts, `return` before it or not.",
     reject},
    {"mail", "defer", "mail.defer([code,] [enhanced,] text)",
     "Refuses for now: 451 4.7.1 unless said otherwise. The sender tries again later.", defer},
    {"mail", "accept", "mail.accept()", "Good: no other rule of this stage is asked.", accept},
    {"mail", "discard", "mail.discard()",
     "Says 250 and throws the message away. Stages message and deliver.", discard},
    {"mail", "quarantine", "mail.quarantine()",
     "Says 250 and keeps the message apart: in the queue until an administrator releases it; at "
     "stage deliver in the folder Junk.",
     quarantine},
    {"mail", "hold", "mail.hold()",
     "Says 250 and keeps the message in the queue until an administrator releases it. Stage "
     "message.",
     hold},
    {"mail", "redirect", "mail.redirect(address)",
     "Sends the message to this address instead of its recipients. Stage message.", redirect},
    {"mail", "continue", "mail.continue()", "Takes back a verdict that this function gave before.",
     proceed},
    {"mail", "counter", "mail.counter(name, key, window [, by])",
     "Adds `by` (1) to a counter and gives how much was added within the window (seconds, or "
     "\"90s\", \"15m\", \"1h\", \"7d\") that ends now. 0 only reads. Kept over restarts. Waits.",
     counter},
    {"mail", "set", "mail.set(name)", "A set of keys, each kept for a time, over restarts.", set},
    {"mail", "list", "mail.list(file)",
     "The lines of a file FILE.txt in the folder of the rules, read when they are loaded. \"#\" "
     "begins a comment.",
     list},
    {"mail", "log", "mail.log(text)",
     "Writes to the log, with file, line and the message's trace. `print` does the same.", log},
    {"mail", "now", "mail.now()", "Seconds since 1970-01-01T00:00:00Z.", now},
    {"mail", "date", "mail.date([seconds])",
     "A table with year, month, day, hour, min, sec and wday (1: Sunday), in UTC.", date},
    {"mail", "fold", "mail.fold(text)",
     "The text for comparing: case, width and compatibility forms folded, in any script.", fold},
    {"mail", "domain", "mail.domain(address)",
     "What stands behind the last \"@\", in lower case; \"\" if there is none.", domain},
    {"mail", "in_network", "mail.in_network(ip, network)",
     "Whether an address lies in a network (\"192.0.2.0/24\") or one of a list of them.",
     in_network},
    {"dns", "lookup", "dns.lookup(name [, type])",
     "The records of a type (\"A\" if not said) as a list of texts, empty if there are none; nil "
     "and why if the DNS cannot say now. Waits, while others are served.",
     lookup},
    {"dns", "reversed", "dns.reversed(ip)",
     "\"2.0.0.192\" for 192.0.0.2; for IPv6 its digits: what DNS lists are asked with.", reversed},
};

constexpr ApiRow store_rows[] = {
    {"set", "has", "set:has(key)", "Whether the key is in the set. Waits.", set_has},
    {"set", "add", "set:add(key, time)",
     "Keeps the key for a time from now; gives whether it was there already. Waits.", set_add},
    {"set", "remove", "set:remove(key)", "Takes the key out; gives whether it was there. Waits.",
     set_remove},
    {"list", "has", "list:has(value)",
     "Whether a line is this value. Case does not matter, in any script.", list_has},
    {"list", "find", "list:find(text)",
     "The first line that stands in the text as a whole word, else nil; a line \"viagr*\" is found "
     "at the beginning of a word. In scripts without spaces between words: anywhere.",
     list_find},
    {"list", "size", "list:size()", "How many lines.", list_size},
};

} // namespace

std::span<const ApiRow> mail_api() { return mail_rows; }
std::span<const ApiRow> store_api() { return store_rows; }

} // namespace mailcore::filter::detail
