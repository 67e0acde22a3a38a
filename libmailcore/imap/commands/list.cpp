#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"

namespace mailcore::imap {
namespace {

using codec::equal_ignoring_case;

// list-select-opts, behind its "(". SPECIAL-USE: RFC 6154 §6.
void parse_selection(WireReader& in, command::List& list) {
    if (in.take(')')) return;
    do {
        const auto name = in.atom();
        if (equal_ignoring_case(name, "SUBSCRIBED")) {
            list.select_subscribed = list.return_subscribed = true;
        } else if (equal_ignoring_case(name, "REMOTE")) {
            list.select_remote = true;
        } else if (equal_ignoring_case(name, "RECURSIVEMATCH")) {
            list.recursive_match = true;
        } else if (equal_ignoring_case(name, "SPECIAL-USE") &&
                   in.grammar().extensions.has(Extension::SpecialUse)) {
            list.select_special_use = true;
        } else {
            in.fail("a selection option of LIST");
        }
    } while (in.take(' '));
    // RFC 9051 §6.3.9.1: RECURSIVEMATCH needs an option that it can modify.
    if (list.recursive_match && !list.select_subscribed) in.fail("SUBSCRIBED with RECURSIVEMATCH");
    in.close();
}

// list-return-opts = "RETURN" SP "(" [list-return-opt *(SP list-return-opt)] ")"
// return-option = "SUBSCRIBED" / "CHILDREN" / status-option / option-extension
void parse_return(WireReader& in, command::List& list) {
    if (!equal_ignoring_case(in.atom(), "RETURN")) in.fail("RETURN");
    in.sp();
    in.open();
    if (in.take(')')) return;
    do {
        const auto name = in.atom();
        if (equal_ignoring_case(name, "SUBSCRIBED")) {
            list.return_subscribed = true;
        } else if (equal_ignoring_case(name, "CHILDREN")) {
            list.return_children = true;
        } else if (equal_ignoring_case(name, "SPECIAL-USE") &&
                   in.grammar().extensions.has(Extension::SpecialUse)) {
            list.return_special_use = true;
        } else if (equal_ignoring_case(name, "STATUS") &&
                   in.grammar().extensions.has(Extension::ListStatus)) {
            in.sp();
            list.return_status = parse_status_items(in);
        } else {
            in.fail("a return option of LIST");
        }
    } while (in.take(' '));
    in.close();
}

void parse_pattern(WireReader& in, command::List& list) {
    auto pattern = in.list_mailbox();
    if (pattern) list.patterns.push_back(*std::move(pattern));
}

// mbox-or-pat = list-mailbox / patterns ; patterns = "(" list-mailbox *(SP list-mailbox) ")" (RFC
// 5258 §6)
void parse_patterns(WireReader& in, command::List& list) {
    in.open();
    std::size_t count = 0;
    do {
        parse_pattern(in, list);
        if (++count > in.grammar().list_patterns_max)
            in.refuse(Code::Limit, "Too many mailbox patterns");
    } while (in.take(' '));
    in.close();
}

} // namespace

// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
Command parse_list(WireReader& in) {
    command::List list;
    const bool may_extend = in.grammar().extensions.has(Extension::ListExtended);
    in.sp();
    if (may_extend && in.take('(')) {
        list.extended = true;
        parse_selection(in, list);
        in.sp();
    }
    list.reference = in.mailbox().utf8;
    in.sp();
    if (may_extend && in.next_is('(')) {
        list.extended = true;
        parse_patterns(in, list);
    } else {
        parse_pattern(in, list);
    }
    if (may_extend && in.take(' ')) {
        list.extended = true;
        parse_return(in, list);
    }
    return list;
}

// lsub = "LSUB" SP mailbox SP list-mailbox (RFC 3501 §9)
Command parse_lsub(WireReader& in) {
    command::Lsub lsub;
    in.sp();
    lsub.reference = in.mailbox().utf8;
    in.sp();
    auto pattern = in.list_mailbox();
    if (pattern) lsub.pattern = *std::move(pattern);
    return lsub;
}

} // namespace mailcore::imap
