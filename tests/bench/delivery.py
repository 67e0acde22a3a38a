"""Mail comes in and goes out: SMTP, LMTP, what it costs the disk, how soon it is announced, relaying."""

import os
import time

import machine
from generator import Sink, SyncCount
from servers import RELAYED_DOMAIN, Cyrus, Dovecot, DovecotMaildir, MdServer, PostfixDovecot, processes
from table import OURS, Goal

ACCOUNTS = 100
SETTLED_WITHIN = 60.0


def values(figures, figure):
    """{server: [figure of each run]}; `figure` is a key of the report, or a function of it."""
    call = figure if callable(figure) else lambda each: each[figure]
    return {name: [call(each) for each in runs] for name, runs in figures.items()}


def cpu_of_1000(run):
    return run["server_cpu"] * 1000 / run["items"]


def smtp(bench):
    """SMTP in until the last message can be read over IMAP."""
    def deliver(server, connections, size, ours, theirs):
        return bench.generator.run("smtp", server, "smtp", accounts=ACCOUNTS, connections=connections, size=size,
                                   count=bench.count(ours if server.name == OURS else theirs),
                                   visible=server.port("imap"))

    with bench.servers(MdServer, PostfixDovecot, accounts=ACCOUNTS) as servers:
        # Every process is started, and passwords are known.
        bench.prepare(servers, lambda server: deliver(server, 10, 4096, 2000, 500))
        for connections, goal in ((1, 5), (10, 12), (50, 20)):
            figures = bench.in_turns(
                servers, lambda server, connections=connections: deliver(
                    server, connections, 4096, {1: 4000}.get(connections, 20_000), 1500))
            what = f"SMTP in, 4 KiB, {connections} connection{'s' if connections > 1 else ''}"
            bench.table.row(f"{what}: messages/s", values(figures, "visible_rate"), Goal(times=goal))
            bench.table.row("  p99 of the 250: ms", values(figures, "p99_ms"), digits=1, less=True)
            bench.table.row("  server CPU for 1,000: s", values(figures, cpu_of_1000), Goal(at_most=0.3), digits=3,
                            less=True)
            bench.table.row("  the generator's: s",
                            values({OURS: figures[OURS]}, lambda run: run["generator_cpu"] * 1000 / run["items"]),
                            digits=3, less=True)
        figures = bench.in_turns(servers, lambda server: deliver(server, 10, 65536, 10_000, 800))
        bench.table.row("SMTP in, 64 KiB, 10 connections: MB/s",
                        values(figures, lambda run: run["octets"] / run["visible_seconds"] / 1e6), Goal(at_least=200))
        bench.table.row("  server CPU for 1,000: s", values(figures, cpu_of_1000), digits=3, less=True)


def settle(server):
    """Waits until what was taken has reached the index too, so that its cost is counted."""
    if server.name == OURS:
        processes.wait_until(lambda: server.metrics()["mailcore_store_overlay_octets"] == 0, "a checkpoint",
                             SETTLED_WITHIN, every=0.5)
    time.sleep(2)


def disk(bench):
    """What a message costs the disk, with fresh servers."""
    for size, goal, ours, theirs in ((4096, 2, 30_000, 2000), (65536, 1.15, 6000, 800)):
        load = {"connections": 50, "accounts": ACCOUNTS, "size": size}
        with bench.servers(MdServer, PostfixDovecot, accounts=ACCOUNTS) as servers:
            def deliver(server, ours=ours, theirs=theirs, load=load):
                count = bench.count(ours if server.name == OURS else theirs)
                return bench.generator.run("smtp", server, "smtp", count=count, visible=server.port("imap"), **load)

            def write(server):
                os.sync()
                before, device = server.written_octets(), machine.device_written(server.directory)
                syncs = server.metrics()["mailcore_store_syncs_total"] if server.name == OURS else 0
                run = deliver(server)
                settle(server)
                os.sync()
                run["written"] = (server.written_octets() - before) / run["octets"]
                if device is not None:
                    run["device"] = (machine.device_written(server.directory) - device) / run["octets"]
                if server.name == OURS:
                    run["syncs"] = (server.metrics()["mailcore_store_syncs_total"] - syncs) / run["items"]
                return run

            what = f"{size // 1024} KiB, 50 connections"
            figures = bench.in_turns(servers, write)
            seen_by_disk = all("device" in run for runs in figures.values() for run in runs)
            # The kernel counts for a process every page that becomes dirty, and with large folios all of a folio for
            # each octet written over: the disk knows better, on a machine where nobody else writes.
            bench.table.row(f"bytes written a byte of mail, {what}",
                            values(figures, "device" if seen_by_disk else "written"), Goal(at_most=goal), digits=2,
                            less=True)
            bench.table.row("  as the kernel counts it for the processes", values(figures, "written"), digits=2,
                            less=True)
            if size > 4096:
                continue

            def syncs(server):
                count = SyncCount(server)
                time.sleep(1)
                done = bench.generator.run("smtp", server, "smtp", count=bench.count(5000 if server.name == OURS else 500),
                                           **load)["items"]
                settle(server)
                calls = count.result()
                return {"syncs": None if calls is None else calls / done}

            bench.table.row(f"disk flushes a message, {what} (traced)", values(bench.once(servers, syncs), "syncs"),
                            Goal(at_most=0.1), digits=3, less=True)
            bench.table.row("  as mdserver itself counts them, not traced",
                            values({OURS: figures[OURS]}, "syncs"), Goal(at_most=0.1), digits=3, less=True)


def lmtp(bench):
    def deliver(server, accounts):
        return bench.generator.run("lmtp", server, "lmtp", accounts=accounts, connections=10,
                                   count=bench.count(20_000 if server.name == OURS else 2500))

    with bench.servers(MdServer, Dovecot, DovecotMaildir, Cyrus, accounts=ACCOUNTS) as servers:
        bench.prepare(servers, lambda server: deliver(server, ACCOUNTS))
        many = bench.in_turns(servers, lambda server: deliver(server, ACCOUNTS))
        bench.table.row("LMTP, 4 KiB, 10 connections: messages/s", values(many, "rate"), Goal(times=8))
        bench.table.row("  server CPU for 1,000: s", values(many, cpu_of_1000), digits=3, less=True)
        one = bench.in_turns(servers, lambda server: deliver(server, 1))
        bench.table.row("  all into one mailbox: messages/s", values(one, "rate"), Goal(times=8))
        bench.table.row("  into one mailbox, of the rate into 100", {
            name: [hot["rate"] / cold["rate"] for hot, cold in zip(one[name], many[name])] for name in one
        }, Goal(at_least=1), digits=2)


def exists(bench):
    """From the 250 of LMTP until an IMAP connection in IDLE is told."""
    def announce(server):
        return bench.generator.run("idle-exists", server, delivery_port=server.port("lmtp"), lmtp=True, rate=25,
                                   count=bench.count(500 if server.name == OURS else 50))

    with bench.servers(MdServer, Dovecot, Cyrus) as servers:
        figures = bench.in_turns(servers, announce)
        bench.table.row("250 to EXISTS in IDLE, p50: ms", values(figures, "p50_ms"), Goal(at_most=0.5), digits=3,
                        less=True)
        bench.table.row("  p99: ms", values(figures, "p99_ms"), Goal(at_most=3), digits=2, less=True)


def outbound(bench):
    """To one host on this machine that takes everything and keeps nothing."""
    port = bench.free_port()

    def relay(server):
        report = bench.generator.run("smtp", server, "smtp", to=f"x{{}}@{RELAYED_DOMAIN}", connections=10, sink=port,
                                     count=bench.count(10_000 if server.name == OURS else 1500))
        assert report["relayed_bad"] == report["relayed_doubles"] == 0, f"{server.name} changed or doubled mail"
        return report

    def empty_queue(server):
        count = bench.count(10_000 if server.name == OURS else 3000)
        bench.generator.run("smtp", server, "smtp", to=f"x{{}}@{RELAYED_DOMAIN}", connections=10, count=count)
        processes.wait_until(lambda: server.queue_length() == count, "the queue to be full", 60, every=0.5)
        before = server.cpu_seconds()
        sink = Sink(bench.generator, port, count)
        server.flush_queue()
        report = sink.report()
        report["server_cpu"] = server.cpu_seconds() - before
        return report

    with bench.servers(MdServer, PostfixDovecot, sink_port=port) as servers:
        figures = bench.in_turns(servers, relay)
        bench.table.row("accept and relay, 4 KiB, 10 connections: messages/s", values(figures, "relayed_rate"),
                        Goal(times=8))
        bench.table.row("  server CPU for 1,000: s", values(figures, cpu_of_1000), digits=3, less=True)
        figures = bench.in_turns(servers, empty_queue)
        bench.table.row("outbound from a full queue, 4 KiB: messages/s", values(figures, "rate"), Goal(times=5))
        bench.table.row("  server CPU for 1,000: s", values(figures, cpu_of_1000), digits=3, less=True)
