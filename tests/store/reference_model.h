// The mailbox model once more, in plain maps and without any cleverness: what the real one must
// equal.
#pragma once

#include "libmailcore/store/changes.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/mailbox.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mailcore::test {

struct ReferenceMessage {
    store::EmailId email;
    std::uint64_t size = 0;
    store::Received received;
    store::SystemFlags system;
    std::set<std::string> keywords;
    std::uint64_t modseq = 0;
};

struct ReferenceMailbox {
    store::MailboxId id;
    bool selectable = true;
    bool subscribed = false;
    std::uint32_t uidnext = 1;
    std::uint64_t highest = 0;
    std::map<std::uint32_t, ReferenceMessage> messages;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> vanished; ///< mod-sequence, UID
};

/// One account. Paths are normalised; there are no roles, rights or limits here.
struct ReferenceAccount {
    std::map<std::string, ReferenceMailbox> mailboxes;
    std::set<std::string> subscribed_only;
    std::uint64_t modseq = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> destroyed; ///< mod-sequence, email

    ReferenceMailbox& at(const std::string& path) { return mailboxes.at(path); }

    std::uint32_t add(ReferenceMailbox& box, ReferenceMessage message) {
        message.modseq = box.highest = modseq;
        box.messages[box.uidnext] = std::move(message);
        return box.uidnext++;
    }
    bool anywhere(store::EmailId email) const {
        for (const auto& [path, box] : mailboxes)
            for (const auto& [uid, message] : box.messages)
                if (message.email == email) return true;
        return false;
    }
    /// Takes messages out; emails that are nowhere else are destroyed if `destroy` says so.
    std::vector<std::pair<std::uint32_t, ReferenceMessage>>
    take(ReferenceMailbox& box, const std::set<std::uint32_t>& uids, bool destroy) {
        std::vector<std::pair<std::uint32_t, ReferenceMessage>> taken;
        for (const auto uid : uids) {
            const auto found = box.messages.find(uid);
            if (found == box.messages.end()) continue;
            taken.emplace_back(*found);
            box.messages.erase(found);
            box.vanished.emplace_back(modseq, uid);
            box.highest = modseq;
        }
        if (destroy) orphaned(taken);
        return taken;
    }
    void orphaned(const std::vector<std::pair<std::uint32_t, ReferenceMessage>>& taken) {
        std::set<std::uint64_t> gone;
        for (const auto& [uid, message] : taken)
            if (!anywhere(message.email)) gone.insert(message.email.value);
        for (const auto id : gone) destroyed.emplace_back(modseq, id);
    }
    bool has_children(const std::string& path) const {
        const auto below = mailboxes.upper_bound(path + '/');
        return below != mailboxes.end() && below->first.starts_with(path + '/');
    }
    std::uint64_t octets() const {
        std::map<std::uint64_t, std::uint64_t> sizes;
        for (const auto& [path, box] : mailboxes)
            for (const auto& [uid, message] : box.messages)
                sizes[message.email.value] = message.size;
        std::uint64_t sum = 0;
        for (const auto& [id, size] : sizes) sum += size;
        return sum;
    }
};

} // namespace mailcore::test
