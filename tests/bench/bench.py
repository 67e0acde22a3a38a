#!/usr/bin/env python3
"""Delivery, side by side in one run: mdserver against Debian's Postfix + Dovecot, durable on both sides.

    bench.py --build build/release [--messages 1000] [--sizes 4096 65536] [--connections 1 10 50] [--repeat 3]

Same machine, same generator (Postfix's smtp-source), loopback, in alternation; medians. A message counts as delivered
when it can be read over IMAP. Ends with the server's own micro-benchmarks (bench_store) where they are built.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import shutil

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "peers"))

import baseline  # noqa: E402
from postfix_dovecot import DeliveryPeer, certificates, processes, story  # noqa: E402


class MdPeer:
    """mdserver with the interface of DeliveryPeer."""
    def __init__(self, binaries, accounts=1):
        import mdserver
        self.directory = tempfile.mkdtemp(prefix="mcb-")
        authority = certificates.Authority(f"{self.directory}/ca").create()
        self.scene = story.Scene(self.directory, authority, "mdserver", binaries)
        self.server = mdserver.MdServer(self.scene, self.scene.folder("server"), story.Settings())
        self.server.start()
        self.accounts = [
            self.server.add_account(f"user{number}@example.test", f"password {number}")
            for number in range(accounts)
        ]

    @property
    def roots(self):
        return [self.server.pid]

    cpu_seconds = DeliveryPeer.cpu_seconds
    memory_octets = DeliveryPeer.memory_octets

    def stop(self):
        self.server.stop()
        processes.kill_descendants(os.getpid())
        shutil.rmtree(self.directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 65536])
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if not baseline.SMTP_SOURCE:
        print("bench: package postfix is missing")
        return 77
    binaries = [os.path.abspath(os.path.join(options.build, "hosts", name)) for name in ("mdserver", "mdctl")]
    processes.adopt_orphans()
    makers = {"mdserver": lambda: MdPeer(binaries), "peer": lambda: DeliveryPeer()}
    print(f"{'octets':>7} {'conn':>4}  {'mdserver/s':>10} {'peer/s':>8} {'ratio':>6}  "
          f"{'CPU s/1000':>10} {'peer':>6} {'ratio':>6}", flush=True)
    for size in options.sizes:
        for connections in options.connections:
            figures = {}
            for _ in range(options.repeat):
                for name, make in makers.items():
                    peer = make()
                    try:
                        log = os.path.join(peer.directory, "load.log")
                        reader = baseline.Reader(peer)
                        baseline.measure(peer, reader, 1, 20, size, log)  # warm
                        figures.setdefault(name, []).append(
                            baseline.measure(peer, reader, connections, options.messages, size, log))
                        reader.close()
                    finally:
                        peer.stop()
            rate = {name: statistics.median(each[1] for each in runs) for name, runs in figures.items()}
            cpu = {name: statistics.median(each[2] for each in runs) for name, runs in figures.items()}
            print(f"{size:7} {connections:4}  {rate['mdserver']:10.0f} {rate['peer']:8.0f} "
                  f"{rate['mdserver'] / rate['peer']:6.1f}  {cpu['mdserver']:10.2f} {cpu['peer']:6.2f} "
                  f"{cpu['mdserver'] / cpu['peer']:6.2f}", flush=True)
    store = os.path.join(options.build, "tests", "bench", "bench_store")
    if os.path.exists(store):
        subprocess.run([store], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
