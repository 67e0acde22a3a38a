"""mpop: POP3 with and without pipelining."""

import clients
from letter import Letter, tokens
from story import story


@story("mpop fetches over STLS and TLS, pipelined and not, with SCRAM-SHA-256 too, and deletes",
       needs=["mpop"])
def fetch(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    sent = [
        Letter("x@example.org", bob.address, size=size)
        for size in (1, 500, 100_000, 2000, 2000, 2000)
    ]
    for message in sent:
        clients.deliver(server, message)
    clients.wait_messages(server, bob, len(sent))
    expected = sorted(message.token for message in sent)
    ways = [("none", "off", "user"), ("starttls", "on", "plain"), ("tls", "on", "plain"),
            ("none", "auto", "scram-sha-256")]
    if server.kind == "mdserver":
        ways += [("starttls", "on", "on"), ("tls", "auto", "on")]  # see test_msmtp.ways
    for tls, pipelining, mechanism in ways:
        target = scene.folder("maildir")
        clients.mpop(scene, server, bob, target, tls=tls, keep=True, pipelining=pipelining,
                     mechanism=mechanism)
        assert sorted(tokens(
            octets for _, octets in clients.maildir_messages(target))) == expected, (tls, mechanism)
        # UIDL: what it has seen it does not take again.
        clients.mpop(scene, server, bob, target, tls=tls, keep=True, pipelining=pipelining,
                     mechanism=mechanism)
        assert len(clients.maildir_messages(target)) == len(sent)
        clients.write_file(scene.path("mpop-uidls"), "")
    target = scene.folder("maildir")
    clients.mpop(scene, server, bob, target)
    assert sorted(tokens(octets for _, octets in clients.maildir_messages(target))) == expected
    assert clients.messages(server, bob) == []
