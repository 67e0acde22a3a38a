"""The server under test: made by `mdctl init`, run by `mdserver run`, ruled by `mdctl -d`."""

import json
import os
import shutil
import signal
import tomllib

import processes
from processes import wait_until, write_file
from story import Account, Server

PORTS = {
    "smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3": 110,
    "pop3s": 995
}
GREETINGS = {"smtp": b"220", "submission": b"220", "imap": b"* OK",
             "pop3": b"+OK"}  # the others speak TLS


def toml_settings(settings):
    """{(table, key): value}: with `toml_routes` the one place that knows mdserver.toml's words."""
    keys = {
        ("dns", "servers"): settings.dns or
        ["127.0.0.1:9"],  # nobody listens: no story asks the real DNS
        ("dns", "timeout"): 500,
        ("dns", "tries"): 2,
        ("delivery", "retry_waits"): list(settings.retry_seconds),
        ("delivery", "queue_lifetime"): settings.give_up_seconds,
        ("delivery", "backoff_first"): 1,
        ("smtp", "message_octets_max"): settings.message_octets_max,
    }
    if settings.delivery_port is not None:
        keys["delivery", "port"] = settings.delivery_port
    return keys | settings.extra


def toml_routes(settings, directory):
    """The [[route]] tables; a smart host's password goes into a file of its own."""
    routes = [(domain, host, port, None) for domain, (host, port) in settings.routes.items()]
    if settings.smart_host:
        host, port, user, password = settings.smart_host
        write_file(os.path.join(directory, "relay.password"), password + "\n", 0o600)
        routes.append(("*", host, port, user))
    text = ""
    for domain, host, port, user in routes:
        text += f'\n[[route]]\ndomain = "{domain}"\nhost = "{host}"\nport = {port}\n'
        if user:
            text += f'tls = "encrypted"\nuser = "{user}"\npassword_file = "relay.password"\n'
    return text


def parses(text):
    try:
        return tomllib.loads(text) is not None
    except tomllib.TOMLDecodeError:
        return False


def toml_with(text, keys):
    """`text` with the keys set: in their table where it stands, else in a new one at the end."""
    lines = text.splitlines()
    for (table, key), value in keys.items():
        line = f"{key} = {json.dumps(value)}"
        starts = [at for at, old in enumerate(lines) if old.strip() == f"[{table}]"]
        if not starts:
            lines += ["", f"[{table}]", line]
            continue
        start = starts[0] + 1
        end = next((at for at in range(start, len(lines)) if lines[at].lstrip().startswith("[")),
                   len(lines))
        old = [at for at in range(start, end) if lines[at].partition("=")[0].strip() == key]
        if old:
            last = old[0]
            while last + 1 < end and not parses("\n".join(lines[old[0]:last + 1])):
                last += 1  # an array over several lines
            lines[old[0]:last + 1] = [line]
        else:
            lines.insert(start, line)
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    return text


class MdServer(Server):
    kind = "mdserver"
    accounts_first = False
    host = "127.0.0.1"

    def __init__(self, scene, directory, settings):
        self.scene, self.settings = scene, settings
        self.mdserver, self.mdctl = scene.binaries
        self.domain, self.hostname, self.ca = settings.domain, settings.hostname, scene.ca
        self.base = scene.ports.server_base()
        self.directory = os.path.join(directory, "data")
        self.log = os.path.join(directory, "log")
        self.config = os.path.join(self.directory, "mdserver.toml")
        self.accounts = {}
        self.process = None
        self.init = processes.run([
            self.mdctl, "init", self.directory, "--domain", settings.domain, "--hostname",
            settings.hostname, "--port-base", self.base
        ])
        certificate = settings.certificate or scene.certificate(settings.hostname)
        for given, name in zip(certificate, ("certificate.pem", "key.pem")):
            shutil.copyfile(given, os.path.join(self.directory, "tls", name))
        write_file(
            self.config,
            toml_with(processes.read_text(self.config), toml_settings(settings)) +
            toml_routes(settings, self.directory))

    def port(self, service):
        return self.base + PORTS[service]

    # Life.

    def start(self, seconds=15.0):
        self.spawn()
        wait_until(self.ready, "mdserver to answer on all its ports", seconds)
        return self

    def spawn(self):
        """Starts it without waiting for anything."""
        wrapper = self.settings.within
        if self.settings.disk_octets:
            # A small file system in a mount namespace of its own: it goes with the process. ext4 in a
            # file, where loop devices can be had: its syncs and its ENOSPC are a disk's.
            octets = self.settings.disk_octets
            wrapper = (
                "unshare", "-m", "sh", "-c", 'cp -a "$0" "$0.first" && '
                f'{{ truncate -s {octets} "$0.disk" && mkfs.ext4 -q -m 0 "$0.disk" && '
                'mount -o loop "$0.disk" "$0" || '
                f'mount -t tmpfs -o size={octets} tmpfs "$0"; }} && '
                'cp -a "$0.first/." "$0" && exec "$@"', self.directory)
        self.process = processes.Process([*wrapper, self.mdserver, "run", self.directory], self.log)

    def ready(self):
        assert self.process.running(), \
            f"mdserver ended with {self.process.child.returncode}:\n{self.everything_logged()}"
        return all(
            processes.greets(self.host, self.port(name), GREETINGS.get(name)) for name in PORTS)

    def stop(self):
        """SIGTERM; it must drain and end well."""
        if self.process:
            process, self.process = self.process, None
            status = process.stop()
            assert status == 0, f"mdserver ended with {status}:\n{self.everything_logged()}"

    def kill(self):
        process, self.process = self.process, None
        process.kill()

    def reload(self):
        processes.send_signal(self.process.pid, signal.SIGHUP)

    @property
    def pid(self):
        return self.process.pid

    # Ruling it.

    def control(self, *arguments, **more):
        within = ("nsenter", "-t", self.pid, "-m") if self.settings.disk_octets else ()
        return processes.run([*within, self.mdctl, "-d", self.directory, *arguments], **more)

    def file(self, *parts):
        """A path in the data folder as this process sees it."""
        root = f"/proc/{self.pid}/root" if self.settings.disk_octets else ""
        return os.path.join(root + self.directory, *parts)

    def add_account(self, address, password):
        secret = write_file(self.scene.path(f"password-{address}"), password + "\n", 0o600)
        self.control("account", "add", address, "--password-file", secret)
        return Account(address, password)

    def queue(self):
        """The queue's entries; only their number and their text are relied upon."""
        listed = json.loads(self.control("queue", "list", "--json").stdout or "[]")
        return listed["messages"]

    def everything_logged(self):
        return processes.read_text(self.log) + processes.read_text(
            os.path.join(self.directory, "log", "mdserver.log"))
