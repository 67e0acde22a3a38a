// What lies in a host's store, as its administrator could find it out.
#pragma once

#include "libmailcore/queue/rows.h"
#include "libmailcore/store/store.h"
#include "tests/sim/virtual_scheduler.h"
#include "tests/world/drafts.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mailcore::world {

/// What is still under way on a host: recipients by message.
struct Waiting {
    std::string address;
    std::string sender; ///< empty: a report
    std::optional<std::uint64_t> letter;
    std::string state;
};
[[nodiscard]] std::vector<Waiting> read_queue(sim::VirtualScheduler& scheduler,
                                              store::Store& store);

/// All messages of a folder by UID, and what SELECT would say.
struct Folder {
    struct Message {
        std::string octets;
        std::set<std::string> flags;
        store::Received received;
    };
    MailboxKey key;
    std::uint32_t uidnext = 0;
    std::uint64_t modseq = 0;
    std::map<std::uint32_t, Message> messages;
};
/// `owner`: how the account is called in their keys.
[[nodiscard]] std::vector<Folder> read_folders(sim::VirtualScheduler& scheduler,
                                               store::Store& store, store::AccountId account,
                                               const std::string& owner);

/// For tests of the tests: the newest message of INBOX comes into the queue again; that of a folder
/// is filed there again. Where there is none, nothing happens.
std::optional<queue::QueueId> queue_again(sim::VirtualScheduler& scheduler, store::Store& store,
                                          store::AccountId account, const std::string& owner);
void file_again(sim::VirtualScheduler& scheduler, store::Store& store, store::AccountId account,
                const std::string& folder);

} // namespace mailcore::world
