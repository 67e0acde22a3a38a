// A message that came as BODY=BINARYMIME, made one that every reader and every way takes.
#pragma once

#include "libmailcore/base/scheduler.h"
#include "libmailcore/base/task.h"
#include "libmailcore/mime/structure.h"
#include "libmailcore/store/store.h"

#include <memory>

namespace mailcore::delivery {

/// A message with its description.
struct DescribedBlob {
    store::NewBlobRef blob;
    std::shared_ptr<const mime::Structure> structure;
};

/// Whether it has what only BODY=BINARYMIME may carry: parts labelled "binary", NULs, line ends
/// that are none, lines of more than 998 octets (RFC 3030 §3, RFC 5322 §2.1.1).
[[nodiscard]] bool is_binary(const mime::Structure& structure);

/// Writes the message anew, its content in quoted-printable and base64 as for a way of 7 bits. IMAP
/// and POP3 show a message in lines, so it is done once, before it is stored, and not for each who
/// reads. `Rejected`: it is signed, or it is no message that could be converted (RFC 3030 §3 wants
/// it refused then); otherwise as the store says. Memory: a piece of the message. One scheduler.
[[nodiscard]] Task<Result<DescribedBlob>> without_binary(Scheduler& scheduler, store::Store& store,
                                                         DescribedBlob message);

} // namespace mailcore::delivery
