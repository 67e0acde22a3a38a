"""The servers that are measured, started alike: mdserver and its peers, each in a folder of its own."""

import imaplib
import json
import os
import shutil
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "interop"))

import certificates  # noqa: E402
import mdserver  # noqa: E402
import processes  # noqa: E402
import reference  # noqa: E402
import story  # noqa: E402
from peers import dovecot, postfix  # noqa: E402

sys.path.insert(0, os.path.join(here, "peers"))
import cyrus  # noqa: E402

# What a busy site sets; the rest is the distribution's defaults.
BUSY_POSTFIX = {
    "default_process_limit": "100",
    "virtual_destination_concurrency_limit": "20",
    "lmtp_destination_concurrency_limit": "20",
    "lmtp_destination_recipient_limit": "1",
    "smtpd_tls_loglevel": "0",
    "smtp_tls_loglevel": "0",
    "minimal_backoff_time": "300s",
    "maximal_backoff_time": "4000s",
    "queue_run_delay": "300s",
    # Relays for this machine, as mdserver does with smtp.relay_networks.
    "mynetworks": "127.0.0.0/8",
    "smtpd_recipient_restrictions": "permit_mynetworks,reject_unauth_destination",
    "smtpd_relay_restrictions": "permit_mynetworks,reject_unauth_destination",
}

# What Dovecot's manual recommends for many logins: login processes that live on, one a core, mail processes that
# serve one user after the other and are there before they are needed.
BUSY_DOVECOT = """\
service imap-login {
  process_min_avail = 2
}
service imap {
  service_count = 1000
  process_min_avail = 10
}
service pop3 {
  service_count = 1000
}
protocol imap {
  mail_max_userip_connections = 20000
}
"""

RELAYED_DOMAIN = "elsewhere.test"


class Measured:
    """What the measurements ask of a server: host, port(service), accounts, figures of its processes.

    `start`, `stop` and `kill` may follow each other; `end` also removes its folder.
    """
    name = ""
    host = "127.0.0.1"
    lmtp_only = False  # no SMTP: mail comes by LMTP

    def __init__(self, directory=None):
        self.directory = tempfile.mkdtemp(prefix="mcb-", dir=directory)
        os.chmod(self.directory, 0o755)
        self.authority = certificates.Authority(f"{self.directory}/ca").create()
        self.accounts = []

    def processes(self):
        """Ids of all its processes."""
        return [pid for root in self.roots for pid in (root, *processes.descendants(root))]

    def cpu_seconds(self):
        """User and system time so far, of ended processes too."""
        return self._sum(processes.cpu_seconds)

    def memory_octets(self):
        """Anonymous resident memory."""
        return self._sum(processes.memory_octets)

    def written_octets(self):
        """What its processes have caused to be written to disk so far, of ended ones too."""
        return self._sum(written_octets)

    def descriptors(self):
        return self._sum(lambda pid: len(os.listdir(f"/proc/{pid}/fd")))

    def _sum(self, figure):
        total = 0
        for pid in self.processes():
            try:
                total += figure(pid)
            except OSError:  # ended meanwhile
                pass
        return total

    def start(self):
        self.server.start()

    def stop(self):
        self.server.stop()

    def kill(self):
        self.server.kill()

    def end(self):
        try:
            self.stop()
        finally:
            processes.kill_descendants(os.getpid())
            shutil.rmtree(self.directory, ignore_errors=True)

    def _make_accounts(self, count):
        for number in range(count):
            account = story.Account(f"user{number}@example.test", f"password {number}")
            self.server.add_account(account.address, account.password)
            self.accounts.append(account)


def written_octets(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("write_bytes:"))


class MdServer(Measured):
    """mdserver as `mdctl init` configures it, but that one address may have all connections, and this machine relay."""
    name = "mdserver"
    binaries = ()  # mdserver, mdctl

    def __init__(self, accounts=1, sink_port=None, directory=None, start=True):
        super().__init__(directory)
        self.scene = story.Scene(self.directory, self.authority, "mdserver", self.binaries)
        settings = story.Settings(
            extra={
                ("server", "connections_per_address_max"): 20_000, ("smtp", "relay_networks"): ["127.0.0.0/8"]
            }, routes={RELAYED_DOMAIN: ("127.0.0.1", sink_port)} if sink_port else {})
        self.server = mdserver.MdServer(self.scene, self.scene.folder("server"), settings)
        self.lmtp_port = self.scene.ports.port()
        with open(self.server.config, "a", encoding="utf-8") as config:
            config.write(f'\n[[listen]]\nservice = "lmtp"\naddresses = ["127.0.0.1"]\nport = {self.lmtp_port}\n')
        if start:
            self.server.start()
            self._make_accounts(accounts)

    def port(self, service):
        return self.lmtp_port if service == "lmtp" else self.server.port(service)

    @property
    def roots(self):
        return [self.server.pid]

    def flush_queue(self):
        self.server.control("queue", "retry", "--all")

    def queue_length(self):
        return json.loads(self.server.control("status", "--json").stdout)["queue"]["messages"]

    def metrics(self):
        lines = (line.rpartition(" ") for line in self.server.control("metrics").stdout.splitlines()
                 if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}


class PostfixDovecot(Measured):
    """Postfix -> LMTP -> Dovecot, durable from end to end: each syncs the message before its 250."""
    name = "Postfix+Dovecot"

    def __init__(self, accounts=1, sink_port=None, directory=None, start=True):
        super().__init__(directory)
        self.scene = story.Scene(self.directory, self.authority, "reference", (None, None))
        settings = story.Settings(routes={RELAYED_DOMAIN: ("127.0.0.1", sink_port)} if sink_port else {})
        # maildir: of Dovecot's formats the fastest here for single deliveries.
        self.server = reference.ReferenceServer(self.scene, self.scene.folder("server"), settings,
                                                mail_format="maildir", lmtp_processes=10,
                                                postfix_settings=BUSY_POSTFIX)
        self._make_accounts(accounts)
        if start:
            self.server.start()

    def port(self, service):
        return self.server.port(service)

    @property
    def roots(self):
        return [self.server.postfix.process.pid, self.server.dovecot.process.pid]

    def flush_queue(self):
        self.server.postfix.flush()

    def queue_length(self):
        return len(self.server.queue())


class Dovecot(Measured):
    """Dovecot alone, tuned for many logins; mdbox is the fastest of its formats with large mailboxes."""
    name = "Dovecot"
    mail_format = "mdbox"
    lmtp_only = True

    def __init__(self, accounts=1, directory=None, start=True):
        super().__init__(directory)
        self.scene = story.Scene(self.directory, self.authority, "reference", (None, None))
        ports = {name: self.scene.ports.port() for name in ("imap", "imaps", "pop3", "pop3s", "lmtp", "sasl")}
        self.server = dovecot.Dovecot(self.scene.folder("dovecot"), ports, self.scene.certificate("mail.example.net"),
                                      mail_format=self.mail_format, lmtp_processes=10, extra=BUSY_DOVECOT)
        self._make_accounts(accounts)
        if start:
            self.server.start()

    def port(self, service):
        return self.server.ports[service]

    @property
    def roots(self):
        return [self.server.process.pid]


class DovecotMaildir(Dovecot):
    name = "Dovecot maildir"
    mail_format = "maildir"


class Cyrus(Measured):
    """Cyrus alone, with processes that are there before they are needed."""
    name = "Cyrus"
    lmtp_only = True

    def __init__(self, accounts=1, directory=None, start=True):
        super().__init__(directory)
        self.scene = story.Scene(self.directory, self.authority, "reference", (None, None))
        ports = {name: self.scene.ports.port() for name in ("imap", "imaps", "pop3", "lmtp")}
        self.server = cyrus.Cyrus(self.scene.folder("cyrus"), ports, self.scene.certificate("mail.example.net"))
        self._make_accounts(accounts)
        if start:
            self.server.start()
            for account in self.accounts:  # the first login makes the mailbox; many at once fail
                with imaplib.IMAP4(self.host, self.port("imap")) as session:
                    session.login(account.address, account.password)

    def port(self, service):
        return self.server.ports[service]

    @property
    def roots(self):
        return [self.server.process.pid]

    def end(self):
        super().end()
        self.server.end()


PEERS = (PostfixDovecot, Dovecot, DovecotMaildir, Cyrus)


def why_missing(kind):
    """Why this peer cannot be measured here, or None."""
    needed = {PostfixDovecot: (postfix, dovecot), Dovecot: (dovecot,), DovecotMaildir: (dovecot,), Cyrus: (cyrus,)}
    return next((reason for peer in needed.get(kind, ()) if (reason := peer.missing())), None)
