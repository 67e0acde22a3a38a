"""A next host that takes 7-bit mail only: what is 8-bit is converted, or returned."""

import clients
from letter import Letter, parse
from processes import wait_until
from story import Settings, story

REMOTE = "example.net"
TEXT = "Grüße aus Köln\r\n.ein Punkt\r\nFrom hier \r\nund weiter\r\n"
HTML = "<p>Grüße</p>\r\n"
OCTETS = bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"

INNER = ("Subject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
         "Content-Transfer-Encoding: 8bit\r\n\r\n").encode() + "Köln\r\n".encode("iso-8859-1")


def part(fields, content):
    return ("\r\n".join(fields) + "\r\n\r\n").encode() + content


def mixed(boundary, *parts):
    mark = f"--{boundary}\r\n".encode()
    return "Vorspann für alte Leser\r\n".encode() + b"".join(
        mark + each + b"\r\n" for each in parts) + f"--{boundary}--\r\n".encode()


def setting(scene):
    port = scene.ports.port()
    peer = scene.postfix(
        "receiver", hostname="mx.example.net", domains=[REMOTE], listeners={
            "mx": ("127.0.0.1", port)
        }, settings={"smtpd_discard_ehlo_keywords": "8bitmime, smtputf8, chunking"})
    return scene.server(Settings(routes={REMOTE: ("127.0.0.1", port)})), peer


def send(server, headers, body):
    alice = server.accounts["alice"]
    message = Letter(alice.address, f"u@{REMOTE}", headers=("MIME-Version: 1.0", *headers),
                     body=body)
    clients.submit(server, alice, message, options=["BODY=8BITMIME"])
    return message


def leaves(octets):
    """(type, content) of every leaf as Python decodes it; line ends as CRLF."""
    found = []
    for each in parse(octets).walk():
        if not each.is_multipart():
            content = each.get_payload(decode=True)
            content = content.replace(b"\r\n", b"\n").rstrip(b"\n")
            found.append((each.get_content_type(), each.get_content_charset(), content))
    return found


@story("8-bit mail for a host without 8BITMIME is converted, and says the same", needs=["postfix"])
def converted(scene):
    server, peer = setting(scene)
    label = "Content-Transfer-Encoding: 8bit"
    body = mixed(
        "b0", part(["Content-Type: text/plain; charset=utf-8", label], TEXT.encode()),
        part(["Content-Type: text/html; charset=utf-8", label], HTML.encode()),
        part(["Content-Type: application/x-octets", label], OCTETS),
        part(["Content-Type: message/rfc822", label], INNER),
        part(["Content-Type: text/plain"], b"plain as it was \r\n"))
    message = send(server, ('Content-Type: multipart/mixed; boundary="b0"', label), body)
    single = send(server, ("Content-Type: text/plain; charset=utf-8", label), TEXT.encode())
    found = {parse(octets)["Message-ID"]: octets
             for octets in peer.wait_delivered(message.recipient, 2)}
    for sent in (message, single):
        octets = found[f"<{sent.token}@letters.example>"]
        # Postfix leaves the preamble, which nobody reads, as it was.
        assert octets.isascii() or server.kind == "reference", octets
        assert leaves(octets) == leaves(sent.octets), (leaves(octets), octets)
        assert max(len(line) for line in octets.split(b"\n")) <= 998
        labels = [each["Content-Transfer-Encoding"] for each in parse(octets).walk()]
        assert "8bit" not in labels, labels
    server.wait_queue_empty()
    assert clients.messages(server, server.accounts["alice"]) == []


@story("what is signed in 8 bits is returned by 5.6.2, an 8-bit header by 5.6.9", needs=["postfix"],
       servers=("mdserver",))
def returned(scene):
    server, peer = setting(scene)
    alice = server.accounts["alice"]
    signed = send(
        server, ("Content-Type: multipart/signed; boundary=s; protocol=x; micalg=y",),
        mixed("s", part(["Content-Type: text/plain; charset=utf-8"], TEXT.encode()),
              part(["Content-Type: application/x-signature"], b"signature")))
    header = send(server, ("X-Name: Grüße",), b"plain\r\n")

    def reports():
        return [octets for octets in clients.messages(server, alice)]

    found = wait_until(lambda: len(all_of := reports()) >= 2 and all_of, "two reports", 20)
    for message, status in ((signed, b"5.6.2"), (header, b"5.6.9")):
        assert any(message.token.encode() in octets and b"Status: " + status in octets
                   for octets in found), (status, found)
    assert peer.delivered(signed.recipient) == []
    server.wait_queue_empty()
