"""Postfix delivers into the server."""

import clients
from letter import Letter, parse, read, tokens
from processes import wait_until
from story import Settings, story


def sender(scene, server, **settings):
    """A Postfix that sends all to the server's port 25, and only with its certificate verified."""
    return scene.postfix(
        "sender", hostname="sender.example.org", settings={
            "relayhost": f"[{server.host}]:{server.port('smtp')}",
            "smtp_tls_security_level": "verify",
            "smtp_tls_verify_cert_match": server.hostname,
            "smtp_tls_CAfile": scene.ca,
            "smtp_connection_cache_on_demand": "yes",
        } | settings)


@story("Postfix delivers over verified STARTTLS; Received tells of TLS; nothing is altered", needs=[
    "postfix"
])
def over_starttls(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    peer = sender(scene, server)
    for size in (0, 1, 5000, 3_000_000):
        message = Letter("x@sender.example.org", bob.address, size=size)
        peer.send(message.octets, message.sender, bob.address)
        stored = clients.wait_letter(server, bob, message)
        received = "\n".join(parse(stored).get_all("Received"))
        assert "ESMTPS" in received and "sender.example.org" in received, received
        assert parse(stored)["Return-Path"] == "<x@sender.example.org>", parse(
            stored)["Return-Path"]
    assert peer.logged("Verified TLS connection established to")
    peer.wait_queue_empty()


@story("Postfix delivers 8-bit text, long lines, lone dots, the null sender and many recipients",
       needs=["postfix"])
def awkward(scene):
    names = [f"user{number}" for number in range(20)]
    server = scene.server(accounts=names)
    accounts = list(server.accounts.values())
    peer = sender(scene, server, smtp_line_length_limit="0")
    bodies = {
        "8-bit": "Schöne Grüße, žluťoučký kůň, 日本語\r\n".encode(),
        "latin-1, undeclared": b"\xe4\xf6\xfc\xdf\r\n" * 10,
        "lines of 998 octets": (b"x" * 998 + b"\r\n") * 5,
        "dots": b".\r\n..\r\n.x\r\n\r\n.\r\n",
        "no last line end": b"one\r\ntwo",
        "empty lines at the end": b"text\r\n\r\n\r\n",
    }
    for name, body in bodies.items():
        message = Letter("x@sender.example.org", accounts[0].address, subject=name, body=body)
        peer.send(message.octets, message.sender, accounts[0].address)
        clients.wait_letter(server, accounts[0], message)
    bounce = Letter("", accounts[1].address)
    peer.send(bounce.octets, "", accounts[1].address)
    assert parse(clients.wait_letter(server, accounts[1], bounce))["Return-Path"] == "<>"
    everybody = Letter("x@sender.example.org", "all@example.test")
    peer.send(everybody.octets, everybody.sender, *(account.address for account in accounts))
    for account in accounts:
        clients.wait_letter(server, account, everybody)


@story("200 messages from Postfix's queue arrive once each", needs=["postfix"], deadline=90)
def many(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    peer = sender(scene, server)
    sent = [Letter("x@sender.example.org", bob.address) for _ in range(200)]
    for message in sent:
        peer.send(message.octets, message.sender, bob.address)
    found = tokens(clients.wait_messages(server, bob, len(sent), seconds=60))
    assert sorted(found) == sorted(message.token for message in sent)
    peer.wait_queue_empty()


@story(
    "Postfix is told 550 5.1.1 for an unknown recipient; the known one of the message has it",
    needs=["postfix"])
def unknown_recipient(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    peer = sender(scene, server, bounce_queue_lifetime="1s")
    message = Letter("x@sender.example.org", bob.address)
    peer.send(message.octets, message.sender, f"nobody@{server.domain}", bob.address)
    clients.wait_letter(server, bob, message)
    line, = peer.wait_logged(r"to=<nobody@.*dsn=5\.1\.1, status=bounced .* 550 5\.1\.1 .*RCPT TO")
    assert len(clients.messages(server, bob)) == 1


@story("a message over the size limit is refused at once with 5.3.4, by SIZE and by count", needs=[
    "postfix"
])
def too_large(scene):
    server = scene.server(Settings(message_octets_max=100_000))
    bob = server.accounts["bob"]
    peer = sender(scene, server)
    message = Letter("x@sender.example.org", bob.address, size=200_000)
    peer.send(message.octets, message.sender, bob.address)
    # Postfix compares with SIZE's value itself, before it says MAIL.
    peer.wait_logged(r"to=<bob@.*dsn=5\.3\.4, status=bounced")
    with clients.smtplib_session(server, service="smtp") as session:
        code, text = session.mail(message.sender, ["SIZE=200000"])
        assert code == 552 and text.startswith(b"5.3.4"), (code, text)
        session.rset()
        session.mail(message.sender)
        session.rcpt(bob.address)
        code, text = session.data(message.octets)
        assert code == 552 and text.startswith(b"5.3.4"), (code, text)
        session.rset()
        small = Letter("x@sender.example.org", bob.address)
        session.sendmail(small.sender, [bob.address],
                         small.octets)  # the connection is usable still
    clients.wait_letter(server, bob, small)
    assert len(clients.messages(server, bob)) == 1


@story("what Postfix could not deliver while the server was down arrives after its return", needs=[
    "postfix"
])
def server_down(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    peer = sender(scene, server)
    server.stop()
    message = Letter("x@sender.example.org", bob.address)
    peer.send(message.octets, message.sender, bob.address)
    peer.wait_logged("status=deferred")
    server.start()
    clients.wait_letter(server, bob, message)
    peer.wait_queue_empty()


@story("internationalised mail (SMTPUTF8) from Postfix is taken", needs=["postfix"],
       servers=("mdserver",))
def smtputf8(scene):
    # Dovecot's LMTP cannot, so the reference cannot.
    server = scene.server()
    bob = server.accounts["bob"]
    peer = sender(scene, server, smtputf8_autodetect_classes="all")
    message = Letter("grün@sender.example.org", bob.address, headers=["X-Note: Grüße"])
    peer.send(message.octets, message.sender, bob.address)
    stored = clients.wait_letter(server, bob, message)
    assert "Grüße".encode() in stored


@story(
    "an expired certificate is served still: Postfix, asked to encrypt but not to verify, delivers",
    needs=["postfix"])
def expired_certificate(scene):
    server = scene.server(Settings(certificate=scene.certificate("mx.example.test", days=-1)))
    bob = server.accounts["bob"]
    peer = sender(scene, server, smtp_tls_security_level="encrypt")
    message = Letter("x@sender.example.org", bob.address)
    peer.send(message.octets, message.sender, bob.address)
    assert read(clients.wait_letter(server, bob, message))[1]
    if server.kind == "mdserver":
        wait_until(lambda: "expired" in server.everything_logged(), "a warning in the log", 5)
