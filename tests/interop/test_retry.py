"""Outbound mail that does not go at the first try, and connections used more than once."""

import re
import socket
import threading

import clients
from letter import Letter, read, tokens
from processes import wait_until
from story import Settings, story

REMOTE = "example.net"


def receiver(scene, **how):
    port = scene.ports.port()
    peer = scene.postfix("receiver", hostname="mx.example.net", domains=[REMOTE], listeners={
        "mx": ("127.0.0.1", port)
    }, certificate=scene.certificate("mx.example.net"), **how)
    return peer, {REMOTE: ("127.0.0.1", port)}


def submit(server, *recipients, options=(), recipient_options=(), **how):
    alice = server.accounts["alice"]
    message = Letter(alice.address, recipients[0], **how)
    clients.submit(server, alice, message, recipients=list(recipients), options=options,
                   recipient_options=recipient_options)
    return message


def rejects(peer, recipient):
    return peer.logged(rf"reject: RCPT .*to=<{re.escape(recipient)}>")


@story("a 4xx at RCPT is tried again by the schedule until it is taken, and then once", needs=[
    "postfix"
])
def deferred(scene):
    peer, routes = receiver(scene, refuse={f"later@{REMOTE}": "450 4.2.1 come back later"})
    server = scene.server(Settings(routes=routes, retry_seconds=(1, 1, 1, 1, 1, 1)))
    message = submit(server, f"later@{REMOTE}")
    wait_until(lambda: len(rejects(peer, f"later@{REMOTE}")) >= 3, "three attempts", 20)
    server.wait_queue(1)
    wait_until(lambda: "4.2.1" in str(server.queue()), "the queue listing to say why", 5)
    peer.refuse({})
    found = peer.wait_delivered(f"later@{REMOTE}")
    assert tokens(found) == [message.token]
    server.wait_queue_empty()
    assert clients.messages(server, server.accounts["alice"]) == []


@story("the schedule survives a restart of the server", needs=["postfix"])
def restart(scene):
    peer, routes = receiver(scene, refuse={f"later@{REMOTE}": "450 4.2.1 come back later"})
    server = scene.server(Settings(routes=routes))
    message = submit(server, f"later@{REMOTE}")
    wait_until(lambda: rejects(peer, f"later@{REMOTE}"), "an attempt", 20)
    server.kill()
    peer.refuse({})
    server.start()
    assert tokens(peer.wait_delivered(f"later@{REMOTE}")) == [message.token]
    server.wait_queue_empty()


@story("of three recipients one is taken, one deferred, one refused: each gets its own fate, once",
       needs=["postfix"])
def mixed(scene):
    peer, routes = receiver(
        scene, refuse={f"later@{REMOTE}": "450 4.2.1 later", f"never@{REMOTE}": "550 5.1.1 never"})
    server = scene.server(Settings(routes=routes))
    alice = server.accounts["alice"]
    message = submit(server, f"now@{REMOTE}", f"later@{REMOTE}", f"never@{REMOTE}")
    assert tokens(peer.wait_delivered(f"now@{REMOTE}")) == [message.token]
    report, = clients.wait_messages(server, alice, 1)
    assert f"never@{REMOTE}".encode() in report and f"later@{REMOTE}".encode(
    ) not in report, report.decode()
    wait_until(lambda: len(rejects(peer, f"later@{REMOTE}")) >= 2, "two attempts", 20)
    peer.refuse({f"never@{REMOTE}": "550 5.1.1 never"})
    assert tokens(peer.wait_delivered(f"later@{REMOTE}")) == [message.token]
    server.wait_queue_empty()
    assert len(peer.delivered(f"now@{REMOTE}")) == 1 and len(rejects(peer, f"never@{REMOTE}")) == 1
    assert len(clients.messages(server, alice)) == 1


@story("after the lifetime the sender is told: a report with Action failed and the last 4xx",
       needs=["postfix"])
def given_up(scene):
    peer, routes = receiver(scene, refuse={f"later@{REMOTE}": "450 4.2.1 come back later"})
    server = scene.server(Settings(routes=routes, give_up_seconds=4))
    submit(server, f"later@{REMOTE}")
    report, = clients.wait_messages(server, server.accounts["alice"], 1, seconds=30)
    assert b"Action: failed" in report and b"come back later" in report, report.decode(
        errors="replace")
    server.wait_queue_empty()
    assert len(rejects(peer, f"later@{REMOTE}")) >= 2


@story("20 messages to one host need less than 20 connections", needs=["postfix"])
def reuse(scene):
    peer, routes = receiver(scene)
    server = scene.server(Settings(routes=routes))
    alice = server.accounts["alice"]
    sent = [Letter(alice.address, f"u{number}@{REMOTE}") for number in range(20)]
    if server.kind == "mdserver":
        peer.stop()  # all of them wait when it comes back, however slowly they were submitted
    with clients.smtplib_session(server, alice) as session:
        for message in sent:
            session.sendmail(message.sender, [message.recipient], message.octets)
    if server.kind == "mdserver":
        peer.start()
        server.control("queue", "retry", "--all")
    for message in sent:
        assert tokens(peer.wait_delivered(message.recipient)) == [message.token]
    # Postfix opens some side by side before it begins to keep them.
    assert peer.connections("mx") <= (10 if server.kind == "mdserver" else
                                      19), f"{peer.connections('mx')} connections for 20 messages"
    server.wait_queue_empty()


@story("100 recipients at one host go in few transactions", needs=["postfix"])
def many_recipients(scene):
    peer, routes = receiver(scene)
    server = scene.server(Settings(routes=routes))
    addresses = [f"user{number}@{REMOTE}" for number in range(100)]
    message = submit(server, *addresses, size=20_000)
    for address in addresses:
        assert tokens(peer.wait_delivered(address)) == [message.token]
    assert len(peer.logged(r"mx/smtpd\[\d+\]: [0-9A-F]+: client=")) <= 10
    server.wait_queue_empty()


class Unreliable:
    """A host that hangs up after some lines; a real Postfix never would in all these places."""

    SCRIPT = [
        b"220 flaky.example.net ESMTP\r\n", b"250-flaky.example.net\r\n250 8BITMIME\r\n",
        b"250 2.1.0 ok\r\n", b"250 2.1.5 ok\r\n", b"354 go on\r\n", b""
    ]

    def __init__(self, last):
        self.last, self.attempts = last, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def place(self):
        return self.socket.getsockname()[:2]

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.attempts += 1
            with connection:
                connection.settimeout(5)
                try:
                    for answer in self.SCRIPT[:self.last]:
                        connection.sendall(answer)
                        connection.recv(65536)
                except OSError:
                    pass


@story("a host that hangs up, at whatever point, gets the message later, and no report is made")
def hangs_up(scene):
    hosts = {f"after{last}.example": Unreliable(last) for last in range(len(Unreliable.SCRIPT) + 1)}
    server = scene.server(Settings(routes={domain: host.place for domain, host in hosts.items()}))
    for domain in hosts:
        submit(server, f"u@{domain}")
    wait_until(lambda: all(host.attempts >= 2
                           for host in hosts.values()), "second attempts at all of them", 40)
    server.wait_queue(len(hosts))
    assert clients.messages(server, server.accounts["alice"]) == []


@story("through a smart host with STARTTLS and AUTH, everything goes there", needs=[
    "postfix", "dovecot"
])
def smart_host(scene):
    relay = scene.dovecot()
    relay.add_account("relay-user", "relay pass")
    port = scene.ports.port()
    peer = scene.postfix(
        "relay", hostname="relay.example.net", domains=["anywhere.example"],
        certificate=scene.certificate("relay.example.net"), listeners={
            "relay": ("127.0.0.1", port, {
                "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": f"inet:127.0.0.1:{relay.ports['sasl']}",
                "smtpd_tls_auth_only": "yes", "smtpd_tls_security_level": "encrypt",
                "smtpd_recipient_restrictions": "permit_sasl_authenticated,reject",
                "smtpd_relay_restrictions": "permit_sasl_authenticated,reject"
            })
        })
    server = scene.server(Settings(smart_host=("127.0.0.1", port, "relay-user", "relay pass")))
    message = submit(server, "u@anywhere.example")
    found, = peer.wait_delivered("u@anywhere.example")
    assert read(found) == (message.token, True)
    assert peer.logged("sasl_username=relay-user")
