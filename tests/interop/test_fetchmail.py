"""fetchmail over IMAP and POP3."""

import clients
from letter import Letter, tokens
from story import story


def deliver(server, account, count):
    sent = [
        Letter("x@example.org", account.address, size=700 * number)
        for number in range(1, count + 1)
    ]
    for message in sent:
        clients.deliver(server, message)
    clients.wait_messages(server, account, count)
    return sorted(message.token for message in sent)


@story("fetchmail takes all mail away over IMAP and POP3, in plain, over STARTTLS and TLS", needs=[
    "fetchmail"
])
def fetch(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    for protocol in ("IMAP", "POP3"):
        for tls in ("none", "starttls", "tls"):
            sent = deliver(server, bob, 3)
            target = scene.path(f"{protocol}-{tls}")
            clients.fetchmail(scene, server, bob, target, protocol=protocol, tls=tls)
            assert sorted(tokens(clients.mbox_messages(target))) == sent, (protocol, tls)
            assert clients.messages(server, bob) == [], (protocol, tls)


@story("fetchmail with keep takes each message once", needs=["fetchmail"])
def keep(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    sent = deliver(server, bob, 3)
    for protocol in ("IMAP", "POP3"):
        target = scene.path(protocol)
        for _ in range(2):
            clients.fetchmail(scene, server, bob, target, protocol=protocol, more="keep")
        found = sorted(tokens(clients.mbox_messages(target)))
        # Over IMAP it takes what is not \Seen; its own first visit has set that.
        assert found == sent, (protocol, found, sent)
        with clients.imaplib_session(server, bob, folder="INBOX") as session:
            flags = [flags for _, flags, _ in clients.fetch_all(session)]
        assert flags == [{"\\Seen"}] * 3, flags
