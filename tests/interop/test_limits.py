"""Limits that the system sets: descriptors that run out, and a control group's memory."""

import contextlib
import json
import os
import resource
import uuid

import clients
import processes
from clients import Raw
from hostile import MIB, logged_in, unharmed
from letter import Letter, tokens
from processes import wait_until
from story import Settings, Skip, story
from test_memory import half_a_message


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@story("no descriptor is left: who is there is served, who comes waits or is turned away, and it passes",
       servers=("mdserver",), deadline=90)
def no_descriptors(scene):
    server = scene.server(Settings(extra={("server", "connections_per_address_max"): 5000}))
    bob = server.accounts["bob"]
    first = Letter("first@example.org", bob.address)
    clients.deliver(server, first)
    clients.wait_letter(server, bob, first)
    reader = logged_in(server, bob)
    reader.imap("s", "SELECT INBOX")
    writer = Raw(server, "smtp")
    writer.reply()
    writer.smtp("EHLO writer.example")
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    room = 30
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (descriptors(server.pid) + room, before[1]))
    held = []
    try:
        with unharmed(server):
            for _ in range(room + 30):
                with contextlib.suppress(OSError):
                    held.append(Raw(server, "imap", seconds=0.3))
            # It does not spin on what it cannot accept.
            spent = processes.cpu_seconds(server.pid)
            reader.imap("n", "NOOP")
            greeted = sum(1 for raw in held if quiet_line(raw).startswith(b"* OK"))
            assert greeted < len(held), "the limit was not reached"
            assert processes.cpu_seconds(server.pid) - spent < 2, "it spins"
            # Who was there before is served. What it cannot take it says, with a 4xx.
            fetched = reader.imap("f", "FETCH 1 BODY.PEEK[]")
            assert fetched[-1].startswith(b"f OK") and first.token.encode() in b"".join(fetched), fetched
            acknowledged = []
            for number in range(20):
                letter = Letter(f"x{number}@example.org", bob.address, size=64 << 10)
                for command in (f"MAIL FROM:<{letter.sender}>", f"RCPT TO:<{bob.address}>", "DATA"):
                    said = writer.smtp(command)
                    assert said[:1] in ("2", "3", "4"), said
                    if said[:1] == "4":
                        writer.smtp("RSET")
                        break
                else:
                    writer.send(letter.smtp_octets)
                    said = writer.reply()
                    assert said[:1] in ("2", "4"), said
                    if said[:1] == "2":
                        acknowledged.append(letter.token)
            for raw in held:
                raw.socket.close()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
            wait_until(lambda: processes.greets(server.host, server.port("imap"), b"* OK"),
                       "connections to be taken again", 15)
        found = tokens(clients.messages(server, bob))
        assert set(acknowledged) <= set(found), "acknowledged, and not there"
        assert json.loads(server.control("status", "--json").stdout)["store"]["writable"]
    finally:
        for raw in (*held, reader, writer):
            raw.socket.close()


def quiet_line(raw):
    try:
        return raw.line() or b""
    except OSError:
        return b""


@contextlib.contextmanager
def memory_group(octets):
    """A control group with this much memory: the command that runs a program in it."""
    name = f"mailcore-{uuid.uuid4().hex[:8]}"
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup",
                                                                           "memory.max")):
        folder = os.path.join(root, name)
        try:
            os.mkdir(folder)
        except OSError:
            continue
        try:
            with open(os.path.join(folder, limit), "w", encoding="ascii") as file:
                file.write(str(octets))
        except OSError:
            os.rmdir(folder)
            continue
        try:
            yield folder, ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', folder)
        finally:
            wait_until(lambda: removed(folder), f"{folder} to be empty", 10)
        return
    raise Skip("no control group for memory can be made here")


def removed(folder):
    with contextlib.suppress(OSError):
        os.rmdir(folder)
        return True
    return False


def out_of_memory_kills(folder):
    for name in ("memory.oom_control", "memory.events"):
        for line in processes.read_text(os.path.join(folder, name)).splitlines():
            word, _, count = line.partition(" ")
            if word == "oom_kill":
                return int(count)
    raise AssertionError("the control group does not say what it killed")


@story("a control group's memory is the ceiling without a word of configuration: load is shed, nobody is killed",
       servers=("mdserver",), deadline=150)
def control_group(scene):
    if os.geteuid() != 0 or os.environ.get("MAILCORE_SANITIZE"):
        raise Skip("needs root, and memory that is no sanitizer's")
    # Pages of files count too, and can be dropped; what cannot is held below the limit by the server.
    limit = 128 * MIB
    with memory_group(limit) as (folder, within):
        server = scene.server(
            Settings(within=within, extra={("server", "connections_per_address_max"): 5000}))
        bob = server.accounts["bob"]
        idle = logged_in(server, bob)
        held, told = [], set()
        try:
            with unharmed(server, growth=limit):
                try:
                    for _ in range(600):
                        with contextlib.suppress(OSError):
                            raw, said = half_a_message(server)
                            told.add(said[:3])
                            if raw:
                                held.append(raw)
                    assert server.process.running(), server.everything_logged()
                    assert told & {"421", "452"}, told
                    assert idle.imap("n", "NOOP")[-1].startswith(b"n OK")
                finally:
                    for raw in held:
                        raw.socket.close()

                def taken():
                    with contextlib.suppress(Exception):
                        clients.deliver(server, Letter("again@example.org", bob.address))
                        return True
                    return False

                wait_until(taken, "mail to be taken again", 30, every=0.2)
            assert out_of_memory_kills(folder) == 0
        finally:
            idle.socket.close()
            server.stop()
