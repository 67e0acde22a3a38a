"""The store's own troubles: an index that is gone or garbage, damaged records and bodies."""

import glob
import json
import os

import clients
from letter import Letter, tokens
from story import story

OWN = ("mdserver",)


def filled(scene, count=20):
    """A stopped server with `count` letters of bob's, some flagged."""
    server = scene.server()
    bob = server.accounts["bob"]
    letters = [Letter("x@example.org", bob.address, size=2000) for _ in range(count)]
    with clients.smtplib_session(server, service="smtp") as session:
        for each in letters:
            session.sendmail(each.sender, [bob.address], each.octets)
    clients.wait_messages(server, bob, count)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        session.store("1:5", "+FLAGS", r"(\Flagged)")
    return server, bob, letters


def flagged(server, account):
    with clients.imaplib_session(server, account, folder="INBOX") as session:
        return session.uid("SEARCH", "FLAGGED")[1][0].split()


@story("an index that is missing or garbage is made anew from the journal, with every message",
       servers=OWN)
def index(scene):
    server, bob, letters = filled(scene)
    expected = flagged(server, bob)
    for damage in ("missing", "garbage", "half", "rebuild"):
        if damage == "rebuild":
            server.control("store", "rebuild")
        server.stop()
        path, = glob.glob(server.file("store", "index-*.mdb"))
        if damage == "missing":
            for each in glob.glob(server.file("store", "index-*")):
                os.remove(each)
        elif damage == "garbage":
            with open(path, "r+b") as file:
                file.write(os.urandom(16384))
        elif damage == "half":
            os.truncate(path, os.path.getsize(path) // 2)
        server.start()
        found = tokens(clients.messages(server, bob))
        assert sorted(found) == sorted(each.token for each in letters), damage
        assert flagged(server, bob) == expected, damage
        checked = json.loads(server.control("store", "check", "--json").stdout)
        assert checked["problems"] == [], checked


@story("a damaged body is named by store check; every other message is served, and mail still comes",
       servers=OWN)
def damaged_body(scene):
    server, bob, letters = filled(scene)
    server.stop()
    victim = letters[7]
    needle = victim.body[-100:-36]  # its beginning is in its row, too: the preview
    for path in glob.glob(server.file("store", "journal", "*.log")):
        with open(path, "r+b") as file:
            at = file.read().find(needle)
            if at >= 0:
                file.seek(at)
                file.write(b"\xff" * 16)
                break
    else:
        # Compressed: any body octet will do; the middle of the log is one.
        path = max(glob.glob(server.file("store", "journal", "*.log")), key=os.path.getsize)
        with open(path, "rb") as file:
            text = file.read().rstrip(b"\0")
        with open(path, "r+b") as file:
            file.seek(len(text) // 2)
            file.write(bytes(octet ^ 0xff for octet in text[len(text) // 2:len(text) // 2 + 4]))
    server.start()
    done = server.control("store", "check", "--json", check=False)
    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 1 and problems, done
    whole = 0
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        uids = session.uid("SEARCH", "ALL")[1][0].split()
        assert len(uids) >= len(letters) - 1, uids
        for uid in uids:
            status, answer = session.uid("FETCH", uid, "(BODY.PEEK[])")
            if status == "OK" and answer and isinstance(answer[0], tuple):
                whole += len(tokens([answer[0][1]]))
    assert whole == len(letters) - 1, whole
    message = Letter("x@example.org", bob.address)
    clients.deliver(server, message)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        assert session.uid("SEARCH", "HEADER", "Message-ID", message.token)[1][0]
    exported(scene, server, bob, len(letters))


def exported(scene, server, account, count):
    """All but one are written; that one is named."""
    folder = scene.path("exported")
    done = server.control("export", account.address, folder, check=False)
    assert done.returncode == 1 and "INBOX, UID" in done.stdout + done.stderr, done
    files = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names
             if os.path.basename(root) in ("cur", "new")]
    octets = [open(path, "rb").read() for path in files]
    assert len(tokens(octets)) == count, (len(files), done)


@story("a damaged record of the log costs one message: it is named, the others are served and "
       "exported", servers=OWN)
def damaged_record(scene):
    server, bob, letters = filled(scene)
    server.stop()
    for path in glob.glob(server.file("store", "index-*")):
        os.remove(path)  # what is in the log counts
    victim = letters[7]
    found = 0
    for path in glob.glob(server.file("store", "journal", "*.log")):
        with open(path, "rb") as file:
            octets = file.read()
        token = victim.token.encode()
        found += octets.count(token)
        with open(path, "wb") as file:
            file.write(octets.replace(token, b"x" + token[1:]))
    assert found > 1, found
    server.start()
    status = json.loads(server.control("status", "--json").stdout)
    assert any("record at" in each for each in status["store"]["damages"]), status["store"]
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        answer, _ = session.uid("FETCH", "1:*", "(BODY.PEEK[])")
        assert answer == "NO"
        whole = [each[1] for each in session.response("FETCH")[1] if isinstance(each, tuple)]
        assert sorted(tokens(whole)) == sorted(
            each.token for each in letters if each is not victim)
    exported(scene, server, bob, len(letters) - 1)
