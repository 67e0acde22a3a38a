// The identifiers of everything that is kept. 64 bits, opaque, never reused.
#pragma once

#include "libmailcore/base/strong.h"

#include <cstdint>

namespace mailcore::store {

/// An account, which is not an address. 0 is nobody.
using AccountId = base::Strong<struct AccountIdTag>;
using DomainId = base::Strong<struct DomainIdTag>;
/// Ids within an account come from the account's own counter.
using MailboxId = base::Strong<struct MailboxIdTag>;
using EmailId = base::Strong<struct EmailIdTag>;   ///< EMAILID of RFC 8474, JMAP's Email id
using ThreadId = base::Strong<struct ThreadIdTag>; ///< THREADID of RFC 8474
/// A body's logical id; one row says where its octets lie. Unique within a store.
using BlobId = base::Strong<struct BlobIdTag>;
/// A message in the queue. Unique within a store.
using QueueId = base::Strong<struct QueueIdTag>;

/// IMAP's numbers (RFC 9051 §2.3.1.1). Never 0 when set.
using Uid = base::Strong<struct UidTag, std::uint32_t>;
using UidValidity = base::Strong<struct UidValidityTag, std::uint32_t>;
/// The account's one change counter: MODSEQ (63 bits, RFC 7162 §3.1) and the JMAP state.
using ModSeq = base::Strong<struct ModSeqTag>;

} // namespace mailcore::store
