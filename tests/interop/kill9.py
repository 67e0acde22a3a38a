"""kill -9 while 50 connections deliver: what was acknowledged is there, unaltered, and once.

`run.py kill9 --rounds N` repeats it N times.
"""

import os
import random
import smtplib
import threading
import time

import clients
import letter
from letter import Letter
from processes import wait_until
from story import story

CONNECTIONS = 50
ROUNDS = int(os.environ.get("INTEROP_ROUNDS", "5"))
# Mostly small, some beyond what any store keeps in one piece.
SIZES = (200, 1000, 4000, 4000, 20_000, 150_000)


class Ledger:
    """What the server has acknowledged, and where it was seen."""
    def __init__(self, accounts):
        self.lock = threading.Lock()
        self.accounts = accounts
        self.acknowledged = {account.address: set() for account in accounts}
        self.seen = {account.address: {} for account in accounts}  # uid -> token
        self.flagged = {}  # uid -> keyword, of the first account
        self.expunged = set()  # uids, of the first account
        self.uid_validity = {}

    def acknowledge(self, address, token):
        with self.lock:
            self.acknowledged[address].add(token)

    def count(self):
        with self.lock:
            return sum(map(len, self.acknowledged.values()))

    def missing(self, account):
        with self.lock:
            return self.acknowledged[account.address] - set(self.seen[account.address].values())

    def look(self, server, account, first=1):
        """Reads the mailbox from uid `first` on, checks each letter's hash, notes what is there."""
        seen = self.seen[account.address]
        with clients.imaplib_session(server, account, tls="none", folder="INBOX") as session:
            validity = session.response("UIDVALIDITY")[1]
            assert self.uid_validity.setdefault(account.address,
                                                validity) == validity, "UIDVALIDITY changed"
            status, (answer,) = session.uid("SEARCH", f"UID {first}:*")
            assert status == "OK", answer
            uids = [int(uid) for uid in answer.split() if int(uid) >= first]
            for at in range(0, len(uids), 100):
                chunk = ",".join(map(str, uids[at:at + 100]))
                status, answer = session.uid("FETCH", chunk, "(UID BODY.PEEK[])")
                assert status == "OK", answer
                for part in answer:
                    if isinstance(part, tuple):
                        uid = int(part[0].partition(b"UID ")[2].split()[0])
                        token, intact = letter.read(part[1])
                        assert token and intact, \
                            f"message {uid} of {account.address} is damaged:\n{part[1][:2000]!r}"
                        assert seen.setdefault(
                            uid, token) == token, f"uid {uid} now names another message"
            return uids


def sender(server, ledger, stop, seed):
    """One connection after another, as many messages on each as it lasts."""
    choice = random.Random(seed)
    while not stop.is_set():
        try:
            with smtplib.SMTP(server.host, server.port("smtp"), timeout=20,
                              local_hostname="c.example.org") as session:
                while not stop.is_set():
                    account = choice.choice(ledger.accounts)
                    message = Letter("s@example.org", account.address, size=choice.choice(SIZES))
                    session.sendmail(message.sender, [account.address], message.octets)
                    ledger.acknowledge(account.address, message.token)
        except (OSError, smtplib.SMTPException):
            # Killed in the middle, or not up yet: what has no 250 may be lost.
            stop.wait(0.02)


def keeper(server, ledger, stop):
    """An IMAP user who appends, flags and expunges meanwhile; each OK must hold too."""
    account = ledger.accounts[0]
    while not stop.is_set():
        try:
            with clients.imaplib_session(server, account, tls="none", folder="INBOX") as session:
                while not stop.is_set():
                    message = Letter("append@example.org", account.address, size=3000)
                    if session.append("INBOX", None, None, message.octets)[0] == "OK":
                        ledger.acknowledge(account.address, message.token)
                    status, (answer,) = session.uid("SEARCH",
                                                     f'HEADER Message-ID "{message.token}"')
                    if status != "OK" or not answer:
                        continue
                    uid = int(answer.split()[-1])
                    keyword = random.choice((r"\Answered", r"\Flagged", "$Kept"))
                    if session.uid("STORE", str(uid), "+FLAGS.SILENT", f"({keyword})")[0] == "OK":
                        ledger.flagged[uid] = keyword
                    old = [uid for uid in list(ledger.flagged) if uid not in ledger.expunged]
                    if len(old) > 5:
                        # Out of the ledger before it is asked for: it may happen without its OK.
                        gone = old[0]
                        token = ledger.seen[account.address].get(gone)
                        ledger.flagged.pop(gone)
                        if token is None:
                            continue
                        with ledger.lock:
                            ledger.acknowledged[account.address].discard(token)
                        session.uid("STORE", str(gone), "+FLAGS.SILENT", r"(\Deleted)")
                        if session.expunge()[0] == "OK":
                            ledger.expunged.add(gone)
        except (OSError, clients.imaplib.IMAP4.error):
            stop.wait(0.05)


def check_all(server, ledger):
    """Everything acknowledged arrives; what the queue still held may take a moment."""
    for account in ledger.accounts:

        def complete():
            known = ledger.seen[account.address]
            ledger.look(server, account, max(known, default=0) + 1)
            return not ledger.missing(account)

        try:
            wait_until(complete, "all acknowledged messages", 60, every=0.1)
        except AssertionError as error:
            raise AssertionError(
                f"{account.address}: {len(ledger.missing(account))} acknowledged message(s) lost: "
                f"{sorted(ledger.missing(account))[:10]}") from error


def check_from_scratch(server, ledger):
    """A last look at all mailboxes: nothing vanished or changed, flags hold, no ghosts."""
    for account in ledger.accounts:
        before = set(ledger.seen[account.address])
        now = set(ledger.look(server, account))
        tokens = [ledger.seen[account.address][uid] for uid in now]
        if server.kind == "mdserver":
            assert len(tokens) == len(set(tokens)), "a message was filed twice"
        gone = {
            uid
            for uid in before - now
            if ledger.seen[account.address][uid] in ledger.acknowledged[account.address]
        }
        assert not gone, f"{account.address}: messages {sorted(gone)} have vanished"
    first = ledger.accounts[0]
    with clients.imaplib_session(server, first, tls="none", folder="INBOX") as session:
        flags = {
            uid: flags
            for uid, flags, _ in clients.fetch_all(session, "BODY.PEEK[HEADER.FIELDS (X-NONE)]")
        }
    for uid, keyword in ledger.flagged.items():
        assert keyword in flags[uid], f"uid {uid} lost {keyword}: {flags[uid]}"
    assert not ledger.expunged & set(flags), "expunged messages came back"


@story(
    f"kill -9 during delivery from {CONNECTIONS} connections, {ROUNDS} times: "
    "nothing acknowledged is lost or altered",
    deadline=60 + 15 * ROUNDS)
def kill9(scene):
    server = scene.server(accounts=("alice", "bob", "carol", "dave"))
    ledger = Ledger(list(server.accounts.values()))
    chance = random.Random(os.urandom(8))
    for number in range(ROUNDS):
        stop = threading.Event()
        threads = [
            threading.Thread(target=sender, args=(server, ledger, stop, os.urandom(8)), daemon=True)
            for _ in range(CONNECTIONS)
        ]
        threads.append(threading.Thread(target=keeper, args=(server, ledger, stop), daemon=True))
        before = ledger.count()
        for thread in threads:
            thread.start()
        wanted = chance.randint(60, 400)
        wait_until(lambda: ledger.count() >= before + wanted, f"{wanted} acknowledged messages", 40,
                   every=0.005)
        server.kill()
        stop.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs on a killed server"
        began = time.monotonic()
        server.start()
        ready = time.monotonic() - began
        check_all(server, ledger)
        print(
            f"round {number + 1}: {ledger.count()} acknowledged in all, "
            f"up again after {ready * 1000:.0f} ms"
        )
    check_from_scratch(server, ledger)
    server.restart()
    check_from_scratch(server, ledger)
