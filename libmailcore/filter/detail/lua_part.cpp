// The objects `part` and `entry`: the message's parts, and what zip archives among them hold.
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/filter/detail/rule_machine.h"
#include "libmailcore/mime/section.h"
#include "libmailcore/mime/text.h"

#include <algorithm>

namespace mailcore::filter::detail {

namespace {

constexpr std::size_t read_octets = 256 * 1024;
constexpr lua_Integer text_octets_default = 256 * 1024;
constexpr lua_Integer content_octets_max = 4 * 1024 * 1024;
constexpr std::size_t archive_octets_max = 16 * 1024 * 1024;
constexpr std::size_t held_octets_max = 32 * 1024 * 1024; // of archives, one judgement
constexpr std::size_t archives_max = 200;
constexpr unsigned archive_depth_max = 4;

const mime::Part& part_of(lua_State* L, Call& call) {
    const auto& object = object_of(L, "part");
    if (!call.context.structure || object.index >= call.context.structure->parts.size())
        luaL_error(L, "there is no such part");
    return call.context.structure->parts[object.index];
}
const ZipEntry& entry_of(lua_State* L, Call& call) {
    const auto& object = object_of(L, "entry");
    return call.archives[object.index].entries[object.member];
}

void extension_of(std::string_view name, std::string& into) {
    while (name.ends_with('.') || name.ends_with(' ')) name.remove_suffix(1);
    const auto dot = name.rfind('.');
    const auto slash = name.find_last_of("/\\");
    const bool has =
        dot != std::string_view::npos && (slash == std::string_view::npos || slash < dot);
    into = has ? codec::fold_case_sanitised(name.substr(dot + 1)) : std::string{};
}

// Facts of a part

int get_number(lua_State* L) {
    auto& call = call_of(L);
    const auto& object = object_of(L, "part");
    part_of(L, call);
    call.scratch = mime::part_numbers(*call.context.structure, object.index);
    return push_text(L, call.scratch), 1;
}
int get_type(lua_State* L) {
    auto& call = call_of(L);
    const auto& part = part_of(L, call);
    call.scratch = part.type;
    call.scratch += '/';
    call.scratch += part.subtype;
    return push_text(L, call.scratch), 1;
}
int get_name(lua_State* L) {
    auto& call = call_of(L);
    call.scratch = part_of(L, call).file_name().value_or(std::string{});
    return push_text(L, call.scratch), 1;
}
int get_extension(lua_State* L) {
    auto& call = call_of(L);
    extension_of(part_of(L, call).file_name().value_or(std::string{}), call.scratch);
    return push_text(L, call.scratch), 1;
}
int get_disposition(lua_State* L) {
    const auto& part = part_of(L, call_of(L));
    return push_text(L, part.disposition.value_or(std::string_view{})), 1;
}
int get_charset(lua_State* L) { return push_text(L, part_of(L, call_of(L)).charset()), 1; }
int get_size(lua_State* L) {
    return lua_pushinteger(L, static_cast<lua_Integer>(part_of(L, call_of(L)).body_octets())), 1;
}
int get_attachment(lua_State* L) {
    auto& call = call_of(L);
    const auto& part = part_of(L, call);
    const bool named = part.file_name().has_value();
    const bool attached = part.disposition == "attachment" ||
                          (part.kind == mime::Part::Kind::Leaf && (named || part.type != "text"));
    return lua_pushboolean(L, attached ? 1 : 0), 1;
}

// Content of a part

lua_Integer octets_max_at(lua_State* L, int index) {
    const auto octets = luaL_optinteger(L, index, text_octets_default);
    luaL_argcheck(L, octets >= 1 && octets <= content_octets_max, index, "1 to 4194304 octets");
    return octets;
}

/// Gives the octets of a part's body, as they are in the message, to `take` until it says false.
template <class Take>
Task<Result<void>> read_body(Call& call, const mime::Part& part, Take& take) {
    if (!call.context.octets) co_return fail(ErrorKind::Unavailable, "octets are not known here");
    for (auto at = part.body_begin; at < part.end;) {
        const auto wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(read_octets, part.end - at));
        auto octets = co_await call.context.octets->read(at, wanted);
        if (!octets) co_return std::unexpected(std::move(octets).error());
        if (octets->empty()) break;
        at += octets->size();
        if (!take(std::string_view(*octets))) break;
    }
    co_return Result<void>{};
}

void answer_with(Call& call, const Result<void>& read, std::string text) {
    call.answer.kind = read ? Answer::Kind::Text : Answer::Kind::Failure;
    call.answer.text =
        read ? std::move(text) : "the message cannot be read: " + read.error().detail;
}

Task<void> read_text(Call& call, const mime::Part& part, std::size_t octets_max) {
    mime::PartTextDecoder decoder(part, mime::PartTextDecoder::Html::AsText);
    std::string text;
    auto take = [&](std::string_view octets) {
        decoder.decode(octets, text);
        return text.size() < octets_max;
    };
    auto reading = read_body(call, part, take);
    const auto read = co_await std::move(reading);
    if (text.size() < octets_max) decoder.finish(text);
    answer_with(call, read, std::string(codec::utf8_prefix(text, octets_max)));
}
Task<void> read_octets_of(Call& call, const mime::Part& part, std::size_t octets_max) {
    mime::BodyDecoder decoder(part.encoding);
    std::string content;
    auto take = [&](std::string_view octets) {
        decoder.decode(octets, content);
        return content.size() < octets_max;
    };
    auto reading = read_body(call, part, take);
    const auto read = co_await std::move(reading);
    if (content.size() < octets_max) decoder.finish(content);
    content.resize(std::min(content.size(), octets_max));
    answer_with(call, read, std::move(content));
}
Task<void> hash_part(Call& call, const mime::Part& part) {
    mime::BodyDecoder decoder(part.encoding);
    crypto::Sha256 hash;
    std::string content;
    auto take = [&](std::string_view octets) {
        content.clear();
        decoder.decode(octets, content);
        hash.update(content);
        return true;
    };
    auto reading = read_body(call, part, take);
    const auto read = co_await std::move(reading);
    content.clear();
    decoder.finish(content);
    hash.update(content);
    const auto digest = hash.finish();
    answer_with(call, read, codec::hex_encode(crypto::octets_of(digest)));
}

int part_text(lua_State* L) {
    auto& call = call_of(L);
    const auto& part = part_of(L, call);
    const auto octets_max = octets_max_at(L, 2);
    if (part.type != "text") {
        lua_pushliteral(L, "");
        return 1;
    }
    call.wait.emplace(read_text(call, part, static_cast<std::size_t>(octets_max)));
    return wait_for(L, call);
}
int part_octets(lua_State* L) {
    auto& call = call_of(L);
    const auto& part = part_of(L, call);
    const auto octets_max = octets_max_at(L, 2);
    call.wait.emplace(read_octets_of(call, part, static_cast<std::size_t>(octets_max)));
    return wait_for(L, call);
}
int part_sha256(lua_State* L) {
    auto& call = call_of(L);
    const auto& part = part_of(L, call);
    charge_octets(L, part.body_octets() / 4);
    call.wait.emplace(hash_part(call, part));
    return wait_for(L, call);
}

// Archives

void refuse_archive(Call& call, std::string why) {
    call.answer.kind = Answer::Kind::NilBecause;
    call.answer.text = std::move(why);
}
void open_archive(Call& call, std::string octets, unsigned depth) {
    if (call.archives.size() >= archives_max || depth > archive_depth_max)
        return refuse_archive(call, "too many archives in one another");
    if (call.held_octets + octets.size() > held_octets_max)
        return refuse_archive(call, "archives are too large");
    auto entries = read_zip(octets);
    if (!entries) return refuse_archive(call, entries.error().detail);
    call.held_octets += octets.size();
    call.answer.kind = Answer::Kind::Entries;
    call.answer.number = call.archives.size();
    call.archives.push_back(OpenArchive{std::move(octets), std::move(*entries), depth});
}

Task<void> open_part(Call& call, const mime::Part& part) {
    mime::BodyDecoder decoder(part.encoding);
    std::string content;
    bool zip = true;
    auto take = [&](std::string_view octets) {
        decoder.decode(octets, content);
        constexpr std::size_t mark_octets = 4;
        zip = content.size() < mark_octets || looks_like_zip(content);
        return zip && content.size() <= archive_octets_max;
    };
    auto reading = read_body(call, part, take);
    const auto read = co_await std::move(reading);
    decoder.finish(content);
    if (!read)
        answer_with(call, read, {});
    else if (!zip || !looks_like_zip(content))
        refuse_archive(call, "not a zip archive");
    else if (content.size() > archive_octets_max)
        refuse_archive(call, "archives are too large");
    else
        open_archive(call, std::move(content), 1);
}

/// Unpacks on the pool: that is what takes time. The archive's octets are copied for it, since the
/// judgement may end meanwhile.
Task<Result<std::string>> unpack_entry(Call& call, std::size_t archive, std::size_t member,
                                       std::size_t octets_max) {
    const auto& opened = call.archives[archive];
    const auto& entry = opened.entries[member];
    constexpr std::uint64_t inline_octets_max = 128 * 1024;
    if (entry.packed_size <= inline_octets_max && octets_max <= inline_octets_max * 8)
        co_return unpack(opened.octets, entry, octets_max);
    auto work = [octets = opened.octets, entry, octets_max] {
        return unpack(octets, entry, octets_max);
    };
    co_return co_await base::offload(std::move(work));
}
Task<void> read_entry(Call& call, std::size_t archive, std::size_t member, std::size_t octets_max) {
    auto octets = co_await unpack_entry(call, archive, member, octets_max);
    if (!octets) {
        refuse_archive(call, octets.error().detail);
    } else {
        call.answer.kind = Answer::Kind::Text;
        call.answer.text = std::move(*octets);
    }
}
Task<void> open_entry(Call& call, std::size_t archive, std::size_t member) {
    const auto depth = call.archives[archive].depth + 1;
    auto octets = co_await unpack_entry(call, archive, member, archive_octets_max + 1);
    if (!octets)
        refuse_archive(call, octets.error().detail);
    else if (!looks_like_zip(*octets))
        refuse_archive(call, "not a zip archive");
    else if (octets->size() > archive_octets_max)
        refuse_archive(call, "archives are too large");
    else
        open_archive(call, std::move(*octets), depth);
}

int part_entries(lua_State* L) {
    auto& call = call_of(L);
    const auto& part = part_of(L, call);
    charge_octets(L, std::min<std::uint64_t>(part.body_octets(), archive_octets_max) / 4);
    call.wait.emplace(open_part(call, part));
    return wait_for(L, call);
}
int entry_octets(lua_State* L) {
    auto& call = call_of(L);
    const auto& object = object_of(L, "entry");
    const auto octets_max = octets_max_at(L, 2);
    call.wait.emplace(
        read_entry(call, object.index, object.member, static_cast<std::size_t>(octets_max)));
    return wait_for(L, call);
}
int entry_entries(lua_State* L) {
    auto& call = call_of(L);
    const auto& object = object_of(L, "entry");
    call.wait.emplace(open_entry(call, object.index, object.member));
    return wait_for(L, call);
}
int get_entry_name(lua_State* L) { return push_text(L, entry_of(L, call_of(L)).name), 1; }
int get_entry_extension(lua_State* L) {
    auto& call = call_of(L);
    extension_of(entry_of(L, call).name, call.scratch);
    return push_text(L, call.scratch), 1;
}
int get_entry_size(lua_State* L) {
    return lua_pushinteger(L, static_cast<lua_Integer>(entry_of(L, call_of(L)).size)), 1;
}
int get_entry_packed_size(lua_State* L) {
    return lua_pushinteger(L, static_cast<lua_Integer>(entry_of(L, call_of(L)).packed_size)), 1;
}
int get_entry_encrypted(lua_State* L) {
    return lua_pushboolean(L, entry_of(L, call_of(L)).encrypted ? 1 : 0), 1;
}

constexpr ApiRow rows[] = {
    field("part", "number", "How IMAP numbers it: \"1\", \"2.1\".", get_number),
    field("part", "type", "\"text/plain\", in lower case.", get_type),
    field("part", "name", "The file name, decoded; \"\" if it has none.", get_name),
    field("part", "extension",
          "What stands behind the last dot of the name, case folded; \"\" if nothing does.",
          get_extension),
    field("part", "disposition", "\"attachment\", \"inline\" or \"\".", get_disposition),
    field("part", "charset", "The charset parameter; \"\" if there is none.", get_charset),
    field("part", "size", "Octets of the body as it is sent, its transfer encoding included.",
          get_size),
    field("part", "attachment", "Whether it says that it is one, has a file name, or is not text.",
          get_attachment),
    {"part", "text", "part:text([octets_max])",
     "The text in UTF-8, whatever its charset; of HTML what a reader sees; \"\" if it is not text. "
     "At most 262144 octets unless said otherwise (4194304 at most). Waits.",
     part_text},
    {"part", "octets", "part:octets([octets_max])",
     "The content with its transfer encoding undone. Limits as for text. Waits.", part_octets},
    {"part", "sha256", "part:sha256()", "The digest of the whole content, in hexadecimal. Waits.",
     part_sha256},
    {"part", "entries", "part:entries()",
     "The files inside a zip archive (docx, jar, apk ... are some) of up to 16 MiB, as a list; nil "
     "and why if it is none or cannot be read. Waits.",
     part_entries},
    field("entry", "name", "The path in the archive, in UTF-8.", get_entry_name),
    field("entry", "extension", "As for parts.", get_entry_extension),
    field("entry", "size", "Octets unpacked, as the archive says.", get_entry_size),
    field("entry", "packed_size", "Octets in the archive.", get_entry_packed_size),
    field("entry", "encrypted", "Whether a password is needed.", get_entry_encrypted),
    {"entry", "octets", "entry:octets([octets_max])",
     "The content, limits as for parts; nil and why if it cannot be unpacked. Waits.",
     entry_octets},
    {"entry", "entries", "entry:entries()",
     "The files of an archive inside the archive, up to 4 deep. Waits.", entry_entries},
};

} // namespace

std::span<const ApiRow> part_api() { return rows; }

} // namespace mailcore::filter::detail
