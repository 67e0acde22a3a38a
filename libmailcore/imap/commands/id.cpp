#include "libmailcore/imap/commands/parsers.h"

namespace mailcore::imap {
namespace {
// RFC 2971 §3.3
constexpr std::size_t field_octets_max = 30;
constexpr std::size_t value_octets_max = 1024;
} // namespace

// id ::= "ID" SPACE id_params_list ; id_params_list ::= "(" #(string SPACE nstring) ")" / nil (RFC
// 2971 §4)
Command parse_id(WireReader& in) {
    command::Id id;
    in.sp();
    if (!in.next_is('(')) {
        if (in.nstring()) in.fail("a parenthesized list or NIL");
        return id;
    }
    in.open();
    if (in.take(')')) return id;
    do {
        if (id.fields.size() == in.grammar().id_fields_max) {
            in.fail("at most 30 fields");
            break;
        }
        auto field = in.string();
        in.sp();
        auto value = in.nstring();
        if (field.size() > field_octets_max || (value && value->size() > value_octets_max))
            in.fail("fields of at most 30 octets with values of at most 1024");
        id.fields.emplace_back(std::move(field), std::move(value));
    } while (in.take(' '));
    in.close();
    return id;
}

} // namespace mailcore::imap
