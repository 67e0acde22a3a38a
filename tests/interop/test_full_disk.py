"""A full disk: new mail is refused, old mail is served, and room made is used again."""

import errno
import os
import smtplib

import clients
import processes
from letter import Letter, tokens
from processes import wait_until
from story import Settings, Skip, story

MIB = 1 << 20


def fill(path):
    """Takes all the room there is."""
    with open(path, "ab", buffering=0) as file:
        for size in (MIB, 4096, 1):
            while True:
                try:
                    if not file.write(b"\0" * size):
                        break
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
                    break


@story(
    "a full disk: 452 to new mail; reading and expunging go on; with room, mail flows again",
    servers=("mdserver",), needs=["unshare", "nsenter"], deadline=120)
def full_disk(scene):
    if os.geteuid() != 0 or processes.run(["unshare", "-m", "true"], check=False).returncode != 0:
        raise Skip("no mount namespaces here")
    server = scene.server(Settings(disk_octets=512 * MIB))
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    acknowledged, refused = [], None

    def deliver():
        nonlocal refused
        message = Letter("x@example.org", bob.address, size=MIB)
        with clients.smtplib_session(server, service="smtp") as session:
            for code, text in (session.mail(message.sender), session.rcpt(bob.address)):
                if code != 250:
                    refused = (code, text)
                    return False
            try:
                code, text = session.data(message.octets)
            except smtplib.SMTPDataError as error:  # refused before it was sent
                code, text = error.smtp_code, error.smtp_error
        if code == 250:
            acknowledged.append(message.token)
            return True
        refused = (code, text)
        return False

    for _ in range(5):
        assert deliver(), refused
    clients.wait_messages(server, bob, 5)
    fill(server.file("ballast"))
    # The store keeps some room of its own; that has an end.
    for _ in range(300):
        fill(server.file("ballast"))
        if not deliver():
            break
    else:
        raise AssertionError("300 MiB were acknowledged on a full disk")
    assert refused[0] == 452 and refused[1].startswith(b"4.3.1"), refused
    for account in (alice, bob):
        with clients.imaplib_session(server, account, folder="INBOX") as session:
            assert session.uid("SEARCH", "ALL")[0] == "OK"
    found = tokens(clients.wait_messages(server, bob, len(acknowledged)))
    assert set(acknowledged) <= set(found), "acknowledged on a full disk, and not there"

    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        assert session.store("1", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert session.expunge()[0] == "OK"
    os.remove(server.file("ballast"))
    wait_until(deliver, "mail to be taken again", 30, every=0.2)
    clients.wait_messages(server, bob, len(acknowledged) - 1)
