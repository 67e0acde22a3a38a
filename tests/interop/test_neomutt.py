"""neomutt: sends in batch, reads a mailbox on a pseudo terminal."""

import os

import clients
from letter import Letter, parse, read
from story import story


@story("neomutt sends in batch over STARTTLS and TLS, with an attachment and a subject in UTF-8",
       needs=["neomutt"])
def send(scene):
    server = scene.server()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    attachment = clients.write_file(scene.path("noise.bin"), os.urandom(100_000))
    for number, tls in enumerate(("none", "starttls", "tls"), 1):
        clients.neomutt_send(scene, server, alice, bob.address, f"Grüße {tls}", "Schöne Grüße\n",
                             tls=tls, options=["-a", attachment])
        clients.wait_messages(server, bob, number)
        found = [
            message for message in map(parse, clients.messages(server, bob))
            if message["Subject"].split()[1] == tls
        ]
        assert len(found) == 1 and found[0]["Subject"] == f"Grüße {tls}", [
            one["Subject"] for one in found
        ]
        text, noise = found[0].iter_parts()
        assert text.get_content().strip() == "Schöne Grüße"
        with open(attachment, "rb") as file:
            assert noise.get_content() == file.read()


@story("neomutt reads, flags, copies and deletes in a mailbox over IMAP", needs=["neomutt"])
def read_mailbox(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    sent = [
        Letter("x@example.org", bob.address, subject=f"Number {number}", size=3000 * number)
        for number in (1, 2, 3)
    ]
    for message in sent:
        clients.deliver(server, message)
        clients.wait_letter(server, bob, message)
    for tls in ("starttls", "tls"):
        target = scene.path(f"piped-{tls}")
        # Write the first message whole into a file, copy and flag it, delete the last, leave.
        keys = f"<first-entry><pipe-message>cat >{target}<enter>"
        if tls == "starttls":
            keys += "<copy-message>=Copied<enter>y<flag-message>"
            keys += "<last-entry><delete-message><sync-mailbox>"
        clients.neomutt_read(scene, server, bob, keys + "<quit>", tls=tls,
                             more='set sort=mailbox-order\nset pipe_decode=no')
        with open(target, "rb") as file:
            assert read(file.read()) == (sent[0].token, True)
    with clients.imaplib_session(server, bob, tls="none", folder="INBOX") as session:
        found = {read(octets)[0]: flags for _, flags, octets in clients.fetch_all(session)}
    assert set(found) == {sent[0].token, sent[1].token}, found
    assert "\\Flagged" in found[sent[0].token]
    assert read(clients.messages(server, bob, "Copied")[0])[0] == sent[0].token
