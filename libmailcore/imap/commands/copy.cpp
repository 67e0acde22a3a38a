#include "libmailcore/imap/commands/parsers.h"

namespace mailcore::imap {
namespace {

// copy = "COPY" SP sequence-set SP mailbox ; move = "MOVE" SP sequence-set SP mailbox
template <class CopyOrMove>
Command parse(WireReader& in, Addressing addressing) {
    CopyOrMove command;
    command.addressing = addressing;
    in.sp();
    command.set = in.sequence_set();
    in.sp();
    command.mailbox = in.mailbox();
    return command;
}

} // namespace

Command parse_copy(WireReader& in) { return parse<command::Copy>(in, Addressing::Numbers); }
Command parse_uid_copy(WireReader& in) { return parse<command::Copy>(in, Addressing::Uids); }
Command parse_move(WireReader& in) { return parse<command::Move>(in, Addressing::Numbers); }
Command parse_uid_move(WireReader& in) { return parse<command::Move>(in, Addressing::Uids); }

} // namespace mailcore::imap
