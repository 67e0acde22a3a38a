"""Backups while mail flows, and ways back: a new folder, a moment of the past, one mailbox."""

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import threading
import time

import clients
import processes
from letter import Letter, tokens
from story import story

OWN = ("mdserver",)


@contextlib.contextmanager
def mail_flow(server, account, a_second=50):
    """Delivers letters to `account` meanwhile; gives the list of tokens that were acknowledged."""
    acknowledged, failures, over = [], [], threading.Event()

    def deliver():
        try:
            with clients.smtplib_session(server, tls="none", service="smtp") as session:
                while not over.wait(1 / a_second):
                    each = Letter("x@example.org", account.address, size=2000)
                    session.sendmail(each.sender, [account.address], each.octets)
                    acknowledged.append(each.token)
        except Exception as error:  # told to the story, which is in another thread
            failures.append(error)

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        yield acknowledged
    finally:
        over.set()
        thread.join()
    assert not failures, failures


@contextlib.contextmanager
def compaction(server):
    """The store is compacted meanwhile, again and again."""
    failures, over = [], threading.Event()

    def compact():
        while not over.is_set():
            done = server.control("store", "compact", "--json", check=False)
            if done.returncode != 0:
                failures.append(done)

    thread = threading.Thread(target=compact)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not failures, failures


def fill(server, account, sizes):
    letters = [Letter("x@example.org", account.address, size=size) for size in sizes]
    with clients.smtplib_session(server, service="smtp") as session:
        for each in letters:
            session.sendmail(each.sender, [account.address], each.octets)
    return letters


def moment():
    """A time that lies after all that was done and before all that follows, to the second."""
    time.sleep(1.1)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.1)
    return at


def verify(server, folder):
    done = server.control("backup", "verify", folder, "--json", check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode == 0) == (answer["problems"] == []), done
    return answer


def run_restored(server, folder):
    """The restored folder takes the place of the server's own, on the same ports."""
    server.stop()
    server.directory = folder
    server.config = os.path.join(folder, "mdserver.toml")
    return server.start()


@story("backups while 50 letters a second come; a restored folder serves all that was acknowledged",
       deadline=120, servers=OWN)
def online(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    folder = scene.path("backup")
    fill(server, bob, [200_000, 500_000, 1000])  # larger ones lie in files of their own
    copied = []
    with mail_flow(server, bob) as acknowledged, compaction(server):
        for _ in range(3):
            time.sleep(1)
            before = list(acknowledged)
            done = json.loads(server.control("backup", folder, "--json").stdout)
            copied.append(done["octets_copied"])
            found = verify(server, folder)
            assert found["problems"] == [] and found["accounts"] == 3, found
            assert found["emails"] >= len(before) + 3, (found, len(before))
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert not any(stat.S_IMODE(os.stat(os.path.join(root, name)).st_mode) & 0o077
                   for root, _, names in os.walk(folder) for name in names)
    validity = clients_validity(server, bob)
    new = scene.path("restored")
    done = server.control("restore", folder, new)
    assert "UIDVALIDITY" in done.stdout and f"mdserver run {new}" in done.stdout, done
    again = server.control("restore", folder, new, check=False)
    assert again.returncode == 1 and "not empty" in again.stderr, again
    run_restored(server, new)
    have = set(tokens(clients.messages(server, bob)))
    missing = set(before) - have
    assert not missing, f"{len(missing)} of {len(before)} acknowledged letters are not there"
    assert clients_validity(server, bob) > validity
    message = Letter("x@example.org", bob.address)
    clients.deliver(server, message)
    clients.wait_letter(server, bob, message)
    # The restored server goes on in the same backup.
    server.control("backup", folder)
    assert verify(server, folder)["emails"] == len(have) + 1
    checked = json.loads(server.control("store", "check", "--json").stdout)
    assert checked["problems"] == [], checked


def clients_validity(server, account):
    with clients.imaplib_session(server, account, folder="INBOX") as session:
        return int(session.response("UIDVALIDITY")[1][0])


@story("a stopped server is backed up too; its passwords, keys and rules come along", servers=OWN)
def offline(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    letters = fill(server, bob, [1000] * 5)
    processes.write_file(server.file("relay.password"), "secret\n", 0o600)
    os.makedirs(server.file("rules"), exist_ok=True)
    processes.write_file(server.file("rules", "blocked.txt"), "spammer.example\n")
    server.stop()
    folder = scene.path("backup")
    assert "files" in server.control("backup", folder).stdout
    assert verify(server, folder)["emails"] == 5
    nothing = json.loads(server.control("backup", folder, "--json").stdout)
    assert nothing["octets_copied"] < 100_000, nothing
    inside = server.control("backup", server.file("backup"), check=False)
    assert inside.returncode == 2 and "outside" in inside.stderr, inside
    new = scene.path("restored")
    server.control("restore", folder, new)
    for name in ("relay.password", "rules/blocked.txt", "mdserver.toml", "tls/key.pem"):
        with open(server.file(name), "rb") as ours, open(os.path.join(new, name), "rb") as theirs:
            assert ours.read() == theirs.read(), name
        assert stat.S_IMODE(os.stat(os.path.join(new, name)).st_mode) == 0o600, name
    server.start()
    run_restored(server, new)
    assert sorted(tokens(clients.messages(server, bob))) == sorted(l.token for l in letters)


@story("a backup that is killed leaves the one before as it was", deadline=120, servers=OWN)
def killed(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    fill(server, bob, [3000] * 100)
    folder = scene.path("backup")
    server.control("backup", folder)
    before = verify(server, folder)
    assert before["problems"] == [] and before["emails"] == 100, before
    fill(server, bob, [3000] * 200 + [400_000] * 40)
    killed_in_time = 0
    for wait in (0.01, 0.02, 0.03, 0.05, 0.08, 0.12):
        child = subprocess.Popen([server.mdctl, "-d", server.directory, "backup", folder],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.wait()
        with open(os.path.join(folder, "backup.json"), "rb") as file:
            made = json.load(file)["position"]
        found = verify(server, folder)
        assert found["problems"] == [], found
        assert found["emails"] in (100, 340), found
        killed_in_time += found["emails"] == 100
        assert made > 0
    assert killed_in_time > 0, "no backup was killed before it was done"
    server.control("backup", folder)
    assert verify(server, folder)["emails"] == 340
    partial = [name for _, _, names in os.walk(folder) for name in names if name.endswith(".part")]
    assert not partial, partial


@story("an octet that changes in a backup is named, and everything else is restored", servers=OWN)
def damaged(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    letters = fill(server, bob, [2000] * 20)
    folder = scene.path("backup")
    server.control("backup", folder)
    logs = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names
            if name.endswith(".log")]
    needle = letters[7].body[-100:-36]  # its beginning is in its row, too: the preview
    for path in logs:
        with open(path, "r+b") as file:
            at = file.read().find(needle)
            if at >= 0:
                file.seek(at + 8)
                file.write(b"\xff")
                break
    else:
        raise AssertionError("the letter is not in the backup")
    done = server.control("backup", "verify", folder, check=False)
    assert done.returncode == 1, done
    assert os.path.basename(path) in done.stdout, done.stdout
    assert re.search(r"body \d+ in segment \d+ at \d+", done.stdout), done.stdout
    new = scene.path("restored")
    done = server.control("restore", folder, new, check=False)
    assert done.returncode == 1 and "damaged" in done.stdout, done
    run_restored(server, new)
    whole = 0
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        for uid in session.uid("SEARCH", "ALL")[1][0].split():
            status, answer = session.uid("FETCH", uid, "(BODY.PEEK[])")
            if status == "OK" and answer and isinstance(answer[0], tuple):
                whole += len(tokens([answer[0][1]]))
    assert whole == len(letters) - 1, whole


@story("a restored folder is what was there at a time", servers=OWN)
def at_a_time(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    early = fill(server, bob, [1000] * 5)
    clients.wait_messages(server, bob, 5)
    at = moment()
    late = fill(server, bob, [1000] * 5)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        session.store("1:3", "+FLAGS", r"(\Deleted)")
        session.expunge()
    folder = scene.path("backup")
    server.control("backup", folder)
    refused = server.control("restore", folder, scene.path("never"), "--at", "2001-01-01 12:00",
                             check=False)
    assert refused.returncode == 3 and "earliest time" in refused.stderr, refused
    for text in ("tomorrow", "2999-01-01", "12:61"):
        refused = server.control("restore", folder, scene.path("never"), "--at", text, check=False)
        assert refused.returncode == 2, refused
    assert not os.path.exists(scene.path("never"))
    new = scene.path("restored")
    server.control("restore", folder, new, "--at", at)
    run_restored(server, new)
    have = tokens(clients.messages(server, bob))
    assert sorted(have) == sorted(each.token for each in early), (have, late)


def everything(server, account, folder):
    """{token: (flags, INTERNALDATE)} of a mailbox."""
    with clients.imaplib_session(server, account, tls="none", folder=f'"{folder}"') as session:
        found = {}
        for uid, flags, octets in clients.fetch_all(session):
            status, answer = session.uid("FETCH", str(uid), "(INTERNALDATE)")
            date = re.search(rb'INTERNALDATE "([^"]*)"', answer[0])[1]
            (token,) = tokens([octets])
            assert token not in found, "twice"
            found[token] = (frozenset(flags), date)
        return found


@story("an expunged mailbox comes back beside the present one while mail flows and the store is "
       "compacted, once", deadline=120, servers=OWN)
def undo_expunge(scene):
    server = scene.server()
    bob, alice = server.accounts["bob"], server.accounts["alice"]
    fill(server, bob, [1000] * 60 + [300_000])
    clients.wait_messages(server, bob, 61)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        session.store("1:20", "+FLAGS", r"(\Flagged \Seen)")
        session.store("10:30", "+FLAGS", r"($Important Project)")
        session.create("Archive/2026")
        session.copy("5:9", '"Archive/2026"')
        octets = Letter("x@example.org", bob.address).octets
        session.append("INBOX", r"(\Answered)", '" 1-Jul-2003 10:52:37 +0200"', octets)
    before = everything(server, bob, "INBOX")
    archive = everything(server, bob, "Archive/2026")
    assert len(before) == 62 and len(archive) == 5
    with mail_flow(server, alice) as acknowledged, compaction(server):
        at = moment()
        with clients.imaplib_session(server, bob, folder="INBOX") as session:
            session.store("1:50", "+FLAGS", r"(\Deleted)")
            session.expunge()
            session.delete('"Archive/2026"')
        left = everything(server, bob, "INBOX")
        done = json.loads(
            server.control("restore", "--account", bob.address, "--at", at, "--into", "Back",
                           "--json").stdout)
        assert done["failed"] == [], done
        # Of the 62, twelve are still in their mailbox.
        assert (done["filed"], done["left_out"], done["known"]) == (55, 12, 0), done
        back = everything(server, bob, "Back/INBOX")
        assert back == {token: before[token] for token in before if token not in left}
        assert everything(server, bob, "Back/Archive/2026") == archive
        again = json.loads(
            server.control("restore", "--account", bob.address, "--at", at, "--into", "Back",
                           "--json").stdout)
        assert (again["filed"], again["known"], again["left_out"]) == (0, 55, 12), again
        assert everything(server, bob, "Back/INBOX") == back
        said = server.control("restore", "--account", bob.address, "--at", at, "--mailbox",
                              "Archive/2026").stdout
        assert "5 messages filed below \"Restored 20" in said, said
        every = json.loads(
            server.control("restore", "--account", bob.address, "--mailbox", "INBOX", "--at", at,
                           "--all", "--into", "Whole", "--json").stdout)
        assert every["filed"] == 62, every
        assert everything(server, bob, "Whole/INBOX") == before
    assert everything(server, bob, "INBOX") == left
    assert sorted(tokens(clients.messages(server, alice))) == sorted(acknowledged)
    early = server.control("restore", "--account", bob.address, "--at", "2001-01-01", check=False)
    assert early.returncode == 3 and "earliest time" in early.stderr, early
    nobody = server.control("restore", "--account", "no@example.test", "--at", at, check=False)
    assert nobody.returncode == 3, nobody
    assert not [name for name in os.listdir(server.file("store")) if name.count("index-") > 1]
    checked = json.loads(server.control("store", "check", "--json").stdout)
    assert checked["problems"] == [], checked


@story("one account's mail comes back from a backup", servers=OWN)
def account_from_backup(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    fill(server, bob, [1000] * 10 + [200_000] * 2)
    clients.wait_messages(server, bob, 12)
    before = everything(server, bob, "INBOX")
    folder = scene.path("backup")
    server.control("backup", folder)
    at = moment()
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        session.store("1:*", "+FLAGS", r"(\Deleted)")
        session.expunge()
    done = json.loads(
        server.control("restore", "--account", bob.address, "--at", at, "--from", folder, "--into",
                       "Back", "--json").stdout)
    assert done["filed"] == 12 and done["failed"] == [], done
    assert everything(server, bob, "Back/INBOX") == before
