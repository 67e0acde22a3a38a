// One Lua state with its sandbox and budgets, and one judgement under way in it.
//
// Lua is C and leaves functions by longjmp: no function that it calls holds an object with a
// destructor while it calls Lua. What such a function needs to keep lies in the Call.
#pragma once

#include "libmailcore/filter/detail/lua.h"
#include "libmailcore/filter/lua_rules.h"
#include "libmailcore/filter/word_list.h"
#include "libmailcore/filter/zip_archive.h"
#include "libmailcore/mime/address.h"
#include "libmailcore/mime/structure.h"

#include <map>
#include <optional>

namespace mailcore::filter::detail {

/// What is spent by the code that runs now.
struct Meter {
    std::uint64_t instructions = 0;
    std::int64_t grown = 0; ///< octets of Lua values, may be below 0 after a collection
    Instant began;          ///< of what runs without waiting
    bool spent = false;     ///< a budget is used up: nothing of the rule runs any more
};

/// A zip archive that a rule has opened.
struct OpenArchive {
    std::string octets;
    std::vector<ZipEntry> entries;
    unsigned depth = 1;
};

/// What a wait ends with; `answered` gives it to Lua.
struct Answer {
    enum class Kind : std::uint8_t { Failure, NilBecause, Nil, Text, Texts, Number, Flag, Entries };
    Kind kind = Kind::Nil;
    std::string text; ///< Text; Failure and NilBecause: why
    std::vector<std::string> texts;
    std::uint64_t number = 0; ///< Number; Entries: which archive
    bool flag = false;
};

class RuleMachine;

/// One judgement by one function.
struct Call {
    Call(RuleMachine& a_machine, std::uint64_t an_id, Stage a_stage, Context& a_context)
        : machine(a_machine), id(an_id), stage(a_stage), context(a_context) {}
    Call(const Call&) = delete;
    ~Call();

    /// The header block with the edits made so far.
    [[nodiscard]] std::string_view header();

    RuleMachine& machine;
    std::uint64_t id;
    Stage stage;
    Context& context;
    Verdict verdict;
    Meter meter;
    std::chrono::nanoseconds busy{0};
    lua_State* thread = nullptr;
    int thread_ref = LUA_NOREF;
    bool reusable = false;

    std::optional<Task<void>> wait; ///< what the function that yields waits for
    Answer answer;
    std::vector<OpenArchive> archives;
    std::size_t held_octets = 0; ///< in archives
    std::vector<std::string> said;

    // Kept here for the sake of longjmp.
    std::string scratch;
    std::vector<std::string> texts;
    std::vector<mime::Address> addresses;
    std::string edited_header;
    std::size_t edits_in_header = 0;
};

struct RuleHandler {
    std::string name;
    Stage stage = Stage::Connect;
    int function = LUA_NOREF;
    OnFailure on_failure = OnFailure::Open;
    std::chrono::milliseconds time_max{0};
};

class RuleMachine : public std::enable_shared_from_this<RuleMachine> {
  public:
    RuleMachine(const RuleLimits& limits, const RulePorts& ports);
    RuleMachine(const RuleMachine&) = delete;
    ~RuleMachine();

    Result<void> open();
    Result<void> load(const RuleFile& file);
    void set_lists(const std::vector<RuleFile>& lists);
    void seal() { loading = nullptr; }

    static Task<Result<Verdict>> judge(std::shared_ptr<RuleMachine> self, std::size_t handler,
                                       Stage stage, Context& context);

    static RuleMachine& of(lua_State* L) {
        return **static_cast<RuleMachine**>(lua_getextraspace(L));
    }
    /// Counts work that Lua does not count itself. False: the budget is used up.
    bool charge(std::uint64_t instructions);
    /// An error that says which budget is used up, at the function `level` calls up.
    int raise_spent(lua_State* L, int level = 1);

    const RuleLimits limits;
    const RulePorts ports;
    std::vector<RuleHandler> handlers;
    std::vector<WordList> lists;
    std::map<std::string, std::size_t, std::less<>> list_names; // behind `lists`: not yet read
    std::function<void(const RuleReport&)> observer;
    const RuleFile* loading = nullptr;
    Call* call = nullptr;   // that runs now
    Meter* meter = nullptr; // of what runs now
    std::size_t octets = 0; // of Lua values

  private:
    friend struct Call;
    static void* allocate(void* self, void* block, std::size_t old_octets, std::size_t octets);
    static void look(lua_State* L, lua_Debug*);
    static int begin_protected(lua_State* L);
    static int load_protected(lua_State* L);
    Result<void> begin(Call& call, std::size_t handler);
    int resume(Call& call, int arguments);
    std::string error_of(Call& call);
    std::string message_at(lua_State* L, int index);

    lua_State* state_ = nullptr;
    std::uint64_t last_call_ = 0;
    std::vector<std::pair<lua_State*, int>> idle_threads_;
    std::size_t handler_to_begin_ = 0;
};

/// The judgement under way; an error in Lua if there is none.
Call& call_of(lua_State* L);
/// The same for a function whose first argument is the context or one of its parts.
struct CallObject {
    std::uint64_t call;
    std::uint32_t index;  ///< of the part, or of the archive
    std::uint32_t member; ///< of the archive
};
CallObject& object_of(lua_State* L, const char* kind);
void push_object(lua_State* L, const char* kind, std::uint64_t call, std::uint32_t index = 0,
                 std::uint32_t member = 0);

/// A text argument.
std::string_view text_at(lua_State* L, int index);
void push_text(lua_State* L, std::string_view text);
void push_texts(lua_State* L, const std::vector<std::string>& texts);
/// Waits for `call.wait`, then gives `call.answer`: the last thing that a function does.
int wait_for(lua_State* L, Call& call);
/// Charges for octets that are looked at.
void charge_octets(lua_State* L, std::size_t octets);
/// Notes what a rule says.
void say(lua_State* L, std::string_view text);

/// One row of the interface: a function, or a field that can be read (and set).
struct ApiRow {
    const char* scope; ///< "mail", "dns", "ctx", "part" ...
    const char* name;
    const char* usage; ///< absent: a field, used by its name
    const char* meaning;
    lua_CFunction function = nullptr;
    lua_CFunction get = nullptr;
    lua_CFunction set = nullptr;
};
constexpr ApiRow field(const char* scope, const char* name, const char* meaning, lua_CFunction get,
                       lua_CFunction set = nullptr) {
    return {scope, name, nullptr, meaning, nullptr, get, set};
}
std::span<const ApiRow> mail_api();
std::span<const ApiRow> store_api();
std::span<const ApiRow> context_api();
std::span<const ApiRow> part_api();

/// Makes the objects of `scope` work: methods, fields, and nothing else.
void register_objects(lua_State* L, const char* scope, std::span<const ApiRow> rows);
/// Pushes a table that cannot be written whose functions are those of `scope`.
void push_functions(lua_State* L, const char* scope, std::span<const ApiRow> rows);
/// Replaces find, match, gmatch and gsub in the table on top.
void bound_string_functions(lua_State* L);
/// Puts what every file sees into the table on top.
void open_globals(lua_State* L);

} // namespace mailcore::filter::detail
