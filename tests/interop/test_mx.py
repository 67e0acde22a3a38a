"""The server finds Postfix through MX records of a real name server, and bears one that lies."""

import clients
from letter import Letter, parse, tokens
from processes import wait_until
from story import Settings, story

GOOD = "example.net"


def setting(scene, zone, *, listeners=("mx1",), lies=None, refuse=None, **settings):
    """(server, Postfix, name server): each listener is a host of its own at one delivery port."""
    port = scene.ports.port()
    # A host of each name, and "dead", where nobody listens.
    address = {name: scene.ports.address() for name in (*listeners, "dead") if name != "ipv6"}
    filled = {
        name: {
            kind: [
                value.format(**address) if isinstance(value, str) else value for value in values
            ]
            for kind, values in records.items()
        }
        for name, records in zone.items()
    }
    places = {
        name: ("::1", port) if name == "ipv6" else (address[name], port)
        for name in listeners
    }
    peer = scene.postfix(
        "receiver", hostname="mx1.example.net", listeners=places, refuse=refuse,
        domains=sorted({name.lstrip("*.")
                        for name in zone} | {GOOD}
                       | set(lies or ())), certificate=scene.certificate("mx1.example.net"))
    names = scene.dns(filled)
    if lies is not None:
        names = scene.lying_dns(names, lies)
    server = scene.server(Settings(dns=[names.server], delivery_port=port, **settings))
    return server, peer, names


def submit(server, recipient, **how):
    message = Letter(server.accounts["alice"].address, recipient, **how)
    clients.submit(server, server.accounts["alice"], message)
    return message


def delivered(peer, message, seconds=20):
    """The message as Postfix has it; exactly one."""
    found = wait_until(
        lambda: [
            octets for octets in peer.delivered(message.recipient)
            if message.token in tokens([octets])
        ], f"{message.token} for {message.recipient} at Postfix", seconds)
    assert len(found) == 1, f"delivered {len(found)} times"
    return found[0]


def returned(server, message, status, seconds=20):
    """Waits for the report about `message` in alice's mailbox and checks its status."""
    def found():
        for octets in clients.messages(server, server.accounts["alice"]):
            if message.token.encode() in octets:
                return octets
        return None

    octets = wait_until(found, f"a report about {message.recipient}", seconds, every=0.1)
    assert f"Status: {status}".encode() in octets, octets[:4000].decode(errors="replace")
    return octets


@story("the MX of lowest preference is taken, over STARTTLS; others stay idle", needs=[
    "postfix", "nsd"
])
def preference(scene):
    server, peer, _ = setting(
        scene, {
            GOOD: {
                "MX": [(30, "mx3.example.net"), (10, "mx1.example.net"), (20, "mx2.example.net")]
            }, "mx1.example.net": {"A": ["{mx1}"]}, "mx2.example.net": {"A": ["{mx2}"]},
            "mx3.example.net": {"A": ["{mx3}"]}
        }, listeners=("mx1", "mx2", "mx3"))
    message = submit(server, f"u@{GOOD}")
    octets = delivered(peer, message)
    assert "ESMTPS" in parse(octets).get_all("Received")[0], parse(octets).get_all("Received")
    assert (peer.connections("mx1"), peer.connections("mx2"), peer.connections("mx3")) == (1, 0, 0)
    server.wait_queue_empty()


@story("a dead, a missing and a 421-ing MX are passed over for the next one", needs=[
    "postfix", "nsd"
])
def next_one(scene):
    port = scene.ports.port()
    busy, good, dead = (scene.ports.address() for _ in range(3))
    peer = scene.postfix(
        "receiver", hostname="mx.example.net", domains=[GOOD], listeners={
            "busy": (busy, port, {
                "smtpd_client_restrictions":
                "check_client_access inline:{{127.0.0.1 = 421 4.3.2 busy}}",
                "smtpd_delay_reject": "no"
            }), "good": (good, port)
        })
    dns = scene.dns({
        GOOD: {
            "MX": [(5, "missing.example.net"), (10, "dead.example.net"), (20, "busy.example.net"),
                   (30, "good.example.net")]
        }, "dead.example.net": {"A": [dead]}, "busy.example.net": {"A": [busy]},
        "good.example.net": {"A": [good]}
    })
    server = scene.server(Settings(dns=[dns.server], delivery_port=port))
    delivered(peer, submit(server, f"u@{GOOD}"))
    assert peer.connections("busy") >= 1


@story("without MX the domain's own A is used, then AAAA; an MX may have an IPv6 address only",
       needs=["postfix", "nsd", "ipv6"])
def addresses(scene):
    server, peer, _ = setting(
        scene, {
            "a.example": {"A": ["{mx1}"]}, "aaaa.example": {"AAAA": ["::1"]}, "six.example": {
                "MX": [(10, "six-mx.example")]
            }, "six-mx.example": {"AAAA": ["::1"]}, "both.example": {
                "MX": [(10, "both-mx.example")]
            }, "both-mx.example": {"A": ["{dead}"], "AAAA": ["::1"]}
        }, listeners=("mx1", "ipv6"))
    for domain in ("a.example", "aaaa.example", "six.example", "both.example"):
        delivered(peer, submit(server, f"u@{domain}"))
    assert peer.connections("mx1") == 1 and peer.connections("ipv6") >= 1


@story("a CNAME is followed, for the domain; a mailbox at a wildcard MX is found", needs=[
    "postfix", "nsd"
])
def cname(scene):
    server, peer, _ = setting(
        scene, {
            "alias.example": {"CNAME": ["target.example"]}, "target.example": {
                "MX": [(10, "mx1.example.net")]
            }, "*.wild.example": {"MX": [(10, "mx1.example.net")]}, "x.wild.example": {},
            "mx1.example.net": {"A": ["{mx1}"]}
        })
    delivered(peer, submit(server, "u@alias.example"))
    message = submit(server, "u@any.wild.example")
    # Postfix's domains list knows no wildcard: it may refuse, but it must have been asked.
    peer.wait_logged(r"to=<u@any\.wild\.example>")
    assert message


@story("null MX and NXDOMAIN are returned at once, with 5.1.10 and 5.1.2 or 5.4.4", needs=[
    "postfix", "nsd"
])
def no_such(scene):
    server, peer, _ = setting(
        scene,
        {
            "null.example": {"MX": [(0, ".")], "A": ["{mx1}"]
                             },  # the A record must not be used, RFC 7505 §3
            "nothing.example": {"TXT": ["neither MX nor address"]},
            GOOD: {"MX": [(10, "mx1.example.net")]},
            "mx1.example.net": {"A": ["{mx1}"]}
        })
    null = submit(server, "u@null.example")
    absent = submit(server, "u@absent.example")
    nothing = submit(server, "u@nothing.example")
    returned(server, null, "5.1.10" if server.kind == "mdserver" else "5.1.0")
    for message in (absent, nothing):
        octets = returned(server, message, "5.")
        assert b"Status: 5.1.2" in octets or b"Status: 5.4.4" in octets, octets.decode(
            errors="replace")
    assert peer.connections("mx1") == 0
    server.wait_queue_empty()


@story("SERVFAIL and silence defer; when the name server recovers the mail goes out", needs=[
    "postfix", "nsd"
], deadline=90)
def name_server_down(scene):
    lies = {"servfail.example": "servfail", "silent.example": "silent"}
    server, peer, names = setting(scene, {
        domain: {"MX": [(10, "mx1.example.net")]}
        for domain in ("servfail.example", "silent.example")
    } | {"mx1.example.net": {"A": ["{mx1}"]}}, lies=lies)
    waiting = [submit(server, f"u@{domain}") for domain in lies]
    wait_until(lambda: all(names.questions(domain) >= 2
                           for domain in lies), "both domains to be asked again", 30)
    server.wait_queue(2)
    assert clients.messages(server, server.accounts["alice"]) == []
    lies.clear()
    for message in waiting:
        delivered(peer, message, 40)
    server.wait_queue_empty()


@story("a name server that lies in every way delays only the domains it lies about", needs=[
    "postfix", "nsd"
], deadline=90)
def liar(scene):
    kinds = ("wrong_id", "wrong_question", "garbage", "short", "loop", "cut_record", "truncated",
             "huge", "huge_udp", "cname_loop", "many_mx", "refused", "formerr")
    lies = {f"{kind.replace('_', '-')}.example": kind for kind in kinds}
    server, peer, _ = setting(
        scene, {
            GOOD: {"MX": [(10, "mx1.example.net")]}, "mx1.example.net": {"A": ["{mx1}"]},
            "evil.invalid": {"A": ["{dead}"]}
        }, lies=lies)
    for domain in lies:
        submit(server, f"u@{domain}")
    delivered(peer, submit(server, f"u@{GOOD}"), 30)
    # Deferred or returned, but the server lives and nobody else got the mail.
    for domain in lies:
        assert peer.delivered(f"u@{domain}") == []
    with clients.imaplib_session(server, server.accounts["alice"], folder="INBOX"):
        pass
    delivered(peer, submit(server, f"second@{GOOD}"), 30)


@story("an answer forged with a wrong id is not believed: the mail goes where the true answer says",
       needs=["postfix", "nsd"])
def spoofed(scene):
    server, peer, _ = setting(
        scene, {
            "spoof.example": {"MX": [(10, "mx1.example.net")]}, "mx1.example.net": {"A": ["{mx1}"]},
            "evil.invalid": {"A": ["{dead}"]}
        }, lies={"spoof.example": "spoof_first"})
    delivered(peer, submit(server, "u@spoof.example"))


@story(
    "a domain whose best MX is the server, which does not have the domain, is not sent in circles",
    needs=["nsd"], servers=("mdserver",))
def own_mx(scene):
    dns = scene.dns({
        "loop.example": {"MX": [(10, "mx.example.test")]}, "mx.example.test": {"A": ["127.0.0.1"]}
    })
    server = scene.server(Settings(dns=[dns.server], delivery_port=scene.ports.port()))
    returned(server, submit(server, "u@loop.example"), "5.4.")
