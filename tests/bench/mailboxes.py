"""Mailboxes over IMAP and POP3: logging in, opening, reading, filing, flags."""

import os
import time

from delivery import values
from servers import Cyrus, Dovecot, MdServer
from table import Goal

IMAP = (MdServer, Dovecot, Cyrus)


def login(bench):
    """Connect, LOGIN, LOGOUT, again and again on eight connections."""
    def visit(server, seconds=None, **tls):
        return bench.generator.run("imap-login", server, "imaps" if tls else "imap", connections=8, accounts=8,
                                   seconds=seconds or bench.seconds(5), **tls)

    def cpu(run):
        return run["server_cpu"] * 1000 / run["operations"]

    modes = {"plaintext": {}, "TLS 1.3 full": {"tls": True}, "TLS 1.3 resumed": {"tls": True, "resume": True}}
    with bench.servers(*IMAP, accounts=8) as servers:
        bench.prepare(servers, lambda server: visit(server, seconds=1))  # every process started, passwords known
        runs = {
            mode: bench.in_turns(servers, lambda server, how=how: visit(server, **how)) for mode, how in modes.items()
        }
        goals = {"plaintext": (Goal(times=2), None), "TLS 1.3 full": (None, Goal(share=1))}
        for mode, figures in runs.items():
            rate_goal, cpu_goal = goals.get(mode, (None, None))
            bench.table.row(f"IMAP login, {mode}: a second", values(figures, "rate"), rate_goal)
            bench.table.row("  server CPU each: ms", values(figures, cpu), cpu_goal, digits=2, less=True)
        full = {name: each for name, each in values(runs["TLS 1.3 full"], cpu).items() if name != MdServer.name}
        bench.table.row("  resumed, of a peer's full handshake: CPU ms",
                        full | {MdServer.name: values(runs["TLS 1.3 resumed"], cpu)[MdServer.name]}, Goal(share=0.25),
                        digits=2, less=True)


def drop_caches():
    """False where that is not allowed."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
    except OSError:
        return False
    return True


def select(bench):
    """A large mailbox, and one command for all of it."""
    count = bench.count(100_000)
    with bench.servers(*IMAP, accounts=2) as servers:
        def fill(server):
            bench.generator.run("imap-append", server, count=1000, connections=10, size=1024)
            bench.generator.run("imap-grow", server, count=count)

        bench.prepare(servers, fill)
        figures = bench.in_turns(servers, lambda server: bench.generator.run("imap-select", server, count=100))
        bench.table.row(f"SELECT of {count:,} messages, warm, p50: ms", values(figures, "p50_ms"), Goal(at_most=0.3),
                        digits=3, less=True)

        def cold(server):
            server.stop()
            if not drop_caches():
                server.start()
                return {"p50_ms": None}
            server.start()
            bench.generator.run("imap-login", server, first=1)  # its programs are not what is asked about
            return bench.generator.run("imap-select", server, count=1)

        bench.table.row("  restarted, page cache dropped: ms", values(bench.in_turns(servers, cold), "p50_ms"),
                        Goal(at_most=4), digits=2, less=True)
        figures = bench.in_turns(servers, lambda server: bench.generator.run("imap-store-all", server, count=4))
        bench.table.row(f"STORE 1:* +FLAGS.SILENT of {count:,}, p50: ms", values(figures, "p50_ms"),
                        Goal(at_most=300), digits=1, less=True)


def fetch(bench):
    """Envelopes: the first time ever, of a mailbox that nobody has looked at, and again."""
    count = bench.count(10_000)
    with bench.servers(*IMAP, accounts=bench.options.repeat) as servers:
        bench.prepare(
            servers, lambda server: bench.generator.run("imap-append", server, count=count * bench.options.repeat,
                                                        connections=10, accounts=bench.options.repeat, size=2048))
        number = iter(range(bench.options.repeat))
        first = {name: [] for name in servers}
        for account in number:
            for name, server in servers.items():
                first[name].append(bench.generator.run("imap-fetch", server, first=account))
        what = f"FETCH 1:* (FLAGS ENVELOPE) of {count:,}"
        bench.table.row(f"{what}, first time: messages/s", values(first, "item_rate"), Goal(at_least=500_000))
        again = bench.in_turns(servers, lambda server: bench.generator.run("imap-fetch", server, count=20))
        bench.table.row(f"{what}, again: messages/s", values(again, "item_rate"), Goal(at_least=500_000))
        bench.table.row("  server CPU each: us", values(again, lambda run: run["server_cpu"] * 1e6 / run["items"]),
                        digits=2, less=True)


def body(bench):
    """Bodies, checked once against what was filed: a mailbox as people have it, most of whose octets are attachments in
    base64, and one of long texts, which a server that compresses has compressed."""
    mixes = (("a mixed mailbox", "mix", 2000, Goal(at_least=1500)),
             ("texts of 20 KiB, compressible", "20480", 4000, Goal(at_least=800)))
    for what, size, full, goal in mixes:
        count = bench.count(full)
        with bench.servers(*IMAP) as servers:
            def fill(server, count=count, size=size):
                bench.generator.run("imap-append", server, count=count, connections=4, size=size)
                checked = bench.generator.run("imap-body", server, verify=True)
                assert checked["verified"] >= count and checked["bad"] == 0, f"{server.name}: {checked}"

            bench.prepare(servers, fill)
            figures = bench.in_turns(servers, lambda server: bench.generator.run("imap-body", server, count=10))
            bench.table.row(f"BODY.PEEK[] of {what}: MB/s", values(figures, "mb_rate"), goal)
            bench.table.row("  server CPU a GB: s", values(figures, lambda run: run["server_cpu"] * 1e9 / run["octets"]),
                            digits=2, less=True)


def store(bench):
    """Filing and flags, durable, each on ten mailboxes."""
    with bench.servers(*IMAP, accounts=10) as servers:
        def append(server):
            return bench.generator.run("imap-append", server, connections=10, accounts=10, seconds=bench.seconds(4))

        def flag(server, connections):
            return bench.generator.run("imap-store", server, connections=connections, accounts=connections,
                                       seconds=bench.seconds(4))

        figures = bench.in_turns(servers, append)
        bench.table.row("APPEND, 4 KiB, 10 connections: a second", values(figures, "rate"), Goal(times=4))
        bench.table.row("  server CPU for 1,000: s",
                        values(figures, lambda run: run["server_cpu"] * 1000 / run["operations"]), digits=3, less=True)
        for connections, goal in ((1, Goal(times=3)), (10, Goal(at_least=15_000))):
            figures = bench.in_turns(servers, lambda server, connections=connections: flag(server, connections))
            # Dovecot's own default does not sync flag changes: its figure is there to see, not to compare with.
            bench.table.row(f"STORE of one message, {connections} connection{'s' if connections > 1 else ''}: a second",
                            {name: each for name, each in values(figures, "rate").items() if name != Dovecot.name}, goal)
            if Dovecot.name in figures:
                bench.table.row("  Dovecot, which does not sync it", {Dovecot.name: values(figures, "rate")["Dovecot"]})


def pop3(bench):
    """All of a maildrop, many RETR ahead."""
    for size, full, goal in (("4096", 10_000, 3), ("mix", 10_000, 2)):
        count = bench.count(full)
        with bench.servers(*IMAP) as servers:
            def fill(server, count=count, size=size):
                bench.generator.run("imap-append", server, count=count, connections=4, size=size)
                if size == "mix":
                    checked = bench.generator.run("pop3-retr", server, "pop3", verify=True)
                    assert checked["verified"] >= count and checked["bad"] == 0, f"{server.name}: {checked}"

            bench.prepare(servers, fill)
            time.sleep(1)
            figures = bench.in_turns(servers, lambda server: bench.generator.run("pop3-retr", server, "pop3", count=3))
            what = "4 KiB" if size == "4096" else "mixed sizes"
            bench.table.row(f"POP3 RETR of {count:,} messages, {what}: MB/s", values(figures, "mb_rate"),
                            Goal(times=goal))
