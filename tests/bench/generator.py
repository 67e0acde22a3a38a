"""mdload, run against one server: its figures, and what the server spent meanwhile."""

import itertools
import json
import os
import re
import signal
import subprocess
import tempfile


class Generator:
    def __init__(self, build):
        self.program = os.path.abspath(os.path.join(build, "tests", "bench", "mdload"))
        self.seeds = itertools.count(1)  # no two runs send the same letters

    def command(self, work, server, service, options):
        words = [self.program, work, "--host", server.host, "--port", server.port(service)]
        words += ["--seed", next(self.seeds)]
        for name, value in options.items():
            name = "--" + name.replace("_", "-")
            if value is True:
                words.append(name)
            elif value is not None and value is not False:
                for each in value if isinstance(value, (list, tuple)) else (value,):
                    words += [name, each]
        return [str(word) for word in words]

    def run(self, work, server, service="imap", **options):
        """What it reports, and `server_cpu`: CPU seconds of the server from the first operation to the last."""
        argv = self.command(work, server, service, options | {"gate": True})
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            if process.stdout.readline():
                before = server.cpu_seconds()
                process.stdin.write(b"\n")
                process.stdin.flush()
                text = process.stdout.readline()
                after = server.cpu_seconds()
                process.stdin.close()
                if text and process.wait() == 0:
                    return json.loads(text) | {"server_cpu": after - before}
            raise AssertionError(f"{' '.join(argv)}\n{server.name}: {process.stderr.read().decode(errors='replace')}")

    def hold(self, work, server, service="imap", **options):
        """Answers the process, which stands and ends when its input does; its report is its next line.

        `failures_max`: that they happen is expected, and not shown.
        """
        process = subprocess.Popen(self.command(work, server, service, options), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL if "failures_max" in options else None)
        assert process.stdout.readline(), f"mdload {work} did not stand: {server.name}"
        return process

    def limits(self, folder, seconds):
        """What the machine can do at all: see `mdload limits`."""
        done = subprocess.run([self.program, "limits", "--mailbox", folder, "--seconds", str(seconds)], check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)


class Sink:
    """`mdload sink`: where outgoing mail goes."""
    def __init__(self, generator, port, count):
        self.process = subprocess.Popen([generator.program, "sink", "--port", str(port), "--count", str(count)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline(), "the sink does not stand"

    def report(self):
        """Waits until all has come."""
        report = json.loads(self.process.stdout.readline())
        self.process.wait()
        return report


class SyncCount:
    """How often a server's processes call fsync and fdatasync, by strace, which slows them down."""
    def __init__(self, server):
        self.file = tempfile.NamedTemporaryFile(mode="r", suffix=".strace")
        pids = [word for pid in server.processes() for word in ("-p", str(pid))]
        self.process = subprocess.Popen(["strace", "-f", "-q", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range",
                                         "-o", self.file.name, *pids], stderr=subprocess.PIPE)

    def result(self):
        """Ends it. None where tracing is not allowed."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:fsync|fdatasync|msync|sync_file_range)$",
                          self.file.read(), re.M)
        return sum(int(calls) for calls in rows) if rows else None
