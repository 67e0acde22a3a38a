"""mdctl export and import: what goes out comes in again, once, and other programs read and write it.

`INTEROP_MESSAGES=100000 run.py transfer: many` tries it at that size and prints time and memory.
"""

import calendar
import imaplib
import json
import mailbox
import os
import random
import re
import shutil
import subprocess
import time

import clients
import letter
import processes
from letter import Letter
from peers import dovecot as dovecot_peer
from processes import write_file
from story import Account, Settings, story

OWN = ("mdserver", )
MESSAGES = int(os.environ.get("INTEROP_MESSAGES", "2000"))
ROUNDS = int(os.environ.get("INTEROP_ROUNDS", "5"))
FORMATS = ("maildir", "mbox", "eml")
ZURICH = "Z&APw-rich"  # Zürich in modified UTF-7


# What an account holds, as IMAP tells it.


def folders(session):
    status, lines = session.list()
    assert status == "OK", lines
    names = {}
    for line in lines:
        match = re.match(rb'\((?P<flags>[^)]*)\) "[^"]*" "?(?P<name>[^"]*)"?$', line)
        if b"\\noselect" not in match["flags"].lower():
            names[match["name"].decode()] = match["flags"].decode()
    return names


def snapshot(session, *, only=None):
    """{folder: [(octets, flags, seconds since 1970)]}, folders without mail left out."""
    found = {}
    for name in folders(session):
        if only and name not in only:
            continue
        status, answer = session.select(f'"{name}"', readonly=True)
        assert status == "OK", answer
        if answer == [b"0"]:
            continue
        status, answer = session.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        assert status == "OK", answer
        rows = []
        for at, part in enumerate(answer):
            if not isinstance(part, tuple):
                continue
            # Flags may stand before the literal or behind it.
            text = part[0] + (answer[at + 1] if isinstance(answer[at + 1], bytes) else b"")
            flags = re.search(rb"FLAGS \(([^)]*)\)", text)[1].decode().split()
            date = imaplib.Internaldate2tuple(text)
            seconds = calendar.timegm(time.gmtime(time.mktime(date)))
            rows.append((part[1], frozenset(flags) - {"\\Recent"}, seconds))
        found[name] = sorted(rows, key=lambda row: (row[2], row[0]))
    return found


def snapshot_of(server, account, **how):
    with clients.imaplib_session(server, account, tls="none", seconds=120) as session:
        return snapshot(session, **how)


def append(session, folder, octets, flags="", date=None):
    status, answer = session.append(f'"{folder}"', flags, date, octets)
    assert status == "OK", answer


# A server that takes header fields in UTF-8, as old mail has them, from clients that never heard of RFC 6855.
OLD_MAIL = Settings(extra={("imap", "append_8bit_headers"): True})


def fill(session):
    """Mail of all sorts in mailboxes of all sorts."""
    for name in ("Work", "Work/Paid", ZURICH, "v1.2", "Work/..", "a&-b", "x.mbox", "x"):
        if name in ("v1.2", "Work/..", "a&-b", "x.mbox", "x") or name not in folders(session):
            session.create(f'"{name}"')
    session.subscribe('"Work"')
    plain = Letter("a@example.org", "b@example.test").octets
    append(session, "INBOX", plain, "(\\Seen)", '"01-Jul-2003 10:52:37 +0200"')
    append(session, "INBOX", Letter("", "b@example.test", size=10).octets, "",
           '"29-Feb-2020 23:59:59 -1130"')
    append(session, "INBOX", b"A: b\r\n\r\nFrom me\r\n>From you\r\n.\r\n\r\n",
           "(\\Flagged \\Answered $Forwarded)", '"01-Jan-1999 00:00:00 +0000"')
    append(session, "INBOX", "Subject: grüße\r\n\r\nÄÖÜ\r\n".encode(), "(\\Draft work)",
           '"02-Jan-1999 00:00:00 +0000"')
    append(session, "INBOX", b"A: b\r\n\r\n", "(\\Deleted)", '"03-Jan-1999 00:00:00 +0000"')
    append(session, "INBOX", Letter("a@example.org", "b@example.test", size=2_500_000).octets,
           "(Work $Junk)", '"04-Jan-1999 00:00:00 +0000"')
    # Twice the very same.
    for _ in range(2):
        append(session, "Work", plain, "", '"05-Jan-1999 00:00:00 +0000"')
    for number, name in enumerate(("Work/Paid", ZURICH, "v1.2", "Work/..", "a&-b", "x.mbox",
                                   "Sent", "Trash")):
        append(session, name, Letter("a@example.org", "b@example.test").octets, "(\\Seen)",
               f'"{number + 1:02}-Feb-1999 00:00:00 +0000"')


def import_json(server, account, source, *more, check=True):
    done = server.control("import", account.address, source, "--json", *more, check=check,
                          seconds=3600)
    return json.loads(done.stdout)


def export_json(server, account, folder, *more, check=True):
    done = server.control("export", account.address, folder, "--json", *more, check=check,
                          seconds=3600)
    return json.loads(done.stdout)


def same(before, after):
    """Compares snapshots in a way whose failure can be read."""
    assert set(before) == set(after), (sorted(before), sorted(after))
    for name in before:
        assert len(before[name]) == len(after[name]), (name, len(before[name]), len(after[name]))
        for a, b in zip(before[name], after[name]):
            assert a[0] == b[0], f"{name}: octets differ:\n{a[0][:500]!r}\n{b[0][:500]!r}"
            assert a[1:] == b[1:], f"{name}: {a[1:]} became {b[1:]}: {a[0][:200]!r}"


def lower_keywords(rows):
    return {name: [(octets, frozenset(f if f[0] == "\\" else f.lower() for f in flags), date)
                   for octets, flags, date in mails]
            for name, mails in rows.items()}


# Out and in again.


@story("what is exported in any format and imported into another account is the same",
       servers=OWN, deadline=180)
def round_trip(scene):
    server = scene.server(OLD_MAIL)
    alice = server.accounts["alice"]
    with clients.imaplib_session(server, alice, tls="none") as session:
        fill(session)
        before = snapshot(session)
    count = sum(map(len, before.values()))
    for name in FORMATS:
        folder = scene.path(f"out-{name}")
        done = export_json(server, alice, folder, "--format", name)
        assert done["exported"] == count and done["problems"] == [], done
        other = server.add_account(f"{name}@example.test", "pass word")
        done = import_json(server, other, folder)
        assert done["imported"] == count and done["problems"] == [], done
        same(before, snapshot_of(server, other))
        with clients.imaplib_session(server, other, tls="none") as session:
            assert "\\Sent" in folders(session)["Sent"]
        # Into itself: all is there already.
        done = import_json(server, alice, folder)
        assert done["imported"] == 0 and done["known"] == count, done
    same(before, snapshot_of(server, alice))
    with clients.imaplib_session(server, alice, tls="none", folder="INBOX") as session:
        zone = session.uid("FETCH", "1", "INTERNALDATE")[1][0]
    with clients.imaplib_session(server, Account("eml@example.test", "pass word"), tls="none",
                                 folder="INBOX") as session:
        assert session.uid("FETCH", "1", "INTERNALDATE")[1][0] == zone, "the zone is kept"


@story("Python's mailbox module reads what is exported as Maildir and as mbox", servers=OWN)
def python_reads(scene):
    server = scene.server(OLD_MAIL)
    alice = server.accounts["alice"]
    with clients.imaplib_session(server, alice, tls="none") as session:
        fill(session)
        rows = snapshot(session)
    unix = {name: sorted(octets.replace(b"\r\n", b"\n") for octets, _, _ in mails)
            for name, mails in rows.items()}
    folder = scene.path("maildir")
    export_json(server, alice, folder)
    box = mailbox.Maildir(folder, create=False)
    assert sorted(box.get_bytes(key) for key in box.keys()) == unix["INBOX"]
    dates = {round(box.get_message(key).get_date()) for key in box.keys()}
    assert dates == {seconds for _, _, seconds in rows["INBOX"]}
    letters = sorted("".join(c for c in box.get_message(key).get_flags() if c.isupper())
                     for key in box.keys())
    assert letters == sorted(["S", "", "FPR", "D", "T", ""]), letters
    assert {"Sent", "Trash", "Work", "Work.Paid", ZURICH} <= set(box.list_folders())
    paid = box.get_folder("Work.Paid")
    assert [paid.get_bytes(key) for key in paid.keys()] == unix["Work/Paid"]
    folder = scene.path("mbox")
    export_json(server, alice, folder, "--format", "mbox")
    box = mailbox.mbox(f"{folder}/INBOX.mbox", create=False)
    assert len(box) == 6
    flags = sorted("".join(sorted(message.get_flags())) for message in box)
    assert flags == sorted(["OR", "O", "AFO", "OT", "DO", "O"]), flags
    assert os.path.exists(f"{folder}/Work/Paid.mbox")


@story("Dovecot serves an exported Maildir as it was: dates, flags, keywords, folders", servers=OWN,
       needs=["dovecot"])
def dovecot_reads(scene):
    server = scene.server(OLD_MAIL)
    alice = server.accounts["alice"]
    with clients.imaplib_session(server, alice, tls="none") as session:
        fill(session)
        for name in ("v1.2", "Work/.."):  # what Dovecot without listescape cannot say
            session.delete(f'"{name}"')
        before = snapshot(session)
    peer = scene.dovecot()
    folder = f"{peer.mail}/example.test/carol"
    export_json(server, alice, folder)
    processes.run(["chown", "-R", f"{dovecot_peer.OWNER}:{dovecot_peer.OWNER}", peer.mail])
    peer.add_account("carol@example.test", "secret")
    session = imaplib.IMAP4("127.0.0.1", peer.ports["imap"])
    session.login("carol@example.test", "secret")
    found = snapshot(session)
    subscribed = session.lsub()[1]
    session.logout()
    # "x.mbox" is a level below "x" in a Maildir that knows no escapes.
    before.pop("x.mbox", None)
    found = {name: rows for name, rows in found.items() if "mbox" not in name}
    same(lower_keywords(before), lower_keywords(found))
    assert any(line and line.endswith(b"Work") for line in subscribed), subscribed


@story("a Maildir that Dovecot wrote is imported: dates, flags, keywords, folders, subscriptions",
       servers=OWN, needs=["dovecot"])
def dovecot_wrote(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    peer = scene.dovecot()
    peer.add_account("carol@example.test", "secret")
    session = imaplib.IMAP4("127.0.0.1", peer.ports["imap"])
    session.login("carol@example.test", "secret")
    for name in ("Work", "Work/Paid", ZURICH, "a&-b"):
        session.create(f'"{name}"')
    session.subscribe(f'"{ZURICH}"')
    plain = Letter("a@example.org", "b@example.test").octets
    append(session, "INBOX", plain, "(\\Seen Work)", '"01-Jul-2003 10:52:37 +0200"')
    append(session, "INBOX", plain, "(\\Flagged $Forwarded Second)", '"01-Jul-2013 10:52:37 +0200"')
    for number, name in enumerate(("Work", "Work/Paid", ZURICH, "a&-b", "Sent", "Trash")):
        append(session, name, Letter("a@example.org", "b@example.test").octets, "(\\Answered)",
               f'"{number + 1:02}-Feb-1999 00:00:00 +0000"')
    before = snapshot(session)
    session.logout()
    folder = f"{peer.mail}/example.test/carol"
    done = import_json(server, bob, folder)
    assert done["imported"] == 8 and done["problems"] == [], done
    same(before, snapshot_of(server, bob))
    with clients.imaplib_session(server, bob, tls="none") as session:
        names = {re.search(rb'"?([^" ]+)"?$', line)[1].decode() for line in session.lsub()[1]}
    assert ZURICH in names and "Work" not in names, names


@story("mbox files of Python and neomutt are imported", servers=OWN, needs=["neomutt"])
def others_mbox(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    path = scene.path("old.mbox")
    box = mailbox.mbox(path)
    letters = [Letter("a@example.org", "b@example.test") for _ in range(3)]
    for number, each in enumerate(letters):
        message = mailbox.mboxMessage(each.unix_octets)
        message.set_from("a@example.org", time.gmtime(1_000_000_000 + number))
        message.set_flags("RO" if number else "OAF")
        box.add(message)
    box.close()
    done = import_json(server, bob, path, "--into", "Old/Mail")
    assert done["imported"] == 3 and done["problems"] == [], done
    rows = snapshot_of(server, bob)["Old/Mail"]
    assert [seconds for _, _, seconds in rows] == [1_000_000_000 + n for n in range(3)]
    assert [flags for _, flags, _ in rows] == [{"\\Answered", "\\Flagged"}, {"\\Seen"},
                                               {"\\Seen"}]
    for (octets, _, _), each in zip(rows, letters):
        assert letter.read(octets) == (each.token, True), octets
    record = scene.path("sent")
    clients.neomutt_send(scene, server, alice, bob.address, "hello", "From the desk\nof x\n",
                         more=f'set copy = yes\nset record = "{record}"\nset mbox_type = mbox\n')
    done = import_json(server, bob, record)
    assert done["imported"] == 1 and done["problems"] == [], done
    (octets, flags, _), = snapshot_of(server, bob, only=("Sent", ))["Sent"]
    assert octets.endswith(b"\r\n\r\nFrom the desk\r\nof x\r\n"), octets
    assert "\\Seen" in flags and b"\nStatus:" not in octets, (flags, octets)


# Again, and interrupted.


@story("exporting again adds what has come since; importing again only what is not there",
       servers=OWN)
def again(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]

    def deliver():
        message = Letter("x@example.org", alice.address)
        clients.deliver(server, message)
        clients.wait_letter(server, alice, message)

    deliver()
    for name in FORMATS:
        assert export_json(server, alice, scene.path(name), "--format", name)["exported"] == 1
    deliver()
    for name in FORMATS:
        folder = scene.path(name)
        assert export_json(server, alice, folder, "--format", name)["exported"] == 1
        assert export_json(server, alice, folder, "--format", name)["exported"] == 0
    with clients.imaplib_session(server, alice, tls="none") as session:
        before = snapshot(session, only=("INBOX", ))
    for name in FORMATS:
        done = import_json(server, bob, scene.path(name))
        assert done["imported"] == (2 if name == "maildir" else 0), (name, done)
    same(before, snapshot_of(server, bob, only=("INBOX", )))
    # What was deleted by mistake comes back, and only that.
    with clients.imaplib_session(server, bob, tls="none", folder="INBOX") as session:
        session.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
        session.expunge()
    assert import_json(server, bob, scene.path("eml"))["imported"] == 1
    same(before, snapshot_of(server, bob, only=("INBOX", )))

    refused = server.control("export", bob.address, scene.path("eml"), "--format", "eml",
                             check=False)
    assert refused.returncode == 1 and "another folder" in refused.stderr, refused
    write_file(scene.path("mine", "letter.txt") if os.makedirs(scene.path("mine")) is None else "",
               "mine")
    refused = server.control("export", bob.address, scene.path("mine"), check=False)
    assert refused.returncode == 1 and "not empty" in refused.stderr, refused
    assert os.listdir(scene.path("mine")) == ["letter.txt"]


def make_maildir(path, count, *, size=2000, seed=1):
    """A Maildir of `count` different messages; their tokens."""
    clients.maildir(path)
    source = random.Random(seed)
    body = letter.filler("body", size)
    for number in range(count):
        octets = (f"From: a@example.org\nSubject: message {number}\n"
                  f"Message-ID: <{seed}.{number}@letters.example>\n\n").encode() + \
            body[:source.randrange(size)] + b"\n"
        file = f"{path}/cur/{1_000_000_000 + number}.M{number}.host:2,{'S' if number % 2 else ''}"
        with open(file, "wb") as out:
            out.write(octets.replace(b"\r\n", b"\n"))
        os.utime(file, (1_000_000_000 + number, 1_000_000_000 + number))


def killed(server, *arguments, after):
    """Starts mdctl and kills it so many seconds later; whether it was still running."""
    child = subprocess.Popen([server.mdctl, "-d", server.directory, *arguments],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.wait(after)
        return False
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return True


def seconds_of(work):
    """How long the work takes when nobody kills it: by the clock alone a fast machine is done before."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def subjects(server, account):
    with clients.imaplib_session(server, account, tls="none", folder="INBOX",
                                 seconds=120) as session:
        answer = session.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    return sorted(part[1].strip() for part in answer if isinstance(part, tuple))


@story(f"an import that is killed {ROUNDS} times, as is the server, brings each message once",
       servers=OWN, deadline=120 + 30 * ROUNDS)
def killed_import(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    source = scene.path("source")
    make_maildir(source, MESSAGES)
    choice = random.Random(7)
    kills = 0
    whole = seconds_of(lambda: import_json(server, server.accounts["alice"], source))
    for number in range(ROUNDS):
        after = choice.uniform(0.05, 0.6) * whole
        if number % 2:
            child = subprocess.Popen(
                [server.mdctl, "-d", server.directory, "import", bob.address, source],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                child.wait(after)
            except subprocess.TimeoutExpired:
                kills += 1
            server.kill()
            said = child.communicate(timeout=60)
            assert child.returncode in (0, 1), (child.returncode, said)
            server.start()
        else:
            kills += killed(server, "import", bob.address, source, after=after)
        # At once, while the last request may still be under way.
    done = import_json(server, bob, source)
    assert done["problems"] == [] and done["imported"] + done["known"] == MESSAGES, done
    assert kills > 0, "nothing was interrupted: ask for more messages"
    expected = sorted(b"Subject: message %d" % number for number in range(MESSAGES))
    assert subjects(server, bob) == expected, "lost or twice"


@story(f"an export that is killed {ROUNDS} times goes on; no message is missing, twice or cut",
       servers=OWN, deadline=120 + 30 * ROUNDS)
def killed_export(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    source = scene.path("source")
    make_maildir(source, MESSAGES)
    import_json(server, bob, source)
    before = snapshot_of(server, bob, only=("INBOX", ))["INBOX"]
    choice = random.Random(8)
    for name in FORMATS:
        whole = seconds_of(lambda: export_json(server, bob, scene.path(f"whole-{name}"),
                                               "--format", name))
        folder = scene.path(f"out-{name}")
        kills = 0
        for _ in range(ROUNDS):
            kills += killed(server, "export", bob.address, folder, "--format", name,
                            after=choice.uniform(0.05, 0.6) * whole)
        assert kills > 0, "nothing was interrupted: ask for more messages"
        done = export_json(server, bob, folder, "--format", name)
        assert done["problems"] == [], done
        other = server.add_account(f"{name}@example.test", "pass word")
        done = import_json(server, other, folder)
        assert done["imported"] == MESSAGES and done["problems"] == [], (name, done)
        same({"INBOX": before}, snapshot_of(server, other, only=("INBOX", )))
        shutil.rmtree(folder)


@story("mail that arrives while an import runs is not confused with it", servers=OWN)
def while_mail_flows(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    source = scene.path("source")
    make_maildir(source, 2000)
    child = subprocess.Popen([server.mdctl, "-d", server.directory, "import", bob.address, source],
                             stdout=subprocess.DEVNULL)
    second = subprocess.Popen([server.mdctl, "-d", server.directory, "import", bob.address, source],
                              stdout=subprocess.DEVNULL)
    sent = 0
    while child.poll() is None or sent < 3:
        clients.deliver(server, Letter("x@example.org", bob.address, subject="flowing"))
        sent += 1
    assert child.wait() == 0 and second.wait() == 0
    processes.wait_until(lambda: len(subjects(server, bob)) >= 2000 + sent, "all mail")
    found = subjects(server, bob)
    assert found.count(b"Subject: flowing") == sent
    assert len(found) == 2000 + sent, "two imports at once brought something twice"


# What is not as it should be.


@story("what is no mail is left out, named and counted; all else goes in", servers=OWN)
def damaged(scene):
    server = scene.server(Settings(message_octets_max=100_000))
    bob = server.accounts["bob"]
    folder = clients.maildir(scene.path("damaged"))

    def put(name, octets):
        with open(f"{folder}/cur/{name}", "wb") as file:
            file.write(octets)

    put("1.good:2,S", Letter("a@example.org", "b@example.test").unix_octets)
    put("2.picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    put("3.empty", b"")
    put("4.long", Letter("a@example.org", "b@example.test", size=120_000).unix_octets)
    put("5.good", Letter("a@example.org", "b@example.test").unix_octets)
    os.symlink("/etc/passwd", f"{folder}/cur/6.link")
    os.makedirs(f"{folder}/cur/7.folder")
    put(".hidden", b"x")
    # A folder whose name is no text, and one that is elsewhere.
    os.makedirs(os.fsencode(folder) + b"/.\xff/cur")
    os.symlink("/etc", f"{folder}/.etc")
    done = import_json(server, bob, folder, check=False)
    assert done["imported"] == 2 and done["problem_count"] == 5, done
    assert [row["where"].partition("cur/")[2] for row in done["problems"]] == \
        ["2.picture", "3.empty", "4.long", "6.link", "7.folder"], done
    shown = server.control("import", bob.address, folder, check=False)
    assert shown.returncode == 1 and "5 problems" in shown.stdout and "2.picture" in shown.stdout

    for name, octets, imported, problems in (
        ("none.mbox", b"\xff\xd8\xff", 0, 1),
        ("text.mbox", b"Hello,\n\nFrom here on\n", 0, 1),
        ("cut.mbox", b"From a Tue Jul  1 08:52:37 2003\nA: b\n\n1\n\n"
         b"From a Tue Jul  1 08:52:38 2003\nno header here\n", 1, 1),
    ):
        path = scene.path(name)
        with open(path, "wb") as file:
            file.write(octets)
        done = import_json(server, bob, path, check=False)
        assert (done["imported"], done["problem_count"]) == (imported, problems), (name, done)

    for arguments, status in (((bob.address, scene.path("nowhere")), 1),
                              (("nobody@example.test", folder), 3),
                              ((bob.address, folder, "--format", "pst"), 2),
                              ((bob.address, folder, "--mailbox", "Nowhere"), 3)):
        done = server.control("import", *arguments, check=False)
        assert done.returncode == status, (arguments, done)


@story("an import stops at the quota, goes on behind it, and --over-quota lets it in", servers=OWN)
def quota(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    source = scene.path("source")
    make_maildir(source, 600)
    server.control("account", "quota", bob.address, "--messages", "300")
    done = server.control("import", bob.address, source, check=False)
    assert done.returncode == 1 and "quota" in done.stdout, done
    some = len(subjects(server, bob))
    assert 0 < some <= 300, some
    done = import_json(server, bob, source, "--over-quota")
    assert done["imported"] == 600 - some and len(subjects(server, bob)) == 600, done


@story("export and import work on the store of a server that does not run", servers=OWN)
def offline(scene):
    server = scene.server(OLD_MAIL)
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    with clients.imaplib_session(server, alice, tls="none") as session:
        fill(session)
        before = snapshot(session)
    server.stop()
    export_json(server, alice, scene.path("out"), "--format", "eml")
    done = import_json(server, bob, scene.path("out"))
    assert done["imported"] == sum(map(len, before.values())), done
    server.start()
    same(before, snapshot_of(server, bob))


# Many.


@story(f"{MESSAGES} messages go out and in again in bounded memory", servers=OWN,
       deadline=180 + MESSAGES / 20)
def many(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    source = scene.path("source")
    make_maildir(source, MESSAGES, size=16_000)

    def measured(*arguments):
        child = subprocess.Popen(["/usr/bin/env", server.mdctl, "-d", server.directory, *arguments,
                                  "--json"], stdout=subprocess.PIPE, text=True)
        peak = 0
        while child.poll() is None:
            peak = max(peak, processes.memory_octets(child.pid))
            time.sleep(0.05)
        done = json.load(child.stdout)
        assert child.returncode == 0, done
        print(f"  {' '.join(arguments[:1] + arguments[3:])}: {done['seconds']:.1f} s, "
              f"{done['octets'] / 1048576:.0f} MiB, mdctl {peak / 1048576:.0f} MiB, "
              f"mdserver {processes.memory_octets(server.pid) / 1048576:.0f} MiB", flush=True)
        assert peak < 400 * 1048576, f"mdctl took {peak} octets"
        return done

    assert measured("import", alice.address, source)["imported"] == MESSAGES
    shutil.rmtree(source)
    for name in FORMATS:
        folder = scene.path(f"out-{name}")
        assert measured("export", alice.address, folder, "--format",
                        name)["exported"] == MESSAGES
        if name == "maildir":
            assert measured("import", alice.address, folder)["known"] == MESSAGES
            assert measured("import", bob.address, folder)["imported"] == MESSAGES
        if name == "mbox":
            assert measured("import", bob.address, folder)["known"] == MESSAGES
        shutil.rmtree(folder)
