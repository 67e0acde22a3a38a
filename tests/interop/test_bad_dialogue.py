"""Commands, AUTH, TLS and line ends as no decent client sends them."""

import base64
import contextlib
import os
import socket

import clients
from clients import Raw
from hostile import answers, feed, greeted, logged_in, unharmed, wire_lines
from letter import Letter
from peers import postfix
from story import Skip, story


@story("IMAP commands made to break a parser get BAD or NO")
def imap_garbage(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    message = Letter("x@example.org", bob.address)
    clients.deliver(server, message)
    clients.wait_letter(server, bob, message)
    commands = [
        b"", b"NOSUCH", b"LOGIN", b'LOGIN "unterminated', b"SELECT", b"FETCH", b"FETCH 1",
        b"FETCH x (FLAGS)", b"FETCH 0 (FLAGS)", b"FETCH 99999999999 (FLAGS)", b"FETCH 1:* (FLAGS",
        b"FETCH 1 BODY[", b"FETCH 1 BODY[1.0]", b"FETCH 1 BODY[]<9999999999999999999999.1>",
        b"FETCH 1 (NOSUCH)", b"STORE 1 FLAGS", b"STORE 1 FLAGS (\\Nosuch", b"STORE 1 +FLAGS ()x",
        b"SEARCH", b"SEARCH NOSUCH", b"SEARCH CHARSET NOSUCH ALL", b"SEARCH BEFORE 99-Foo-2000",
        b"SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000, b"SEARCH " + b"NOT " * 2000 + b"ALL",
        b"SEARCH " + b"OR " * 1500 + b"ALL " * 1501, b"SEARCH UID " + b",".join(
            [b"1"] * 2000), b"UID", b"UID NOSUCH", b"CREATE \"\"", b"CREATE " + b"a/" * 3000 + b"b",
        b"RENAME INBOX", b"DELETE INBOX", b"LIST", b'LIST "" ' + b"%*" * 2000, b"STATUS INBOX ()",
        b"STATUS INBOX (NOSUCH)", b"APPEND INBOX {0}", b"CREATE \"\x00\"", b"CREATE \"\xff\xfe\"",
        b"CREATE &AAA", b"\xff\xfe\xfd", b"a b c d e", b"ENABLE", b"IDLE x",
        b"COPY 1 \"no such mailbox\"", b"AUTHENTICATE NOSUCH", b"STARTTLS", b"ID (\"x\")",
        b"COMPRESS NOSUCH"
    ]
    with unharmed(server):
        raw = logged_in(server, bob)
        for command in commands:
            try:
                raw.imap("s", "SELECT INBOX")
                raw.send(b"b " + command + b"\r\n")
                lines = [raw.line()]
                if lines[0].startswith(b"+"):
                    # It wants a literal, or idles after all.
                    raw.send("DONE\r\n" if b"IDLE" in command else "\r\n")
                    lines.append(raw.line())
                while lines[-1] and not lines[-1].startswith(b"b "):
                    lines.append(raw.line())
            except (OSError, AssertionError) as error:
                raise AssertionError(f"{command[:100]!r}: {error}") from error
            assert lines[-1].startswith((b"b BAD", b"b NO", b"b OK")) or \
                any(line.startswith((b"* BYE", b"* BAD")) for line in lines), \
                (command[:100], lines[-1][:200])
            if not lines[-1] or any(line.startswith(b"* BYE") for line in lines):
                raw.socket.close()
                raw = logged_in(server, bob)  # a server may have had enough of it
        raw.socket.close()


@story("POP3 commands made to break a parser get -ERR")
def pop3_garbage(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    message = Letter("x@example.org", bob.address)
    clients.deliver(server, message)
    clients.wait_letter(server, bob, message)
    with unharmed(server), logged_in(server, bob, "pop3") as raw:
        for command in (b"", b"NOSUCH", b"RETR", b"RETR 0", b"RETR 2", b"RETR -1",
                        b"RETR 99999999999999999999", b"RETR x", b"LIST 0", b"DELE", b"DELE 99",
                        b"TOP", b"TOP 1", b"TOP 1 -1", b"TOP 1 99999999999999999999x", b"UIDL 7",
                        b"\x00\xff", b"USER again", b"PASS again", b"AUTH NOSUCH"):
            raw.send(command + b"\r\n")
            line = raw.line()
            assert line.startswith(b"-ERR"), (command, line)


# Authentication and TLS.


@story("AUTH garbage gets 501, 504 or 535, and a good login works after it", deadline=120)
def auth_garbage(scene):
    server = scene.server()
    alice = server.accounts["alice"]

    def encoded(octets):
        return base64.b64encode(octets).decode()

    with unharmed(server):
        for command, *more, codes in (
            ("AUTH",
             "501"), ("AUTH NOSUCH", "504 535"), ("AUTH PLAIN !!!not base64!!!", "501 535"), (
                 "AUTH PLAIN " + encoded(b"no nuls at all"), "501 535"), (
                     "AUTH PLAIN =", "501 535"), ("AUTH PLAIN " + encoded(b"\0\0"), "501 535"), (
                         "AUTH PLAIN " + encoded(b"\0\xff\xfe\0\xff"), "501 535"),
            ("AUTH PLAIN " + encoded(b"\0" + alice.address.encode() + b"\0wrong"),
             "535"), ("AUTH PLAIN", "*", "501 535"), ("AUTH PLAIN", "", "501 535"), (
                 "AUTH PLAIN", "\x00\x01", "500 501 535"), ("AUTH LOGIN", "!", "501 535"), (
                     "AUTH LOGIN", encoded(alice.address.encode()), "*", "501 535"), (
                         "AUTH LOGIN", encoded(b"\0" * 100), encoded(b"\0" * 100), "501 535"), (
                             "AUTH SCRAM-SHA-256 " + encoded(b"n,,n=alice,r="), "501 535"), (
                                 "AUTH SCRAM-SHA-256 " + encoded(b"y,a=b,m=x,,,,"), "501 535"), (
                                     "AUTH PLAIN", "A" * 200_000, "500 501 535 552")):
            with greeted(server, "submission") as raw:
                raw.smtp("EHLO c.example.org")
                reply = raw.smtp(command)
                for line in more:
                    if reply.startswith("334"):
                        reply = raw.smtp(line)
                if reply.startswith("334"):  # SCRAM's answer to a first message it could read
                    reply = raw.smtp("*")
                if server.kind == "reference":
                    codes += " 454"  # Dovecot hangs up on Postfix for some of these
                assert reply[:3] in codes.split() or reply == "", (command[:60], [line[:60] for line in more], reply)
        with greeted(server, "submission") as raw:
            raw.smtp("EHLO c.example.org")
            assert raw.smtp("AUTH PLAIN ****")[:1] == "5"
            good = encoded(f"\0{alice.address}\0{alice.password}".encode())
            assert raw.smtp("AUTH PLAIN " + good).startswith("235")
            assert raw.smtp("AUTH PLAIN " + good).startswith("503")  # RFC 4954 §4
        for answer in ("!", encoded(b"x"), "", "*", "A" * 100_000):
            with greeted(server, "imap") as raw:
                raw.send("a AUTHENTICATE PLAIN\r\n")
                assert raw.line().startswith(b"+")
                raw.send(answer + "\r\n")
                line = raw.tagged("a")[-1]
                assert line.startswith((b"a BAD", b"a NO")) or line == b"", (answer[:20], line)
            with greeted(server, "pop3") as raw:
                raw.send("AUTH PLAIN\r\n")
                assert raw.line().startswith(b"+")
                raw.send(answer + "\r\n")
                line = raw.line()
                assert line.startswith(b"-ERR") or line == b"", (answer[:20], line)


@story("plaintext injected behind STARTTLS is thrown away or refused, never obeyed")
def injected_behind_starttls(scene):
    server = scene.server()
    injected = {
        "smtp": (b"STARTTLS\r\n", b"MAIL FROM:<injected@example.org>\r\n",
                 b"220"), "submission": (b"STARTTLS\r\n", b"NOOP\r\nRSET\r\n", b"220"),
        "imap": (b"a STARTTLS\r\n", b"i1 CAPABILITY\r\n", b"a OK"), "pop3": (b"STLS\r\n",
                                                                             b"CAPA\r\n", b"+OK")
    }
    with unharmed(server):
        for service, (command, extra, welcome) in injected.items():
            with greeted(server, service) as raw:
                if service in ("smtp", "submission"):
                    raw.smtp("EHLO c.example.org")
                raw.send(command + extra)
                line = raw.line()
                if not line.startswith(welcome):
                    assert line.startswith(
                        (b"5", b"4", b"a BAD", b"* BYE", b"-ERR")) or line == b"", (service, line)
                    continue
                raw.pending = b""
                try:
                    raw.start_tls()
                except OSError:
                    continue  # it hung up on the injected octets: right too
                # The first answer inside TLS must be to the first command inside TLS.
                if service in ("smtp", "submission"):
                    assert raw.smtp(
                        "RCPT TO:<x@example.org>")[:1] == "5", "the injected MAIL was obeyed"
                    assert raw.smtp("EHLO c.example.org").startswith("250")
                elif service == "imap":
                    lines = raw.imap("b", "NOOP")
                    assert not any(b"i1 " in line or b"CAPABILITY" in line for line in lines), lines
                else:
                    raw.send("QUIT\r\n")
                    answer = raw.rest()
                    assert answer.count(b"\r\n") == 1, answer


@story("garbage instead of TLS, truncated at every position, is hung up on")
def tls_garbage(scene):
    server = scene.server()
    context = clients.tls_context(server)
    incoming, outgoing = clients.ssl.MemoryBIO(), clients.ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(clients.ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    samples = [hello[:length] for length in range(0, len(hello), 7)] + \
              [b"EHLO plain.example\r\n", b"GET / HTTP/1.0\r\n\r\n", os.urandom(2000),
               b"\x16\x03\x01\xff\xff" + os.urandom(500), hello[:60] + os.urandom(len(hello) - 60),
               b"\x80\x2e\x01\x03\x01", b"\x16\x03\x03\x00\x00" * 1000]
    with unharmed(server):
        for service in ("imaps", "pop3s", "submissions"):
            for sample in samples:
                with socket.create_connection((server.host, server.port(service)), 5) as raw, \
                        contextlib.suppress(OSError):
                    raw.sendall(sample)
                    raw.shutdown(socket.SHUT_WR)
                    raw.recv(4096)


# Order and line ends.


@story("talking before the greeting is answered in order, or refused")
def before_greeting(scene):
    server = scene.server()
    with unharmed(server):
        for octets in (b"EHLO early.example\r\nNOOP\r\nQUIT\r\n",
                       b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", b"\r\n\r\n\r\n"):
            with Raw(server, "smtp") as raw:
                raw.send(octets)
                answer = answers(raw)
                assert answer[:3] in (b"220", b"554", b"421", b"521"), answer[:200]
                if b"EHLO" in octets and answer.startswith(b"220") and b"\r\n250" in answer:
                    assert answer.rstrip().splitlines()[-1].startswith(b"221"), answer
        for service, octets, end in (("imap", b"a NOOP\r\nb LOGOUT\r\n", b"b OK"),
                                     ("pop3", b"CAPA\r\nQUIT\r\n", b"+OK")):
            with Raw(server, service) as raw:
                raw.send(octets)
                assert answers(raw).rstrip().splitlines()[-1].startswith(end)


@story("a message pipelined behind a refused DATA is not taken for commands that deliver")
def pipelined_body(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    with unharmed(server):
        with greeted(server, "smtp") as raw:
            raw.smtp("EHLO c.example.org")
            raw.send(f"MAIL FROM:<x@example.org>\r\nRCPT TO:<nobody@{server.domain}>\r\nDATA\r\n".
                     encode() + b"Subject: x\r\n\r\ntext\r\n.\r\nQUIT\r\n")
            answer = answers(raw).decode()
            assert "354" not in [line[:3] for line in answer.splitlines()], answer
        # All in one packet, with a good recipient, against RFC 2920 §3.1: whole, or refused.
        message = Letter("x@example.org", bob.address)
        with greeted(server, "smtp") as raw:
            raw.smtp("EHLO c.example.org")
            raw.send(f"MAIL FROM:<x@example.org>\r\nRCPT TO:<{bob.address}>\r\nDATA\r\n".encode() +
                     message.smtp_octets + b"QUIT\r\n")
            answer = answers(raw)
        if b"\r\n354" in answer:
            clients.wait_letter(server, bob, message)


@story("SMTP smuggling: only CRLF.CRLF ends a message, whatever else looks like it")
def smuggling(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    if server.kind == "reference" and not postfix.forbids_bare_newline():
        raise Skip("this Postfix takes a bare LF for a line's end")
    smuggled = wire_lines("MAIL FROM:<smuggled@example.org>", f"RCPT TO:<{bob.address}>", "DATA",
                     "Subject: smuggled", "") + b"x"
    ends = [
        b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\x00.\r\n",
        b"\n\n.\n\n", b"\r\r\n.\r\r\n"
    ]
    with unharmed(server):
        for end in ends:
            with greeted(server, "smtp") as raw:
                raw.smtp("EHLO c.example.org")
                raw.smtp("MAIL FROM:<x@example.org>")
                raw.smtp(f"RCPT TO:<{bob.address}>")
                assert raw.smtp("DATA").startswith("354")
                feed(raw, b"Subject: outer\r\n\r\nouter" + end + smuggled + b"\r\n.\r\nQUIT\r\n", 1)
                answer = answers(raw)
                # One answer to DATA and one to QUIT; a smuggled message would have brought more.
                codes = [line[:3] for line in answer.splitlines()]
                assert b"354" not in codes, (end, answer)
                if server.kind == "mdserver":
                    assert codes[:1] and codes[0].startswith(b"5"), (end, answer)  # RFC 5321 §2.3.8
    for octets in clients.messages(server, bob):
        assert b"Return-Path: <smuggled@" not in octets, octets.decode(errors="replace")


@story("bare CR, bare LF, NUL and 8-bit octets in SMTP commands get 5xx")
def bad_commands(scene):
    server = scene.server()
    with unharmed(server):
        for command in (b"NOSUCH", b"MAIL", b"MAIL FROM:", b"MAIL FROM:<",
                        b"MAIL FROM:<x@example.org> NOSUCH=1",
                        b"MAIL FROM:<x@example.org> SIZE=99999999999999999999999",
                        b"RCPT TO:<bob@example.test>", b"DATA", b"BDAT", b"BDAT x",
                        b"BDAT 99999999999999999999 LAST", b"MAIL FROM:<x@\xff\xfe>", b"STARTTLS x",
                        b"ETRN", b"\x00", b"EXPN x"):
            with greeted(server, "smtp") as raw:
                raw.smtp("EHLO c.example.org")
                reply = raw.smtp(command)
                # A BDAT whose size cannot be read leaves no way to go on: hanging up is right.
                # EXPN may be answered without telling (RFC 5321 §7.3).
                assert reply[:1] in ("5", "4") or command.startswith(b"BDAT") and not reply or \
                    command.startswith(b"EXPN") and reply.startswith("252"), (command[:60], reply)
                if reply:
                    assert raw.smtp("NOOP")[:1] in ("2", "4", "")
        for octets in (b"NOOP\n", b"NOOP\r", b"\rNOOP\r\n", b"NO\x00OP\r\n", b"NOOP\r\r\n"):
            with greeted(server, "smtp", seconds=3) as raw:
                raw.smtp("EHLO c.example.org")
                raw.send(octets + b"QUIT\r\n")
                codes = [line[:3] for line in answers(raw).splitlines()]
                if server.kind == "mdserver":
                    # RFC 5321 §2.3.8: "NOOP<LF>QUIT" is one bad line.
                    assert codes[:1] and codes[0][:1] == b"5", (octets, codes)
