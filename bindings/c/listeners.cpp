#include "bindings/c/listeners.h"

#include "bindings/c/boundary.h"

#include "libmailcore/server/log_file.h"

#include <nlohmann/json.hpp>

namespace mailcore::c {

using Json = nlohmann::json;

void Listeners::write(const base::LogEvent& event) {
    if (on_log_) tell(on_log_, server::to_json(event, clock_.wall_now()));
}

void Listeners::changed(const store::Change& change) {
    Json mailboxes = Json::array();
    for (const auto mailbox : change.mailboxes) mailboxes.push_back(mailbox.value);
    tell(on_change_, Json{{"account", change.account.value},
                          {"modseq", change.modseq.value},
                          {"mailboxes", std::move(mailboxes)}}
                         .dump());
}

void Listeners::tell(mailcore_event_fn function, const std::string& event) {
    // An event that is written inside a callback on this thread has nobody to hear it.
    if (InCallback::here()) return;
    const std::scoped_lock lock(mutex_);
    const InCallback inside;
    function(context_, event.c_str());
}

} // namespace mailcore::c
