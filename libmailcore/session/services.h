// What every session is given: the state behind the dialogue, and how to reach it.
#pragma once

#include "libmailcore/accounts/directory.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/memory_gate.h"
#include "libmailcore/base/peer.h"
#include "libmailcore/base/random.h"
#include "libmailcore/base/scheduler.h"
#include "libmailcore/base/secret.h"
#include "libmailcore/delivery/intake.h"
#include "libmailcore/delivery/router.h"
#include "libmailcore/dns/resolver.h"
#include "libmailcore/filter/pipeline.h"
#include "libmailcore/sasl/mechanism.h"
#include "libmailcore/store/store.h"

#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

namespace mailcore::session {

/// Which accounts' maildrops are open over POP3, so that only one session has each (RFC 1939 §4).
/// Any thread.
class MaildropLocks {
  public:
    /// Released when destroyed.
    class Lock {
      public:
        Lock(MaildropLocks& locks, store::AccountId account) : locks_(locks), account_(account) {}
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
        ~Lock();

      private:
        MaildropLocks& locks_;
        store::AccountId account_;
    };
    /// Nothing: somebody else has it.
    [[nodiscard]] std::unique_ptr<Lock> lock(store::AccountId account);

  private:
    std::mutex mutex_;
    std::unordered_set<store::AccountId> held_; // at most one a connection
};

/// Shared by all sessions of one loop; what it refers to outlives them. One scheduler's thread.
struct Services {
    Scheduler& scheduler;
    store::Store& store;
    accounts::Directory& directory;
    MaildropLocks& maildrops;
    delivery::Router& router;
    delivery::Intake& intake;
    dns::Resolver& resolver;
    /// Asked about mail; a reload puts another one here. Never absent.
    std::shared_ptr<const filter::Pipeline> pipeline;
    Random& random;
    Log log;
    /// Of this installation: SCRAM exchanges for names that do not exist use it
    /// (sasl::ServerOptions).
    Secret fake_salt_key;
    std::string hostname;
    /// Asked before a message is let in. Absent: there is always room.
    base::MemoryGate* memory = nullptr;

    [[nodiscard]] bool has_memory_for(base::MemoryGate::Admission what) const {
        return !memory || memory->admits(what);
    }
};

/// How a service lets people log in. Immutable.
struct LoginOptions {
    std::vector<std::string> mechanisms = sasl::default_mechanisms(); ///< as offered
    /// Passwords may cross the line without TLS from peers on this machine.
    bool plaintext_from_loopback = true;
    /// ... from anywhere. Names its risk: everybody on the way reads the password.
    bool plaintext_from_anywhere = false;

    [[nodiscard]] bool plaintext_allowed(const PeerInfo& peer) const {
        return plaintext_from_anywhere || (plaintext_from_loopback && peer.is_local());
    }
};

} // namespace mailcore::session
