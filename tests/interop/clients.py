"""The mail programs people use, each as one call with its configuration written out.

`server` is a MdServer or ReferenceServer, `account` a story.Account. `tls` is "none", "starttls" or
"tls" (from the first octet).
"""

import contextlib
import fcntl
import imaplib
import os
import poplib
import pty
import re
import select
import smtplib
import socket
import ssl
import struct
import subprocess
import termios
import time

import letter
import processes
from processes import run, wait_until, write_file

SMTP_SERVICE = {"none": "submission", "starttls": "submission", "tls": "submissions"}
IMAP_SERVICE = {"none": "imap", "starttls": "imap", "tls": "imaps"}
POP3_SERVICE = {"none": "pop3", "starttls": "pop3", "tls": "pop3s"}


def tls_context(server):
    return ssl.create_default_context(cafile=server.ca)


# Python's own clients.


@contextlib.contextmanager
def smtplib_session(server, account=None, *, tls="starttls", service=None, seconds=20):
    """A smtplib connection after EHLO, STARTTLS and AUTH as asked."""
    service = service or SMTP_SERVICE[tls]
    if tls == "tls":
        session = smtplib.SMTP_SSL(server.host, server.port(service), timeout=seconds,
                                   context=tls_context(server), local_hostname="client.example.org")
    else:
        session = smtplib.SMTP(server.host, server.port(service), timeout=seconds,
                               local_hostname="client.example.org")
        if tls == "starttls":
            session.starttls(context=tls_context(server))
    with session:
        session.ehlo()
        if account:
            session.login(account.address, account.password)
        yield session


def submit(server, account, message, *, tls="starttls", sender=None, recipients=None, options=(),
           recipient_options=()):
    """Sends a Letter as `account` by the submission service."""
    with smtplib_session(server, account, tls=tls) as session:
        session.sendmail(message.sender if sender is None else sender, recipients or [
            message.recipient
        ], message.octets, options, recipient_options)


def deliver(server, message, *, tls="starttls", recipients=None):
    """Sends a Letter as a stranger does, to port 25."""
    with smtplib_session(server, tls=tls, service="smtp") as session:
        session.sendmail(message.sender, recipients or [message.recipient], message.octets)


@contextlib.contextmanager
def imaplib_session(server, account, *, tls="starttls", folder=None, seconds=20):
    """An imaplib connection, logged in; with `folder`, selected."""
    if tls == "tls":
        session = imaplib.IMAP4_SSL(server.host, server.port("imaps"),
                                    ssl_context=tls_context(server), timeout=seconds)
    else:
        session = imaplib.IMAP4(server.host, server.port("imap"), timeout=seconds)
        if tls == "starttls":
            session.starttls(tls_context(server))
    try:
        session.login(account.address, account.password)
        if folder:
            status, answer = session.select(folder)
            assert status == "OK", answer
        yield session
        session.logout()
    finally:
        with contextlib.suppress(OSError):
            session.shutdown()


@contextlib.contextmanager
def poplib_session(server, account, *, tls="starttls", seconds=20):
    """A poplib connection, logged in."""
    if tls == "tls":
        session = poplib.POP3_SSL(server.host, server.port("pop3s"), timeout=seconds,
                                  context=tls_context(server))
    else:
        session = poplib.POP3(server.host, server.port("pop3"), timeout=seconds)
        if tls == "starttls":
            session.stls(tls_context(server))
    try:
        session.user(account.address)
        session.pass_(account.password)
        yield session
        session.quit()
    finally:
        with contextlib.suppress(OSError):
            session.close()


def fetch_all(session, what="BODY.PEEK[]"):
    """[(uid, flags, octets)] of the selected mailbox, in one FETCH."""
    status, answer = session.uid("FETCH", "1:*", f"(UID FLAGS {what})")
    assert status == "OK", answer
    found = []
    for at, part in enumerate(answer):
        if not isinstance(part, tuple):
            continue
        # imaplib gives (text before the literal, literal), then the text after it.
        after = answer[at +
                       1] if at + 1 < len(answer) and isinstance(answer[at + 1], bytes) else b""
        text = part[0] + b" " + after
        uid = int(re.search(rb"UID (\d+)", text)[1])
        flags = set(re.search(rb"FLAGS \(([^)]*)\)", text)[1].decode().split()) - {"\\Recent"}
        found.append((uid, flags, part[1]))
    return found


def messages(server, account, folder="INBOX"):
    """Octets of all messages of a folder, over IMAP."""
    with imaplib_session(server, account, tls="none", folder=folder) as session:
        return [octets for _, _, octets in fetch_all(session)]


def wait_messages(server, account, count, *, folder="INBOX", seconds=30):
    """Waits until the folder holds at least `count` messages and returns their octets."""
    with imaplib_session(server, account, tls="none", folder=folder) as session:

        def enough():
            # At NOOP a server must tell of new messages; SELECT anew would hide a deaf session.
            session.noop()
            status, answer = session.uid("SEARCH", "ALL")
            assert status == "OK", answer
            return len(answer[0].split()) >= count

        wait_until(enough, f"{count} message(s) in {folder} of {account.address}", seconds,
                   every=0.05)
        return [octets for _, _, octets in fetch_all(session)]


def wait_letter(server, account, message, **where):
    """Waits for one Letter, checks that it is intact, and returns its octets as stored."""
    def found():
        for octets in messages(server, account, where.get("folder", "INBOX")):
            token, intact = letter.read(octets)
            if token == message.token:
                text = octets[:3000].decode(errors="replace")
                assert intact, f"letter {token} was altered:\n{text}"
                return octets
        return None

    return wait_until(found, f"letter {message.token} for {account.address}",
                      where.get("seconds", 30), every=0.05)


# Raw sockets, for what no well-behaved client does.


class Raw:
    """A socket that speaks lines; `tls` wraps it from the first octet."""
    def __init__(self, server, service, *, tls=False, seconds=15, receive_buffer=None):
        self.server = server
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        self.socket.connect((server.host, server.port(service)))
        self.pending = b""
        if tls:
            self.start_tls()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def start_tls(self):
        self.socket = tls_context(self.server).wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode())

    def line(self):
        """The next line with its CRLF; b"" at the end of the stream."""
        while b"\n" not in self.pending:
            if len(self.pending) > 1 << 20:
                raise AssertionError("a line of more than 1 MiB from the server")
            try:
                octets = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
                octets = b""
            if not octets:
                rest, self.pending = self.pending, b""
                return rest
            self.pending += octets
        line, _, self.pending = self.pending.partition(b"\n")
        return line + b"\n"

    def reply(self):
        """One SMTP reply, all its lines, as text; "" at the end of the stream."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if line[3:4] != b"-":
                return b"".join(lines).decode(errors="replace")

    def smtp(self, command):
        self.send(command + "\r\n" if isinstance(command, str) else command + b"\r\n")
        return self.reply()

    def tagged(self, tag):
        """IMAP lines until the tagged one; b"" last means that the server hung up."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if not line or line.startswith(tag.encode() + b" "):
                return lines

    def imap(self, tag, command):
        self.send(f"{tag} {command}\r\n" if isinstance(command, str) else tag.encode() + b" " +
                  command + b"\r\n")
        return self.tagged(tag)

    def rest(self, limit=1 << 22):
        """What still comes until the server hangs up."""
        octets = self.pending
        with contextlib.suppress(ConnectionResetError, ssl.SSLError):
            while len(octets) < limit and (more := self.socket.recv(65536)):
                octets += more
        return octets


# swaks, curl, msmtp: they send.


def swaks(server, account, message, *, tls="starttls", mechanism=None, check=True, more=()):
    argv = [
        "swaks", "--server", server.host, "--port",
        server.port(SMTP_SERVICE[tls] if account else "smtp"), "--helo", "client.example.org",
        "--from", message.sender, "--to", message.recipient, "--data", "-", "--timeout", "20s"
    ]
    if tls == "starttls":
        argv += ["--tls", "--tls-verify", "--tls-ca-path", server.ca]
    elif tls == "tls":
        argv += ["--tls-on-connect", "--tls-verify", "--tls-ca-path", server.ca]
    if account:
        argv += [
            "--auth", mechanism or "PLAIN", "--auth-user", account.address, "--auth-password",
            account.password
        ]
    return run([*argv, *more], input=message.octets, check=check)


def curl(server, account, service, *arguments, tls="starttls", path="", check=True, input=None,
         octets=False):
    """curl for SMTP, IMAP or POP3; `arguments` follow, `path` is the URL's."""
    scheme = {"submission": "smtp", "submissions": "smtps", "smtp": "smtp"}.get(service, service)
    argv = [
        "curl", "--silent", "--show-error", "--max-time", "20", "--cacert", server.ca,
        f"{scheme}://localhost:{server.port(service)}/{path}"
    ]
    if tls == "starttls":
        argv += ["--ssl-reqd"]
    if account:
        argv += ["--user", f"{account.address}:{account.password}"]
    done = run([*argv, *arguments], check=check, input=input)
    return done.octets if octets else done


def curl_send(server, account, message, *, tls="starttls", mechanism=None):
    return curl(server, account, SMTP_SERVICE[tls], "--mail-from", message.sender, "--mail-rcpt",
                message.recipient, "--upload-file", "-",
                *(["--login-options", f"AUTH={mechanism}"]
                  if mechanism else []), tls=tls, path="client.example.org", input=message.octets)


def gsasl(server, account, service, mechanism, *, tls13=True, bound=True, check=True):
    """Authenticates and says goodbye; GNU SASL is what binds SCRAM to TLS for msmtp and mpop too.

    Where it could bind it takes the -PLUS kinds only, unless told that it cannot (`bound`).
    """
    versions = "-VERS-ALL:+VERS-TLS1.3" if tls13 else "-VERS-ALL:+VERS-TLS1.2"
    protocol = "--imap" if service == "imap" else "--smtp"
    return run(["gsasl", protocol, "--connect", f"localhost:{server.port(service)}",
                "--x509-ca-file", server.ca, "--priority", f"NORMAL:{versions}",
                "--mechanism", mechanism, "--authentication-id", account.address,
                "--authorization-id", account.address, "--password", account.password, "--no-client-first",
                "--verbose", *([] if bound else ["--no-cb"])], check=check, input=b"")


def msmtp(scene, server, account, message, *, tls="starttls", mechanism="plain", recipients=None):
    config = write_file(
        scene.path("msmtprc"), f"""\
defaults
tls {"off" if tls == "none" else "on"}
tls_starttls {"off" if tls == "tls" else "on"}
tls_trust_file {server.ca}
logfile {scene.path("msmtp.log")}
account default
host localhost
port {server.port(SMTP_SERVICE[tls])}
domain client.example.org
from {message.sender}
auth {mechanism}
user {account.address}
password "{account.password}"
""", 0o600)
    return run(["msmtp", f"--file={config}", "--", *(recipients or [message.recipient])],
               input=message.unix_octets)


# mpop, fetchmail: they take mail away.


def maildir(path):
    for name in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, name), exist_ok=True)
    return path


def maildir_messages(path):
    """[(flags, octets)] of a maildir; flags is the letters after ":2,"."""
    found = []
    for name in ("new", "cur"):
        folder = os.path.join(path, name)
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, file), "rb") as octets:
                found.append((file.partition(":2,")[2], octets.read()))
    return found


def mpop(scene, server, account, target, *, tls="starttls", keep=False, pipelining="auto",
         mechanism="plain"):
    config = write_file(
        scene.path("mpoprc"), f"""\
account default
host localhost
port {server.port(POP3_SERVICE[tls])}
user {account.address}
password "{account.password}"
auth {mechanism}
tls {"off" if tls == "none" else "on"}
tls_starttls {"off" if tls == "tls" else "on"}
tls_trust_file {server.ca}
pipelining {pipelining}
keep {"on" if keep else "off"}
uidls_file {scene.path("mpop-uidls")}
delivery maildir {maildir(target)}
received_header off
""", 0o600)
    return run(["mpop", f"--file={config}"])


def fetchmail(scene, server, account, target, *, protocol="IMAP", tls="starttls", more="",
              options=()):
    """Appends to the mbox-like file `target`, a line "From fetchmail" before each message."""
    service = (IMAP_SERVICE if protocol == "IMAP" else POP3_SERVICE)[tls]
    security = {
        "none": 'sslproto ""', "starttls": "sslproto TLS1.2+", "tls": "ssl sslproto TLS1.2+"
    }[tls]
    config = write_file(
        scene.path("fetchmailrc"), f"""\
set no bouncemail
poll localhost protocol {protocol} port {server.port(service)} uidl
  user "{account.address}" password "{account.password}"
  {security} {"" if tls == "none" else f'sslcertck sslcertfile "{server.ca}"'}
  mda "(echo From fetchmail; cat) >> {target}" {more}
""", 0o600)
    environment = os.environ | {"FETCHMAILHOME": scene.directory, "HOME": scene.directory}
    done = run([
        "fetchmail", "--fetchmailrc", config, "--idfile",
        scene.path("fetchids"), "--pidfile",
        scene.path("fetchmail.pid"), "--nodetach", *options
    ], env=environment, check=False)
    assert done.returncode in (
        0, 1), f"fetchmail ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done  # 1 is "there was no mail"


def mbox_messages(path):
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        return file.read().split(b"From fetchmail\n")[1:]


# mbsync: two-way.


class Mbsync:
    """A maildir kept in step with the account; its flags, deletions and folders go both ways."""
    def __init__(self, scene, server, account, *, tls="starttls", more=""):
        self.root = scene.folder("mbsync")
        self.inbox = os.path.join(self.root, "mail", "INBOX")
        os.makedirs(os.path.join(self.root, "mail"))
        # isync 1.4 says SSLType, 1.5 TLSType; the older word still works there, with a warning.
        kind = {"none": "None", "starttls": "STARTTLS", "tls": "IMAPS"}[tls]
        self.config = write_file(
            os.path.join(self.root, "mbsyncrc"), f"""\
IMAPStore remote
Host localhost
Port {server.port(IMAP_SERVICE[tls])}
User {account.address}
Pass "{account.password}"
AuthMechs LOGIN
SSLType {kind}
CertificateFile {server.ca}
PipelineDepth 20

MaildirStore local
Path {self.root}/mail/
Inbox {self.inbox}
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
{more}
""", 0o600)

    def argv(self):
        return ["mbsync", "-c", self.config, "-a"]

    def sync(self, seconds=60):
        return run(self.argv(), seconds=seconds)

    def start(self):
        return processes.Process(self.argv(), os.path.join(self.root, "log"))

    def folder(self, name):
        return os.path.join(self.root, "mail", name)

    def messages(self, name="INBOX"):
        return maildir_messages(self.folder(name))

    def paths(self, name="INBOX"):
        return [
            os.path.join(self.folder(name), sub, file) for sub in ("new", "cur")
            for file in sorted(os.listdir(os.path.join(self.folder(name), sub)))
        ]

    def set_flags(self, path, flags):
        """Gives a maildir file these flag letters."""
        name = os.path.basename(path).partition(":2,")[0]
        folder = os.path.dirname(os.path.dirname(path))
        os.rename(path, os.path.join(folder, "cur", f"{name}:2,{''.join(sorted(flags))}"))


# neomutt under a pseudo terminal.


def neomutt_config(scene, server, account, *, tls="starttls", more=""):
    secure = tls == "tls"
    password = account.password.replace(" ", "%20")
    user = account.address.replace("@", "%40")
    scheme, smtp_scheme = ("imaps", "smtps") if secure else ("imap", "smtp")
    return write_file(
        scene.path("muttrc"), f"""\
set my_pass = "{account.password}"
set imap_user = "{account.address}"
set imap_pass = "{account.password}"
set folder = "{scheme}://{user}@localhost:{server.port(IMAP_SERVICE[tls])}/"
set spoolfile = "{scheme}://{user}@localhost:{server.port(IMAP_SERVICE[tls])}/INBOX"
set smtp_url = "{smtp_scheme}://{user}:{password}@localhost:{server.port(SMTP_SERVICE[tls])}/"
set smtp_pass = "{account.password}"
set from = "{account.address}"
set realname = "Neo Mutt"
set hostname = "client.example.org"
set ssl_force_tls = {"no" if tls == "none" else "yes"}
set ssl_starttls = {"no" if tls == "none" else "yes"}
set ssl_ca_certificates_file = "{server.ca}"
set certificate_file = "{scene.path('mutt-certificates')}"
set header_cache = ""
set copy = no
set delete = yes
set quit = yes
set move = no
set confirmappend = no
set mark_old = no
set wait_key = no
set mail_check = 0
set timeout = 1
set sleep_time = 0
set use_ipv6 = no
set use_envelope_from = yes
set pager_stop = yes
unset collapse_unread
{more}
""", 0o600)


def neomutt_send(scene, server, account, recipient, subject, body, *, tls="starttls", more="",
                 options=()):
    """Batch mode: the body from standard input."""
    config = neomutt_config(scene, server, account, tls=tls, more=more)
    return run(["neomutt", "-n", "-F", config, "-s", subject, *options, "--", recipient],
               input=body, env=os.environ | {"TERM": "xterm", "HOME": scene.directory})


def neomutt_read(scene, server, account, keys, *, tls="starttls", more="", seconds=40):
    """Opens the INBOX on a terminal of its own, types `keys` (its own notation), awaits its end."""
    push = f'folder-hook . \'push "{keys}"\'\n'
    config = neomutt_config(scene, server, account, tls=tls, more=more + "\n" + push)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    child = subprocess.Popen(["neomutt", "-n", "-F", config], stdin=slave, stdout=slave,
                             stderr=slave, env=os.environ | {
                                 "TERM": "xterm", "HOME": scene.directory
                             }, start_new_session=True)
    os.close(slave)
    screen, end = b"", time.monotonic() + seconds
    try:
        while child.poll() is None:
            if time.monotonic() > end:
                child.kill()
                raise processes.Timeout(f"neomutt did not end within {seconds:g} s; its screen:\n"
                                        f"{screen[-4000:].decode(errors='replace')}")
            if select.select([master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    screen += os.read(master, 65536)
    finally:
        os.close(master)
    text = screen.decode(errors="replace")
    assert child.returncode == 0, f"neomutt ended with {child.returncode}:\n{text[-4000:]}"
    return text
