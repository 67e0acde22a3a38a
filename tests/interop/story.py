"""The frame of a story: what it declares, and the scene (folder, ports, peers, server) of it."""

import contextlib
import dataclasses
import inspect
import os
import shutil

import ports
import processes
from peers import dns, dovecot, postfix

BOTH = ("mdserver", "reference")


class Skip(Exception):
    """The story cannot be told on this machine; the text says why."""


@dataclasses.dataclass(frozen=True)
class Story:
    title: str
    function: object
    deadline: float  # seconds, after which the story has failed
    needs: tuple  # programs, or the peers' names postfix, dovecot, nsd
    servers: tuple  # which servers it can be told with
    file: str

    @property
    def name(self):
        return f"{self.file}:{self.function.__name__}"


def story(title, *, deadline=60, needs=(), servers=BOTH):
    """Declares a test. `title` is a sentence; the function takes the Scene."""
    def declare(function):
        file = os.path.splitext(os.path.basename(inspect.getfile(function)))[0]
        function.story = Story(title, function, deadline, tuple(needs), tuple(servers), file)
        return function

    return declare


@dataclasses.dataclass(frozen=True)
class Account:
    address: str
    password: str = dataclasses.field(repr=False)


@dataclasses.dataclass
class Settings:
    """What stories ask of a server, in no server's words; each server class translates it."""
    domain: str = "example.test"
    hostname: str = "mx.example.test"
    dns: list = dataclasses.field(default_factory=list)  # "address:port" of name servers
    delivery_port: int | None = None  # instead of 25 towards MX hosts
    routes: dict = dataclasses.field(default_factory=dict)  # domain -> (host, port), no MX look-up
    retry_seconds: tuple = (1, 1, 1, 2, 2, 2)  # waits between attempts
    give_up_seconds: int = 600  # age at which a message is returned
    message_octets_max: int = 50 * 1024 * 1024
    certificate: tuple | None = None  # (chain, key); default: the run's own
    smart_host: tuple | None = None  # (host, port, user, password)
    disk_octets: int | None = None  # a disk of its own, of this size; mdserver only
    within: tuple = ()  # the command that runs it, mdserver only: puts it into a control group
    extra: dict = dataclasses.field(default_factory=dict)  # a server's own keys, mdserver only


class Server:
    """What MdServer and ReferenceServer share."""

    def wait_queue(self, count, seconds=20.0):
        """A listing may miss an entry that is just being moved: ask until it is right."""
        processes.wait_until(lambda: len(self.queue()) == count, f"{count} queue entries", seconds,
                             every=0.1)

    def wait_queue_empty(self, seconds=20.0):
        self.wait_queue(0, seconds)

    def restart(self):
        self.stop()
        return self.start()


def why_missing(need):
    """Why a story that needs this cannot run here, or None."""
    peer = {"postfix": postfix, "dovecot": dovecot, "nsd": dns}.get(need)
    if peer:
        return peer.missing()
    if need == "ipv6":
        return None if processes.read_text("/proc/net/if_inet6") else "no IPv6 on loopback"
    if shutil.which(need) or shutil.which(need, path="/usr/bin:/usr/sbin"):
        return None
    return f"{need} is not installed"


class Scene:
    """Everything a story has at hand. What it starts ends with it."""
    def __init__(self, directory, authority, server_kind, binaries):
        self.directory, self.authority = directory, authority
        self.server_kind, self.binaries = server_kind, binaries
        self.ports = ports.Ports()
        self.ending = contextlib.ExitStack()
        self.actors = []  # (name, object with everything_logged)
        self._certificates = {}

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def folder(self, name):
        """A fresh folder under the scene's."""
        number, path = 1, self.path(name)
        while os.path.exists(path):
            number += 1
            path = self.path(f"{name}{number}")
        os.makedirs(path)
        os.chmod(path, 0o755)
        return path

    def certificate(self, hostname, *more, **how):
        key = (hostname, more, tuple(how.items()))
        if key not in self._certificates:
            self._certificates[key] = self.authority.issue(
                self.directory, hostname, *more, stem=f"certificate{len(self._certificates)}",
                **how)
        return self._certificates[key]

    @property
    def ca(self):
        return self.authority.certificate

    def act(self, name, actor):
        """Registers something with stop() and everything_logged() for the end and for failures."""
        self.actors.append((name, actor))
        self.ending.callback(actor.stop)
        return actor

    # Actors.

    def server(self, settings=None, *, accounts=("alice", "bob"), start=True):
        """The server under test with these accounts, started."""
        settings = settings or Settings()
        if self.server_kind == "reference":
            import reference
            kind = reference.ReferenceServer
        else:
            import mdserver
            kind = mdserver.MdServer
        server = self.act(self.server_kind, kind(self, self.folder("server"), settings))
        # mdctl adds accounts to a running server; Dovecot reads its file again only a second later.
        if start and not server.accounts_first:
            server.start()
        for local in accounts if start or server.accounts_first else ():
            server.accounts[local] = server.add_account(f"{local}@{settings.domain}",
                                                        f"pass word {local}")
        if start and server.accounts_first:
            server.start()
        return server

    def postfix(self, name="postfix", **how):
        """A started Postfix, e.g. hostname=, listeners=, domains=, refuse=, settings=."""
        peer = postfix.Postfix(self.folder(name), **how)
        self.act(name, peer)
        return peer.start()

    def dovecot(self, **how):
        named = {
            port: self.ports.port()
            for port in ("imap", "imaps", "pop3", "pop3s", "lmtp", "sasl")
        }
        peer = dovecot.Dovecot(self.folder("dovecot"), named, self.certificate("mail.example.net"),
                               **how)
        self.act("dovecot", peer)
        return peer.start()

    def dns(self, zone):
        """A started NSD. For the reference, whose resolver knows no other, it stands on port 53."""
        port = 53 if self.server_kind == "reference" else self.ports.port()
        peer = dns.Nsd(self.folder("dns"), self.ports.address(), port, zone)
        self.act("nsd", peer)
        return peer.start()

    def lying_dns(self, upstream, lies):
        return self.act("lying dns",
                        dns.LyingDns(self.ports.address(), upstream.port, upstream, lies))

    # The end.

    def close(self):
        self.ending.close()

    def logs(self, lines=25):
        """The last lines of what every actor logged."""
        parts = []
        for name, actor in self.actors:
            try:
                text = actor.everything_logged().splitlines()
            except Exception as error:  # a log that cannot be read must not hide the failure
                text = [repr(error)]
            parts.append(f"--- {name} ---\n" + "\n".join(text[-lines:]))
        return "\n".join(parts)
