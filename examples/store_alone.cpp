// A mailbox store without any protocol: an email is filed and read back, in memory.
#include "libmailcore/mime/parser.h"
#include "libmailcore/net/loops.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/memory_store.h"

#include "talk.h"

#include <future>

using namespace mailcore;
using store::TxnTask;

static constexpr std::string_view letter =
    "Subject: hello\r\nMessage-ID: <1@example.test>\r\n\r\nIt works.\r\n";
static const store::AccountId jo{1};

/// One transaction: a new account with its mailboxes, and an email in its INBOX.
static TxnTask<Result<store::Filed>> file_letter(store::WriteTransaction& txn,
                                                 store::NewBlobRef blob) {
    MAILCORE_CO_TRY(store::create_account(txn, jo, store::QuotaLimits{}));
    store::AccountEdit edit(txn, store::Access::owner(jo), jo);
    MAILCORE_CO_TRY(edit.begin());
    store::NewEmail email;
    email.pieces.push_back(store::Piece::of(txn.add_blob(*blob), 0, blob->size()));
    const auto structure = mime::parse(letter);
    email.structure = structure.encoded();
    email.base_subject = structure.base_subject;
    store::Filing filing;
    filing.mailbox = edit.state().inbox;
    filing.received = store::Received{txn.now(), 0};
    MAILCORE_CO_TRY(auto filed, store::file_email(edit, std::move(email), std::move(filing)));
    MAILCORE_CO_TRY(edit.save());
    co_return filed;
}

static Task<Result<std::string>> file_and_read(Scheduler& scheduler, store::Store& store) {
    const auto writer = store.new_blob(scheduler, letter.size());
    MAILCORE_CO_TRY(writer->append(letter));
    MAILCORE_CO_TRY(const auto blob, writer->finish());
    MAILCORE_CO_TRY(const auto filed, store.write([blob](store::WriteTransaction& txn) {
        return file_letter(txn, blob);
    }));
    MAILCORE_CO_TRY(const auto email, store.read([id = filed.email](store::ReadTransaction& txn) {
        return store::read_email(txn, jo, id);
    }));
    co_return co_await store::read_octets(store, email.pieces, 0, email.size);
}

static Task<void> run(Scheduler& scheduler, store::Store& store, std::promise<std::string>& done) {
    auto read = co_await file_and_read(scheduler, store);
    done.set_value(read ? *read : read.error().detail);
}

int main() {
    const base::SystemClock clock;
    store::MemoryStore store(clock);
    auto loops = net::Loops::create({1, 2});
    if (!loops) return 1;
    auto& loop = (**loops)[0];
    std::promise<std::string> done;
    Scope scope(loop);
    (*loops)->start();
    loop.post([&] { scope.spawn(run(loop, store, done)); });
    const auto text = done.get_future().get();
    (*loops)->stop();
    expect(text == letter, "the email is what was filed");
}
