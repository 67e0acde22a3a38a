"""The servers that are measured, started alike: mdserver and its peers, each in a folder of its own."""

import os
import shutil
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "peers"))

from postfix_dovecot import DeliveryPeer, certificates, processes, story  # noqa: E402

# What a busy site sets, and Dovecot's manual recommends: login processes that live on, one a core, mail processes
# that serve one user after the other and are there before they are needed.
BUSY_DOVECOT = """\
service imap-login {
  process_min_avail = 2
}
service imap {
  service_count = 1000
  process_min_avail = 10
}
protocol imap {
  mail_max_userip_connections = 20000
}
"""

LIMIT = ("server", "connections_per_address_max")


class Measured:
    """What the measurements ask of a server: host, port(service), accounts, roots."""
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="mcb-")
        os.chmod(self.directory, 0o755)
        self.authority = certificates.Authority(f"{self.directory}/ca").create()

    cpu_seconds = DeliveryPeer.cpu_seconds
    memory_octets = DeliveryPeer.memory_octets

    def stop(self):
        self.server.stop()
        processes.kill_descendants(os.getpid())
        shutil.rmtree(self.directory, ignore_errors=True)


class MdPeer(Measured):
    """mdserver, as `mdctl init` configures it, but that one address may have all connections."""
    def __init__(self, binaries, accounts=1, start=True):
        super().__init__()
        import mdserver
        self.scene = story.Scene(self.directory, self.authority, "mdserver", binaries)
        self.server = mdserver.MdServer(self.scene, self.scene.folder("server"),
                                        story.Settings(extra={LIMIT: 20_000}))
        if not start:
            return
        self.server.start()
        self.accounts = [
            self.server.add_account(f"user{number}@example.test", f"password {number}")
            for number in range(accounts)
        ]

    @property
    def host(self):
        return self.server.host

    def port(self, service):
        return self.server.port(service)

    @property
    def roots(self):
        return [self.server.pid]


class DovecotPeer(Measured):
    """Dovecot alone, tuned for many logins, on mdbox: the fastest of its formats with large mailboxes."""
    def __init__(self, accounts=1, start=True):
        super().__init__()
        reason = story.why_missing("dovecot")
        if reason:
            raise story.Skip(reason)
        from peers import dovecot
        self.scene = story.Scene(self.directory, self.authority, "reference", (None, None))
        ports = {
            name: self.scene.ports.port()
            for name in ("imap", "imaps", "pop3", "pop3s", "lmtp", "sasl")
        }
        folder = self.scene.folder("dovecot")
        self.server = dovecot.Dovecot(folder, ports, self.scene.certificate("mail.example.net"),
                                      mail_format="mdbox", extra=BUSY_DOVECOT)
        self.accounts = []
        for number in range(accounts):
            account = story.Account(f"user{number}@example.test", f"password {number}")
            self.server.add_account(account.address, account.password)
            self.accounts.append(account)
        if start:
            self.server.start()

    @property
    def host(self):
        return self.server.address

    def port(self, service):
        return self.server.ports[service]

    @property
    def roots(self):
        return [self.server.process.pid]
