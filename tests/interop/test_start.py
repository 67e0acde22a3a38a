"""What the administrator sees when the server cannot start, or gets a bad configuration."""

import os
import socket

import clients
import processes
from letter import Letter
from processes import wait_until, write_file
from story import story

OWN = ("mdserver",)


def refused(server, seconds=10):
    """Starts it, expects it to end by itself with a failure, and returns what it said."""
    server.spawn()
    wait_until(lambda: not server.process.running(), "mdserver to give up", seconds)
    status = server.process.child.returncode
    server.process = None
    assert status not in (0, -6, -11), f"ended with {status}:\n{server.everything_logged()}"
    return server.everything_logged()


@story("a port in use: the server names it and ends", servers=OWN)
def port_in_use(scene):
    server = scene.server(start=False)
    with socket.create_server(("127.0.0.1", server.port("imap"))):
        text = refused(server)
    assert str(server.port("imap")) in text and "in use" in text.lower(), text
    server.start()  # freed, it starts


@story("a configuration with a mistake is refused with file, line, column and what was expected",
       servers=OWN)
def mistakes(scene):
    server = scene.server(start=False)
    good = processes.read_text(server.config)
    number = good.count("\n") + 1
    for mistake, said in (('[queue\n', str(number)), ('nonsense = \n', str(number)), (
            '[nosuchtable]\nx = 1\n', "nosuchtable"), ('[log]\nnosuchkey = 1\n', "nosuchkey"),
                          ('"unterminated = 1\n', str(number))):
        if mistake.startswith("[log]") and "[log]" in good:
            continue
        write_file(server.log, "")
        write_file(server.config, good + mistake)
        text = refused(server)
        assert os.path.basename(server.config) in text and said in text, f"{mistake!r}:\n{text}"
    write_file(server.config, good)
    server.start()


@story("reload with a bad file keeps the old configuration and every connection", servers=OWN)
def bad_reload(scene):
    server = scene.server()
    bob = server.accounts["bob"]
    good = processes.read_text(server.config)
    with clients.imaplib_session(server, bob, folder="INBOX") as session:
        write_file(server.config, good + "[broken\n")
        done = server.control("reload", check=False)
        assert done.returncode != 0 and str(good.count("\n") + 1) in done.stdout + done.stderr, done
        assert session.noop()[0] == "OK"
        write_file(server.config, good)
        server.control("reload")
        server.reload()  # SIGHUP does the same
        message = Letter("x@example.org", bob.address)
        clients.deliver(server, message)
        clients.wait_letter(server, bob, message)
        assert session.noop()[0] == "OK"


@story("two servers on one data folder: the second is refused, the first goes on", servers=OWN)
def two_servers(scene):
    server = scene.server()
    first, server.process = server.process, None
    text = refused(server)
    server.process = first
    assert text
    with clients.imaplib_session(server, server.accounts["bob"], folder="INBOX"):
        pass


@story("SIGTERM with clients connected: they are told, and the server ends well within seconds",
       servers=OWN)
def drain(scene):
    server = scene.server()
    with clients.Raw(server, "smtp") as smtp, clients.Raw(server, "imap") as imap, clients.Raw(
            server, "pop3") as pop3:
        smtp.reply()
        imap.line()
        pop3.line()
        server.stop()
        assert smtp.rest().startswith(b"421")
        assert imap.rest().startswith(b"* BYE")
        pop3.rest()
