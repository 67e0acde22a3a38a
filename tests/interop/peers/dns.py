"""Name servers: NSD (Debian's `nsd`) with a zone from a dict, and one that misbehaves as none will.

The zone is the root, so that every name not in the dict is NXDOMAIN, with a SOA as RFC 2308 asks.

    {"example.net": {"MX": [(10, "mx1.example.net"), (20, "mx2.example.net")],
                     "TXT": ["v=spf1 -all"]},
     "mx1.example.net": {"A": ["127.77.0.10"]}, "www.example.net": {"CNAME": "example.net"},
     "nomail.example": {"MX": [(0, ".")]}}                     # RFC 7505
"""

import os
import socket
import struct
import threading

import processes
from processes import wait_until, write_file

NSD = "/usr/sbin/nsd"

CONFIG = """\
server:
  ip-address: {address}@{port}
  username: ""
  chroot: ""
  server-count: 1
  zonesdir: "{directory}"
  logfile: "{directory}/log"
  pidfile: "{directory}/pid"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  xfrdir: "{directory}"
  {series}
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "zone"
"""

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52,
    "ANY": 255
}


def missing():
    return None if os.path.exists(NSD) else "package nsd is missing"


def absolute(name):
    return name if name.endswith(".") else name + "."


def zone_text(zone, ttl=60):
    lines = [
        f"$TTL {ttl}", ". IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 1",
        ". IN NS ns.invalid.", "ns.invalid. IN A 127.0.0.1"
    ]
    for name, records in zone.items():
        for kind, values in records.items():
            for value in [values] if isinstance(values, str) else values:
                if kind == "MX":
                    value = f"{value[0]} {absolute(value[1])}"
                elif kind in ("CNAME", "NS", "PTR"):
                    value = absolute(value)
                elif kind == "TXT":
                    # A character-string holds 255 octets; longer texts are several of them.
                    value = " ".join('"' + value[at:at + 255] + '"'
                                     for at in range(0, len(value), 255))
                lines.append(f"{absolute(name)} IN {kind} {value}")
    return "\n".join(lines) + "\n"


class Nsd:
    """A real authoritative server; clients use it as their resolver."""
    def __init__(self, directory, address, port, zone):
        self.directory, self.address, self.port = directory, address, port
        self.process = None
        os.makedirs(directory, exist_ok=True)
        version = processes.run([NSD, "-v"], check=False)
        before_4_8 = [
            int(part) for part in (version.stdout + version.stderr).split()[2].split(".")[:2]
        ] < [4, 8]
        write_file(
            f"{directory}/nsd.conf",
            CONFIG.format(directory=directory, address=address, port=port, series='database: ""'
                          if before_4_8 else ""))
        self.set_zone(zone)

    @property
    def server(self):
        return f"{self.address}:{self.port}"

    def set_zone(self, zone):
        write_file(f"{self.directory}/zone", zone_text(zone))
        if self.process:
            self.stop()
            self.start()

    def start(self):
        self.process = processes.Process([NSD, "-d", "-c", f"{self.directory}/nsd.conf"],
                                         f"{self.directory}/start.log")

        def ready():
            assert self.process.running(), f"nsd did not start:\n{self.everything_logged()}"
            return ask(self.address, self.port, "ns.invalid", "A")

        wait_until(ready, "nsd to answer")
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def everything_logged(self):
        return processes.read_text(f"{self.directory}/start.log") + \
            processes.read_text(f"{self.directory}/log")


# The misbehaving one. Wire format: RFC 1035 §4.1.


def encode_name(name):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(name, kind, number=0x4D43):
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + encode_name(name) + \
        struct.pack("!2H", TYPES[kind], 1)


def ask(address, port, name, kind, seconds=0.3):
    """The answer to one question over UDP as octets, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(seconds)
        try:
            udp.connect((address, port))
            udp.send(query(name, kind))
            return udp.recv(65535)
        except OSError:
            return None


def question(octets):
    """(name in lower case, type, octets of the question section) of a query."""
    labels, at = [], 12
    while octets[at]:
        labels.append(octets[at + 1:at + 1 + octets[at]].decode(errors="replace").lower())
        at += 1 + octets[at]
    kind, = struct.unpack_from("!H", octets, at + 1)
    return ".".join(labels), kind, octets[12:at + 5]


def header(octets, *, flags=0x8180, answers=0, number=None):
    asked, = struct.unpack_from("!H", octets)
    return struct.pack("!6H", asked if number is None else number & 0xFFFF, flags, 1, answers, 0, 0)


def record(kind, data, name=b"\xc0\x0c", ttl=60):
    return name + struct.pack("!2HIH", TYPES[kind], 1, ttl, len(data)) + data


class LyingDns:
    """Answers truthfully from `upstream`, except for the names in `lies` {name or .suffix: lie}.

    silent         no answer
    servfail, refused, formerr
    wrong_id, wrong_question, garbage, short
    loop           a compression pointer to itself
    cname_loop     two names that are each other's
    cut_record     lengths beyond the end
    truncated      TC over UDP, nothing over TCP
    huge           TC over UDP, then 64 KiB of MX over TCP
    huge_udp       4,000 octets nobody asked for
    many_mx        1,000 of them
    spoof_first    a forged answer with another id, then the truth
    """
    def __init__(self, address, port, upstream, lies):
        self.address, self.port, self.upstream, self.lies = address, port, upstream, lies
        self.asked = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, port))
        self.tcp.listen(50)
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    @property
    def server(self):
        return f"{self.address}:{self.port}"

    def questions(self, name):
        """How often `name` was asked for, whatever the type."""
        return sum(1 for asked, _ in list(self.asked) if asked == name.lower())

    def everything_logged(self):
        return "".join(f"asked {name} type {kind}\n" for name, kind in list(self.asked))

    def stop(self):
        self.udp.close()
        self.tcp.close()

    def _lie(self, name):
        for known, lie in self.lies.items():
            if name == known or known.startswith(".") and name.endswith(known):
                return lie
        return None

    def _serve_udp(self):
        while True:
            try:
                octets, client = self.udp.recvfrom(4096)
            except OSError:
                return
            threading.Thread(target=self._answer_udp, args=(octets, client), daemon=True).start()

    def _answer_udp(self, octets, client):
        try:
            name, kind, asked = question(octets)
        except (IndexError, struct.error):
            return
        self.asked.append((name, kind))
        lie = self._lie(name)
        for answer in self._forwarded(octets) if lie is None else self._lies(
                lie, octets, name, asked):
            try:
                self.udp.sendto(answer, client)
            except OSError:
                return

    def _forwarded(self, octets):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(2)
            upstream.connect((self.upstream.address, self.upstream.port))
            upstream.send(octets)
            try:
                return [upstream.recv(65535)]
            except OSError:
                return []

    def _lies(self, lie, octets, name, asked):
        mx = record("MX", struct.pack("!H", 10) + encode_name("evil.invalid"))
        number, = struct.unpack_from("!H", octets)
        kind, = struct.unpack_from("!H", asked, len(asked) - 4)
        if lie == "silent":
            return []
        if lie in ("servfail", "refused", "formerr"):
            return [
                header(octets, flags=0x8180 | {"servfail": 2, "refused": 5, "formerr": 1}[lie]) +
                asked
            ]
        if lie == "wrong_id":
            return [
                header(octets, answers=1, number=number + delta) + asked + mx
                for delta in (1, 2, 0x100)
            ]
        if lie == "wrong_question":
            other = encode_name("other.invalid") + struct.pack("!2H", TYPES["MX"], 1)
            return [header(octets, answers=1) + other + mx]
        if lie == "garbage":
            return [octets[:2] + os.urandom(200), os.urandom(40), b""]
        if lie == "short":
            return [octets[:2] + b"\x81\x80\0"]
        if lie == "loop":
            return [
                header(octets, answers=1) + asked + b"\xc0" + bytes([12 + len(asked)]) +
                struct.pack("!2HIH", TYPES["MX"], 1, 60, 4) + b"\0\x0a\xc0\x0c"
            ]
        if lie == "cut_record":
            return [
                header(octets, answers=40) + asked + b"\xc0\x0c" + struct.pack(
                    "!2HIH", TYPES["MX"], 1, 60, 60000) + b"\0\x0a"
            ]
        if lie in ("truncated", "huge"):
            return [header(octets, flags=0x8380) + asked]
        if lie == "huge_udp":
            return [header(octets, answers=200) + asked + mx * 200]
        if lie == "cname_loop":
            there = record("CNAME", encode_name("b." + name))
            back = record("CNAME", encode_name(name), name=encode_name("b." + name))
            return [header(octets, answers=2) + asked + there + back]
        if lie == "many_mx":
            return [
                header(octets, answers=1000) + asked + b"".join(
                    record("MX",
                           struct.pack("!H", preference) + b"\x01m\xc0\x0c")
                    for preference in range(1000))
            ]
        if lie == "spoof_first":
            forged = header(octets, answers=1, number=number ^ 0x5555) + asked + \
                (mx if kind == TYPES["MX"] else record("A", socket.inet_aton("127.0.0.250")))
            return [forged, *self._forwarded(octets)]
        raise ValueError(f"no such lie: {lie}")

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_tcp, args=(connection,), daemon=True).start()

    def _answer_tcp(self, connection):
        with connection:
            connection.settimeout(5)
            try:
                size, = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
                octets = connection.recv(size, socket.MSG_WAITALL)
                name, kind, asked = question(octets)
                lie = self._lie(name)
                self.asked.append((name, kind))
                if lie == "huge":
                    answer = header(octets, answers=2000) + asked
                    while len(answer) < 65000:
                        answer += record("MX", struct.pack("!H", 10) + encode_name("evil.invalid"))
                    connection.sendall(struct.pack("!H", len(answer)) + answer)
                elif lie is None:
                    with socket.create_connection((self.upstream.address, self.upstream.port),
                                                  2) as upstream:
                        upstream.sendall(struct.pack("!H", len(octets)) + octets)
                        head = upstream.recv(2, socket.MSG_WAITALL)
                        connection.sendall(head + upstream.recv(
                            struct.unpack("!H", head)[0], socket.MSG_WAITALL))
            except (OSError, struct.error, IndexError):
                return
