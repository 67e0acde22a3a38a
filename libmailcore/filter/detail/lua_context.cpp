// The object `ctx`: what is known of the mail, and what a rule may ask to be changed.
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/filter/detail/rule_machine.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::filter::detail {

namespace {

constexpr std::size_t tags_max = 64;
constexpr std::size_t note_octets_max = 4096;

Call& call_at(lua_State* L) {
    object_of(L, "ctx");
    return call_of(L);
}
/// The judgement, if its stage is one of those from `first` to `last`; else an error in Lua.
Call& call_between(lua_State* L, Stage first, Stage last, const char* what) {
    auto& call = call_at(L);
    if (call.stage < first || call.stage > last)
        luaL_error(L, "%s: not at stage %s", what, to_string(call.stage).data());
    return call;
}

// Facts

int get_stage(lua_State* L) { return push_text(L, to_string(call_at(L).stage)), 1; }
int get_ip(lua_State* L) {
    auto& call = call_at(L);
    call.scratch = call.context.peer.transport == PeerInfo::Transport::Tcp
                       ? call.context.peer.address.to_string()
                       : std::string{};
    return push_text(L, call.scratch), 1;
}
int get_port(lua_State* L) { return lua_pushinteger(L, call_at(L).context.peer.local_port), 1; }
int get_tls(lua_State* L) {
    const auto& tls = call_at(L).context.peer.tls;
    return push_text(L, tls ? std::string_view(tls->version) : std::string_view{}), 1;
}
int get_peer_name(lua_State* L) { return push_text(L, call_at(L).context.peer_name), 1; }
int get_helo(lua_State* L) { return push_text(L, call_at(L).context.helo), 1; }
int get_account(lua_State* L) { return push_text(L, call_at(L).context.account), 1; }
int get_submission(lua_State* L) {
    return lua_pushboolean(L, call_at(L).context.submission ? 1 : 0), 1;
}
int get_trace(lua_State* L) {
    auto& call = call_at(L);
    call.scratch = fmt::format("{:016x}", call.context.trace.value);
    return push_text(L, call.scratch), 1;
}
int get_sender(lua_State* L) { return push_text(L, call_at(L).context.sender), 1; }
int get_recipients(lua_State* L) { return push_texts(L, call_at(L).context.recipients), 1; }
int get_recipient(lua_State* L) { return push_text(L, call_at(L).context.recipient), 1; }
int get_size(lua_State* L) {
    return lua_pushinteger(L, static_cast<lua_Integer>(call_at(L).context.size)), 1;
}
int get_tags(lua_State* L) { return push_texts(L, call_at(L).context.tags), 1; }
int get_score(lua_State* L) { return lua_pushnumber(L, call_at(L).context.score), 1; }
int set_score(lua_State* L) {
    auto& call = call_at(L);
    const auto score = luaL_checknumber(L, 3);
    constexpr lua_Number score_max = 1e6;
    luaL_argcheck(L, score >= -score_max && score <= score_max, 3, "-1000000 to 1000000");
    call.context.score = score;
    return 0;
}
int get_folder(lua_State* L) {
    const auto& folder = call_at(L).context.folder;
    return push_text(L, folder ? std::string_view(*folder) : std::string_view{}), 1;
}
int set_folder(lua_State* L) {
    auto& call = call_between(L, Stage::Deliver, Stage::Deliver, "ctx.folder");
    const auto folder = text_at(L, 3);
    constexpr std::size_t folder_octets_max = 1000;
    luaL_argcheck(L, !folder.empty() && folder.size() <= folder_octets_max, 3,
                  "the path of a folder");
    call.context.folder = folder;
    return 0;
}

// Headers

int read_headers(lua_State* L, bool all, bool decoded) {
    auto& call = call_between(L, Stage::Headers, Stage::Sent, "header");
    const auto name = text_at(L, 2);
    const auto header = call.header();
    charge_octets(L, header.size());
    constexpr std::size_t fields_max = 1000;
    call.texts.clear();
    mime::HeaderScanner fields(header);
    while (auto field = fields.next()) {
        if (!field->is(name)) continue;
        call.texts.push_back(decoded ? mime::decode_encoded_words(field->value)
                                     : mime::unfolded(field->value));
        if (decoded) call.texts.back() = codec::trim(call.texts.back());
        if (!all || call.texts.size() == fields_max) break;
    }
    if (all)
        push_texts(L, call.texts);
    else if (call.texts.empty())
        lua_pushnil(L);
    else
        push_text(L, call.texts.front());
    return 1;
}
int header(lua_State* L) { return read_headers(L, false, true); }
int headers(lua_State* L) { return read_headers(L, true, true); }
int raw_header(lua_State* L) { return read_headers(L, false, false); }

int header_names(lua_State* L) {
    auto& call = call_between(L, Stage::Headers, Stage::Sent, "header_names");
    const auto block = call.header();
    charge_octets(L, block.size());
    constexpr std::size_t fields_max = 10'000;
    call.texts.clear();
    mime::HeaderScanner fields(block);
    while (auto field = fields.next()) {
        if (call.texts.size() == fields_max) break;
        call.texts.emplace_back(field->name);
    }
    return push_texts(L, call.texts), 1;
}

int addresses(lua_State* L) {
    auto& call = call_between(L, Stage::Headers, Stage::Sent, "addresses");
    const auto name = text_at(L, 2);
    const auto block = call.header();
    charge_octets(L, block.size());
    constexpr std::size_t addresses_max = 1000;
    call.addresses.clear();
    call.texts.clear();
    mime::HeaderScanner fields(block);
    while (auto field = fields.next())
        if (field->is(name))
            for (auto& address : mime::parse_addresses(field->value, addresses_max))
                if (address.kind == mime::Address::Kind::Mailbox &&
                    call.addresses.size() < addresses_max) {
                    call.texts.push_back(address.addr_spec());
                    call.texts.push_back(address.display_name());
                    address.domain = codec::lower(address.domain);
                    call.addresses.push_back(std::move(address));
                }
    lua_createtable(L, static_cast<int>(call.addresses.size()), 0);
    for (std::size_t i = 0; i < call.addresses.size(); ++i) {
        lua_createtable(L, 0, 4);
        const std::pair<const char*, std::string_view> facts[] = {
            {"address", call.texts[2 * i]},
            {"name", call.texts[2 * i + 1]},
            {"local_part", call.addresses[i].local},
            {"domain", call.addresses[i].domain}};
        for (const auto& [fact, value] : facts) {
            push_text(L, value);
            lua_setfield(L, -2, fact);
        }
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
    return 1;
}

/// The judgement and a valid field name at 2.
Call& editing(lua_State* L) {
    auto& call = call_between(L, Stage::Headers, Stage::Message, "header edits");
    luaL_argcheck(L, is_header_name(text_at(L, 2)), 2, "not the name of a header field");
    if (call.context.header_edits.size() >= header_edits_max)
        luaL_error(L, "more than %d header edits of one message",
                   static_cast<int>(header_edits_max));
    return call;
}
/// What a rule writes as UTF-8, as it may stand in a header.
std::string header_value(std::string_view text) {
    text = text.substr(0, header_value_octets_max);
    return codec::is_ascii(text) ? std::string(text) : mime::encode_words(text);
}
int add_header(lua_State* L) {
    auto& call = editing(L);
    const auto name = text_at(L, 2);
    const auto value = text_at(L, 3);
    constexpr const char* places[] = {"top", "bottom", nullptr};
    const bool bottom = luaL_checkoption(L, 4, "top", places) == 1;
    call.context.header_edits.push_back(
        AddHeader{std::string(name), header_value(value),
                  bottom ? AddHeader::Where::Bottom : AddHeader::Where::Top});
    return 0;
}
int replace_header(lua_State* L) {
    auto& call = editing(L);
    const auto name = text_at(L, 2);
    const auto value = text_at(L, 3);
    call.context.header_edits.push_back(ReplaceHeader{std::string(name), header_value(value)});
    return 0;
}
int remove_header(lua_State* L) {
    auto& call = editing(L);
    const auto name = text_at(L, 2);
    const auto occurrence = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, occurrence >= 0 && occurrence <= 10'000, 3, "1 to 10000, or 0 for all");
    call.context.header_edits.push_back(
        RemoveHeader{std::string(name), static_cast<std::uint32_t>(occurrence)});
    return 0;
}

// The envelope

void check_address(lua_State* L, std::string_view text) {
    constexpr std::size_t address_octets_max = 254;
    const auto at = text.rfind('@');
    luaL_argcheck(L,
                  at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
                      text.size() <= address_octets_max &&
                      std::ranges::none_of(text,
                                           [](char c) {
                                               return codec::is_control(c) || c == ' ' ||
                                                      c == '<' || c == '>';
                                           }),
                  2, "not an address");
}
int add_recipient(lua_State* L) {
    auto& call = call_between(L, Stage::Mail, Stage::Message, "add_recipient");
    const auto address = text_at(L, 2);
    check_address(L, address);
    if (call.context.added_recipients.size() >= added_recipients_max)
        return luaL_error(L, "more than %d recipients added",
                          static_cast<int>(added_recipients_max));
    call.context.added_recipients.emplace_back(address);
    return 0;
}
int remove_recipient(lua_State* L) {
    auto& call = call_between(L, Stage::Rcpt, Stage::Message, "remove_recipient");
    const auto address = text_at(L, 2);
    constexpr std::size_t removed_max = 10'000;
    if (call.context.removed_recipients.size() >= removed_max)
        return luaL_error(L, "too many recipients removed");
    // As given: what the acceptor compares with.
    call.texts.clear();
    for (const auto& each : call.context.recipients)
        if (codec::equal_ignoring_case(each, address)) call.texts.push_back(each);
    for (auto& each : call.texts) call.context.removed_recipients.push_back(std::move(each));
    lua_pushboolean(L, call.texts.empty() ? 0 : 1);
    return 1;
}
int route(lua_State* L) {
    auto& call = call_between(L, Stage::Message, Stage::Message, "route");
    const auto domain = text_at(L, 2);
    const auto host = text_at(L, 3);
    const auto port = luaL_optinteger(L, 4, 25);
    luaL_argcheck(L,
                  !host.empty() && host.size() <= 255 &&
                      std::ranges::all_of(host,
                                          [](char c) {
                                              return codec::is_alnum(c) || c == '.' || c == '-' ||
                                                     c == ':';
                                          }),
                  3, "not a host");
    luaL_argcheck(L, port >= 1 && port <= 65535, 4, "1 to 65535");
    if (call.context.routes.size() >= routes_max) return luaL_error(L, "too many routes");
    call.context.routes[codec::lower(domain)] = fmt::format("[{}]:{}", codec::lower(host), port);
    return 0;
}

// Notes, tags and parts

int note(lua_State* L) {
    auto& call = call_at(L);
    const auto name = text_at(L, 2);
    if (lua_gettop(L) == 2) {
        const auto found = call.context.notes.find(name);
        if (found == call.context.notes.end())
            lua_pushnil(L);
        else
            push_text(L, found->second);
        return 1;
    }
    const auto value = text_at(L, 3);
    luaL_argcheck(L, name.size() + value.size() <= note_octets_max, 3, "too long");
    auto& notes = call.context.notes;
    if (notes.size() >= notes_max && notes.find(name) == notes.end())
        return luaL_error(L, "more than %d notes", static_cast<int>(notes_max));
    notes.insert_or_assign(std::string(name), std::string(value));
    return 0;
}
int append_text(lua_State* L) {
    auto& call = call_between(L, Stage::Message, Stage::Message, "append_text");
    const auto text = text_at(L, 2);
    luaL_argcheck(L, call.context.appended_text.size() + text.size() <= appended_text_octets_max, 2,
                  "more than 4096 octets of text");
    call.context.appended_text += text;
    return 0;
}
int tag(lua_State* L) {
    auto& call = call_at(L);
    const auto text = text_at(L, 2);
    constexpr std::size_t tag_octets_max = 100;
    luaL_argcheck(L, !text.empty() && text.size() <= tag_octets_max, 2, "1 to 100 octets");
    if (call.context.tags.size() >= tags_max) return luaL_error(L, "too many tags");
    call.context.tags.emplace_back(text);
    return 0;
}
int parts(lua_State* L) {
    auto& call = call_between(L, Stage::Message, Stage::Sent, "parts");
    if (!call.context.structure) return luaL_error(L, "parts: the message is not known here");
    const auto& all = call.context.structure->parts;
    lua_createtable(L, static_cast<int>(all.size()), 0);
    lua_Integer count = 0;
    for (std::uint32_t i = 0; i < all.size(); ++i) {
        if (all[i].kind == mime::Part::Kind::Multipart) continue;
        push_object(L, "part", call.id, i);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

constexpr ApiRow rows[] = {
    field("ctx", "stage", "The stage at which the rule is asked.", get_stage),
    field("ctx", "ip", "The peer's address; \"\" if it came through a UNIX socket or is not known.",
          get_ip),
    field("ctx", "port", "Our port to which it came.", get_port),
    field("ctx", "tls", "\"TLSv1.3\" or \"TLSv1.2\"; \"\" without TLS.", get_tls),
    field("ctx", "peer_name",
          "The peer's name in the DNS, confirmed both ways; \"\" if it has none (yet).",
          get_peer_name),
    field("ctx", "helo", "How the peer calls itself (from stage helo on).", get_helo),
    field("ctx", "account", "The address of the account that logged in; \"\" if nobody did.",
          get_account),
    field("ctx", "submission",
          "Whether it came as a user's own mail rather than from another server.", get_submission),
    field("ctx", "trace", "The message's trace id, as in the log.", get_trace),
    field("ctx", "sender", "MAIL FROM; \"\" for reports (from stage mail on).", get_sender),
    field("ctx", "recipients", "A list of the recipients accepted so far (from stage rcpt on).",
          get_recipients),
    field("ctx", "recipient", "The one recipient in question at stages rcpt, deliver and sent.",
          get_recipient),
    field("ctx", "size", "Octets of the message (from stage message on).", get_size),
    field("ctx", "tags", "A list of the tags given so far.", get_tags),
    field("ctx", "score", "A number that rules add to and another rule judges by. Can be set.",
          get_score, set_score),
    field("ctx", "folder", "At stage deliver: the folder into which the message goes. Can be set.",
          get_folder, set_folder),
    {"ctx", "header", "ctx:header(name)",
     "The first field of that name, decoded to UTF-8, on one line; nil if there is none. From "
     "stage "
     "headers on.",
     header},
    {"ctx", "headers", "ctx:headers(name)", "All fields of that name, decoded, from the top.",
     headers},
    {"ctx", "raw_header", "ctx:raw_header(name)", "The first field as it was sent, unfolded.",
     raw_header},
    {"ctx", "header_names", "ctx:header_names()", "The names of all fields, from the top.",
     header_names},
    {"ctx", "addresses", "ctx:addresses(name)",
     "The mailboxes of all fields of that name (\"From\", \"To\" ...): a list of tables with "
     "address, name, local_part and domain (in lower case).",
     addresses},
    {"ctx", "add_header", "ctx:add_header(name, value [, \"bottom\"])",
     "Adds a field above all others, or below. The value is UTF-8. Stages headers and message.",
     add_header},
    {"ctx", "replace_header", "ctx:replace_header(name, value)",
     "Replaces the first field of that name where it stands, or adds one.", replace_header},
    {"ctx", "remove_header", "ctx:remove_header(name [, occurrence])",
     "Removes all fields of that name, or one of them, from 1.", remove_header},
    {"ctx", "add_recipient", "ctx:add_recipient(address)",
     "One more recipient, of whom the sender does not learn. Stages mail to message.",
     add_recipient},
    {"ctx", "remove_recipient", "ctx:remove_recipient(address)",
     "Takes a recipient out; false if it is none. Stages rcpt to message.", remove_recipient},
    {"ctx", "route", "ctx:route(domain, host [, port])",
     "Sends what goes to recipients of another server's domain to this host instead of where the "
     "DNS says; \"*\": of all domains. Stage message.",
     route},
    {"ctx", "append_text", "ctx:append_text(text)",
     "Puts a text below the message, which becomes the first part of a multipart/mixed and stays "
     "as "
     "it is, signatures inside included. A DKIM signature of the sender does not outlive it: mind "
     "whose mail it is. Stage message.",
     append_text},
    {"ctx", "note", "ctx:note(name [, value])",
     "Reads or writes a word to later rules and stages of the same message.", note},
    {"ctx", "tag", "ctx:tag(text)", "Adds a tag, for later rules.", tag},
    {"ctx", "parts", "ctx:parts()",
     "A list of the parts that are no multipart, in their order. From stage message on.", parts},
};

} // namespace

std::span<const ApiRow> context_api() { return rows; }

} // namespace mailcore::filter::detail
