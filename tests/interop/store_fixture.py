#!/usr/bin/env python3
"""Makes the store of this release that later ones must open: stores/store-VERSION.tar.xz.

store_fixture.py --mdserver PATH --mdctl PATH

Run once a release, when its format is final; what it made stays. It holds a stopped server's store as it lies on disk,
and in expected.json what a client saw of it. `test_old_store.py` opens every one there is.
"""

import argparse
import glob
import hashlib
import imaplib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile

import certificates
import clients
import processes
import story
from letter import Letter

STORES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stores")


def seen(server, account):
    """What a client sees of an account: {mailbox: [uidvalidity, [[uid, flags, date, digest of the octets], ...]]}."""
    mailboxes = {}
    with clients.imaplib_session(server, account, tls="none") as session:
        for line in session.list()[1]:
            name = line.decode().rpartition(' "/" ')[2].strip('"')
            status, answer = session.select(f'"{name}"', readonly=True)
            assert status == "OK", answer
            validity = int(session.response("UIDVALIDITY")[1][0])
            rows = []
            answer = session.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]
            for item in answer:
                if not isinstance(item, tuple):
                    continue
                head = item[0].decode()
                uid = int(head.split("UID ")[1].split()[0].rstrip(")"))
                flags = sorted(flag.decode() for flag in imaplib.ParseFlags(item[0]) if flag != rb"\Recent")
                date = head.split('INTERNALDATE "')[1].split('"')[0]
                rows.append([uid, flags, date, hashlib.sha256(item[1]).hexdigest()])
            mailboxes[name] = [validity, sorted(rows)]
    return mailboxes


def fill(server):
    """Mail of every kind, in several accounts, with a past."""
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    letters = [Letter("x@example.org", bob.address, size=size) for size in (200, 2000, 20_000)]
    large = Letter("x@example.org", bob.address, size=135_000)  # beside the log
    with clients.smtplib_session(server, service="smtp") as session:
        for each in (*letters, large):
            session.sendmail(each.sender, [alice.address, bob.address], each.octets)
    clients.wait_messages(server, bob, 4)
    clients.wait_messages(server, alice, 4)
    with clients.imaplib_session(server, bob, tls="none") as session:
        session.create("Archive")
        session.create("Archive/2026")
        session.create('"Entw&APw-rfe"')
        session.subscribe("Archive")
        session.append("Archive/2026", r"(\Seen $Forwarded Work)", '"01-Feb-2003 04:05:06 +0700"',
                       Letter("old@example.org", bob.address, size=500).octets)
        session.select("INBOX")
        session.store("1:2", "+FLAGS", r"(\Flagged)")
        session.store("3", "+FLAGS", r"(\Seen Important)")
        session.copy("1", "Archive")
        session.uid("MOVE", "2", "Archive")
        session.store("3", "+FLAGS", r"(\Deleted)")
        session.expunge()
    server.control("alias", "add", "sales@example.test", "alice@example.test", "bob@example.test")
    # Mail that stays under way however old the store becomes: it is held.
    clients.submit(server, alice, Letter(alice.address, "someone@nowhere.test", size=300))
    server.wait_queue(1)
    server.control("queue", "hold", str(server.queue()[0]["id"]))


def expected_of(server):
    return {
        "accounts": {
            account.address: {"password": account.password, "mailboxes": seen(server, account)}
            for account in server.accounts.values()
        },
        "aliases": ["sales@example.test"],
        "queued": len(server.queue()),
    }


def add(tar, path, name):
    info = tar.gettarinfo(path, name)
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    with open(path, "rb") as file:
        tar.addfile(info, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mdserver", required=True)
    parser.add_argument("--mdctl", required=True)
    options = parser.parse_args()
    binaries = [os.path.abspath(path) for path in (options.mdserver, options.mdctl)]
    version = processes.run([binaries[0], "--version"]).stdout.split()[-1]
    target = os.path.join(STORES, f"store-{version}.tar.xz")
    if os.path.exists(target):
        sys.exit(f"{target} is there: what a release wrote does not change")
    processes.adopt_orphans()
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    authority = certificates.Authority(f"{folder}/ca").create()
    scene = story.Scene(folder, authority, "mdserver", binaries)
    try:
        server = scene.server()
        fill(server)
        server.control("store", "compact")  # a snapshot is part of what must be read
        with clients.imaplib_session(server, server.accounts["bob"], folder="Archive") as session:
            session.store("1", "+FLAGS", r"(\Answered)")
        expected = expected_of(server)
        server.stop()
        os.makedirs(STORES, exist_ok=True)
        with tarfile.open(target, "w:xz", preset=9) as tar:
            octets = json.dumps(expected, indent=1).encode()
            info = tarfile.TarInfo("expected.json")
            info.size = len(octets)
            tar.addfile(info, io.BytesIO(octets))
            for path in sorted(glob.glob(f"{server.directory}/store/**", recursive=True)):
                if os.path.isfile(path) and not path.endswith(("lock", "-lock")):
                    add(tar, path, "store/" + os.path.relpath(path, f"{server.directory}/store"))
        print(f"{target}: {os.path.getsize(target)} octets")
    finally:
        scene.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
