#include "libmailcore/imap/response/writer.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/overloaded.h"

namespace mailcore::imap {
namespace {

/// One function a response, each commented with its rule of RFC 9051 §9 (or of the extension's
/// ABNF).
class Untagged {
  public:
    Untagged(const ResponseContext& context, std::string& into)
        : context_(context), out_(into, context.enabled.wide()) {}

    // resp-cond-state = ("OK" / "NO" / "BAD") SP resp-text
    void operator()(const response::Status& status) {
        out_.raw("* ");
        write_condition(status.condition, status.code, status.text, out_.utf8(), out_.target());
    }

    // "FLAGS" SP flag-list
    void operator()(const response::Flags& flags) {
        out_.raw("* FLAGS (").raw(flags.flags.to_string()).raw(")\r\n");
    }

    // number SP "EXISTS"
    void operator()(const response::Exists& exists) {
        out_.raw("* ").number(exists.messages).raw(" EXISTS\r\n");
    }

    // obsolete-recent-response = number SP "RECENT"
    void operator()(const response::Recent& recent) {
        if (!context_.enabled.rev2) out_.raw("* ").number(recent.messages).raw(" RECENT\r\n");
    }

    // message-data = nz-number SP "EXPUNGE"; expunged-resp = "VANISHED" [SP "(EARLIER)"] SP
    // known-uids
    void operator()(const response::Expunged& expunged) {
        if (context_.enabled.qresync) return vanished("* VANISHED ", expunged.uids);
        for (const auto number : expunged.numbers)
            out_.raw("* ").number(number).raw(" EXPUNGE\r\n");
    }
    void operator()(const response::VanishedEarlier& earlier) {
        vanished("* VANISHED (EARLIER) ", earlier.uids);
    }

    // mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox
    //                [SP mbox-list-extended]
    void operator()(const response::List& list) {
        out_.raw(list.kind == response::List::Kind::Lsub ? "* LSUB (" : "* LIST (");
        bool first = true;
        for (const auto attribute : list.attributes) {
            if (!first) out_.raw(" ");
            first = false;
            out_.raw(to_string(attribute));
        }
        out_.raw(") ").delimiter(list.delimiter).raw(" ").mailbox(list.mailbox);
        if (list.child_info_subscribed || !list.old_name.empty()) {
            out_.raw(" (");
            // childinfo-extended-item = "CHILDINFO" SP "(" list-select-base-opt-quoted ... ")"
            if (list.child_info_subscribed) out_.raw("\"CHILDINFO\" (\"SUBSCRIBED\")");
            if (list.child_info_subscribed && !list.old_name.empty()) out_.raw(" ");
            // oldname-extended-item = "OLDNAME" SP "(" mailbox ")"
            if (!list.old_name.empty()) out_.raw("\"OLDNAME\" (").mailbox(list.old_name).raw(")");
            out_.raw(")");
        }
        out_.crlf();
    }

    // "STATUS" SP mailbox SP "(" [status-att-list] ")"
    void operator()(const response::MailboxStatus& status) {
        out_.raw("* STATUS ").mailbox(status.mailbox).raw(" (");
        bool first = true;
        for (const auto& [item, value] : status.items) {
            if (!first) out_.raw(" ");
            first = false;
            out_.raw(to_string(item)).raw(" ");
            std::visit(overloaded{[&](std::uint64_t number) { out_.number(number); },
                                  [&](const std::string& id) { out_.raw("(").raw(id).raw(")"); }},
                       value);
        }
        out_.raw(")\r\n");
    }

    void operator()(const response::SearchResult& result) {
        if (context_.search_return.extended)
            esearch(result);
        else
            search(result);
    }

    // namespace-response = "NAMESPACE" SP namespace SP namespace SP namespace
    void operator()(const response::Namespace& names) {
        out_.raw("* NAMESPACE");
        for (const auto* entries : {&names.personal, &names.other_users, &names.shared}) {
            if (entries->empty()) {
                out_.raw(" NIL");
                continue;
            }
            out_.raw(" (");
            for (const auto& entry : *entries) {
                const auto prefix = encode_mailbox_name(
                    entry.prefix, out_.utf8() ? NameEncoding::Utf8 : NameEncoding::ModifiedUtf7);
                out_.raw("(").string(prefix).raw(" ").delimiter(entry.delimiter).raw(")");
            }
            out_.raw(")");
        }
        out_.crlf();
    }

    // Unsolicited FETCH: UID always in IMAP4rev2 (RFC 9051 §7.5.2) and for CONDSTORE-aware clients
    // of a QRESYNC server, MODSEQ for those (RFC 7162 §3.2.4); UID behind a UID command (RFC 9051
    // §6.4.9).
    void operator()(const response::FlagsChanged& changed) {
        const bool modseq = context_.enabled.condstore && changed.modseq > 0;
        if (!changed.flags && !modseq) return;
        const char* separator = "";
        out_.raw("* ").number(changed.number).raw(" FETCH (");
        if (context_.enabled.rev2 || context_.enabled.condstore || context_.uid_command) {
            out_.raw("UID ").number(changed.uid);
            separator = " ";
        }
        if (modseq) {
            out_.raw(separator).raw("MODSEQ (").number(changed.modseq).raw(")");
            separator = " ";
        }
        if (changed.flags)
            out_.raw(separator).raw("FLAGS (").raw(changed.flags->to_string()).raw(")");
        out_.raw(")\r\n");
    }

    void operator()(const response::Fetch&) {
        MAILCORE_ASSERT(!"a Fetch is written by the engine, which can pull");
    }

  private:
    void vanished(std::string_view begin, const NumberSet& uids) {
        if (!uids.empty()) out_.raw(begin).raw(uids.to_string()).crlf();
    }

    // obsolete-search-response = "SEARCH" *(SP nz-number) [SP search-sort-mod-seq] (RFC 7162
    // §3.1.6)
    void search(const response::SearchResult& result) {
        out_.raw("* SEARCH");
        result.matches.for_each([&](std::uint32_t number) { out_.raw(" ").number(number); });
        if (result.modseq > 0 && !result.matches.empty())
            out_.raw(" (MODSEQ ").number(result.modseq).raw(")");
        out_.crlf();
    }

    // esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
    void esearch(const response::SearchResult& result) {
        const auto& wanted = context_.search_return;
        const auto& matches = result.matches;
        if (!wanted.min && !wanted.max && !wanted.all && !wanted.count) return; // SAVE alone
        out_.raw("* ESEARCH (TAG ").string(context_.tag).raw(")");
        if (context_.addressing == Addressing::Uids) out_.raw(" UID");
        if (wanted.min && !matches.empty()) out_.raw(" MIN ").number(matches.min());
        if (wanted.max && !matches.empty()) out_.raw(" MAX ").number(matches.max());
        if (wanted.count) out_.raw(" COUNT ").number(matches.size());
        if (wanted.all && !matches.empty()) out_.raw(" ALL ").raw(matches.to_string());
        if (result.modseq > 0 && !matches.empty()) out_.raw(" MODSEQ ").number(result.modseq);
        out_.crlf();
    }

    const ResponseContext& context_;
    ResponseWriter out_;
};

} // namespace

void write_response(const Response& response, const ResponseContext& context, std::string& into) {
    std::visit(Untagged(context, into), response);
}

} // namespace mailcore::imap
