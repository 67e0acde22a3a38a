"""A server's own size and times: start, rest, a million messages, a working day."""

import imaplib
import json
import re
import statistics
import time

from delivery import values
from servers import Cyrus, Dovecot, MdServer, PostfixDovecot, processes
from table import OURS, Goal

READY_WITHIN = 30.0
BUFFERS_GIVEN_BACK = 7  # seconds; after five of silence
KIB, MIB = 1024, 1024 * 1024


def seconds_to_start(server):
    """Until IMAP greets. The process is there before."""
    began = time.monotonic()
    if server.name == OURS:
        server.server.spawn()
        processes.wait_until(lambda: processes.greets(server.host, server.port("imap"), b"* OK"), "a greeting",
                             READY_WITHIN, every=0.0005)
    else:
        server.start()
    took = time.monotonic() - began
    if server.name == OURS:
        processes.wait_until(server.server.ready, "all services", READY_WITHIN)
    return took


def start(bench):
    """Empty servers, from exec."""
    def measure(make):
        server = make(start=False)
        try:
            ready = seconds_to_start(server)
            time.sleep(2)
            return {"ready": ready * 1000, "memory": server.memory_octets() / MIB}
        finally:
            server.end()

    kinds = bench.kinds(MdServer, PostfixDovecot)
    figures = {kind.name: [] for kind in kinds}
    for _ in range(bench.options.repeat):
        for kind in kinds:
            figures[kind.name].append(measure(kind))
    bench.table.row("start, empty, until IMAP answers: ms", values(figures, "ready"), Goal(at_most=50), digits=1,
                    less=True)
    bench.table.row("  anonymous memory then: MiB", values(figures, "memory"), Goal(at_most=12), digits=1, less=True)
    with bench.servers(MdServer, PostfixDovecot, accounts=10) as servers:
        def use(server):
            bench.generator.run("smtp", server, "smtp", accounts=10, connections=50, count=bench.count(3000),
                                visible=server.port("imap"))
            bench.generator.run("imap-visit", server, "imaps", accounts=10, connections=10, tls=True,
                                seconds=bench.seconds(3))
            time.sleep(10)
            return {"memory": server.memory_octets() / MIB}

        bench.table.row("  anonymous memory after use, at rest: MiB", values(bench.once(servers, use), "memory"),
                        digits=1, less=True)


def idle(bench):
    """With fresh servers each time: what one has once taken it keeps for a while."""
    def hold(kind, count):
        server = kind(accounts=10)
        try:
            bench.generator.run("imap-visit", server, "imaps", tls=True, accounts=10, connections=10, count=100)
            time.sleep(BUFFERS_GIVEN_BACK)
            before = server.memory_octets()
            process = bench.generator.hold("imap-idle", server, "imaps", tls=True, accounts=10, connections=count,
                                           sources=100)
            time.sleep(BUFFERS_GIVEN_BACK)
            each = (server.memory_octets() - before) / KIB / count
            process.stdin.close()
            process.wait()
            return each
        finally:
            server.end()

    for full, kinds in ((1000, (MdServer, Dovecot, Cyrus)), (10_000, (MdServer,))):
        count = max(bench.count(full), 200)  # fewer drown in what else a server holds
        kinds = bench.kinds(*kinds)
        figures = {kind.name: [] for kind in kinds}
        for _ in range(bench.options.repeat if full == 1000 else 1):
            for kind in kinds:
                # A process each, of megabytes: fewer will do.
                figures[kind.name].append(hold(kind, min(count, 300) if kind is Cyrus else count))
        bench.table.row(f"{count:,} idle IMAP connections over TLS, anonymous: KiB each", figures, Goal(at_most=20),
                        digits=1, less=True)


class Session:
    """A client that is looked at line by line."""
    def __init__(self, server, account):
        self.imap = imaplib.IMAP4(server.host, server.port("imap"))
        self.imap.login(account.address, account.password)

    def milliseconds(self, command, times=1):
        """(median, last answer) of a command that has no literals."""
        took = []
        for _ in range(times):
            began = time.monotonic()
            tag = self.imap._new_tag()
            self.imap.send(tag + b" " + command.encode() + b"\r\n")
            lines = []
            while not lines or not lines[-1].startswith(tag):
                lines.append(self.imap.readline())
            took.append((time.monotonic() - began) * 1000)
            assert lines[-1].startswith(tag + b" OK"), lines[-1]
        return statistics.median(took), b"".join(lines)


def resynchronise(server, account):
    """SELECT with QRESYNC by one who has seen all: ms."""
    session = Session(server, account)
    session.milliseconds("ENABLE QRESYNC")
    _, answer = session.milliseconds("SELECT INBOX")
    validity, modseq = (re.search(rb"\[%s (\d+)\]" % name, answer)[1].decode()
                        for name in (b"UIDVALIDITY", b"HIGHESTMODSEQ"))
    return session.milliseconds(f"SELECT INBOX (QRESYNC ({validity} {modseq}))", times=20)[0]


def million(bench):
    """A mailbox of a million messages beside one of a thousand; only of mdserver: to fill a peer takes an hour."""
    count = bench.count(1_000_000)
    with bench.servers(MdServer, accounts=2) as servers:
        server = servers[OURS]
        small, large = server.accounts
        filled = bench.generator.run("imap-append", server, connections=4, first=1, batch=100, count=count // 100,
                                     size=1024)
        bench.generator.run("imap-append", server, connections=4, batch=100, count=10, size=1024)
        bench.table.row(f"filling a mailbox with {count:,} messages of 1 KiB: a second", {OURS: [filled["item_rate"]]})

        def times(measure):
            return [measure() for _ in range(bench.options.repeat)]

        def restart(end):
            end()
            return seconds_to_start(server) * 1000

        def killed_under_load():
            load = bench.generator.hold("smtp", server, "smtp", accounts=2, connections=10, seconds=600, gate=True,
                                        failures_max=1_000_000)
            load.stdin.write(b"\n")
            load.stdin.flush()
            time.sleep(bench.seconds(5))
            server.kill()
            load.kill()
            load.wait()

        bench.table.row(f"start with {count:,} messages: ms", {OURS: times(lambda: restart(server.stop))},
                        Goal(at_most=300), digits=1, less=True)
        bench.table.row("  after kill -9 under load: ms", {OURS: times(lambda: restart(killed_under_load))},
                        Goal(at_most=1000), digits=1, less=True)

        def beside(what, measure, digits=3):
            """The large mailbox's figure, and how many times the small one's it is."""
            figures = [(measure(1, large), measure(0, small)) for _ in range(bench.options.repeat)]
            bench.table.row(f"{what}, {count:,} messages: ms", {OURS: [a for a, _ in figures]}, digits=digits,
                            less=True)
            bench.table.row("  with 1,000 messages: ms", {OURS: [b for _, b in figures]}, digits=digits, less=True)

        beside("SELECT, p50", lambda number, _: bench.generator.run("imap-select", server, first=number,
                                                                    count=50)["p50_ms"])
        beside("SELECT (QRESYNC ...), nothing new, p50", lambda _, account: resynchronise(server, account))
        beside("250 to EXISTS in IDLE, p50", lambda number, _: bench.generator.run(
            "idle-exists", server, first=number, delivery_port=server.port("lmtp"), lmtp=True, rate=25, count=100)["p50_ms"])
        beside("LMTP, one connection, p50", lambda number, _: bench.generator.run(
            "lmtp", server, "lmtp", first=number, count=200)["p50_ms"])


def soak(bench):
    """All kinds of load at once; what the server holds after a quarter of the time, and at the end."""
    minutes = bench.options.soak
    accounts = 20
    with bench.servers(MdServer, accounts=accounts + 1) as servers:
        server = servers[OURS]
        process = bench.generator.hold("mixed", server, delivery_port=server.port("smtp"), pop3_port=server.port("pop3"),
                                       accounts=accounts, connections=10, rate=bench.options.soak_rate,
                                       seconds=minutes * 60, size="mix", verify=True, gate=True)
        process.stdin.write(b"\n")
        process.stdin.flush()
        began, samples = time.monotonic(), []
        while process.poll() is None and time.monotonic() - began < minutes * 60 - 2:
            time.sleep(min(5, minutes * 6))
            figures = server.metrics()
            samples.append({
                "memory": server.memory_octets() / MIB, "descriptors": server.descriptors(),
                "journal": figures["mailcore_store_journal_octets"] / MIB,
                "index": figures["mailcore_store_index_octets"] / MIB
            })
        report = process.stdout.readline()
        assert process.wait() == 0 and report, "the load has failed"
        crews = json.loads(report)["crews"]
        assert not any(crew.get("bad") for crew in crews.values()), f"not what was sent: {report}"
        quarter = max(1, len(samples) // 4)

        def late(name, part):
            return statistics.median(sample[name] for sample in part)

        early, end = samples[quarter:2 * quarter], samples[-quarter:]
        bench.table.row(f"mixed load for {minutes:g} minutes: memory at the end, of the first half's",
                        {OURS: [late("memory", end) / late("memory", early)]}, Goal(at_most=1.05), digits=3, less=True)
        bench.table.row("  memory at the end: MiB", {OURS: [late("memory", end)]}, digits=1, less=True)
        bench.table.row("  descriptors more at the end", {OURS: [late("descriptors", end) - late("descriptors", early)]},
                        Goal(at_most=20), less=True)
        bench.table.row("  journal: MiB, greatest", {OURS: [max(sample["journal"] for sample in samples)]}, less=True)
        bench.table.row("  journal at the end, of the first half's",
                        {OURS: [late("journal", end) / late("journal", early)]}, digits=2, less=True)
        bench.table.row("  index at the end, of the first half's",
                        {OURS: [late("index", end) / late("index", early)]}, digits=2, less=True)
