"""msmtp, which speaks for sendmail on many a workstation."""

import clients
from letter import Letter
from story import story


@story("msmtp submits over STARTTLS and TLS with PLAIN, LOGIN and SCRAM-SHA-256", needs=["msmtp"])
def submit(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    for tls, mechanism in (("starttls", "on"), ("starttls", "plain"), ("starttls", "login"),
                           ("starttls", "scram-sha-256"), ("tls", "scram-sha-256"), ("tls", "on")):
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
