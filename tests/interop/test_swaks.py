"""swaks: the mail administrator's probe."""

import clients
from letter import Letter
from story import story


@story("swaks delivers as a stranger, in plain and over STARTTLS", needs=["swaks"])
def stranger(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    for tls in ("none", "starttls"):
        message = Letter("stranger@example.org", bob.address)
        clients.swaks(server, None, message, tls=tls)
        clients.wait_letter(server, bob, message)


@story("swaks submits with AUTH PLAIN and LOGIN over STARTTLS and TLS", needs=["swaks"])
def authenticated(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    for tls in ("starttls", "tls"):
        for mechanism in ("PLAIN", "LOGIN"):
            message = Letter(alice.address, bob.address)
            clients.swaks(server, alice, message, tls=tls, mechanism=mechanism)
            clients.wait_letter(server, bob, message)


@story("swaks is told 5xx: unknown recipient, relaying, wrong password, somebody else's sender",
       needs=["swaks"])
def refused(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    wrong = type(alice)(alice.address, "wrong")
    for account, sender, recipient, status, code in (
        (None, "x@example.org", f"nobody@{server.domain}", 24,
         "<** 550"), (None, "x@example.org", "somebody@elsewhere.example", 24,
                      "<** 55"), (wrong, alice.address, bob.address, 28,
                                  "<** 535"), (alice, bob.address, bob.address, 24, "<** 55")):
        done = clients.swaks(server, account, Letter(sender, recipient), tls="starttls",
                             check=False)
        text = done.stdout.replace("<~*", "<**")  # swaks marks what came over TLS with a tilde
        assert done.returncode in (status, 23, 24) and code in text, \
            f"{sender} -> {recipient}: swaks ended with {done.returncode}\n{text}"
