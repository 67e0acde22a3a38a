#!/usr/bin/env python3
"""Measures the delivery peer with Postfix's own load generator, until the mail can be read.

    baseline.py [--messages 1000] [--size 4096] [--connections 1 10 50] [--format maildir]
"""

import argparse
import imaplib
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from postfix_dovecot import DeliveryPeer, processes, story  # noqa: E402

SMTP_SOURCE = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")


class Reader:
    """Counts over one IMAP connection an account, kept open: a login costs more than a delivery."""
    def __init__(self, peer):
        self.sessions = []
        for account in peer.accounts:
            session = imaplib.IMAP4(peer.server.host, peer.server.port("imap"))
            session.login(account.address, account.password)
            self.sessions.append(session)

    def count(self):
        return sum(
            int(re.search(rb"MESSAGES (\d+)",
                          session.status("INBOX", "(MESSAGES)")[1][0])[1])
            for session in self.sessions)

    def close(self):
        for session in self.sessions:
            session.logout()


def measure(peer, reader, connections, messages, size, log):
    """(accepted a second, delivered a second, CPU seconds a thousand messages)."""
    accounts = peer.accounts[:connections]
    before, cpu, began = reader.count(), peer.cpu_seconds(), time.monotonic()
    # One generator an account; each sends message after message on its open connections.
    share, sessions = messages // len(accounts), connections // len(accounts)
    loads = [
        processes.Process([
            SMTP_SOURCE, "-d", "-s", sessions, "-m", share, "-l", size, "-f", "x@example.org", "-t",
            account.address, f"inet:{peer.server.host}:{peer.server.port('smtp')}"
        ], log) for account in accounts
    ]
    for load in loads:
        load.child.wait()
        assert load.child.returncode == 0, processes.read_text(log)
    accepted = time.monotonic() - began
    sent = share * len(accounts)
    processes.wait_until(lambda: reader.count() >= before + sent, "all messages in the mailboxes",
                         300, every=0.05)
    delivered = time.monotonic() - began
    return sent / accepted, sent / delivered, (peer.cpu_seconds() - cpu) * 1000 / sent


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--format", default="maildir", choices=("sdbox", "mdbox", "maildir"))
    parser.add_argument("--directory",
                        help="where the mail is kept: the file system is part of the measurement")
    options = parser.parse_args()
    if not SMTP_SOURCE:
        print("package postfix is missing")
        return 77
    processes.adopt_orphans()
    try:
        peer = DeliveryPeer(options.accounts, options.format, options.directory)
    except story.Skip as reason:
        print(reason)
        return 77
    try:
        log = os.path.join(peer.directory, "load.log")
        reader = Reader(peer)
        measure(peer, reader, 1, 50, options.size, log)  # every process started once
        for connections in options.connections:
            accepted, delivered, cpu = measure(peer, reader, connections, options.messages,
                                               options.size, log)
            print(
                f"{connections:3} connections, {options.size} octets: {accepted:6.0f} accepted/s, "
                f"{delivered:6.0f} delivered/s, {cpu:5.2f} s CPU a 1,000 messages", flush=True)
        reader.close()
    finally:
        peer.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
