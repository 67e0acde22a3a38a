"""Clients that are slow, deaf, many, or gone in the middle of a word."""

import contextlib
import socket
import struct
import time

import clients
from clients import Raw
from hostile import SERVICES, feed, greeted, logged_in, unharmed, wire_lines
from letter import Letter, tokens
from story import story


@story("clients that stop reading hold neither memory nor anybody else up", deadline=90)
def stops_reading(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    with clients.imaplib_session(server, bob) as session:
        for _ in range(3):
            assert session.append("INBOX", None, None,
                                  Letter("x@example.org", bob.address,
                                         size=5_000_000).octets)[0] == "OK"
    stuck = []
    with unharmed(server):
        try:
            for _ in range(20):
                raw = logged_in(server, bob, receive_buffer=4096)
                raw.imap("s", "SELECT INBOX")
                raw.send("b FETCH 1:* (BODY.PEEK[])\r\n")
                stuck.append(raw)
            raw = logged_in(server, bob, "pop3", receive_buffer=4096)
            stuck.append(raw)
            raw.send("RETR 1\r\n")
            for service, line in (("smtp", b"NOOP\r\n"), ("imap", b"x NOOP\r\n"), ("pop3",
                                                                                   b"CAPA\r\n")):
                raw = Raw(server, service, receive_buffer=4096, seconds=2)
                stuck.append(raw)
                feed(raw, line * 10_000,
                     20)  # answers pile up; sooner or later the server stops reading
            # Others are served meanwhile, and within reason.
            began = time.monotonic()
            with clients.imaplib_session(server, server.accounts["alice"], folder="INBOX"):
                pass
            assert time.monotonic() - began < 5
            raw = stuck[20]
            raw.socket.close()  # POP3 holds a lock: unharmed() wants in
        finally:
            for raw in stuck:
                raw.socket.close()


@story("clients that send an octet at a time are understood, and do not hold others up")
def octet_by_octet(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    message = Letter("slow@example.org", bob.address, size=20)
    slow = []
    with unharmed(server):
        # Fifty that will never finish.
        for service in SERVICES * 12:
            raw = Raw(server, service)
            raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            slow.append(raw)
        for octet in b"EHLO":
            for raw in slow:
                raw.send(bytes([octet]))
        with greeted(server, "smtp") as raw:
            raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for line in ("EHLO c.example.org", "MAIL FROM:<slow@example.org>",
                         f"RCPT TO:<{bob.address}>", "DATA"):
                for octet in line.encode() + b"\r\n":
                    raw.send(bytes([octet]))
                reply = raw.reply()
                assert reply[:1] in "23", (line, reply)
            for octet in message.smtp_octets:
                raw.send(bytes([octet]))
            assert raw.reply().startswith("250")
        for raw in slow:
            raw.socket.close()
    clients.wait_letter(server, bob, message)


def cut_off(server, service, dialogue, *, reset, step=1):
    """The dialogue, cut after every octet: closed, or reset."""
    for length in range(0, len(dialogue), step):
        with socket.create_connection((server.host, server.port(service)),
                                      10) as raw, contextlib.suppress(OSError):
            raw.settimeout(10)
            if length % 3 == 0:
                raw.recv(512)
            raw.sendall(dialogue[:length])
            if reset:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass


@story("disconnecting at every position of a dialogue loses nothing and leaves nothing",
       deadline=150)
def disconnected(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    message = Letter("x@example.org", bob.address, size=30)
    size = len(message.octets)
    envelope = ("EHLO c.example.org", "MAIL FROM:<x@example.org>", f"RCPT TO:<{bob.address}>")
    smtp = wire_lines(*envelope, "DATA") + message.smtp_octets
    chunks = wire_lines(*envelope, "BDAT 20") + message.octets[:20] + \
        wire_lines(f"BDAT {size - 20} LAST") + message.octets[20:]
    imap = wire_lines(f'a LOGIN {alice.address} "{alice.password}"', "b SELECT INBOX",
                 f"c APPEND INBOX {{{size}+}}") + message.octets + b"\r\n"
    pop3 = wire_lines(f"USER {alice.address}", f"PASS {alice.password}", "STAT", "UIDL", "RETR 1",
                 "DELE 1")
    keep = Letter("x@example.org", alice.address)
    clients.deliver(server, keep)
    clients.wait_letter(server, alice, keep)
    with unharmed(server):
        # The last octet of each would complete it, and is left out.
        cut_off(server, "smtp", smtp[:-1], reset=False, step=2)
        cut_off(server, "smtp", smtp[:-1], reset=True, step=3)
        if server.kind == "mdserver":
            # Postfix forgives a last chunk that lacks its end.
            cut_off(server, "smtp", chunks[:-1], reset=False, step=3)
        cut_off(server, "imap", imap[:-len(message.octets) // 2], reset=True, step=5)
        cut_off(server, "pop3", pop3, reset=True, step=2)
    assert message.token not in tokens(clients.messages(server,
                                                        bob)), "half a message was delivered"
    assert tokens(clients.messages(
        server, alice)) == [keep.token], "a deletion without QUIT, or half an APPEND"


@story("300 idle connections leave room for the next, or it is told 421")
def many_connections(scene):
    server = scene.server()
    idle = []
    with unharmed(server):
        try:
            for number in range(300):
                raw = Raw(server, ("smtp", "imap", "pop3")[number % 3])
                if not raw.line():
                    raw.socket.close()
                    continue
                idle.append(raw)
            assert len(idle) >= 100
            with Raw(server, "smtp") as raw:
                assert raw.reply()[:3] in ("220", "421")
        finally:
            for raw in idle:
                raw.socket.close()
