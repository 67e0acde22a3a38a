"""The machine of a run: what it is, and what it can do at all."""

import os
import platform
import re
import subprocess
import time

from servers import cyrus, postfix, processes


def _first(pattern, text, otherwise="unknown"):
    found = re.search(pattern, text, re.M)
    return found[1].strip() if found else otherwise


def file_system(folder):
    """(type, options, kind of disk) of what `folder` lies on."""
    device = os.stat(folder).st_dev
    best = ("", "unknown", "")
    for line in processes.read_text("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        point, options = left.split()[4:6]
        if os.path.exists(point) and os.stat(point).st_dev == device and len(point) >= len(best[0]):
            best = (point, right.split()[0], options)
    major, minor = os.major(device), os.minor(device)
    block = os.path.realpath(f"/sys/dev/block/{major}:{minor}")
    for queue in (f"{block}/queue", f"{os.path.dirname(block)}/queue"):
        if os.path.isdir(queue):
            cache = processes.read_text(f"{queue}/write_cache").strip() or "unknown"
            name = re.sub(r"\d+$", "", os.path.basename(os.path.dirname(queue)))
            kind = {"vd": "virtual disk", "nv": "NVMe", "sd": "SCSI or SATA disk"}.get(name[:2], "block device")
            return best[1], best[2], f"{kind}, write cache: {cache}"
    return best[1], best[2], "unknown"


def device_written(folder):
    """Octets that the device below `folder` has written since the machine started; None if it cannot be told."""
    device = os.stat(folder).st_dev
    text = processes.read_text(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    return int(text.split()[6]) * 512 if text else None


def _version(argv, pattern):
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError:
        return None
    return _first(pattern, done.stdout.decode(errors="replace"), None)


def versions(binaries):
    """{program: version} of what is there."""
    found = {
        "mdserver": _version([binaries[0], "--version"], r"(\d+\.\d+\S*)"),
        "Postfix": ".".join(str(part) for part in postfix.version()) or None,
        "Dovecot": _version(["/usr/sbin/dovecot", "--version"], r"^(\S+)"),
        "Cyrus": cyrus.version() if cyrus.missing() is None else None,
        "OpenSSL": _version(["openssl", "version"], r"^OpenSSL (\S+)"),
    }
    return {name: version for name, version in found.items() if version}


def describe(folder):
    """{what: text}; no host name, no path."""
    cpu = processes.read_text("/proc/cpuinfo")
    memory = int(_first(r"^MemTotal:\s+(\d+)", processes.read_text("/proc/meminfo"), "0"))
    kind, options, disk = file_system(folder)
    system = _first(r'^PRETTY_NAME="?([^"\n]*)', processes.read_text("/etc/os-release"))
    return {
        "processor": f"{_first(r'^model name.*: (.*)$', cpu)}, {os.cpu_count()} cores",
        "memory": f"{memory / 1024 / 1024:.0f} GiB",
        "kernel": f"{platform.system()} {_first(r'^([0-9.]+)', platform.release())}",
        "system": system,
        "disk": disk,
        "file system": f"{kind} ({options})",
    }


def tls_handshakes(certificate, port, seconds):
    """TLS 1.3 handshakes a second between openssl's server and client on this machine; None without openssl."""
    chain, key = certificate
    try:
        server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain, "-key", key,
                                   "-quiet", "-no_ticket", "-tls1_3"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    try:
        processes.wait_until(lambda: processes.greets("127.0.0.1", port, None), "openssl s_server", 5)
        began = time.monotonic()
        done = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-tls1_3", "-time",
                               str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        took = time.monotonic() - began
        count = re.search(rb"^(\d+) connections in", done.stdout, re.M)
        return int(count[1]) / took if count else None
    finally:
        server.kill()
        server.wait()


def tls_handshakes_limit(server, seconds):
    return tls_handshakes(server.scene.certificate("mx.example.test"), server.scene.ports.port(), seconds)
