"""mbsync (isync): two-way synchronisation, and what a killed one leaves."""

import os

import clients
from letter import Letter, read, tokens
from processes import wait_until
from story import story


def flags_of(server, account, folder="INBOX"):
    """{token: flags} over IMAP."""
    with clients.imaplib_session(server, account, tls="none", folder=folder) as session:
        return {read(octets)[0]: flags for _, flags, octets in clients.fetch_all(session)}


def append(server, account, count, folder="INBOX", size=2000):
    sent = [Letter("x@example.org", account.address, size=size) for _ in range(count)]
    with clients.imaplib_session(server, account, tls="none") as session:
        for message in sent:
            status, answer = session.append(folder, None, None, message.octets)
            assert status == "OK", answer
    return sent


@story("mbsync carries messages, flags, folders and deletions both ways", needs=["mbsync"])
def two_way(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    for tls in ("starttls", "tls"):
        first, second, third = append(server, bob, 3)
        sync = clients.Mbsync(scene, server, bob, tls=tls)
        sync.sync()
        assert sorted(tokens(octets for _, octets in sync.messages())) == \
            sorted(tokens(clients.messages(server, bob)))

        # Flags set here and there; a message deleted here, one there; one new here, one there.
        path = {read(open(path, "rb").read())[0]: path for path in sync.paths()}
        sync.set_flags(path[first.token], "FS")
        os.remove(path[second.token])
        local = Letter("local@example.org", bob.address)
        clients.write_file(os.path.join(sync.inbox, "new", f"1.{local.token}.host"),
                           local.unix_octets)
        with clients.imaplib_session(server, bob, tls="none", folder="INBOX") as session:
            uid = {read(octets)[0]: uid for uid, _, octets in clients.fetch_all(session)}
            session.uid("STORE", str(uid[third.token]), "+FLAGS", r"(\Answered)")
            assert session.create(f"Work-{tls}/Deep")[0] == "OK"
        remote, = append(server, bob, 1, f"Work-{tls}/Deep")
        clients.maildir(sync.folder(f"Made here {tls}"))
        sync.sync()

        there = flags_of(server, bob)
        assert there[first.token] >= {"\\Flagged", "\\Seen"
                                      } and second.token not in there and local.token in there
        here = {read(octets)[0]: flags for flags, octets in sync.messages()}
        assert here[third.token] == "R", here
        assert tokens(octets for _, octets in sync.messages(f"Work-{tls}/Deep")) == [remote.token]
        with clients.imaplib_session(server, bob, tls="none") as session:
            assert f"Made here {tls}" in b"\n".join(session.list()[1]).decode()

        with clients.imaplib_session(server, bob, tls="none", folder="INBOX") as session:
            session.uid("STORE", str(uid[third.token]), "+FLAGS", r"(\Deleted)")
            session.expunge()
        sync.sync()
        assert third.token not in tokens(octets for _, octets in sync.messages())
        sync.sync()  # nothing left to do, nothing undone
        assert sorted(tokens(octets for _, octets in sync.messages())) == \
            sorted(tokens(clients.messages(server, bob)))


@story("mbsync, killed with -9 again and again in the middle, ends with every message once", needs=[
    "mbsync"
], deadline=90)
def interrupted(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    sent = append(server, bob, 300, size=6000)
    sync = clients.Mbsync(scene, server, bob)
    local = [Letter("local@example.org", bob.address, size=6000) for _ in range(100)]
    clients.maildir(sync.inbox)
    for message in local:
        clients.write_file(os.path.join(sync.inbox, "new", f"1.{message.token}.host"),
                           message.unix_octets)
    kills = 0
    for target in (20, 90, 180, 270):
        process = sync.start()
        wait_until(lambda: not process.running() or len(sync.paths()) >= target + len(local),
                   f"{target} messages", 30, every=0.001)
        kills += process.running()
        process.kill()
    assert kills > 0, "mbsync was always faster than its killer"
    sync.sync()
    sync.sync()
    expected = sorted(message.token for message in sent + local)
    there = sorted(tokens(clients.messages(server, bob)))
    here = sorted(tokens(octets for _, octets in sync.messages()))
    # mbsync finds an upload that was cut off by its X-TUID header: none may be there twice.
    assert there == expected, f"{len(there)} messages on the server, {len(expected)} expected"
    assert here == expected, f"{len(here)} messages here, {len(expected)} expected"


@story("mbsync goes on after the server was killed with -9 in the middle", needs=["mbsync"],
       deadline=90)
def server_killed(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    sent = append(server, bob, 200, size=4000)
    sync = clients.Mbsync(scene, server, bob)
    clients.maildir(sync.inbox)
    process = sync.start()
    wait_until(
        lambda: not process.running() or len(sync.paths()) > 30,
        "30 messages", 30, every=0.001)
    server.kill()
    wait_until(lambda: not process.running(), "mbsync to notice", 30)
    server.start()
    sync.sync()
    assert sorted(tokens(octets for _, octets in sync.messages())) == sorted(message.token
                                                                             for message in sent)
