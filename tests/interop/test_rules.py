"""Rules in Lua, as an administrator installs, tries and changes them."""

import io
import json
import os
import random
import smtplib
import zipfile
from email.message import EmailMessage

import clients
import processes
from letter import Letter
from processes import wait_until, write_file
from story import Settings, story

OWN = ("mdserver",)
SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../hosts/mdserver/rules")


def install(server, name, change=lambda text: text):
    """A shipped rule or list, made this server's."""
    text = change(processes.read_text(f"{SHIPPED}/{name}.example"))
    os.makedirs(server.file("rules"), exist_ok=True)
    write_file(server.file("rules", name), text)


def with_zip(sender, recipient, member, size=1000):
    """A message with a zip archive that holds a file of this name and `size` octets besides."""
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, "MZ" * 1000)
        archive.writestr("filler", random.Random(1).randbytes(size))
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, "a gift"
    message.set_content("look inside\n")
    message.add_attachment(octets.getvalue(), maintype="application", subtype="zip", filename="gift.zip")
    return message.as_bytes().replace(b"\n", b"\r\n")


def deliver_octets(server, sender, recipient, octets):
    """(code, text) of what the server says to mail from outside."""
    with clients.smtplib_session(server, service="smtp") as session:
        try:
            session.sendmail(sender, [recipient], octets)
            return 250, ""
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code, refused.smtp_error.decode()


@story("a program inside a zip archive is refused before it is taken; what is harmless arrives",
       servers=OWN)
def programs(scene):
    server = scene.server()
    install(server, "10-block-programs.lua")
    server.restart()
    bob = server.accounts["bob"]
    for size in (1000, 700_000):  # a large body lies on disk already
        octets = with_zip("x@far.test", bob.address, "a/virus.exe", size)
        code, text = deliver_octets(server, "x@far.test", bob.address, octets)
        assert code == 550 and "virus.exe" in text, (size, code, text)
    code, text = deliver_octets(server, "x@far.test", bob.address, with_zip("x@far.test", bob.address, "a/letter.txt"))
    assert code == 250, (code, text)
    clients.wait_messages(server, bob, 1)
    assert len(server.queue()) == 0


@story("mail from outside is tagged, mail of our users is not, and a disclaimer goes below theirs",
       servers=OWN)
def tags(scene):
    server = scene.server()
    install(server, "20-tag-external.lua", lambda text: text.replace('"127.0.0.0/8", ', ""))
    install(server, "70-disclaimer.lua", lambda text: text.replace('["example.org"] = true', ""))
    server.restart()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    assert deliver_octets(server, "x@far.test", bob.address,
                          b"From: x@far.test\r\nSubject: hello\r\n\r\nbody\r\n")[0] == 250
    octets = clients.wait_messages(server, bob, 1)[0]
    assert b"Subject: [EXTERN] hello" in octets and b"X-External: yes" in octets, octets
    clients.submit(server, alice, Letter(alice.address, bob.address, subject="inside"))
    octets = [m for m in clients.wait_messages(server, bob, 2) if b"Subject: inside" in m]
    assert len(octets) == 1, "the subject of our user was changed"
    assert b"multipart/mixed" in octets[0] and b"Example Ltd" in octets[0], octets[0]


@story("a user who writes to too many people in an hour is told to wait, over a restart too", servers=OWN)
def rate(scene):
    server = scene.server()
    install(server, "40-rate-limit.lua", lambda text: text.replace("local limit = 200", "local limit = 3"))
    server.restart()
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    for _ in range(3):
        clients.submit(server, alice, Letter(alice.address, bob.address))
    for again in (False, True):
        if again:
            server.restart()
        try:
            clients.submit(server, alice, Letter(alice.address, bob.address))
            raise AssertionError("the fourth recipient was taken")
        except smtplib.SMTPRecipientsRefused as refused:
            assert list(refused.recipients.values())[0][0] == 450, refused.recipients
    clients.wait_messages(server, bob, 3)


@story("a changed rule is used within seconds; a broken one is named and the old ones stay", servers=OWN)
def changes(scene):
    server = scene.server(Settings(extra={("rules", "watch_time"): 1}))
    os.makedirs(server.file("rules"), exist_ok=True)
    path = server.file("rules", "10-no.lua")
    rule = 'mail.on("mail", function(ctx) if ctx.account == "" then return mail.reject("%s") end end)\n'
    write_file(path, rule % "one")
    server.restart()
    bob = server.accounts["bob"]

    def said():
        with clients.smtplib_session(server, service="smtp") as session:
            return session.mail("x@far.test")[1].decode()

    assert "one" in said()
    write_file(path, rule % "two")
    wait_until(lambda: "two" in said(), "the changed rule", seconds=10)
    write_file(path, "mail.on(\n")
    done = server.control("reload", check=False)
    assert done.returncode == 1 and "10-no.lua:" in done.stderr, done
    wait_until(lambda: "10-no.lua:" in server.everything_logged(), "the mistake in the log", seconds=10)
    assert "two" in said(), "the old rules are gone"
    checked = processes.run([server.mdserver, "check", server.directory], check=False)
    assert checked.returncode == 2 and "10-no.lua:" in checked.stdout + checked.stderr, checked
    os.remove(path)
    wait_until(lambda: "two" not in said() and "one" not in said(), "no rule", seconds=10)
    clients.deliver(server, Letter("x@far.test", bob.address))
    clients.wait_messages(server, bob, 1)


@story("mdctl tries a rule on a file and on the mail that came, and changes nothing", servers=OWN)
def trying(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    rule, message = scene.path("rule.lua"), scene.path("message.eml")
    write_file(rule, 'mail.on("message", function(ctx)\n'
                     '  ctx:replace_header("Subject", "new")\n'
                     '  if ctx:header("X-Kind") == "bad" then return mail.reject("no") end\nend)\n')
    write_file(message, "From: a@far.test\nTo: bob@example.test\nSubject: old\nX-Kind: bad\n\nbody\n")
    assert server.control("rule", "check", rule).stdout.strip().endswith("is in order")
    said = server.control("rule", "test", rule, message).stdout
    assert "- Subject: old" in said and "+ Subject: new" in said and "550 5.7.1 no" in said, said
    tried = json.loads(server.control("rule", "test", rule, message, "--json").stdout)
    assert tried["verdict"] == "reject" and tried["steps"][0]["instructions"] > 5, tried
    for kind in ("bad", "good"):
        assert deliver_octets(server, "x@far.test", bob.address,
                              f"From: x@far.test\r\nSubject: {kind}\r\nX-Kind: {kind}\r\n\r\nbody\r\n".encode())[0] == 250
    clients.wait_messages(server, bob, 2)
    replayed = json.loads(server.control("rule", "replay", rule, "--since", "7d", "--json").stdout)
    assert replayed["messages"] == 2 and replayed["verdicts"] == {"continue": 1, "reject": 1}, replayed
    assert {row["subject"] for row in replayed["rows"]} == {"bad", "good"}, replayed
    assert all(row["sender"] == "x@far.test" for row in replayed["rows"]), replayed
    assert "2 messages" in server.control("rule", "replay", rule).stdout
    assert len(clients.messages(server, bob)) == 2
    write_file(rule, "x = = 1\n")
    broken = server.control("rule", "check", rule, check=False)
    assert broken.returncode == 1 and "rule.lua:1:" in broken.stdout, broken
