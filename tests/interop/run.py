#!/usr/bin/env python3
"""Runs the interoperability stories: one line a story, then `N passed, N failed, N skipped`.

    run.py                         every story against mdserver, found under build/
    run.py --self-test             every story against Postfix + Dovecot instead: proves the stories
    run.py mbsync retry            those whose file, function or title contains one of the words
    run.py --keep mbsync           leaves the folders, with all configurations and logs
"""

import argparse
import concurrent.futures
import glob
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import certificates  # noqa: E402
import processes  # noqa: E402
import story  # noqa: E402

PASSED, FAILED, SKIPPED = 0, 1, 77


def discover():
    stories = []
    for path in sorted(glob.glob(f"{HERE}/test_*.py")) + [f"{HERE}/kill9.py"]:
        module = importlib.import_module(os.path.splitext(os.path.basename(path))[0])
        stories += [
            function.story for function in vars(module).values() if hasattr(function, "story")
        ]
    return stories


def find_binary(name, given):
    """The binary given, or the newest of that name under the project's build/."""
    found = [given] if given else glob.glob(f"{HERE}/../../build/**/{name}", recursive=True)
    found = [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]
    return os.path.abspath(max(found, key=os.path.getmtime)) if found else None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run only stories that contain one of these")
    parser.add_argument("--self-test", action="store_true",
                        help="Postfix + Dovecot in mdserver's place")
    parser.add_argument("--mdserver", default=os.environ.get("MDSERVER"), help="path of the binary")
    parser.add_argument("--mdctl", default=os.environ.get("MDCTL"), help="path of the binary")
    parser.add_argument("--jobs", type=int, default=max(3,
                                                        os.cpu_count() or 1),
                        help="stories at a time")
    parser.add_argument("--rounds", type=int, default=5, help="how often kill9 kills (default 5)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of all stories")
    parser.add_argument("--list", action="store_true", help="only name the stories")
    parser.add_argument("--only", metavar="NAME", help=argparse.SUPPRESS)  # the child's part
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    parser.add_argument("--authority", help=argparse.SUPPRESS)
    return parser.parse_args()


# One story, in a process of its own.


def play(chosen, options):
    """Plays one story; everything it started has ended when this returns."""
    processes.adopt_orphans()

    def late(*_):
        raise processes.Timeout(f"not done within its deadline of {chosen.deadline:g} s")

    signal.signal(signal.SIGTERM, late)
    scene, status = None, FAILED
    try:
        scene = story.Scene(options.directory, certificates.Authority(options.authority),
                            "reference"
                            if options.self_test else "mdserver", (options.mdserver, options.mdctl))
        chosen.function(scene)
        scene.close()  # a server that does not stop well is a failure too
        status = PASSED
    except story.Skip as reason:
        print(reason)
        status = SKIPPED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        if scene:
            print(scene.logs())
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout.flush()
        processes.kill_descendants(os.getpid())
    return status


# All stories.


class Runner:
    def __init__(self, options):
        self.options = options
        self.directory = tempfile.mkdtemp(
            prefix="mci-")  # short: UNIX sockets' paths have 107 octets
        os.chmod(self.directory, 0o755)
        self.authority = certificates.Authority(f"{self.directory}/ca").create()
        self.printing = threading.Lock()
        self.counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
        self.children = {}

    def tell(self, chosen, status, seconds, more=""):
        with self.printing:
            self.counts[status] += 1
            word = {PASSED: "pass", FAILED: "FAIL", SKIPPED: "skip"}[status]
            print(
                f"{word} {seconds:6.1f} s  {chosen.file}: {chosen.title}" +
                (f" ({more})" if status == SKIPPED else ""), flush=True)
            if status == FAILED:
                print("    " + more.replace("\n", "\n    "), flush=True)

    def play(self, number, chosen):
        options = self.options
        kind = "reference" if options.self_test else "mdserver"
        if kind not in chosen.servers:
            return self.tell(chosen, SKIPPED, 0, f"not a story for the {kind}")
        for reason in filter(None, map(story.why_missing, chosen.needs)):
            return self.tell(chosen, SKIPPED, 0, reason)
        directory = f"{self.directory}/{number}"
        os.makedirs(directory)
        os.chmod(directory, 0o755)
        argv = [
            sys.executable,
            os.path.abspath(__file__), "--only", chosen.name, "--directory", directory,
            "--authority", f"{self.directory}/ca", "--rounds",
            str(options.rounds)
        ]
        argv += ["--self-test"] if options.self_test else [
            "--mdserver", options.mdserver, "--mdctl", options.mdctl
        ]
        began = time.monotonic()
        with open(f"{directory}/output", "wb") as output:
            child = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                     start_new_session=True, env=os.environ | {
                                         "HOME": directory, "LC_ALL": "C.UTF-8"
                                     })
        self.children[child.pid] = child
        try:
            child.wait(chosen.deadline)
        except subprocess.TimeoutExpired:
            child.terminate()  # it tells where it stood and what its actors logged
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                processes.kill_descendants(child.pid)
                child.kill()
                child.wait()
                with open(f"{directory}/output", "a", encoding="utf-8") as output:
                    print("killed: it did not even end when asked, after its deadline", file=output)
        del self.children[child.pid]
        text = processes.read_text(f"{directory}/output").strip()
        status = child.returncode if child.returncode in self.counts else FAILED
        self.tell(chosen, status, time.monotonic() - began, text[-12000:])
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)

    def end_children(self):
        for child in list(self.children.values()):
            processes.kill_descendants(child.pid)
            child.kill()

    def run(self, stories):
        # The longest first, so that the end is not one story on an idle machine.
        stories = sorted(enumerate(stories), key=lambda pair: -pair[1].deadline)
        pool = concurrent.futures.ThreadPoolExecutor(self.options.jobs)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for done in [pool.submit(self.play, *pair) for pair in stories]:
                done.result()
        finally:
            # Empty-handed after a good run; after Ctrl-C there is something to end.
            pool.shutdown(wait=False, cancel_futures=True)
            self.end_children()
            pool.shutdown()
            if self.options.keep:
                print(f"folders: {self.directory}")
            else:
                shutil.rmtree(self.directory, ignore_errors=True)
        print(
            f"{self.counts[PASSED]} passed, {self.counts[FAILED]} failed, "
            f"{self.counts[SKIPPED]} skipped"
        )
        return 1 if self.counts[FAILED] else 0


def main():
    options = arguments()
    os.environ["INTEROP_ROUNDS"] = str(options.rounds)  # kill9 reads it when it is imported
    stories = discover()
    if options.only:
        chosen, = (one for one in stories if one.name == options.only)
        return play(chosen, options)
    words = [word.lower().removesuffix(".py") for word in options.words]
    stories = [
        one for one in stories
        if not words or any(word in f"{one.name} {one.title}".lower() for word in words)
    ]
    if options.list:
        for one in stories:
            print(f"{one.name}  {one.title}")
        return 0
    if not stories:
        print("no story has such a name")
        return 2
    if not options.self_test:
        options.mdserver = find_binary("mdserver", options.mdserver)
        options.mdctl = find_binary("mdctl", options.mdctl)
        if not options.mdserver or not options.mdctl:
            print("mdserver and mdctl are not built; build them, name them, or use --self-test")
            return 2
    try:
        return Runner(options).run(stories)
    except KeyboardInterrupt:
        print("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
