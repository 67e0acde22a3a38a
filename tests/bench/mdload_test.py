#!/usr/bin/env python3
"""Every work of mdload against a running mdserver, a little of each: that it does what its report says.

    mdload_test.py --build build/release
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from generator import Generator, Sink  # noqa: E402
from servers import RELAYED_DOMAIN, MdServer, processes  # noqa: E402
from bench import Bench  # noqa: E402


def check(report, **expected):
    wrong = {name: report.get(name) for name, value in expected.items() if report.get(name) != value}
    assert not wrong, f"{report['work']}: {wrong} instead of {expected}"
    assert report["failures"] == 0 and report.get("bad", 0) == 0, report
    assert 0 <= report["p50_ms"] <= report["p99_ms"] <= report["max_ms"], report


def run(generator, server, sink_port):
    def load(work, service="imap", **options):
        return generator.run(work, server, service, **options)

    report = load("smtp", "smtp", accounts=2, connections=4, count=41, size="1024,4096,70000", visible=server.port("imap"))
    check(report, operations=41, items=41)
    assert report["visible_seconds"] >= report["seconds"], report
    check(load("smtp", "smtp", starttls=True, one_by_one=True, count=3), operations=3)
    # Twelve over each connection, then the next.
    check(load("lmtp", "lmtp", accounts=2, recipients=2, connections=2, count=30, per_connection=12), operations=30)
    check(load("imap-body", verify=True), items=54, verified=36)  # each run counts its letters from 0
    check(load("imap-body", "imaps", tls=True, first=1), items=50)
    check(load("imap-fetch", starttls=True, count=2), items=108)
    check(load("imap-append", first=1, connections=2, count=6, batch=5, mailbox="Drafts"), operations=6, items=30)
    check(load("imap-body", verify=True, first=1, mailbox="Drafts"), items=30, verified=30)
    check(load("imap-store", first=1, connections=3, count=90, mailbox="Drafts"), operations=90)
    check(load("imap-store-all", count=2), operations=2)
    check(load("imap-grow", count=100, accounts=1), items=100)
    check(load("imap-select", count=5), operations=5)
    check(load("imap-command", command=["SEARCH ALL", "NOOP"], count=4), operations=4)
    check(load("imap-login", accounts=2, connections=3, count=10), operations=10)
    resumed = load("imap-visit", "imaps", tls=True, resume=True, connections=2, count=10)
    check(resumed, operations=10, resumed=8)
    check(load("idle-exists", delivery_port=server.port("smtp"), connections=1, count=10, rate=200), operations=10)
    check(load("pop3-retr", "pop3", verify=True, first=1), items=50, verified=35)
    report = load("smtp", "smtp", to=f"x{{}}@{RELAYED_DOMAIN}", count=20, connections=2, sink=sink_port)
    assert report["relayed_bad"] == report["relayed_doubles"] == 0, report
    idle = generator.hold("imap-idle", server, "imaps", tls=True, accounts=2, connections=20)
    idle.communicate()
    assert idle.returncode == 0
    mixed = load("mixed", accounts=1, delivery_port=server.port("smtp"), pop3_port=server.port("pop3"), seconds=1,
                 rate=40, verify=True)
    assert not any(crew["failures"] or crew.get("bad") for crew in mixed["crews"].values()), mixed
    assert mixed["crews"]["smtp"]["operations"] == 40, mixed
    sink = Sink(generator, sink_port, 5)
    check(load("smtp", "smtp", to=f"x{{}}@{RELAYED_DOMAIN}", count=5), operations=5)
    check(sink.report(), operations=5, verified=5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    MdServer.binaries = [os.path.abspath(os.path.join(options.build, "hosts", name)) for name in ("mdserver", "mdctl")]
    generator = Generator(options.build)
    if not all(os.path.exists(each) for each in (*MdServer.binaries, generator.program)):
        print("mdload_test: mdserver, mdctl and mdload are not built")
        return 77
    processes.adopt_orphans()
    port = Bench.free_port()
    server = MdServer(accounts=2, sink_port=port)
    try:
        run(generator, server, port)
    except BaseException:
        print(server.server.everything_logged()[-2000:])
        raise
    finally:
        server.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
