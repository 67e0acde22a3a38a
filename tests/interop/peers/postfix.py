"""A private Postfix (Debian's `postfix`): sender, receiver with chosen refusals, or both."""

import json
import os
import re
import shutil

import processes
from processes import wait_until

DAEMONS = "/usr/lib/postfix/sbin"
MAILBOX_OWNER = 65534  # nobody; Postfix never delivers as root

# service type private unpriv chroot wakeup maxproc command; nothing is chrooted.
MASTER = """\
pickup    unix  n  -  n  60   1  pickup
cleanup   unix  n  -  n  -    0  cleanup
qmgr      unix  n  -  n  {queue_scan}   1  qmgr
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
rewrite   unix  -  -  n  -    -  trivial-rewrite
bounce    unix  -  -  n  -    0  bounce
defer     unix  -  -  n  -    0  bounce
trace     unix  -  -  n  -    0  bounce
verify    unix  -  -  n  -    1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -    -  proxymap
smtp      unix  -  -  n  -    -  smtp
lmtp      unix  -  -  n  -    -  lmtp
relay     unix  -  -  n  -    -  smtp
showq     unix  n  -  n  -    -  showq
error     unix  -  -  n  -    -  error
retry     unix  -  -  n  -    -  error
discard   unix  -  -  n  -    -  discard
local     unix  -  n  n  -    -  local
virtual   unix  -  n  n  -    -  virtual
anvil     unix  -  -  n  -    1  anvil
scache    unix  -  -  n  -    1  scache
tlsproxy  unix  -  -  n  -    0  tlsproxy
postlog   unix-dgram n - n -  1  postlogd
"""


def version():
    """(3, 7, 11) and the like; () without Postfix."""
    if not shutil.which("postconf", path="/usr/sbin:/usr/bin"):
        return ()
    return tuple(
        int(part) for part in re.findall(
            r"\d+",
            processes.run(["/usr/sbin/postconf", "-h", "-d", "mail_version"]).stdout))


def forbids_bare_newline():
    """Whether this version knows how not to take a bare LF for a line's end (SMTP smuggling)."""
    return processes.run(["/usr/sbin/postconf", "-d", "smtpd_forbid_bare_newline"],
                         check=False).stdout !=""


def missing():
    """Why it cannot run here, or None."""
    if not os.path.exists(f"{DAEMONS}/master"):
        return "package postfix is missing"
    if os.geteuid() != 0:
        return "Postfix starts only as root"
    return None


def write_file(path, content):
    """Dated back: Postfix reads a file younger than a second again and again until it is older."""
    processes.write_file(path, content)
    os.utime(path, (1_500_000_000, 1_500_000_000))


class Postfix:
    """One instance. `listeners` maps a name to (address, port) or (address, port, {option: value}).

    mail for `domains` is kept (see `delivered`); `settings` are main.cf's; all addresses
    of `refuse` are answered at RCPT with the given reply, e.g. {"x@example.net": "550 5.1.1 no"}.
    """
    def __init__(self, directory, hostname="postfix.example.net", *, listeners=None, domains=(
    ), refuse=None, certificate=None, settings=None, services="", queue_scan=1, wrapper=()):
        self.directory = directory
        self.config = os.path.join(directory, "etc")
        self.log = os.path.join(directory, "log")
        self.maildirs = os.path.join(directory, "mail")
        self.hostname, self.domains = hostname, tuple(domains)
        self.listeners = dict(listeners or {})
        self.wrapper = list(wrapper)
        self.process = None
        self._make_directories()
        self.access = os.path.join(self.config, "access")
        self._write_access(refuse or {})
        self._write_master(services, queue_scan)
        self._write_main(certificate, settings or {})

    # Configuration.

    def _make_directories(self):
        """What `postfix check` would make too, in three seconds."""
        for name in ("", "etc", "queue", "data", "mail", "queue/pid"):
            os.makedirs(os.path.join(self.directory, name), exist_ok=True)
        os.chmod(self.directory, 0o755)
        shutil.chown(f"{self.directory}/data", "postfix")
        os.chown(self.maildirs, MAILBOX_OWNER, MAILBOX_OWNER)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                     "incoming", "saved", "trace", "private", "public", "maildrop"):
            path = f"{self.directory}/queue/{name}"
            os.makedirs(path, exist_ok=True)
            shared = {"public": 0o710, "maildrop": 0o730}.get(name)
            shutil.chown(path, "postfix", "postdrop" if shared else "root")
            os.chmod(path, shared or 0o700)

    def _write_main(self, certificate, settings):
        values = {
            "compatibility_level": "3.6",
            "queue_directory": f"{self.directory}/queue",
            "data_directory": f"{self.directory}/data",
            "command_directory": "/usr/sbin",
            "daemon_directory": DAEMONS,
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file_prefixes": self.directory,
            "maillog_file": self.log,
            "myhostname": self.hostname,
            "mydomain": self.hostname.partition(".")[2],
            "mydestination": "",
            "local_recipient_maps": "",
            "local_transport": "error:5.1.1 no local delivery here",
            "alias_maps": "",
            "alias_database": "",
            "mynetworks": "127.0.0.0/8 [::1]/128",
            "inet_interfaces": "all",
            "inet_protocols": "all",
            "smtp_bind_address": "127.0.0.1",
            "smtp_bind_address6": "::1",
            "smtputf8_enable": "yes",
            "smtpd_peername_lookup": "no",
            "smtpd_forbid_bare_newline": "yes" if forbids_bare_newline() else None,
            "virtual_mailbox_domains": " ".join(self.domains),
            "virtual_mailbox_base": self.maildirs,
            # Every address has a mailbox, and all are one maildir: Delivered-To tells them apart.
            "virtual_mailbox_maps": "static:all/",
            "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{MAILBOX_OWNER}",
            "virtual_gid_maps": f"static:{MAILBOX_OWNER}",
            "virtual_mailbox_limit": "0",
            "message_size_limit": "52428800",
            "smtpd_recipient_restrictions":
            f"check_recipient_access texthash:{self.access}, permit_mynetworks, "
            "reject_unauth_destination",
            # A test's retries are seconds apart, not minutes; errors are never punished with sleep.
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "transport_retry_time": "1s",
            "smtpd_error_sleep_time": "0",
            "smtpd_soft_error_limit": "1000",
            "smtpd_hard_error_limit": "2000",
            "smtpd_client_connection_count_limit": "0",
            "in_flow_delay": "0",
            "smtp_tls_loglevel": "1",
            "smtpd_tls_loglevel": "1",
        }
        if certificate:
            values |= {
                "smtpd_tls_security_level": "may",
                "smtpd_tls_chain_files": f"{certificate[1]} {certificate[0]}"
            }
        values |= settings
        write_file(
            f"{self.config}/main.cf", "".join(f"{key} = {value}\n" for key, value in values.items()
                                              if value is not None))

    def _write_master(self, services, queue_scan):
        lines = [MASTER.format(queue_scan=queue_scan)]
        for name, (address, port, *options) in self.listeners.items():
            place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            lines.append(f"{place} inet n - n - - smtpd\n  -o syslog_name={name}\n")
            lines += [
                f"  -o {key}={{{value}}}\n" if " " in str(value) else f"  -o {key}={value}\n"
                for key, value in (options[0] if options else {}).items()
            ]
        write_file(f"{self.config}/master.cf", "".join(lines) + services)

    def _write_access(self, refuse):
        write_file(self.access, "".join(f"{address} {reply}\n"
                                        for address, reply in refuse.items()))

    def refuse(self, refuse):
        """Replaces the recipients refused and the replies they get, from the next connection on."""
        self._write_access(refuse)
        self.reload()

    # Life.

    def start(self):
        started = len(self.logged("daemon started"))
        # master itself, not `postfix start-fg`, whose shell would take the signals meant for it.
        self.process = processes.Process([
            *self.wrapper, f"{DAEMONS}/master", "-c", self.config, "-s"
        ], f"{self.directory}/start.log")

        def ready():
            assert self.process.running(), f"Postfix did not start:\n{self.everything_logged()}"
            return len(self.logged("daemon started")) > started  # it listens before it says so

        wait_until(ready, f"Postfix in {self.directory} to answer")
        return self

    def reload(self):
        self._command("postfix", "reload")

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def kill(self):
        """Everything at once with SIGKILL, as a power cut would end the processes."""
        self.process.kill()
        self.process = None

    def _command(self, name, *arguments, **more):
        return processes.run([*self.wrapper, f"/usr/sbin/{name}", "-c", self.config, *arguments],
                             **more)

    # Mail.

    def send(self, octets, sender, *recipients):
        """Injects a message (LF or CRLF lines) as the sendmail command does."""
        processes.run([
            *self.wrapper, "/usr/sbin/sendmail", "-C", self.config, "-i", "-f", sender or "<>",
            "--", *recipients
        ], input=octets.replace(b"\r\n", b"\n"))

    def queue(self):
        """Rows of `postqueue -j`: queue_id, recipients with address and delay_reason, ..."""
        return [json.loads(line) for line in self._command("postqueue", "-j").stdout.splitlines()]

    def flush(self):
        self._command("postqueue", "-f")

    def wait_queue_empty(self, seconds=20.0):
        wait_until(lambda: not self.queue(), "Postfix's queue to become empty", seconds, every=0.1)

    def delivered(self, address):
        """Octets of every message that virtual(8) delivered to that address, oldest first."""
        folder = os.path.join(self.maildirs, "all", "new")
        try:
            names = sorted(os.listdir(folder),
                           key=lambda name: os.stat(f"{folder}/{name}").st_mtime_ns)
        except FileNotFoundError:
            return []
        mark = re.compile(rb"^Delivered-To: " + re.escape(address.encode()) + rb"$", re.I | re.M)
        messages = []
        for name in names:
            with open(f"{folder}/{name}", "rb") as file:
                octets = file.read()
            if mark.search(octets.partition(b"\n\n")[0]):
                messages.append(octets)
        return messages

    def wait_delivered(self, address, count=1, seconds=20.0):
        return wait_until(lambda: len(found := self.delivered(address)) >= count and found,
                          f"{count} message(s) for {address} at {self.hostname}", seconds)

    # Log.

    def log_text(self):
        return processes.read_text(self.log)

    def logged(self, pattern):
        """All matches of a regular expression in the log, one a line at most."""
        found = (re.search(pattern, line) for line in self.log_text().splitlines())
        return [match for match in found if match]

    def wait_logged(self, pattern, count=1, seconds=20.0):
        return wait_until(lambda: len(found := self.logged(pattern)) >= count and found,
                          f"{count} log line(s) like {pattern!r} from Postfix", seconds)

    def connections(self, listener):
        """How many connections that listener has taken."""
        return len(self.logged(rf" {re.escape(listener)}/smtpd\[\d+\]: connect from"))

    def everything_logged(self):
        return processes.read_text(f"{self.directory}/start.log") + self.log_text()
