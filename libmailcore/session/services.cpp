#include "libmailcore/session/services.h"

namespace mailcore::session {

MaildropLocks::Lock::~Lock() {
    const std::scoped_lock lock(locks_.mutex_);
    locks_.held_.erase(account_);
}

std::unique_ptr<MaildropLocks::Lock> MaildropLocks::lock(store::AccountId account) {
    const std::scoped_lock lock(mutex_);
    if (!held_.insert(account).second) return nullptr;
    return std::make_unique<Lock>(*this, account);
}

} // namespace mailcore::session
