#include "libmailcore/filter/detail/rule_machine.h"

#include "libmailcore/filter/edits.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

namespace mailcore::filter::detail {

namespace {

constexpr const char* globals_key = "mailcore.globals";
constexpr const char* environment_key = "mailcore.environment";
constexpr std::size_t idle_threads_max = 16;

} // namespace

RuleMachine::RuleMachine(const RuleLimits& a_limits, const RulePorts& a_ports)
    : limits(a_limits), ports(a_ports) {}

RuleMachine::~RuleMachine() {
    meter = nullptr;
    if (state_) lua_close(state_);
}

// Budgets

void* RuleMachine::allocate(void* self, void* block, std::size_t old_octets, std::size_t octets) {
    auto& machine = *static_cast<RuleMachine*>(self);
    if (!block) old_octets = 0; // then it is the kind of what is to be made
    auto* meter = machine.meter;
    if (octets == 0) {
        std::free(block);
        machine.octets -= old_octets;
        if (meter) meter->grown -= static_cast<std::int64_t>(old_octets);
        return nullptr;
    }
    if (octets > old_octets) {
        const auto growth = octets - old_octets;
        if (machine.octets + growth > machine.limits.memory_max) return nullptr;
        if (meter) {
            const auto grown = meter->grown + static_cast<std::int64_t>(growth);
            if (grown > static_cast<std::int64_t>(machine.limits.call_memory_max)) return nullptr;
            // Making a large text is one instruction to Lua.
            constexpr std::size_t octets_an_instruction = 64;
            meter->instructions += octets / octets_an_instruction;
            if (meter->instructions > machine.limits.instructions_max && octets > 4096) {
                meter->spent = true;
                return nullptr;
            }
        }
    }
    void* made = std::realloc(block, octets);
    if (!made) return nullptr;
    machine.octets += octets - old_octets;
    if (meter)
        meter->grown += static_cast<std::int64_t>(octets) - static_cast<std::int64_t>(old_octets);
    return made;
}

bool RuleMachine::charge(std::uint64_t instructions) {
    if (!meter) return true;
    meter->instructions += instructions;
    if (meter->instructions > limits.instructions_max) meter->spent = true;
    return !meter->spent;
}

int RuleMachine::raise_spent(lua_State* L, int level) {
    // From now on every instruction ends here, so that no pcall goes on.
    lua_sethook(L, look, LUA_MASKCOUNT, 1);
    luaL_where(L, level);
    if (meter && meter->instructions <= limits.instructions_max)
        lua_pushfstring(L, "the rule has run for %d ms without waiting",
                        static_cast<int>(limits.busy_max.count()));
    else
        lua_pushfstring(L, "the rule has used its %I instructions",
                        static_cast<LUAI_UACINT>(limits.instructions_max));
    lua_concat(L, 2);
    return lua_error(L);
}

/// Lua's count hook.
void RuleMachine::look(lua_State* L, lua_Debug*) {
    auto& machine = of(L);
    auto* meter = machine.meter;
    if (!meter) return;
    if (!meter->spent) {
        machine.charge(machine.limits.look_every);
        if (machine.ports.clock.now() - meter->began > machine.limits.busy_max) meter->spent = true;
    }
    if (meter->spent) machine.raise_spent(L, 0);
}

// Opening

Result<void> RuleMachine::open() {
    state_ = lua_newstate(allocate, this);
    if (!state_) return fail(ErrorKind::LimitExceeded, "rules: no memory for Lua");
    *static_cast<RuleMachine**>(lua_getextraspace(state_)) = this;
    lua_pushcfunction(state_, [](lua_State* L) {
        lua_newtable(L);
        open_globals(L);
        lua_setfield(L, LUA_REGISTRYINDEX, globals_key);
        // What a file's own globals do not have is looked up among these; it can set only its own.
        lua_newtable(L);
        lua_getfield(L, LUA_REGISTRYINDEX, globals_key);
        lua_setfield(L, -2, "__index");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        lua_setfield(L, LUA_REGISTRYINDEX, environment_key);
        return 0;
    });
    if (lua_pcall(state_, 0, 0, 0) == LUA_OK) return {};
    auto text = message_at(state_, -1);
    lua_settop(state_, 0);
    return fail(ErrorKind::LimitExceeded, "rules: " + text);
}

void RuleMachine::set_lists(const std::vector<RuleFile>& files) {
    for (const auto& file : files) {
        list_names.emplace(file.name, lists.size());
        lists.emplace_back(file.text);
    }
}

int RuleMachine::load_protected(lua_State* L) {
    const auto& file = *static_cast<const RuleFile*>(lua_touserdata(L, 1));
    lua_pushfstring(L, "@%s", file.name.c_str());
    const char* name = lua_tostring(L, -1);
    // "t": text only. Bytecode can do anything to the machine.
    if (luaL_loadbufferx(L, file.text.data(), file.text.size(), name, "t") != LUA_OK)
        return lua_error(L);
    lua_newtable(L);
    luaL_setmetatable(L, environment_key);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
    return 0;
}

Result<void> RuleMachine::load(const RuleFile& file) {
    Meter spent;
    spent.began = ports.clock.now();
    meter = &spent;
    loading = &file;
    lua_sethook(state_, look, LUA_MASKCOUNT, static_cast<int>(limits.look_every));
    lua_pushcfunction(state_, load_protected);
    lua_pushlightuserdata(state_, const_cast<RuleFile*>(&file));
    const auto status = lua_pcall(state_, 1, 0, 0);
    lua_sethook(state_, nullptr, 0, 0);
    meter = nullptr;
    loading = nullptr;
    if (status == LUA_OK) return {};
    auto text = message_at(state_, -1);
    lua_settop(state_, 0);
    if (!text.starts_with(file.name + ":")) text = file.name + ": " + text;
    return fail(ErrorKind::Rejected, std::move(text));
}

std::string RuleMachine::message_at(lua_State* L, int index) {
    if (lua_type(L, index) != LUA_TSTRING)
        return fmt::format("error is a {}", luaL_typename(L, index));
    std::size_t octets_of_text = 0;
    const char* text = lua_tolstring(L, index, &octets_of_text);
    constexpr std::size_t text_octets_max = 1000;
    return std::string(text, std::min(octets_of_text, text_octets_max));
}

// Judging

Call::~Call() {
    if (!thread) return;
    if (reusable && machine.idle_threads_.size() < idle_threads_max)
        machine.idle_threads_.emplace_back(thread, thread_ref);
    else
        luaL_unref(machine.state_, LUA_REGISTRYINDEX, thread_ref);
}

std::string_view Call::header() {
    if (context.header_edits.empty()) return context.header;
    if (edits_in_header != context.header_edits.size()) {
        edited_header = apply_edits(context.header, context.header_edits);
        edits_in_header = context.header_edits.size();
    }
    return edited_header;
}

int RuleMachine::begin_protected(lua_State* L) {
    auto& machine = of(L);
    auto& call = *static_cast<Call*>(lua_touserdata(L, 1));
    if (machine.idle_threads_.empty()) {
        lua_State* thread = lua_newthread(L);
        const int ref = luaL_ref(L, LUA_REGISTRYINDEX);
        call.thread = thread;
        call.thread_ref = ref;
    } else {
        std::tie(call.thread, call.thread_ref) = machine.idle_threads_.back();
        machine.idle_threads_.pop_back();
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, machine.handlers[machine.handler_to_begin_].function);
    push_object(L, "ctx", call.id);
    lua_xmove(L, call.thread, 2);
    return 0;
}

Result<void> RuleMachine::begin(Call& starting, std::size_t handler) {
    meter = &starting.meter;
    handler_to_begin_ = handler;
    lua_pushcfunction(state_, begin_protected);
    lua_pushlightuserdata(state_, &starting);
    const auto status = lua_pcall(state_, 1, 0, 0);
    meter = nullptr;
    if (status == LUA_OK) {
        lua_sethook(starting.thread, look, LUA_MASKCOUNT, static_cast<int>(limits.look_every));
        return {};
    }
    auto text = message_at(state_, -1);
    lua_settop(state_, 0);
    return fail(ErrorKind::LimitExceeded, handlers[handler].name + ": " + text);
}

int RuleMachine::resume(Call& running, int arguments) {
    running.meter.began = ports.clock.now();
    call = &running;
    meter = &running.meter;
    int results = 0;
    const auto status = lua_resume(running.thread, state_, arguments, &results);
    call = nullptr;
    meter = nullptr;
    running.busy += ports.clock.now() - running.meter.began;
    if (status == LUA_OK) {
        lua_settop(running.thread, 0);
        lua_sethook(running.thread, nullptr, 0, 0);
        running.reusable = true;
    } else if (status == LUA_YIELD) {
        lua_pop(running.thread, results);
    }
    return status;
}

/// What went wrong, with the file and line where.
std::string RuleMachine::error_of(Call& failed) {
    auto text = message_at(failed.thread, -1);
    lua_Debug frame{};
    for (int level = 0; lua_getstack(failed.thread, level, &frame); ++level) {
        lua_getinfo(failed.thread, "Sl", &frame);
        if (frame.currentline <= 0) continue;
        const auto place = fmt::format("{}:{}: ", frame.short_src, frame.currentline);
        return text.starts_with(frame.short_src) ? text : place + text;
    }
    return text;
}

Task<Result<Verdict>> RuleMachine::judge(std::shared_ptr<RuleMachine> self, std::size_t handler,
                                         Stage stage, Context& context) {
    const auto judging = std::make_unique<Call>(*self, ++self->last_call_, stage, context);
    Result<Verdict> outcome = Verdict::go_on();
    if (auto begun = self->begin(*judging, handler); !begun) {
        outcome = std::unexpected(std::move(begun).error());
    } else {
        int arguments = 1;
        while (true) {
            const int status = self->resume(*judging, arguments);
            if (status == LUA_YIELD && judging->wait) {
                Task<void> wait = std::move(*judging->wait);
                judging->wait.reset();
                co_await std::move(wait);
                arguments = 0;
                continue;
            }
            if (status == LUA_OK)
                outcome = std::move(judging->verdict);
            else
                outcome = fail(ErrorKind::Rejected, self->error_of(*judging));
            break;
        }
    }
    if (self->observer)
        self->observer(RuleReport{self->handlers[handler].name, stage, outcome, context,
                                  judging->meter.instructions, judging->busy, judging->said});
    co_return outcome;
}

// What functions of the interface share

Call& call_of(lua_State* L) {
    auto* call = RuleMachine::of(L).call;
    if (!call) luaL_error(L, "this can be used only while mail is judged");
    return *call;
}

CallObject& object_of(lua_State* L, const char* kind) {
    auto& object = *static_cast<CallObject*>(luaL_checkudata(L, 1, kind));
    if (call_of(L).id != object.call) luaL_error(L, "%s belongs to another judgement", kind);
    return object;
}

void push_object(lua_State* L, const char* kind, std::uint64_t call, std::uint32_t index,
                 std::uint32_t member) {
    auto* object = static_cast<CallObject*>(lua_newuserdatauv(L, sizeof(CallObject), 0));
    *object = CallObject{call, index, member};
    luaL_setmetatable(L, kind);
}

std::string_view text_at(lua_State* L, int index) {
    std::size_t octets = 0;
    const char* text = luaL_checklstring(L, index, &octets);
    return {text, octets};
}

void push_text(lua_State* L, std::string_view text) {
    lua_pushlstring(L, text.data(), text.size());
}

void push_texts(lua_State* L, const std::vector<std::string>& texts) {
    lua_createtable(L, static_cast<int>(texts.size()), 0);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        push_text(L, texts[i]);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i + 1));
    }
}

void charge_octets(lua_State* L, std::size_t octets) {
    auto& machine = RuleMachine::of(L);
    constexpr std::size_t octets_an_instruction = 16;
    if (!machine.charge(octets / octets_an_instruction)) machine.raise_spent(L);
}

namespace {

int answered(lua_State* L, int, lua_KContext) {
    auto& call = call_of(L);
    auto& answer = call.answer;
    switch (answer.kind) {
    case Answer::Kind::Failure: return luaL_error(L, "%s", answer.text.c_str());
    case Answer::Kind::NilBecause:
        lua_pushnil(L);
        push_text(L, answer.text);
        return 2;
    case Answer::Kind::Nil: lua_pushnil(L); return 1;
    case Answer::Kind::Text:
        charge_octets(L, answer.text.size());
        push_text(L, answer.text);
        answer.text = {};
        return 1;
    case Answer::Kind::Texts: push_texts(L, answer.texts); return 1;
    case Answer::Kind::Number:
        lua_pushinteger(L, static_cast<lua_Integer>(answer.number));
        return 1;
    case Answer::Kind::Flag: lua_pushboolean(L, answer.flag ? 1 : 0); return 1;
    case Answer::Kind::Entries: {
        const auto archive = static_cast<std::uint32_t>(answer.number);
        const auto count = static_cast<std::uint32_t>(call.archives[archive].entries.size());
        lua_createtable(L, static_cast<int>(count), 0);
        for (std::uint32_t i = 0; i < count; ++i) {
            push_object(L, "entry", call.id, archive, i);
            lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
        }
        return 1;
    }
    }
    return 0;
}

} // namespace

int wait_for(lua_State* L, Call& call) {
    if (!lua_isyieldable(L)) {
        call.wait.reset();
        return luaL_error(L, "this waits, and cannot inside a function given to gsub or sort");
    }
    return lua_yieldk(L, 0, 0, answered);
}

void say(lua_State* L, std::string_view text) {
    auto& machine = RuleMachine::of(L);
    constexpr std::size_t text_octets_max = 1000;
    constexpr std::size_t texts_max = 100;
    text = text.substr(0, text_octets_max);
    auto* call = machine.call;
    if (call) {
        if (call->said.size() >= texts_max) return;
        call->said.emplace_back(text);
    }
    lua_Debug frame{};
    if (!lua_getstack(L, 1, &frame)) return;
    lua_getinfo(L, "Sl", &frame);
    MAILCORE_LOG(
        machine.ports.log, Info, "rule.said",
        {{"rule", std::string_view(frame.short_src)}, {"line", frame.currentline}, {"text", text}},
        call ? call->context.trace : TraceId{});
}

} // namespace mailcore::filter::detail
