"""The whole server in memory: an account, mail to it over SMTP, and the mail read over IMAP and from the store."""
import imaplib
import smtplib
import threading

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
arrived = threading.Event()

with mailcore.Server(settings, in_memory=True, on_change=lambda change: arrived.set()) as server:
    server.call("domain.add", name="example.test")
    server.call("account.add", address="jo@example.test", password="correct horse")
    arrived.clear()

    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as client:
        client.sendmail("an@example.org", ["jo@example.test"], "Subject: hello\r\n\r\nIt works.\r\n")
    assert arrived.wait(20)

    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
        client.login("jo@example.test", "correct horse")
        client.select("INBOX")
        _, answer = client.fetch("1", "(BODY.PEEK[TEXT])")
        print(answer[0][1].decode().strip())
    print(server.metrics()["mailcore_store_transactions_total"], "transactions")
