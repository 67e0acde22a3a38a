"""How stories that misbehave talk, and how they make sure that nobody else was harmed by it."""

import contextlib
import os

import clients
import processes
from clients import Raw
from letter import Letter

MIB = 1 << 20
SERVICES = ("smtp", "submission", "imap", "pop3")


@contextlib.contextmanager
def unharmed(server, growth=64 * MIB):
    """Afterwards the server still takes and gives mail, and has not grown by more than `growth`."""
    # A sanitizer keeps what is freed.
    measured = server.kind == "mdserver" and not os.environ.get("MAILCORE_SANITIZE")
    before = processes.memory_octets(server.pid) if measured else 0
    yield
    if measured:
        now = processes.memory_octets(server.pid)
        assert now - before <= growth, f"memory grew from {before >> 10} to {now >> 10} KiB"
    bob = server.accounts["bob"]
    message = Letter("after@example.org", bob.address)
    clients.deliver(server, message)
    clients.wait_letter(server, bob, message)
    with clients.poplib_session(server, bob) as session:
        assert session.stat()[0] >= 1


def wire_lines(*texts):
    """The texts as lines on the wire."""
    return "".join(text + "\r\n" for text in texts).encode()


def feed(raw, octets, count):
    """Sends `octets` `count` times, for as long as the server listens; True when all went."""
    try:
        for _ in range(count):
            raw.send(octets)
        return True
    except OSError:
        return False


def answers(raw):
    """All that still comes within the time-out, to the end or not."""
    octets = b""
    with contextlib.suppress(OSError):
        raw.socket.settimeout(2)
        while len(octets) < MIB and (more := raw.socket.recv(65536)):
            octets += more
    return raw.pending + octets


def greeted(server, service, **how):
    raw = Raw(server, service, **how)
    raw.reply() if service in ("smtp", "submission") else raw.line()
    return raw


def logged_in(server, account, service="imap", **how):
    raw = greeted(server, service, **how)
    if service == "imap":
        assert b"a OK" in raw.imap("a", f'LOGIN {account.address} "{account.password}"')[-1]
    else:
        raw.send(f"USER {account.address}\r\n")
        raw.line()
        raw.send(f"PASS {account.password}\r\n")
        assert raw.line().startswith(b"+OK")
    return raw
