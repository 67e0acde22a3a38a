#!/usr/bin/env python3
"""mdserver beside Debian's Postfix and Dovecot, side by side in one run, durable on both sides.

    bench.py --build build/release [--only PART ...] [--repeat 3] ...

Same machine, same generator, loopback, in alternation; medians, with the least and the greatest in parentheses.

    delivery  SMTP in, until the message can be read over IMAP, against Postfix + Dovecot (generator: smtp-source)
    start     an empty server: time until it answers, memory
    logins    LOGIN, SELECT, LOGOUT over TLS, against Dovecot as the next ones (generator: bench_imap)
    fetch     APPEND, and FETCH 1:* (FLAGS ENVELOPE)
    select    SELECT of a large mailbox
    idle      memory of idle connections over TLS
    store     the store by itself, against the disk below it (bench_store)
"""

import argparse
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "peers"))

import baseline  # noqa: E402
import mailboxes  # noqa: E402
from servers import DeliveryPeer, MdPeer, processes, story  # noqa: E402

PARTS = ("delivery", "start", "logins", "fetch", "select", "idle", "store")


def measure_delivery(options, binaries):
    if not baseline.SMTP_SOURCE:
        print("bench: package postfix is missing")
        return
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


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, metavar="PART")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--messages", type=int, default=1000, help="delivered a measurement")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 65536])
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=int, default=5, help="of logins a measurement")
    parser.add_argument("--fetch-messages", type=int, default=10_000)
    parser.add_argument("--select-messages", type=int, default=100_000)
    parser.add_argument("--idle-connections", type=int, default=1000)
    options = parser.parse_args()
    binaries = [os.path.abspath(os.path.join(options.build, "hosts", name)) for name in ("mdserver", "mdctl")]
    processes.adopt_orphans()
    if "delivery" in options.only:
        measure_delivery(options, binaries)
    try:
        mailboxes.measure(options.only, options, binaries)
    except story.Skip as reason:
        print(f"bench: {reason}")
    if "store" in options.only:
        subprocess.run([os.path.join(options.build, "tests", "bench", "bench_store")], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
