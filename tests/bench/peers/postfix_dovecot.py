#!/usr/bin/env python3
"""The peer of the delivery benchmarks: Postfix -> LMTP -> Dovecot, durable, on loopback.

    postfix_dovecot.py [--accounts N] [--format maildir|mdbox|sdbox]

prints one line of JSON when it is ready (ports, accounts, process ids to measure) and serves until
SIGTERM or Ctrl-C. `DeliveryPeer` is the same for Python. Postfix syncs each queue file before its
250; Dovecot syncs each message before LMTP's 250, after which Postfix removes its file. Nothing is
switched off to be fast, nothing added to be slow.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "interop"))

import certificates  # noqa: E402
import processes  # noqa: E402
import reference  # noqa: E402
import story  # noqa: E402

# What a busy site sets; the rest is the distributions' defaults.
POSTFIX = {
    "default_process_limit": "100",
    "virtual_destination_concurrency_limit": "20",
    "lmtp_destination_concurrency_limit": "20",
    "lmtp_destination_recipient_limit": "1",
    "maillog_file": None,  # logging to a file costs it; its own benchmarks go without
    "smtpd_tls_loglevel": "0",
    "smtp_tls_loglevel": "0",
    "minimal_backoff_time": "300s",
    "maximal_backoff_time": "4000s",
    "queue_run_delay": "300s",
}


class DeliveryPeer:
    """A started Postfix + Dovecot with accounts user0@example.test ...; `stop()` removes it all."""
    def __init__(self, accounts=1, mail_format="maildir", directory=None, logging=True):
        self.directory = tempfile.mkdtemp(prefix="mcb-", dir=directory)
        os.chmod(self.directory, 0o755)
        authority = certificates.Authority(f"{self.directory}/ca").create()
        self.scene = story.Scene(self.directory, authority, "reference", (None, None))
        settings = dict(POSTFIX)
        if logging:
            del settings["maillog_file"]
        self.server = reference.ReferenceServer(self.scene, self.scene.folder("server"),
                                                story.Settings(), mail_format=mail_format,
                                                lmtp_processes=10, postfix_settings=settings)
        self.accounts = [
            self.server.add_account(f"user{number}@example.test", f"password {number}")
            for number in range(accounts)
        ]
        self.server.start()

    @property
    def roots(self):
        """The processes whose trees are the server."""
        return [self.server.postfix.process.pid, self.server.dovecot.process.pid]

    def cpu_seconds(self):
        """User and system time of the whole server so far, ended processes included."""
        return sum(
            processes.cpu_seconds(pid) for root in self.roots
            for pid in (root, *processes.descendants(root)))

    def memory_octets(self):
        return sum(
            processes.memory_octets(pid) for root in self.roots
            for pid in (root, *processes.descendants(root)))

    def stop(self):
        self.server.stop()
        processes.kill_descendants(os.getpid())
        shutil.rmtree(self.directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--format", default="maildir", choices=("sdbox", "mdbox", "maildir"))
    parser.add_argument("--directory",
                        help="where its folder is made: the file system is part of the measurement")
    options = parser.parse_args()
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        peer = DeliveryPeer(options.accounts, options.format, options.directory)
    except story.Skip as reason:
        print(json.dumps({"missing": str(reason)}))
        return 77
    print(
        json.dumps({
            "host": peer.server.host, "ports": peer.server.ports, "ca": peer.server.ca,
            "processes": peer.roots, "accounts": [{
                "address": one.address, "password": one.password
            } for one in peer.accounts]
        }), flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass
    peer.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
