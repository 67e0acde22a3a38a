"""A private Cyrus (Debian's `cyrus-common`, with imapd and pop3d as cmake/setup unpacks them): IMAP, POP3, LMTP."""

import glob
import os
import pwd
import shutil
import tempfile

import processes
from processes import wait_until, write_file

PROGRAMS = "/usr/lib/cyrus/bin"
UNPACKED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "build", "deps", "cyrus", "usr",
                        "lib", "cyrus", "bin")
OWNER = "cyrus"

# Debian's imapd.conf with its folders moved here. Nothing about durability is touched.
IMAPD = """\
configdirectory: {directory}/config
proc_path: {volatile}/proc
mboxname_lockpath: {volatile}/lock
defaultpartition: default
partition-default: {directory}/mail
servername: mail.example.net
virtdomains: userid
defaultdomain: localhost.localdomain
altnamespace: no
unixhierarchysep: yes
lmtp_downcase_rcpt: yes
allowanonymouslogin: no
popminpoll: 0
autocreate_quota: 0
autocreate_post: yes
umask: 077
sieveusehomedir: false
sievedir: {directory}/sieve
hashimapspool: true
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {directory}/sasldb
sasl_mech_list: PLAIN LOGIN
sasl_auto_transition: no
tls_server_cert: {directory}/certificate.pem
tls_server_key: {directory}/key.pem
tls_session_timeout: 1440
syslog_prefix: cyrusbench
"""

# As a busy site has it: processes that are there before they are needed, and serve many users in turn.
CYRUS = """\
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {imapd} -r"
  idled cmd="{idled} -C {imapd}"
}}
SERVICES {{
  imap cmd="{imap} -C {imapd} -U 250" listen="127.0.0.1:{imap_port}" prefork=10 maxchild=4000
  imaps cmd="{imap} -C {imapd} -s -U 250" listen="127.0.0.1:{imaps_port}" prefork=10 maxchild=4000
  pop3 cmd="{pop3} -C {imapd} -U 250" listen="127.0.0.1:{pop3_port}" prefork=1 maxchild=50
  lmtp cmd="{programs}/lmtpd -C {imapd} -a" listen="127.0.0.1:{lmtp_port}" prefork=10 maxchild=50
}}
EVENTS {{
  checkpoint cmd="{programs}/ctl_cyrusdb -C {imapd} -c" period=30
}}
"""


def program(name):
    """The package's program, or the unpacked one; None if there is neither."""
    for folder in (PROGRAMS, UNPACKED):
        if os.path.exists(f"{folder}/{name}"):
            return os.path.abspath(f"{folder}/{name}")
    return None


def missing():
    """Why it cannot run here, or None."""
    for name in ("master", "lmtpd", "imapd", "pop3d", "idled"):
        if not program(name):
            return f"Cyrus's {name} is missing (cmake/setup build test peers)"
    if not shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin"):
        return "package sasl2-bin is missing"
    if os.geteuid() != 0:
        return "Cyrus starts only as root"
    return None


def version():
    text = processes.run(["dpkg-query", "-W", "-f", "${Version}", "cyrus-common"], check=False).stdout
    return text.split("-")[0]


class Cyrus:
    """One instance; `ports` has imap, imaps, pop3 and lmtp."""
    def __init__(self, directory, ports, certificate):
        self.directory, self.ports = directory, dict(ports)
        self.imapd_conf, self.cyrus_conf = f"{directory}/imapd.conf", f"{directory}/cyrus.conf"
        self.process = None
        # Debian has these on the memory file system /run.
        self.volatile = tempfile.mkdtemp(prefix="mcb-", dir="/dev/shm" if os.path.isdir("/dev/shm") else directory)
        for path in (*(f"{directory}/{name}" for name in ("config/socket", "mail", "sieve")),
                     *(f"{self.volatile}/{name}" for name in ("proc", "lock"))):
            os.makedirs(path, exist_ok=True)
        for given, name in zip(certificate, ("certificate.pem", "key.pem")):
            shutil.copyfile(given, f"{directory}/{name}")
        write_file(self.imapd_conf, IMAPD.format(directory=directory, volatile=self.volatile))
        write_file(
            self.cyrus_conf,
            CYRUS.format(programs=PROGRAMS, imapd=self.imapd_conf, idled=program("idled"), imap=program("imapd"),
                         pop3=program("pop3d"), **{f"{name}_port": number for name, number in ports.items()}))
        self._give_away()

    def _give_away(self):
        owner = pwd.getpwnam(OWNER)
        for path in (self.directory, *glob.glob(f"{self.directory}/*"), f"{self.directory}/config/socket", self.volatile,
                     *glob.glob(f"{self.volatile}/*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def add_account(self, address, password):
        user, _, realm = address.partition("@")
        processes.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", f"{self.directory}/sasldb", "-u", realm, user],
                      input=password)
        self._give_away()

    def start(self):
        self.process = processes.Process(
            [f"{PROGRAMS}/master", "-M", self.cyrus_conf, "-C", self.imapd_conf, "-p", f"{self.directory}/pid"],
            f"{self.directory}/start.log")

        def ready():
            assert self.process.running(), f"Cyrus did not start:\n{processes.read_text(self.directory + '/start.log')}"
            return processes.greets("127.0.0.1", self.ports["imap"], b"* OK") and \
                processes.greets("127.0.0.1", self.ports["pop3"], b"+OK") and \
                processes.greets("127.0.0.1", self.ports["lmtp"], b"220")

        wait_until(ready, "Cyrus to answer")
        return self

    def stop(self):
        if self.process:
            processes.send_signal(self.process.pid, 15)
            below = processes.descendants(self.process.pid)
            self.process.child.wait(15)
            for pid in below:  # idled is not the master's to end
                processes.send_signal(pid, 15)
            self.process = None

    def end(self):
        shutil.rmtree(self.volatile, ignore_errors=True)
