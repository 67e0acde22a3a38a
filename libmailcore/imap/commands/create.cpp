#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>

namespace mailcore::imap {
namespace {

// create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")" (RFC 6154 §6)
void parse_create_parameter(WireReader& in, command::Create& create) {
    if (!codec::equal_ignoring_case(in.atom(), "USE") ||
        !in.grammar().extensions.has(Extension::CreateSpecialUse)) {
        in.fail("a parameter of CREATE that is supported");
        return;
    }
    if (!in.sp() || !in.open() || in.take(')')) return;
    do {
        const auto use = parse_special_use(in.flag());
        if (!in.ok()) return;
        if (!use) {
            in.refuse(Code::UseAttr, "No such special use");
            return;
        }
        if (std::ranges::find(create.special_uses, *use) == create.special_uses.end())
            create.special_uses.push_back(*use);
    } while (in.take(' '));
    in.close();
}

} // namespace

// create = "CREATE" SP mailbox [SP "(" create-param *( SP create-param) ")"] (RFC 4466 §6)
Command parse_create(WireReader& in) {
    command::Create create;
    in.sp();
    create.mailbox = in.mailbox();
    if (!in.take(' ')) return create;
    in.open();
    do parse_create_parameter(in, create);
    while (in.take(' '));
    in.close();
    return create;
}

} // namespace mailcore::imap
