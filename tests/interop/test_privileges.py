"""What the server must not be able to do, and what a password must not cross."""

import os
import pwd
import re
import stat

import clients
import processes
from letter import Letter
from processes import wait_until
from story import Settings, Skip, story

OWN = ("mdserver",)


@story("started by root with `user`, it binds its ports, then is that user for good", servers=OWN)
def drops(scene):
    if os.geteuid() != 0:
        raise Skip("not root")
    user = pwd.getpwnam("nobody")
    server = scene.server(Settings(extra={("server", "user"): "nobody"}), start=False)
    parent = os.path.dirname(server.directory)
    while parent != "/tmp":
        os.chmod(parent, 0o755)
        parent = os.path.dirname(parent)
    server.start()
    for folder, names, files in os.walk(server.directory):
        for name in (".", *names, *files):
            assert os.lstat(os.path.join(folder, name)).st_uid == user.pw_uid, (folder, name)
    status = processes.read_text(f"/proc/{server.pid}/status")
    uids = re.search(r"^Uid:\s+(.*)$", status, re.MULTILINE)[1].split()
    gids = re.search(r"^Gid:\s+(.*)$", status, re.MULTILINE)[1].split()
    groups = re.search(r"^Groups:\s*(.*)$", status, re.MULTILINE)[1].split()
    assert set(uids) == {str(user.pw_uid)} and set(gids) == {str(user.pw_gid)}, (uids, gids)
    assert "0" not in groups, groups
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), status
    for thread in os.listdir(f"/proc/{server.pid}/task"):
        text = processes.read_text(f"/proc/{server.pid}/task/{thread}/status")
        assert re.search(rf"^Uid:\s+{user.pw_uid}\s", text, re.MULTILINE), text
    for local in ("alice", "bob"):
        server.accounts[local] = server.add_account(f"{local}@example.test", f"pass word {local}")
    message = Letter("x@example.org", "bob@example.test")
    clients.deliver(server, message)
    clients.wait_letter(server, server.accounts["bob"], message)


@story("nobody else can read the data folder, its keys, its log or its sockets", servers=OWN)
def private(scene):
    server = scene.server()
    for folder, names, files in os.walk(server.directory):
        for name in (*names, *files):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISSOCK(mode) or "key" in name or "store" in folder:
                assert not mode & 0o007, f"{path}: {oct(mode)}"
    assert not os.stat(server.directory).st_mode & 0o007, "the data folder is open to others"


@story("passwords without TLS are refused, and not even asked for, where loopback has no privilege",
       servers=OWN)
def plaintext(scene):
    server = scene.server(Settings(extra={("login", "plaintext_from_loopback"): False}))
    bob = server.accounts["bob"]
    with clients.Raw(server, "imap") as line:
        greeting = line.line()
        answer = b"".join(line.imap("a", "CAPABILITY"))
        assert b"LOGINDISABLED" in greeting + answer and b"AUTH=PLAIN" not in answer, answer
        refused = line.imap("b", f'LOGIN {bob.address} "{bob.password}"')[-1]
        assert refused.startswith(b"b NO") and b"PRIVACYREQUIRED" in refused, refused
    with clients.Raw(server, "pop3") as line:
        line.line()
        line.send(f"USER {bob.address}\r\n")
        assert line.line().startswith(b"-ERR")
    with clients.Raw(server, "submission") as line:
        line.reply()
        assert not re.search("AUTH.*(PLAIN|LOGIN)", line.smtp("EHLO client.example.org"))
        assert line.smtp("AUTH PLAIN AGEAYgBj").startswith(("538", "530", "502", "503", "523"))
        assert line.smtp("MAIL FROM:<bob@example.test>").startswith("530")
    with clients.imaplib_session(server, bob, tls="starttls", folder="INBOX"):
        pass
    assert bob.password not in server.everything_logged()
