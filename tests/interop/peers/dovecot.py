"""A private Dovecot (Debian's `dovecot-*`): IMAP, POP3, LMTP, and SASL for Postfix."""

import os
import re
import shutil

import processes
from processes import wait_until, write_file

BINARY = "/usr/sbin/dovecot"
OWNER = 65534  # nobody owns all mail

# The same on both series; what differs is in SERIES_23 and SERIES_24.
COMMON = """\
base_dir = {run}
state_dir = {run}
log_path = {log}
protocols = {protocols}
listen = {address}
ssl = yes
ssl_min_protocol = TLSv1.2
default_login_user = {login_user}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_client_limit = 4000
mail_fsync = {fsync}
first_valid_uid = 1
auth_failure_delay = 0
auth_mechanisms = plain login scram-sha-256
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = create
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
  process_min_avail = 1
  {many_clients}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
  {many_clients}
}}
service imap {{
  process_limit = 2000
}}
service pop3 {{
  process_limit = 2000
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
  process_min_avail = {lmtp_processes}
}}
service auth {{
  inet_listener sasl {{
    port = {sasl}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
protocol imap {{
  mail_max_userip_connections = 2000
}}
"""

SERIES_23 = """\
disable_plaintext_auth = {refuse_plaintext}
mail_location = {format}:{mail}/%d/%n
ssl_cert = <{certificate}
ssl_key = <{key}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {users}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%d/%n
}}
"""

SERIES_24 = """\
auth_allow_cleartext = {allow_plaintext}
mail_driver = {format}
mail_path = {mail}/%{{user|domain}}/%{{user|username}}
mail_home = {mail}/%{{user|domain}}/%{{user|username}}
mail_uid = {uid}
mail_gid = {gid}
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
passdb passwd-file {{
  default_password_scheme = PLAIN
  auth_username_format = %{{user}}
  passwd_file_path = {users}
}}
userdb static {{
}}
"""


def missing():
    """Why it cannot run here, or None."""
    if not os.path.exists(BINARY):
        return "packages dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd are missing"
    for program in ("imap", "pop3", "lmtp"):
        if not os.path.exists(f"/usr/lib/dovecot/{program}"):
            return f"package dovecot-{program}d is missing"
    if os.geteuid() != 0:
        return "Dovecot's private instance needs root to own mail as nobody"
    return None


class Dovecot:
    """One instance; `ports` has imap, imaps, pop3, pop3s, lmtp and sasl, all on `address`."""
    def __init__(self, directory, ports, certificate, *, address="127.0.0.1", mail_format="maildir",
                 fsync="optimized", plaintext=True, lmtp_processes=0, extra=""):
        self.directory, self.ports, self.address = directory, dict(ports), address
        self.config = os.path.join(directory, "dovecot.conf")
        self.users = os.path.join(directory, "users")
        self.log = os.path.join(directory, "log")
        self.mail = os.path.join(directory, "mail")
        self.accounts = {}
        self.process = None
        os.makedirs(self.mail, exist_ok=True)
        os.chmod(directory, 0o755)
        os.chown(self.mail, OWNER, OWNER)
        series_24 = self._version() >= (2, 4)
        values = dict(
            self.ports, run=os.path.join(
                directory, "run"), log=self.log, address=address, protocols="imap pop3 lmtp"
            if not series_24 else "{\n  imap = yes\n  pop3 = yes\n  lmtp = yes\n}",
            login_user="dovenull", internal_user="dovecot", internal_group="dovecot", fsync=fsync,
            refuse_plaintext="no" if plaintext else "yes", allow_plaintext="yes"
            if plaintext else "no", format=mail_format, mail=self.mail, users=self.users, uid=OWNER,
            gid=OWNER, certificate=certificate[0], key=certificate[1],
            lmtp_processes=lmtp_processes, many_clients="service_count = 0\n  client_limit = 2000"
            if not series_24 else "restart_request_count = unlimited\n  client_limit = 2000")
        common = COMMON
        if series_24:
            common = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + \
                common.replace("protocols = {protocols}", "protocols {protocols}")
        write_file(self.config,
                   (common + (SERIES_24 if series_24 else SERIES_23)).format(**values) + extra)
        self._write_users()

    @staticmethod
    def _version():
        text = processes.run([BINARY, "--version"]).stdout
        return tuple(int(part) for part in re.findall(r"\d+", text)[:2])

    def _write_users(self):
        write_file(
            self.users, "".join(f"{address}:{{PLAIN}}{password}::::::\n"
                                for address, password in self.accounts.items()))
        os.chmod(self.users, 0o640)
        shutil.chown(self.users, "root", "dovecot")

    def add_account(self, address, password):
        self.accounts[address] = password
        self._write_users()  # read again as soon as its time or size changes

    def start(self):
        self.process = processes.Process([BINARY, "-F", "-c", self.config],
                                         f"{self.directory}/start.log")

        def ready():
            assert self.process.running(), f"Dovecot did not start:\n{self.everything_logged()}"
            return processes.greets(self.address, self.ports["imap"], b"* OK") and \
                processes.greets(self.address, self.ports["pop3"], b"+OK") and \
                processes.greets(self.address, self.ports["lmtp"], b"220")

        wait_until(ready, "Dovecot to answer")
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def kill(self):
        """Everything at once with SIGKILL, as a power cut would end the processes."""
        self.process.kill()
        self.process = None

    def everything_logged(self):
        return processes.read_text(f"{self.directory}/start.log") + processes.read_text(self.log)
