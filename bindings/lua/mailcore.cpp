// The module `mailcore` for Lua 5.4: the C library, with its callbacks run where the script polls.
//
// A Lua state belongs to one thread, the library's events come on others: they are queued, and
// `poll` calls the script's functions. Lua's errors jump over C++ destructors: arguments are
// checked before there is an object to destroy, and what goes wrong later is raised by `guarded`
// after all of them have gone. (Only Lua's own lack of memory may leak.)
#include "bindings/lua/event_queue.h"
#include "bindings/lua/json.h"

#include "bindings/c/mailcore.h"

#include <array>
#include <cmath>
#include <exception>
#include <expected>
#include <lua.hpp>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace mailcore::lua;

constexpr const char* host_metatable = "mailcore.host";

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

/// A server of either kind, with the script's functions.
struct Host {
    mailcore_smtp_server* smtp = nullptr; // one of the two, until it is closed
    mailcore_server* server = nullptr;
    EventQueue queue;
    int on_message = LUA_NOREF; // in the registry
    int on_log = LUA_NOREF;
    int on_change = LUA_NOREF;

    void defer(std::uint64_t token) {
        mailcore_verdict verdict = MAILCORE_VERDICT_INIT;
        verdict.action = MAILCORE_DEFER;
        // Who asked may have gone: nothing is lost then.
        [[maybe_unused]] const auto status = mailcore_smtp_reply(smtp, token, &verdict, nullptr);
    }
    void close() {
        for (const auto& event : queue.close())
            if (event.kind == Event::Kind::Message) defer(event.token);
        mailcore_smtp_free(std::exchange(smtp, nullptr));
        mailcore_server_free(std::exchange(server, nullptr));
    }
};

/// False: there is no room for it.
bool keep(Host& host, Event::Kind kind, const char* json, std::uint64_t token = 0,
          std::string_view octets = {}) {
    try {
        return host.queue.put({kind, json, token, std::string(octets)});
    } catch (const std::bad_alloc&) {
        return false;
    }
}

extern "C" void take_message(void* context, std::uint64_t token, const char* envelope,
                             const char* octets, std::size_t length) {
    auto& host = *static_cast<Host*>(context);
    if (!keep(host, Event::Kind::Message, envelope, token, {octets, length})) host.defer(token);
}
extern "C" void take_log(void* context, const char* event) {
    keep(*static_cast<Host*>(context), Event::Kind::Log, event);
}
extern "C" void take_change(void* context, const char* event) {
    keep(*static_cast<Host*>(context), Event::Kind::Change, event);
}

Host& host_at(lua_State* L, int index) {
    auto* slot = static_cast<Host**>(luaL_checkudata(L, index, host_metatable));
    return **slot;
}

/// Pushes a new host.
Host& push_host(lua_State* L) {
    auto** slot = static_cast<Host**>(lua_newuserdatauv(L, sizeof(Host*), 0));
    *slot = nullptr;
    luaL_setmetatable(L, host_metatable);
    *slot = new (std::nothrow) Host;
    if (!*slot) luaL_error(L, "out of memory");
    return **slot;
}

// Fields of a table of options, checked: raised while there is no object to destroy. Texts stay on
// the stack, which keeps them.

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
/// A field that nobody knows is a mistake.
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

// Methods of a host

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

/// host:poll([seconds]): waits at most so long for something to happen, then runs the script's
/// functions for all that has; answers how many. An error in one of them is raised, after the peer
/// was told to try again later.
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
    luaL_setfuncs(L, host_methods.data(), 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_createtable(L, 0, static_cast<int>(functions.size()));
    luaL_setfuncs(L, functions.data(), 0);
    return 1;
}
