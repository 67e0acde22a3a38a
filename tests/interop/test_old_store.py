"""Stores that earlier releases wrote are opened, served, written to and checked."""

import glob
import json
import os
import shutil
import sys
import tarfile

import clients
import processes
from letter import Letter
from story import Account, Skip, story
from store_fixture import STORES, seen

READER = os.path.join(os.path.dirname(STORES), "..", "journal", "journal_reader.py")


@story("every store that a release wrote is opened as it is: all mail, flags and dates; and new mail goes in",
       servers=("mdserver",), deadline=90)
def old_stores(scene):
    stores = sorted(glob.glob(os.path.join(STORES, "store-*.tar.xz")))
    if not stores:
        raise Skip("no release has left a store")
    for path in stores:
        server = scene.server(start=False)
        with tarfile.open(path) as tar:
            expected = json.load(tar.extractfile("expected.json"))
            shutil.rmtree(os.path.join(server.directory, "store"), ignore_errors=True)
            for member in tar.getmembers():
                if member.name.startswith("store/"):
                    tar.extract(member, server.directory)
        # Its description alone is enough to read it.
        processes.run([sys.executable, READER, os.path.join(server.directory, "store", "journal")])
        server.start()
        for address, account in expected["accounts"].items():
            who = Account(address, account["password"])
            assert seen(server, who) == account["mailboxes"], f"{path}: {address}"
        assert len(server.queue()) == expected["queued"], server.queue()
        bob = Account("bob@example.test", expected["accounts"]["bob@example.test"]["password"])
        letter = Letter("new@example.org", "sales@example.test", size=5000)
        clients.deliver(server, letter)
        clients.wait_letter(server, bob, letter)
        # A live store, too, can be read by its description.
        processes.run([sys.executable, READER, os.path.join(server.directory, "store", "journal")])
        checked = json.loads(server.control("store", "check", "--json").stdout)
        assert checked["problems"] == [], checked
        server.restart()
        clients.wait_letter(server, bob, letter)
        server.stop()
