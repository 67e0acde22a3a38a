#!/usr/bin/env python3
"""What a running mdserver holds in memory: empty, for each idle connection, for each message on its way in.

    footprint.py --build build/release [--connections 200] [--only "IMAP idle TLS"] [--bounds none]

Starts a real server, opens connections over loopback, waits until their buffers have been given back, and prints the
growth of the server's anonymous memory a connection. The table also goes to BUILD/footprint.txt. Fails only above the
bounds below, which are what the project promises (release builds; a sanitizer's memory is its own).
"""

import argparse
import concurrent.futures
import os
import resource
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "interop"))
sys.dont_write_bytecode = True

import mdserver  # noqa: E402
import certificates  # noqa: E402
import processes  # noqa: E402
import story  # noqa: E402

KIB, MIB = 1024, 1024 * 1024
BOUNDS = {  # octets, milliseconds
    "empty server": 20 * MIB,
    "IMAP idle": 30 * KIB,
    "IMAP idle TLS": 30 * KIB,
    "ready": 200,
}
PASSWORD = "pass word jo"


class Line:
    """A client that speaks lines."""
    def __init__(self, port, tls, number):
        # Of several addresses, so that none reaches its ceiling.
        self.socket = socket.create_connection(("127.0.0.1", port), 20, source_address=(f"127.0.{1 + number // 100}.1", 0))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.unread = b""

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        while b"\n" not in self.unread:
            octets = self.socket.recv(65536)
            assert octets, "the server closed the connection"
            self.unread += octets
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def until(self, *starts):
        while True:
            line = self.line()
            if line.startswith(starts):
                return line

    def ask(self, line, *starts):
        self.send(line.encode() + b"\r\n")
        return self.until(*starts)

    def close(self):
        self.socket.close()


def smtp_idle(line):
    line.until(b"220 ")
    line.ask("EHLO client.example.org", b"250 ")


def imap_login(line):
    line.until(b"* OK")
    assert line.ask(f'a LOGIN jo@example.test "{PASSWORD}"', b"a ").startswith(b"a OK")


def imap_idle(line):
    imap_login(line)
    assert line.ask("b SELECT INBOX", b"b ").startswith(b"b OK")
    assert line.ask("c IDLE", b"+", b"c ").startswith(b"+")


def pop3_idle(line):
    # One session has a maildrop: before login.
    line.until(b"+OK")
    line.ask("CAPA", b".")


def smtp_message(octets):
    def begin(line):
        smtp_idle(line)
        assert line.ask(f"MAIL FROM:<x@example.org> SIZE={20 * MIB}", b"2", b"4", b"5").startswith(b"250")
        assert line.ask("RCPT TO:<jo@example.test>", b"2", b"4", b"5").startswith(b"250")
        assert line.ask("DATA", b"3", b"4", b"5").startswith(b"354")
        line.send(b"Subject: half\r\n\r\n" + (b"x" * 70 + b"\r\n") * (octets // 72))
    return begin


def imap_message(octets):
    def begin(line):
        imap_login(line)
        line.send(b"b APPEND INBOX {%d}\r\n" % (20 * MIB))
        assert line.until(b"+", b"b ").startswith(b"+")
        line.send(b"Subject: half\r\n\r\n" + (b"x" * 70 + b"\r\n") * (octets // 72))
    return begin


CASES = [  # name, service, TLS, how a connection gets there, share of the connections
    ("SMTP idle", "smtp", False, smtp_idle, 1),
    ("SMTP idle TLS", "submissions", True, smtp_idle, 1),
    ("IMAP idle", "imap", False, imap_idle, 1),
    ("IMAP idle TLS", "imaps", True, imap_idle, 1),
    ("POP3 idle", "pop3", False, pop3_idle, 1),
    ("POP3 idle TLS", "pop3s", True, pop3_idle, 1),
    ("SMTP message, 64 KiB come", "smtp", False, smtp_message(64 * KIB), 0.25),
    ("SMTP message, 1 MiB come", "smtp", False, smtp_message(MIB), 0.25),
    ("IMAP message, 1 MiB come", "imap", False, imap_message(MIB), 0.25),
]


def anonymous(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * KIB
    return 0


def settled(pid, seconds):
    """Anonymous memory, when it has not fallen for `seconds`: as long as idle buffers may be kept."""
    lowest = anonymous(pid)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.25)
        now = anonymous(pid)
        if now < lowest - 64 * KIB:
            until = time.monotonic() + seconds
        lowest = min(lowest, now)
    return lowest


class Running:
    """A server in a folder of its own."""
    def __init__(self, binaries):
        self.directory = tempfile.mkdtemp(prefix="mcf-")
        authority = certificates.Authority(f"{self.directory}/ca").create()
        scene = story.Scene(self.directory, authority, "mdserver", binaries)
        many = {("server", "connections_per_address_max"): 100_000}
        self.server = mdserver.MdServer(scene, scene.folder("server"), story.Settings(extra=many))

    def start(self):
        """Answers how many milliseconds it took until IMAP was answered."""
        port = self.server.port("imap")
        begin = time.monotonic()
        self.server.spawn()
        processes.wait_until(lambda: processes.greets("127.0.0.1", port, b"* OK"), "a greeting", 20, every=0.001)
        ready = (time.monotonic() - begin) * 1000
        processes.wait_until(self.server.ready, "all services", 20)
        return ready

    def stop(self):
        self.server.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def measure_empty(binaries):
    ready, empty = [], []
    for _ in range(3):
        running = Running(binaries)
        try:
            ready.append(running.start())
            empty.append(settled(running.server.pid, 1))
        finally:
            running.stop()
    return [("empty server", statistics.median(empty), "octets"), ("ready", min(ready), "milliseconds")]


def measure(binaries, count, case):
    """A case in a server of its own, so that it has nothing that another left behind."""
    name, service, tls, begin, share = case
    running, lines = Running(binaries), []
    try:
        running.start()
        server = running.server
        server.add_account("jo@example.test", PASSWORD)

        def add(number):
            for _ in range(number):
                lines.append(Line(server.port(service), tls, len(lines)))
                begin(lines[-1])
        # What the first connections of a kind bring to life for all stays out of the figure.
        add(20)
        before = settled(server.pid, 7 if tls else 1)
        number = int(count * share)
        add(number)
        return name, (settled(server.pid, 7 if tls else 1) - before) / number, "octets each"
    finally:
        for line in lines:
            line.close()
        running.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--bounds", choices=["promised", "none"], default="promised")
    options = parser.parse_args()
    binaries = [os.path.abspath(os.path.join(options.build, "hosts", name)) for name in ("mdserver", "mdctl")]
    if not all(os.path.exists(each) for each in binaries):
        print("footprint: mdserver and mdctl are not built")
        return 77
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    cases = [case for case in CASES if not options.only or case[0] in options.only]
    figures = measure_empty(binaries)
    with concurrent.futures.ThreadPoolExecutor(len(CASES)) as pool:  # they mostly wait
        figures += pool.map(lambda case: measure(binaries, options.connections, case), cases)
    text, high = f"Anonymous memory of mdserver, {options.connections} connections over loopback:\n", []
    for name, figure, unit in figures:
        bound = BOUNDS.get(name)
        text += f"  {name:28} {figure:12,.0f} {unit:12}" + (f"  asked: at most {bound:,}" if bound else "") + "\n"
        if bound and figure > bound and name != "ready":  # no time is ever a test
            high.append(name)
    print(text, end="", flush=True)
    with open(os.path.join(options.build, "footprint.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    if high and options.bounds == "promised":
        print("above what is promised: " + ", ".join(high))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
