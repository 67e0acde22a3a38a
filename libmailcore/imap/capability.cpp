#include "libmailcore/imap/capability.h"

namespace mailcore::imap {

Extensions Extensions::all() {
    Extensions every;
    for (const auto extension : all_extensions()) every.add(extension);
    return every;
}

std::span<const Extension> all_extensions() {
    using enum Extension;
    static constexpr Extension extensions[] = {
        Imap4rev2,   Idle,        Namespace,    Children,   Unselect,   UidPlus,
        ESearch,     SearchRes,   ListExtended, ListStatus, SpecialUse, CreateSpecialUse,
        Move,        StatusSize,  CondStore,    QResync,    ObjectId,   Binary,
        MultiAppend, AppendLimit, Utf8Accept,   Preview,
    };
    return extensions;
}

std::string_view to_string(Extension extension) {
    switch (extension) {
    case Extension::Imap4rev2: return "IMAP4rev2";
    case Extension::Idle: return "IDLE";
    case Extension::Namespace: return "NAMESPACE";
    case Extension::Children: return "CHILDREN";
    case Extension::Unselect: return "UNSELECT";
    case Extension::UidPlus: return "UIDPLUS";
    case Extension::ESearch: return "ESEARCH";
    case Extension::SearchRes: return "SEARCHRES";
    case Extension::ListExtended: return "LIST-EXTENDED";
    case Extension::ListStatus: return "LIST-STATUS";
    case Extension::SpecialUse: return "SPECIAL-USE";
    case Extension::CreateSpecialUse: return "CREATE-SPECIAL-USE";
    case Extension::Move: return "MOVE";
    case Extension::StatusSize: return "STATUS=SIZE";
    case Extension::CondStore: return "CONDSTORE";
    case Extension::QResync: return "QRESYNC";
    case Extension::ObjectId: return "OBJECTID";
    case Extension::Binary: return "BINARY";
    case Extension::MultiAppend: return "MULTIAPPEND";
    case Extension::AppendLimit: return "APPENDLIMIT";
    case Extension::Utf8Accept: return "UTF8=ACCEPT";
    case Extension::Preview: return "PREVIEW";
    }
    return {};
}

} // namespace mailcore::imap
