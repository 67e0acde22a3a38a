"""A store without a server: emails filed and read back. With a data folder, `mailcore.Store("/var/lib/mdserver")`."""
from datetime import datetime, timezone

import mailcore

with mailcore.Store() as store:
    store.call("domain.add", name="example.test")
    store.call("account.add", address="jo@example.test", password="correct horse")

    inbox = store.mailbox("jo@example.test")
    inbox.add(b"From: an@example.org\r\nSubject: hello\r\n\r\nIt works.\r\n", flags=["\\Seen"],
              received=datetime(2003, 7, 1, 10, 52, 37, tzinfo=timezone.utc))

    for mailbox in store.mailboxes("jo@example.test"):
        for email in mailbox:
            print(mailbox.path, email.uid, email.received, sorted(email.flags), email.message()["subject"])
