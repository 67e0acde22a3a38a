"""LMTP: a UNIX socket for programs of this machine, TCP where configured."""

import smtplib

import clients
from letter import Letter
from story import Settings, story

OWN = ("mdserver",)


class UnixLmtp(smtplib.LMTP):
    """smtplib takes a host that begins with a slash for a socket's path."""


@story("LMTP over the UNIX socket: each recipient has its own answer", servers=OWN)
def unix_socket(scene):
    server = scene.server()
    bob, alice = server.accounts["bob"], server.accounts["alice"]
    message = Letter("x@example.org", bob.address)
    with UnixLmtp(server.file("lmtp.sock"), local_hostname="client.example.org") as session:
        session.lhlo() if hasattr(session, "lhlo") else session.ehlo()
        assert session.mail("x@example.org")[0] == 250
        assert session.rcpt(bob.address)[0] == 250
        assert session.rcpt("nobody@example.test")[0] == 550
        assert session.rcpt(alice.address)[0] == 250
        code, _ = session.data(message.octets)
        assert code == 250, code
        assert session.getreply()[0] == 250  # the second recipient's
    for account in (bob, alice):
        clients.wait_letter(server, account, message)


@story("Postfix hands mail over by LMTP, to the UNIX socket and over TCP", needs=["postfix"],
       servers=OWN)
def postfix(scene):
    port = scene.ports.port()
    server = scene.server(start=False)
    with open(server.config, "a", encoding="utf-8") as config:
        config.write(f'\n[[listen]]\nservice = "lmtp"\naddresses = ["127.0.0.1"]\nport = {port}\n')
    server.start()
    for local in ("alice", "bob"):
        server.accounts[local] = server.add_account(f"{local}@example.test", f"pass word {local}")
    bob = server.accounts["bob"]
    socket = server.file("lmtp.sock")
    for name, transport in (("tcp", f"lmtp:inet:127.0.0.1:{port}"), ("unix", f"lmtp:unix:{socket}")):
        if name == "unix":
            # The socket is for the server's own user; Postfix's lmtp runs as another.
            import os
            for path in (server.directory, socket):
                os.chmod(path, 0o777)
            parent = os.path.dirname(server.directory)
            while parent not in ("/", "/tmp"):
                os.chmod(parent, 0o755)
                parent = os.path.dirname(parent)
        peer = scene.postfix(f"handing-{name}", hostname="front.example.test", settings={
            "default_transport": transport, "relay_transport": transport})
        message = Letter("x@sender.example.org", bob.address, size=20_000)
        peer.send(message.octets, message.sender, bob.address)
        clients.wait_letter(server, bob, message)
        peer.wait_queue_empty()
