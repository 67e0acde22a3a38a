// Rows as a damaged store may hold them: read or refused, and what is read is written and read the
// same.
#include "libmailcore/accounts/detail/directory_rows.h"
#include "libmailcore/base/assert.h"
#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/detail/overview.h"

using namespace mailcore;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view row(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 11) {
    case 0:
        if (const auto block = store::detail::FlagBlock::decode(row)) {
            const auto again = store::detail::FlagBlock::decode(block->encode());
            MAILCORE_ASSERT(again && again->present == block->present);
            MAILCORE_ASSERT(block->present == 0 || again->highest() == block->highest());
        }
        static_cast<void>(store::detail::FlagSummary::decode(row));
        break;
    case 1:
        if (const auto block = store::detail::MessageBlock::decode(row)) {
            const auto again = store::detail::MessageBlock::decode(block->encode());
            MAILCORE_ASSERT(again && again->present == block->present);
        }
        break;
    case 2:
        if (const auto mailbox = store::detail::decode_mailbox(store::MailboxId{1}, row)) {
            const auto again =
                store::detail::decode_mailbox(store::MailboxId{1}, store::detail::encode(*mailbox));
            MAILCORE_ASSERT(again && *again == *mailbox);
        }
        break;
    case 3:
        if (const auto email = store::detail::decode_email(store::EmailId{1}, std::string(row))) {
            std::string octets;
            for (const auto& part : store::detail::encode(*email)) octets += part;
            const auto again = store::detail::decode_email(store::EmailId{1}, octets);
            MAILCORE_ASSERT(again && *again == *email);
        }
        break;
    case 4: {
        store::UidSet uids;
        static_cast<void>(store::detail::decode_uids(row, uids));
        store::UidSet again;
        for (const auto& part : store::detail::encode_uids(uids, 100))
            MAILCORE_ASSERT(store::detail::decode_uids(part, again));
        MAILCORE_ASSERT(again == uids);
        break;
    }
    case 5: {
        std::vector<std::uint64_t> ids;
        static_cast<void>(store::detail::decode_ids(row, ids));
        break;
    }
    case 6: static_cast<void>(store::detail::decode_account(row)); break;
    case 7: static_cast<void>(store::detail::decode_texts(row)); break;
    case 8: static_cast<void>(store::detail::decode_acl(row)); break;
    case 9:
        if (const auto overview = store::detail::Overview::decode(row))
            MAILCORE_ASSERT(store::detail::Overview::decode(overview->encode()) == *overview);
        break;
    default:
        static_cast<void>(accounts::detail::decode_domain(accounts::DomainId{1}, row));
        static_cast<void>(accounts::detail::decode_account(accounts::AccountId{1}, row));
        static_cast<void>(accounts::detail::decode_address(row));
        static_cast<void>(accounts::detail::decode_credentials(row));
        static_cast<void>(accounts::detail::decode_app_password(1, row));
        static_cast<void>(accounts::detail::decode_bare_address(row));
    }
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/model_rows",
                                        nullptr};
    return seeds;
}
