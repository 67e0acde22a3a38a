#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"

namespace mailcore::imap {
namespace {

// store-modifier =/ "UNCHANGEDSINCE" SP mod-sequence-valzer, once (RFC 7162 §7)
void parse_modifiers(WireReader& in, command::Store& store) {
    in.open();
    if (!codec::equal_ignoring_case(in.atom(), "UNCHANGEDSINCE") ||
        !in.grammar().extensions.has(Extension::CondStore))
        in.fail("UNCHANGEDSINCE");
    in.sp();
    store.unchanged_since = in.number64();
    in.close();
}

// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
void parse_flags(WireReader& in, command::Store& store) {
    if (in.take('+'))
        store.action = command::Store::Action::Add;
    else if (in.take('-'))
        store.action = command::Store::Action::Remove;
    const auto name = in.word();
    if (codec::equal_ignoring_case(name, "FLAGS.SILENT"))
        store.silence = command::Store::Silence::Silent;
    else if (!codec::equal_ignoring_case(name, "FLAGS"))
        in.fail("FLAGS or FLAGS.SILENT");
    in.sp();
    if (in.next_is('(')) {
        in.flag_list(store.flags);
        return;
    }
    std::size_t count = 0;
    do {
        const auto flag = in.flag();
        if (in.ok() && !add_flag(store.flags, flag)) in.fail("a flag that can be set");
        if (++count > in.grammar().flags_max) in.refuse(Code::Limit, "Too many flags");
    } while (in.take(' '));
}

// store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags (RFC 4466 §6 for the
// modifiers)
Command parse(WireReader& in, Addressing addressing) {
    command::Store store;
    store.addressing = addressing;
    in.sp();
    store.set = in.sequence_set();
    in.sp();
    if (in.next_is('(')) {
        parse_modifiers(in, store);
        in.sp();
    }
    parse_flags(in, store);
    return store;
}

} // namespace

Command parse_store(WireReader& in) { return parse(in, Addressing::Numbers); }
Command parse_uid_store(WireReader& in) { return parse(in, Addressing::Uids); }

} // namespace mailcore::imap
