#!/usr/bin/env python3
"""mdserver beside Debian's Postfix, Dovecot and Cyrus, in one run, durable on all sides.

    cmake/bench [--peers] [--quick] [--only WORD ...] [--repeat 3] [--json FILE] [--write-results] ...

Same machine, same generator (mdload), loopback; servers take turns within each line, several times around. Printed are
medians, with the least and the greatest in parentheses, the best peer of the line, the goal and whether it is reached.
Without --peers only mdserver is measured. Parts, for --only (a beginning is enough):

    machine   what the machine can do at all: durable appends, loopback, TLS handshakes
    smtp      SMTP in, until the mail can be read over IMAP      lmtp      LMTP in, many mailboxes and one
    disk      flushes a message, bytes written a byte of mail    exists    from the 250 to EXISTS in IDLE
    outbound  relaying, and a full queue                         login     IMAP logins, with TLS and without
    select    a large mailbox                                    fetch     FETCH 1:* (FLAGS ENVELOPE)
    body      BODY.PEEK[] of a mixed mailbox                     store     APPEND, STORE
    pop3      RETR of a maildrop                                 idle      memory of idle connections
    start     an empty server: time and memory                   database  the store by itself (bench_store)
    million   --large: a mailbox of 1,000,000 messages           soak      --soak MINUTES: mixed load
"""

import argparse
import contextlib
import datetime
import os
import resource
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)

import delivery  # noqa: E402
import life  # noqa: E402
import machine  # noqa: E402
import mailboxes  # noqa: E402
from generator import Generator  # noqa: E402
from servers import MdServer, processes, why_missing  # noqa: E402
from table import OURS, Table  # noqa: E402

RESULTS = os.path.join(here, "RESULTS.md")
QUICK = 20  # a quick run does a so-manieth


class Bench:
    """What the parts have at hand."""
    def __init__(self, options):
        self.options = options
        self.generator = Generator(options.build)
        self.table = Table()
        self.told = set()
        self.limits = {}

    def count(self, full):
        return max(full // QUICK, 50) if self.options.quick else full

    def seconds(self, full):
        return full / 4 if self.options.quick else full

    @staticmethod
    def free_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def kinds(self, *kinds):
        """Those that are asked for and can run here."""
        chosen = []
        for kind in kinds:
            if kind is not MdServer and not self.options.peers:
                continue
            reason = why_missing(kind)
            if reason and kind not in self.told:
                print(f"bench: without {kind.name}: {reason}", flush=True)
                self.told.add(kind)
            if not reason:
                chosen.append(kind)
        return chosen

    @contextlib.contextmanager
    def servers(self, *kinds, **how):
        """{name: started server}; they end with the block."""
        with contextlib.ExitStack() as ending:
            servers = {}
            for kind in self.kinds(*kinds):
                server = kind(directory=self.options.directory, **how)
                ending.callback(server.end)
                servers[kind.name] = server
            yield servers

    def in_turns(self, servers, measure):
        """{name: [measure(server), ...]}: one after the other, --repeat times around.

        A peer that fails is tried once more, then it is out of this part: `servers` loses it.
        """
        figures = {name: [] for name in servers}
        for _ in range(self.options.repeat):
            for name, server in list(servers.items()):
                figure = self._measure(name, server, measure)
                if figure is None:
                    del servers[name], figures[name]
                else:
                    figures[name].append(figure)
        return figures

    def prepare(self, servers, how):
        """how(server) for each; a peer that fails is out, as in `in_turns`."""
        for name, server in list(servers.items()):
            if self._measure(name, server, lambda each: how(each) or True) is None:
                del servers[name]

    @staticmethod
    def _measure(name, server, measure):
        for last in (False, True):
            try:
                return measure(server)
            except AssertionError as error:
                if name == OURS:
                    raise
                print(f"bench: {name} has failed{', and is left out' if last else ''}: {error}", flush=True)
        return None

    @staticmethod
    def once(servers, measure):
        return {name: [measure(server)] for name, server in servers.items()}


def measure_machine(bench):
    with bench.servers(MdServer) as servers:
        server = servers[OURS]
        limits = bench.generator.limits(server.directory, bench.seconds(4))
        limits["tls_handshakes"] = machine.tls_handshakes_limit(server, 2 if bench.options.quick else 4)
    bench.limits = limits
    for what, key in LIMITS:
        print(f"  {what:70} {limits[key]:12,.0f}" if limits[key] else f"  {what}: cannot be measured", flush=True)


LIMITS = (("appends of 4 KiB with fdatasync, a second", "fdatasync_4k"),
          ("sequential writing, 8 MiB a fdatasync: MB/s", "write_mb"),
          ("round trips of 128 octets over loopback between two threads, a second", "round_trips"),
          ("TLS 1.3 full handshakes, openssl to itself on the same cores, a second", "tls_handshakes"))


def measure_database(bench):
    subprocess.run([os.path.join(bench.options.build, "tests", "bench", "bench_store")], check=False)


PARTS = {
    "machine": measure_machine, "smtp": delivery.smtp, "disk": delivery.disk, "lmtp": delivery.lmtp,
    "exists": delivery.exists, "outbound": delivery.outbound, "login": mailboxes.login, "select": mailboxes.select,
    "fetch": mailboxes.fetch, "body": mailboxes.body, "store": mailboxes.store, "pop3": mailboxes.pop3,
    "idle": life.idle, "start": life.start, "million": life.million, "soak": life.soak, "database": measure_database
}


def chosen_parts(options):
    """In the order of PARTS; what takes long, and what has no line in the table, only when asked for."""
    if options.only:
        unknown = [word for word in options.only if not any(name.startswith(word) for name in PARTS)]
        if unknown:
            sys.exit(f"bench: no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return [name for name in PARTS if any(name.startswith(word) for word in options.only)]
    asked = {"million": options.large, "soak": options.soak_asked, "database": False}
    return [name for name in PARTS if asked.get(name, True)]


def results_text(bench, options, binaries):
    """RESULTS.md: the run, and the machine that it was on."""
    described = machine.describe(options.directory or tempfile.gettempdir())
    text = f"""# A run of the benchmarks

Written by `./cmake/bench --peers --write-results`; not by hand. {datetime.date.today():%Y-%m-%d}; repetitions: {options.repeat}{
"; a quick run, which shows that it works and no more" if options.quick else ""}.

| the machine | |
|---|---|
"""
    text += "".join(f"| {what} | {value} |\n" for what, value in described.items())
    text += "".join(f"| {name} | {version} |\n" for name, version in machine.versions(binaries).items())
    if bench.limits:
        text += "\nWhat it can do at all, measured in the same run:\n\n| limit | |\n|---|---:|\n"
        text += "".join(f"| {what} | {bench.limits[key]:,.0f} |\n" for what, key in LIMITS if bench.limits.get(key))
    text += f"""
The generator runs on the same cores. Each cell is the median, with the least and the greatest in parentheses; "times better" is
against the best peer of the line. {bench.table.summary()}.

"""
    text += bench.table.markdown()
    peers = bench.table.peers_markdown()
    if peers:
        text += "\nEvery peer, where there is more than one:\n\n" + peers
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build folder (cmake/bench gives it)")
    parser.add_argument("--hosts", help="folder of mdserver and mdctl, if not the build's own")
    parser.add_argument("--peers", action="store_true", help="measure the peers as well")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="these parts")
    parser.add_argument("--repeat", type=int, default=None, help="repetitions (3; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="much less of everything: to see that it works")
    parser.add_argument("--large", action="store_true", help="also the mailbox of a million messages")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="also the mixed load, for so long")
    parser.add_argument("--soak-rate", type=float, default=100, help="messages a second of the mixed load (100)")
    parser.add_argument("--directory", help="where the servers' folders are made: the disk that is measured")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--write-results", action="store_true", help="write tests/bench/RESULTS.md")
    options = parser.parse_args()
    options.soak_asked = options.soak is not None
    options.soak = options.soak or (0.5 if options.quick else 20)
    options.repeat = options.repeat or (1 if options.quick else 3)
    hosts = options.hosts or os.path.join(options.build, "hosts")
    MdServer.binaries = binaries = [os.path.abspath(os.path.join(hosts, name)) for name in ("mdserver", "mdctl")]
    processes.adopt_orphans()
    # Servers inherit it: ten thousand connections are that many descriptors.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bench, failed = Bench(options), []
    for part in chosen_parts(options):
        bench.table.part = part
        try:
            PARTS[part](bench)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            # One part that cannot be measured does not take the others with it.
            print(f"bench: {part} has failed: {error}", flush=True)
            failed.append(part)
        if options.write_results:  # after each: a run that is stopped leaves what it had
            with open(RESULTS, "w", encoding="utf-8") as file:
                file.write(results_text(bench, options, binaries))
    print(bench.table.summary() + (f"; failed: {', '.join(failed)}" if failed else ""))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(bench.table.json(limits=bench.limits, machine=machine.describe(options.directory or tempfile.gettempdir()),
                                        versions=machine.versions(binaries)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
