"""Memory that runs short: who comes is told to come later, who is idle stays, and it passes."""

import os
import contextlib
import json
import resource

import clients
import processes
from clients import Raw
from hostile import MIB, logged_in, unharmed
from letter import Letter
from processes import wait_until
from story import Settings, Skip, story

MEMORY_MAX = 64 * MIB
HALF = b"Subject: half\r\n\r\n" + (b"x" * 70 + b"\r\n") * (MIB // 72)


def half_a_message(server):
    """A connection that sends 1 MiB of a message and then nothing; None with what it was told instead."""
    raw = Raw(server, "smtp", seconds=5)
    said = raw.reply()
    for command in ("EHLO half.example", "MAIL FROM:<x@example.org>", "RCPT TO:<bob@example.test>",
                    "DATA"):
        if said[:1] not in ("2", "3"):
            break
        said = raw.smtp(command)
    if said.startswith("354"):
        raw.send(HALF)
        return raw, said
    raw.socket.close()
    return None, said


def metrics(server):
    """{name with labels: value} of those that are about memory."""
    text = server.control("metrics").stdout
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines() if line and not line.startswith("#")
    }


def virtual_octets(pid):
    """What RLIMIT_DATA counts."""
    for line in processes.read_text(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmData")


@story("a flood of half-sent messages is shed with 4xx before the ceiling; idle clients stay",
       servers=("mdserver",), deadline=150)
def half_sent_flood(scene):
    if os.environ.get("MAILCORE_SANITIZE"):
        raise Skip("a sanitizer's memory is its own")
    server = scene.server(
        Settings(
            extra={
                ("server", "memory_max"): MEMORY_MAX,
                ("server", "connections_per_address_max"): 5000
            }))
    bob = server.accounts["bob"]
    # A limit of the kernel's: an allocation beyond it would end the server.
    limit = virtual_octets(server.pid) + 2 * MEMORY_MAX
    resource.prlimit(server.pid, resource.RLIMIT_DATA, (limit, limit))
    idle = logged_in(server, bob)
    idle.imap("s", "SELECT INBOX")
    idle.send("i IDLE\r\n")
    assert idle.line().startswith(b"+")

    held, told, peak = [], set(), 0
    with unharmed(server):
        try:
            for _ in range(800):
                with contextlib.suppress(OSError):  # told goodbye in the middle of it
                    raw, said = half_a_message(server)
                    told.add(said[:9])
                    if raw:
                        held.append(raw)
                peak = max(peak, processes.memory_octets(server.pid))
            assert server.process.running(), server.everything_logged()
            assert peak <= MEMORY_MAX, f"{peak >> 20} MiB of {MEMORY_MAX >> 20} were used"
            seen = metrics(server)  # administration is let in at any time
            refused = seen['mailcore_connections_refused_total{ceiling="memory_max"}'] + seen[
                "mailcore_messages_refused_total"]
            assert refused > 0, seen
            assert told & {"421 4.3.2", "452 4.3.1"}, told
            assert all(each[:3] in ("354", "421", "452") for each in told), told
            status = json.loads(server.control("status", "--json").stdout)
            assert status["store"]["writable"]
        finally:
            for raw in held:
                raw.socket.close()

        # Once they are gone there is room again.
        def taken():
            with contextlib.suppress(Exception):
                clients.deliver(server, Letter("again@example.org", bob.address))
                return True
            return False

        wait_until(taken, "mail to be taken again", 30, every=0.2)
        line = idle.line()
        assert b"EXISTS" in line, line
        idle.send("DONE\r\n")
        assert idle.tagged("i")[-1].startswith(b"i OK")
        idle.socket.close()
