"""Mailboxes over IMAP, and the server's own size: mdserver and Dovecot at the same time, measured in turns."""

import json
import os
import statistics
import subprocess
import time

from servers import DovecotPeer, MdPeer, processes, story

READY_WITHIN = 15.0


class Table:
    """A line a measurement: both servers' medians with their spread, their ratio, and the goal."""
    def __init__(self):
        print(f"{'measured':44} {'mdserver':>22} {'peer':>22} {'ratio':>7}  goal", flush=True)

    @staticmethod
    def cell(values, digits):
        if not values:
            return "-"
        low, middle, high = min(values), statistics.median(values), max(values)
        return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"

    def row(self, what, ours, theirs, goal="", digits=0):
        ratio = f"{statistics.median(ours) / statistics.median(theirs):7.2f}" if theirs else f"{'-':>7}"
        print(f"{what:44} {self.cell(ours, digits):>22} {self.cell(theirs, digits):>22} {ratio}  {goal}",
              flush=True)


class Generator:
    """bench_imap, the load program: any server, given host and port."""
    def __init__(self, build):
        self.program = os.path.join(build, "tests", "bench", "bench_imap")

    def command(self, mode, peer, account, options):
        tls = options.get("tls", "none") != "none"
        return [
            self.program, mode, peer.host,
            str(peer.port("imaps" if tls else "imap")), account.address, account.password,
            *(str(part) for option in options.items() for part in option)
        ]

    def run(self, mode, peer, account=None, **options):
        """What it reports, and `server_cpu`, the CPU seconds that the server spent meanwhile."""
        before = peer.cpu_seconds()
        done = processes.run(self.command(mode, peer, account or peer.accounts[0], options), seconds=600)
        figures = json.loads(done.stdout)
        figures["server_cpu"] = peer.cpu_seconds() - before
        return figures

    def idle(self, peer, **options):
        """Opens its connections and answers the process that holds them until its input ends."""
        process = subprocess.Popen(self.command("idle", peer, peer.accounts[0], options),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert json.loads(process.stdout.readline())["done"] == options["connections"]
        return process


def in_turns(peers, repeat, measure):
    """{name: [measure(peer), ...]}: one after the other, `repeat` times around."""
    figures = {name: [] for name in peers}
    for _ in range(repeat):
        for name, peer in peers.items():
            figures[name].append(measure(peer))
    return figures


def rates(figures, name):
    return [each["done"] / each["seconds"] for each in figures[name]]


def measure_logins(table, generator, peers, options):
    for tls, goal in (("full", "at least 1x"), ("resumed", "")):
        load = {"tls": tls, "connections": 8}
        for peer in peers.values():
            generator.run("logins", peer, seconds=1, **load)  # every process started, passwords known
        figures = in_turns(peers, options.repeat,
                           lambda peer: generator.run("logins", peer, seconds=options.seconds, **load))
        cost = {
            name: [each["server_cpu"] * 1000 / each["done"] for each in figures[name]]
            for name in figures
        }
        what = f"LOGIN, SELECT, LOGOUT over TLS, {tls}"
        table.row(f"{what}: a second", rates(figures, "mdserver"), rates(figures, "dovecot"), goal)
        table.row("  server CPU ms each", cost["mdserver"], cost["dovecot"], "", 2)


def measure_fetch(table, generator, peers, options):
    count = options.fetch_messages
    filled = in_turns(
        peers, 1, lambda peer: generator.run("append", peer, peer.accounts[1], count=count, connections=10))
    table.row("APPEND of 2 KiB on 10 connections: a second", rates(filled, "mdserver"),
              rates(filled, "dovecot"))
    what = f"FETCH 1:* (FLAGS ENVELOPE) of {count}"
    fetch = lambda peer: generator.run("fetch", peer, peer.accounts[1])  # noqa: E731
    first = in_turns(peers, 1, fetch)
    table.row(f"{what}, first: a second", rates(first, "mdserver"), rates(first, "dovecot"))
    figures = in_turns(peers, options.repeat,
                       lambda peer: generator.run("fetch", peer, peer.accounts[1], count=5))
    table.row(f"{what}, warm: a second", rates(figures, "mdserver"), rates(figures, "dovecot"),
              "at least 2x")
    table.row("  server CPU us each", *([each["server_cpu"] * 1e6 / each["done"] for each in figures[name]]
                                        for name in ("mdserver", "dovecot")), "", 1)


def measure_select(table, generator, peers, options):
    count = options.select_messages
    for peer in peers.values():
        generator.run("append", peer, peer.accounts[2], count=1000, connections=10, octets=64)
        generator.run("grow", peer, peer.accounts[2], count=count)
    figures = in_turns(peers, options.repeat,
                       lambda peer: generator.run("select", peer, peer.accounts[2], count=50))
    table.row(f"SELECT of {count} messages: ms", *([each["p50"] * 1000 for each in figures[name]]
                                                   for name in ("mdserver", "dovecot")), "under 10 ms", 2)


def measure_idle(table, generator, options, binaries):
    """With fresh servers each time: what one has once taken it keeps for a while."""
    count = options.idle_connections
    each = {"mdserver": [], "dovecot": []}
    for _ in range(options.repeat):
        for name, make in (("mdserver", lambda: MdPeer(binaries)), ("dovecot", DovecotPeer)):
            peer = make()
            try:
                generator.run("logins", peer, tls="full", seconds=1)  # what the first one costs
                before = peer.memory_octets()
                process = generator.idle(peer, tls="full", connections=count)
                time.sleep(7)  # buffers are given back after five seconds of silence
                each[name].append((peer.memory_octets() - before) / 1024 / count)
                process.stdin.close()
                process.wait()
            finally:
                peer.stop()
    table.row(f"{count} idle connections over TLS: KiB each", each["mdserver"], each["dovecot"],
              "at most 30 KiB", 1)


def measure_start(table, options, binaries):
    """From nothing: the time from exec until every port answers, and what memory that takes."""
    makers = {"mdserver": lambda: MdPeer(binaries, start=False), "dovecot": lambda: DovecotPeer(start=False)}
    times, memory = {name: [] for name in makers}, {name: [] for name in makers}
    for _ in range(options.repeat):
        for name, make in makers.items():
            peer = make()
            try:
                began = time.monotonic()
                if name == "mdserver":
                    peer.server.spawn()
                    processes.wait_until(peer.server.ready, "mdserver to answer", READY_WITHIN, every=0.001)
                else:
                    peer.server.start()
                times[name].append((time.monotonic() - began) * 1000)
                time.sleep(1)
                memory[name].append(peer.memory_octets() / 1024 / 1024)
            finally:
                peer.stop()
    table.row("empty server, until all ports answer: ms", times["mdserver"], times["dovecot"],
              "200 ms at most")
    table.row("empty server, anonymous memory: MiB", memory["mdserver"], memory["dovecot"],
              "20 MiB at most", 1)


PARTS = {"logins": measure_logins, "fetch": measure_fetch, "select": measure_select}


def measure(parts, options, binaries):
    """The parts of these names that are ours; nothing if Dovecot is missing."""
    table = Table()
    if "start" in parts:
        measure_start(table, options, binaries)
    generator = Generator(options.build)
    if "idle" in parts:
        measure_idle(table, generator, options, binaries)
    wanted = [part for name, part in PARTS.items() if name in parts]
    if not wanted:
        return
    peers = {}
    try:
        peers["mdserver"] = MdPeer(binaries, accounts=3)
        peers["dovecot"] = DovecotPeer(accounts=3)
        for part in wanted:
            part(table, generator, peers, options)
    finally:
        for peer in peers.values():
            peer.stop()
