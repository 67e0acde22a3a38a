import asyncio
import imaplib
import os
import smtplib
import tempfile
import threading
import unittest
from datetime import datetime, timezone

import mailcore

settings = """
[server]
hostname = "mx.example.test"

[[listen]]
service = "smtp"
addresses = ["127.0.0.1"]
port = 0

[[listen]]
service = "imap"
addresses = ["127.0.0.1"]
port = 0
"""
letter = b"From: jo@example.org\r\nTo: an@example.test\r\nSubject: hello\r\n\r\nIt works.\r\n"


def add_account(server):
    server.call("domain.add", name="example.test")
    server.call("account.add", address="an@example.test", password="correct horse")


class ServerTest(unittest.TestCase):
    def test_takes_mail_and_shows_it(self):
        changed, logged = threading.Event(), []
        with mailcore.Server(settings, in_memory=True, on_log=logged.append,
                             on_change=lambda _: changed.set()) as server:
            add_account(server)
            changed.clear()
            with smtplib.SMTP("127.0.0.1", server.port("smtp")) as client:
                client.sendmail("jo@example.org", ["an@example.test"], letter)
            self.assertTrue(changed.wait(20))
            with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
                client.login("an@example.test", "correct horse")
                client.select("INBOX")
                self.assertIn(b"It works.", client.fetch("1", "(BODY.PEEK[TEXT])")[1][0][1])
            self.assertGreater(server.metrics()["mailcore_store_transactions_total"], 0)
        self.assertIn("server.started", {event["event"] for event in logged})
        self.assertIn("server.stopped", {event["event"] for event in logged})

    def test_failures_are_exceptions_by_kind(self):
        with mailcore.Server(settings, in_memory=True) as server:
            add_account(server)
            with self.assertRaises(mailcore.Conflict):
                server.call("account.add", address="an@example.test", password="correct horse")
            with self.assertRaises(mailcore.NotFound):
                server.call("account.show", address="no@example.test")
            with self.assertRaisesRegex(mailcore.Rejected, "colour"):
                server.call("account.list", colour="red")
            with self.assertRaises(mailcore.NotFound):
                server.port("pop3")
            with self.assertRaises(mailcore.Rejected):
                server.reload("[server]\nno = 1\n")
            self.assertEqual(server.reload(settings), [])
        with self.assertRaises(mailcore.Rejected):
            server.call("status")  # closed
        with self.assertRaisesRegex(mailcore.Rejected, "config:2:"):
            mailcore.Server("[server]\nno = 1\n", in_memory=True)

    def test_keeps_its_data_in_its_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "mdserver.toml"), "w") as file:
                file.write(settings)
            with mailcore.Server(data=folder) as server:
                add_account(server)
                with self.assertRaises(mailcore.Conflict):
                    mailcore.Store(folder)
            with mailcore.Store(folder) as store:
                self.assertEqual([each["address"] for each in store.accounts()], ["an@example.test"])

    def test_asyncio_does_not_wait_for_it(self):
        async def main():
            async with mailcore.Server(settings, in_memory=True) as server:
                answers = await asyncio.gather(*(server.call_async("status") for _ in range(10)))
                self.assertEqual({each["hostname"] for each in answers}, {"mx.example.test"})

        asyncio.run(main())


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.store = mailcore.Store()
        self.addCleanup(self.store.close)
        add_account(self.store)

    def test_lists_mailboxes(self):
        inbox = self.store.mailbox("an@example.test")
        self.assertEqual((inbox.path, inbox.role, inbox.messages), ("INBOX", "inbox", 0))
        with self.assertRaises(mailcore.NotFound):
            self.store.mailbox("an@example.test", "nowhere")
        with self.assertRaises(mailcore.NotFound):
            self.store.mailboxes("no@example.test")

    def test_gives_back_what_was_filed(self):
        inbox = self.store.mailbox("an@example.test")
        when = datetime(2003, 7, 1, 10, 52, 37, tzinfo=timezone.utc)
        uid = inbox.add(letter, flags=["\\Seen", "work"], received=when)
        email, = self.store.mailbox("an@example.test")
        self.assertEqual((email.uid, email.size, email.received), (uid, len(letter), when))
        self.assertEqual(email.flags, {"\\Seen", "work"})
        self.assertEqual(email.octets(), letter)
        self.assertEqual(email.message()["subject"], "hello")

    def test_reads_more_than_one_page_and_more_than_one_piece(self):
        inbox = self.store.mailbox("an@example.test")
        large = letter + b"x" * 76 + (b"\r\n" + b"y" * 76) * 40_000 + b"\r\n"
        inbox.add(large)
        for i in range(1_100):
            inbox.add(b"Subject: %d\r\n\r\n" % i)
        emails = list(inbox)
        self.assertEqual(len(emails), 1_101)
        self.assertEqual([each.uid for each in emails], sorted(each.uid for each in emails))
        self.assertEqual(emails[0].octets(), large)
        self.assertEqual(emails[-1].message()["subject"], "1099")

    def test_what_a_folder_that_is_not_there_is(self):
        with self.assertRaises(mailcore.NotFound):
            mailcore.Store("/no/such/folder")


if __name__ == "__main__":
    unittest.main()
