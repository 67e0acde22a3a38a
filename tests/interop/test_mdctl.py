"""What an administrator does with mdctl, while the server runs and while it does not."""

import json
import os
import re

import clients
import processes
from letter import Letter, tokens
from processes import wait_until, write_file
from story import Account, Settings, story

OWN = ("mdserver",)
HERE = os.path.dirname(os.path.abspath(__file__))


def answer(server, *arguments):
    return json.loads(server.control(*arguments, "--json").stdout)


def refused(server, *arguments, status=1):
    """A call that fails with this exit status; what it said."""
    done = server.control(*arguments, check=False)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    assert done.stderr.startswith("mdctl: "), done.stderr
    return done.stderr


def can_login(server, account):
    try:
        with clients.imaplib_session(server, account):
            return True
    except clients.imaplib.IMAP4.error:
        return False


@story("mdctl init makes a folder that serves as it is, and prints the DNS records", servers=OWN)
def init(scene):
    server = scene.server(start=False)
    said = server.init.stdout
    for record in (r"example\.test\. +MX +10 mx\.example\.test\.", r'TXT +"v=spf1 mx -all"',
                   r'_dmarc\.example\.test\. +TXT +"v=DMARC1;', r"_imaps\._tcp\.example\.test\. +SRV",
                   r"_submissions\._tcp\.example\.test\. +SRV", r"_pop3s\._tcp\.example\.test\. +SRV",
                   r"mx\.example\.test\. +A"):
        assert re.search(record, said), f"{record} is not in:\n{said}"
    password = re.search(r"Password: +(\S+)", said)[1]
    server.start()
    assert can_login(server, Account("postmaster@example.test", password))
    assert password not in server.everything_logged(), "a password is in the log"
    again = processes.run([server.mdctl, "init", server.directory, "--domain", "example.test"],
                          check=False)
    assert again.returncode != 0 and password not in again.stdout, again


@story("mdctl rules accounts, aliases and domains of a running server", servers=OWN)
def accounts(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    jo = server.add_account("jo@example.test", "a first password")
    assert can_login(server, jo)
    listed = answer(server, "account", "list")["accounts"]
    assert "jo@example.test" in {row["address"] for row in listed}, listed
    assert "jo@example.test" in server.control("account", "list").stdout

    secret = write_file(scene.path("secret"), "a second password\n", 0o600)
    server.control("account", "passwd", jo.address, "--password-file", secret)
    assert not can_login(server, jo)
    jo = Account(jo.address, "a second password")
    assert can_login(server, jo)

    server.control("account", "disable", jo.address)
    assert not can_login(server, jo)
    with clients.smtplib_session(server, service="smtp") as session:
        session.mail("x@example.org")
        assert session.rcpt(jo.address)[0] == 550
    server.control("account", "enable", jo.address)
    assert can_login(server, jo)

    server.control("alias", "add", "info@example.test", bob.address, jo.address)
    assert answer(server, "alias", "list")["aliases"][0]["address"] == "info@example.test"
    message = Letter("x@example.org", "info@example.test")
    clients.deliver(server, message)
    for account in (bob, jo):
        clients.wait_letter(server, account, message)
    server.control("alias", "remove", "info@example.test")
    with clients.smtplib_session(server, service="smtp") as session:
        session.mail("x@example.org")
        assert session.rcpt("info@example.test")[0] == 550

    server.control("domain", "add", "second.test", "--catch-all", jo.address)
    message = Letter("x@example.org", "whoever@second.test")
    clients.deliver(server, message)
    clients.wait_letter(server, jo, message)
    message = Letter("x@example.org", "bob+shopping@example.test")
    clients.deliver(server, message)
    clients.wait_letter(server, bob, message)
    server.control("domain", "remove", "second.test")

    assert "--yes" in refused(server, "account", "remove", jo.address, status=2)
    server.control("account", "remove", jo.address, "--yes")
    assert not can_login(server, jo)
    refused(server, "account", "show", jo.address, status=3)
    refused(server, "account", "add", bob.address, "--password-file", secret)
    refused(server, "account", "add", "x@elsewhere.test", "--password-file", secret, status=3)


@story("mdctl rules the same with the server stopped; both see what the other did", servers=OWN)
def offline(scene):
    server = scene.server()
    server.stop()
    jo = server.add_account("jo@example.test", "set while stopped")
    assert "jo@example.test" in server.control("account", "list").stdout
    assert server.control("queue", "list").stdout.strip() == "the queue is empty"
    server.start()
    assert can_login(server, jo)


@story("mdctl shows, holds, releases, retries and removes what is in the queue", needs=["postfix"],
       servers=OWN)
def queue(scene):
    port = scene.ports.port()
    later = {f"user{number}@far.test": "450 4.2.0 later" for number in range(3)}
    peer = scene.postfix(domains=["far.test"], refuse=later,
                         listeners={"far": ("127.0.0.1", port)})
    server = scene.server(
        Settings(routes={"far.test": ("127.0.0.1", port)}, retry_seconds=(600, )))
    alice = server.accounts["alice"]
    letters = [Letter(alice.address, f"user{number}@far.test") for number in range(2)]
    for message in letters:
        clients.submit(server, alice, message)
    first, second = [row["id"] for row in answer(server, "queue", "list")["messages"]]
    wait_until(
        lambda: all(
            row["recipients"][0]["attempts"] == 1
            for row in answer(server, "queue", "list")["messages"]), "the first attempts")
    shown = answer(server, "queue", "show", str(first))
    assert shown["recipients"][0]["address"] == "user0@far.test", shown
    assert "450" in server.control("queue", "list").stdout or \
        "later" in server.control("queue", "list").stdout
    server.control("queue", "hold", str(second))
    peer.refuse({})
    server.control("queue", "retry", "--all")
    peer.wait_delivered("user0@far.test")
    server.wait_queue(1)
    assert answer(server, "queue", "show", str(second))["recipients"][0]["state"] == "held"
    server.control("queue", "release", str(second))
    peer.wait_delivered("user1@far.test")
    server.wait_queue_empty()

    peer.refuse(later)
    third = Letter(alice.address, "user2@far.test")
    clients.submit(server, alice, third)
    server.wait_queue(1)
    server.control("queue", "remove", "--all")
    server.wait_queue_empty()
    refused(server, "queue", "show", "99999", status=3)


@story("mdctl trace tells one message's life, by its Message-ID, from acceptance to the mailbox",
       servers=OWN)
def trace(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    message, other = (Letter("x@example.org", bob.address) for _ in range(2))
    for each in (message, other):
        clients.deliver(server, each)
        clients.wait_letter(server, bob, each)
    told = answer(server, "trace", f"{message.token}@letters.example")["events"]
    text = json.dumps(told)
    assert message.token in text and other.token not in text, text
    assert bob.address in text, text
    assert len(told) >= 2, told


@story("mdctl: status, connections, log and metrics; help for each; wrong calls say what to do",
       servers=OWN)
def looking(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    with clients.imaplib_session(server, bob, tls="tls", folder="INBOX"):
        rows = answer(server, "connections")["connections"]
        assert any(row["service"] == "imaps" and row["tls"] for row in rows), rows
        assert "imaps" in server.control("connections").stdout
    status = answer(server, "status")
    assert status["store"]["writable"] is True and len(status["endpoints"]) >= 8, status
    assert "takes writes" in server.control("status").stdout
    assert answer(server, "log")["events"]
    metrics = server.control("metrics").stdout
    for line in metrics.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) mailcore_\w+ .+|mailcore_\w+(\{[^}]*\})? [-+.\deEInfNa]+',
                            line), line
    assert "mailcore_connections" in metrics and "mailcore_store_writable 1" in metrics

    manual = processes.run([server.mdctl, "manual"]).stdout
    assert manual == processes.read_text(f"{HERE}/../../hosts/mdctl/mdctl.md"), \
        "write it anew: mdctl manual > hosts/mdctl/mdctl.md"
    for name in re.findall(r"^\| `([a-z ]+[a-z])", manual, re.MULTILINE):
        said = processes.run([server.mdctl, *name.split(), "--help"]).stdout
        assert name in said, said
    assert "mdctl help" in refused(server, "nosuch", status=2)
    refused(server, "account", "show", status=2)
    assert "--password-file" in refused(server, "account", "add", "x@example.test", status=2)


@story("mdctl reload takes a new certificate; connections that stand are not disturbed", servers=OWN)
def certificate(scene):
    server = scene.server()
    bob = server.accounts["bob"]

    def serial():
        with clients.Raw(server, "imaps", tls=True) as line:
            return line.socket.getpeercert()["serialNumber"]

    before = serial()
    with clients.imaplib_session(server, bob, tls="tls", folder="INBOX") as session:
        chain, key = scene.certificate(server.hostname, "other.example.test")
        for given, name in ((chain, "certificate.pem"), (key, "key.pem")):
            write_file(server.file("tls", name), open(given, "rb").read(), 0o600)
        server.control("reload")
        wait_until(lambda: serial() != before, "the new certificate")
        assert session.noop()[0] == "OK"
