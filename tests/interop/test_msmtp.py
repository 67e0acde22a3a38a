"""msmtp, which speaks for sendmail on many a workstation."""

import clients
from letter import Letter
from story import story


def ways(server):
    """(tls, mechanism) pairs that must work.

    "on" is the best that both know. GNU SASL 2.2 (Debian 13), over TLS, speaks SCRAM with channel
    binding or not at all: a server that offers SCRAM-SHA-256 needs SCRAM-SHA-256-PLUS beside it, which
    Postfix has not.
    """
    yield from (("starttls", "plain"), ("starttls", "login"), ("tls", "plain"), ("none", "scram-sha-256"))
    if server.kind == "mdserver":
        yield from (("starttls", "on"), ("tls", "on"))


@story("msmtp submits over STARTTLS and TLS with PLAIN, LOGIN, SCRAM, and what it thinks best",
       needs=["msmtp"])
def submit(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    for tls, mechanism in ways(server):
        message = Letter(alice.address, bob.address, size=20_000)
        clients.msmtp(scene, server, alice, message, tls=tls, mechanism=mechanism)
        clients.wait_letter(server, bob, message)


@story("msmtp's message for several recipients reaches each of them", needs=["msmtp"])
def several_recipients(scene):
    server = scene.server(accounts=("alice", "bob", "carol"))
    alice = server.accounts["alice"]
    message = Letter(alice.address, "undisclosed@example.test")
    clients.msmtp(scene, server, alice, message, recipients=[
        one.address for one in server.accounts.values()
    ])
    for account in server.accounts.values():
        clients.wait_letter(server, account, message)
