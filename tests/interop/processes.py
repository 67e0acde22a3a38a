"""Starting, waiting for and ending the programs of a story, so that nothing outlives it."""

import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36


class Timeout(AssertionError):
    """What a story waited for did not happen in its time."""


def wait_until(condition, what, seconds=15.0, every=0.02):
    """Calls `condition` until it answers something true, and returns that; raises Timeout."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise Timeout(f"waited {seconds:g} s for {what}")
        time.sleep(every)


def adopt_orphans():
    """Daemons that detach become our children instead of init's (Linux): they can be found."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root):
    """Process ids below `root`, parents before their children."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat:
                # The name in parentheses may hold spaces; state and parent follow the last ')'.
                parent = int(stat.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(entry))
    found, todo = [], [root]
    while todo:
        for child in children.get(todo.pop(0), ()):
            found.append(child)
            todo.append(child)
    return found


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def reap():
    """Collects every child that has ended and that nobody waits for."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_descendants(root):
    """SIGKILL to everything below `root`, again while new ones appear."""
    for _ in range(100):
        living = [pid for pid in descendants(root) if not is_zombie(pid)]
        if not living:
            break
        for pid in living:
            send_signal(pid, signal.SIGKILL)
        time.sleep(0.01)
    if root == os.getpid():
        reap()


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


def memory_octets(pid):
    """Anonymous resident memory of one process."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid):
    """User and system time of one process and of its children that ended."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return sum(int(value) for value in fields[11:15]) / os.sysconf("SC_CLK_TCK")


class Process:
    """A program in a session of its own, its output in a file."""
    def __init__(self, argv, log, env=None, cwd=None):
        self.argv = [str(part) for part in argv]
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=output, env=env, cwd=cwd, start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def stop(self, seconds=15.0, number=signal.SIGTERM):
        """Asks it to end and returns its exit status; not to end in time is a failure."""
        if self.running():
            send_signal(self.pid, number)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Timeout(
                    f"{self.argv[0]} did not end within {seconds:g} s of a signal") from None
        return self.child.returncode

    def kill(self):
        """SIGKILL to it and all below it; stopped first, so that it forks nothing meanwhile."""
        send_signal(self.pid, signal.SIGSTOP)
        below = descendants(self.pid)
        for pid in (self.pid, *below):
            send_signal(pid, signal.SIGKILL)
        self.child.wait()
        wait_until(lambda: all(is_zombie(pid) for pid in below), "killed processes to end")

    def output(self):
        return read_text(self.log)


def run(argv, *, input=None, env=None, cwd=None, seconds=30.0, check=True):
    """Runs a program to its end; its output is text. With `check`, a failure shows that output."""
    argv = [str(part) for part in argv]
    if isinstance(input, str):
        input = input.encode()
    try:
        done = subprocess.run(argv, input=input, env=env, cwd=cwd, timeout=seconds, stdin=None
                              if input is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    except subprocess.TimeoutExpired as late:
        raise Timeout(f"{' '.join(argv)} took more than {seconds:g} s\n"
                      f"{(late.stdout or b'').decode(errors='replace')}"
                      f"{(late.stderr or b'').decode(errors='replace')}") from None
    done.octets = done.stdout
    done.stdout = done.stdout.decode(errors="replace")
    done.stderr = done.stderr.decode(errors="replace")
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write_file(path, content, mode=0o644):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)
    return path


def greets(host, port, expected):
    """True when something listens there and says `expected` first; None expects nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(2)
        try:
            probe.connect((host, port))
            return expected is None or probe.recv(512).startswith(expected)
        except OSError:
            return False
