"""Python's smtplib, imaplib and poplib."""

import email
import email.policy
import smtplib

import clients
from letter import Letter, tokens
from story import story


@story("smtplib submits and imaplib reads: in plain, over STARTTLS and over TLS")
def send_and_read(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    sent = []
    for tls in ("none", "starttls", "tls"):
        message = Letter(alice.address, bob.address)
        clients.submit(server, alice, message, tls=tls)
        sent.append(message.token)
    clients.wait_messages(server, bob, 3)
    for tls in ("none", "starttls", "tls"):
        with clients.imaplib_session(server, bob, tls=tls, folder="INBOX") as session:
            found = clients.fetch_all(session)
            assert sorted(tokens(octets for _, _, octets in found)) == sorted(sent)
            status, (text,) = session.uid("SEARCH", "SUBJECT", sent[0])
            assert status == "OK" and len(text.split()) == 1, text


@story("a binary message that smtplib hands over in BDAT chunks is read whole over IMAP", servers=("mdserver",))
def binary(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    picture = bytes(range(256)) * 500 + b"\n.\r\n\r"
    plain = "Grüße, as they are.\r\n".encode()
    octets = b"\r\n".join((b"From: x@example.org", b"Subject: binary", b"MIME-Version: 1.0",
                           b'Content-Type: multipart/mixed; boundary="="', b"",
                           b"--=", b"Content-Type: text/plain; charset=utf-8",
                           b"Content-Transfer-Encoding: 8bit", b"", plain,
                           b"--=", b"Content-Type: image/png", b"Content-Transfer-Encoding: binary", b"",
                           picture, b"--=--", b""))
    with smtplib.SMTP("localhost", server.port("smtp"), "client.example.org") as session:
        session.ehlo()
        assert session.has_extn("BINARYMIME") and session.has_extn("CHUNKING")
        assert session.mail("x@example.org", ["BODY=BINARYMIME"])[0] == 250
        assert session.rcpt(bob.address)[0] == 250
        for chunk, last in ((octets[:70_001], ""), (octets[70_001:], " LAST")):
            session.send(f"BDAT {len(chunk)}{last}\r\n".encode() + chunk)
            assert session.getreply()[0] == 250
    clients.wait_messages(server, bob, 1)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        (_, _, stored), = clients.fetch_all(session)
        message = email.message_from_bytes(stored, policy=email.policy.SMTP)
        text, attachment = message.iter_parts()
        assert text.get_content().rstrip() == plain.decode().rstrip()
        assert attachment.get_content() == picture
        assert all(len(line) <= 998 for line in stored.split(b"\r\n")) and b"\0" not in stored


@story("imaplib stores flags, copies, moves, appends, expunges; another session sees each of them")
def folders_and_flags(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    letters = [Letter("x@example.org", bob.address, size=size) for size in (10, 5000, 200_000)]
    with clients.imaplib_session(server, bob) as one, clients.imaplib_session(
            server, bob, folder="INBOX") as two:
        for message in letters:
            status, answer = one.append("INBOX", r"(\Flagged)", None, message.octets)
            assert status == "OK", answer
        assert two.noop()[0] == "OK"
        assert [flags for _, flags, _ in clients.fetch_all(two)] == [{"\\Flagged"}] * 3
        one.select("INBOX")
        uids = [uid for uid, _, _ in clients.fetch_all(one)]
        assert one.uid("STORE", str(uids[0]), "+FLAGS.SILENT", r"(\Answered $Interop)")[0] == "OK"
        two.noop()
        assert clients.fetch_all(two)[0][1] == {"\\Flagged", "\\Answered", "$Interop"}

        assert one.create("Archive/2026")[0] == "OK"
        assert one.subscribe("Archive/2026")[0] == "OK"
        assert b"Archive/2026" in b"".join(one.lsub()[1])
        assert one.uid("COPY", str(uids[1]), "Archive/2026")[0] == "OK"
        assert b"MOVE" in one.capability()[1][0].split()  # after login: it may have grown
        assert one.uid("MOVE", str(uids[2]), "Archive/2026")[0] == "OK"
        assert one.uid("STORE", str(uids[0]), "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert one.expunge()[0] == "OK"
        two.noop()
        assert [uid for uid, _, _ in clients.fetch_all(two)] == [uids[1]]
        two.select("Archive/2026", readonly=True)
        assert tokens(octets for _, _, octets in clients.fetch_all(two)) == [
            one.token for one in letters[1:]
        ]
        assert one.rename("Archive/2026", "Archive/Old")[0] == "OK"
        assert one.status("Archive/Old",
                          "(MESSAGES UIDNEXT UIDVALIDITY)")[1][0].find(b"MESSAGES 2") > 0
        one.select("INBOX")
        assert one.delete("Archive/Old")[0] == "OK"


@story("poplib lists, reads, tops and deletes; a deletion holds only after QUIT")
def pop3(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    sent = [Letter("x@example.org", bob.address, size=size) for size in (10, 3000, 70_000)]
    for message in sent:
        clients.deliver(server, message)
    clients.wait_messages(server, bob, 3)
    for tls in ("none", "starttls", "tls"):
        with clients.poplib_session(server, bob, tls=tls) as session:
            count, octets = session.stat()
            assert count == 3
            sizes = [int(line.split()[1]) for line in session.list()[1]]
            assert sum(sizes) == octets
            unique = [line.split()[1] for line in session.uidl()[1]]
            assert len(set(unique)) == 3
            whole = [b"\r\n".join(session.retr(number)[1]) + b"\r\n" for number in (1, 2, 3)]
            assert sorted(tokens(whole)) == sorted(message.token for message in sent)
            assert [len(message) for message in whole] == sizes
            head = session.top(sizes.index(max(sizes)) + 1, 2)[1]
            assert len(head) == head.index(b"") + 3
    with clients.poplib_session(server, bob) as session:
        session.dele(1)
        session.rset()
        session.dele(2)
        assert session.stat()[0] == 2
    session = clients.poplib.POP3(server.host, server.port("pop3"), timeout=10)
    session.user(bob.address)
    session.pass_(bob.password)
    session.dele(1)
    session.close()  # no QUIT: RFC 1939 §6, nothing is removed
    with clients.poplib_session(server, bob) as session:
        assert [line.split()[1] for line in session.uidl()[1]] == [unique[0], unique[2]]


@story("a wrong password is refused by SMTP, IMAP and POP3, and the right one still works after it")
def wrong_password(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    wrong = type(bob)(bob.address, "wrong " + bob.password)
    for session, error in ((clients.smtplib_session, clients.smtplib.SMTPAuthenticationError), (
            clients.imaplib_session, clients.imaplib.IMAP4.error), (clients.poplib_session,
                                                                    clients.poplib.error_proto)):
        try:
            with session(server, wrong):
                raise AssertionError(f"{session.__name__}: a wrong password was accepted")
        except error:
            pass
        with session(server, bob):
            pass


@story("IDLE tells a waiting client of a new message within a second")
def idle(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    with clients.Raw(server, "imap") as raw:
        raw.line()
        assert b"OK" in raw.imap("a", f'LOGIN {bob.address} "{bob.password}"')[-1]
        assert b"OK" in raw.imap("b", "SELECT INBOX")[-1]
        raw.send("c IDLE\r\n")
        assert raw.line().startswith(b"+")
        raw.socket.settimeout(5)
        clients.deliver(server, Letter("x@example.org", bob.address))
        seen = raw.line()
        while not seen.endswith(b" EXISTS\r\n"):
            assert seen, "the server hung up"
            seen = raw.line()
        raw.send("DONE\r\n")
        assert b"OK" in raw.tagged("c")[-1]
