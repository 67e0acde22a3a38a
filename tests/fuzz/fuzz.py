#!/usr/bin/env python3
"""Runs libFuzzer targets in slices until each has had its CPU time; see cmake/fuzz.

A slice is a run of its own: it takes what the target learnt so far and what its seeds say, and a crash ends it, not the
others. build/fuzz/ledger.json keeps the account.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
SLICE_SECONDS = 120
# One input may take this long, and the process this much memory: beyond it is found, as a crash is.
TIMEOUT_SECONDS = 20
MEMORY_MIB = 2048


class Ledger:
    """What each target has had and found."""
    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.entries = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.entries = json.load(file)

    def of(self, target):
        return self.entries.setdefault(target, {"cpu": 0.0, "runs": 0, "corpus": 0, "edges": 0})

    def add(self, target, cpu, runs, corpus, edges):
        with self.lock:
            entry = self.of(target)
            entry["cpu"] += cpu
            entry["runs"] += runs
            entry["corpus"], entry["edges"] = corpus or entry["corpus"], edges or entry["edges"]
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(self.entries, file, indent=1, sort_keys=True)
            os.replace(self.path + ".new", self.path)


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


class Target:
    def __init__(self, build, name):
        self.name = name
        self.program = os.path.join(build, "tests", name)
        self.corpus = os.path.join(build, "corpus", name)
        self.found = os.path.join(build, "found", name)
        self.dictionary = os.path.join(HERE, dictionary_of(name))
        self.log = os.path.join(build, "logs", name + ".log")

    def findings(self):
        return sorted(glob.glob(os.path.join(self.found, "*")))

    def prepare(self):
        for folder in (self.corpus, self.found, os.path.dirname(self.log)):
            os.makedirs(folder, exist_ok=True)
        subprocess.run([self.program], check=True, env={**os.environ, "MAILCORE_FUZZ_SEEDS": self.corpus})

    def run(self, seconds):
        """One slice: (CPU seconds, inputs, corpus, edges)."""
        command = [
            self.program, f"-max_total_time={int(seconds)}", f"-timeout={TIMEOUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={self.found}/", "-print_final_stats=1",
            "-max_len=65536", "-reduce_inputs=0"
        ]
        if os.path.exists(self.dictionary):
            command.append(f"-dict={self.dictionary}")
        with open(self.log, "ab") as log:
            begin = log.tell()
            child = subprocess.Popen([*command, self.corpus], stdout=log, stderr=log)
            _, _, usage = os.wait4(child.pid, 0)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            text = log.read()
        return (usage.ru_utime + usage.ru_stime, last_number(r"number_of_executed_units:\s*(\d+)", text),
                last_number(r"corp: (\d+)", text), last_number(r"cov: (\d+)", text))


def dictionary_of(name):
    """The dictionary of the protocol or format that the target's name begins with."""
    for dictionary in sorted(glob.glob(os.path.join(HERE, "*.dict")), key=len, reverse=True):
        stem = os.path.splitext(os.path.basename(dictionary))[0]
        if name.removeprefix("fuzz_").startswith(stem):
            return os.path.basename(dictionary)
    return "none"


def show(targets, ledger):
    print(f"{'target':28} {'CPU min':>8} {'inputs':>12} {'a second':>9} {'corpus':>7} {'edges':>7} {'found':>6}")
    for target in targets:
        had = ledger.of(target.name)
        rate = had["runs"] / had["cpu"] if had["cpu"] else 0
        print(f"{target.name:28} {had['cpu'] / 60:8.1f} {had['runs']:12} {rate:9.0f} {had['corpus']:7} "
              f"{had['edges']:7} {len(target.findings()):6}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(build, "tests", "fuzz_*"))
                   if os.access(path, os.X_OK) and os.path.isfile(path))
    unknown = set(options.targets) - set(names)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    targets = [Target(build, name) for name in options.targets or names]
    ledger = Ledger(os.path.join(build, "ledger.json"))
    if not options.list:
        for target in targets:
            target.prepare()
        run_all(targets, ledger, options)
    show(targets, ledger)
    found = [path for target in targets for path in target.findings()]
    for path in found:
        print(f"found: {os.path.relpath(path)}")
    return 1 if found else 0


def run_all(targets, ledger, options):
    """Slice after slice, who has had least first; each target is in one slice at a time."""
    waiting = list(targets)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {}
        while waiting or running:
            waiting = [each for each in waiting if ledger.of(each.name)["cpu"] < options.minutes * 60]
            waiting.sort(key=lambda each: ledger.of(each.name)["cpu"])
            while waiting and len(running) < options.jobs:
                target = waiting.pop(0)
                left = options.minutes * 60 - ledger.of(target.name)["cpu"]
                task = pool.submit(target.run, max(1, min(SLICE_SECONDS, left)))
                running[task] = (target, len(target.findings()))
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                target, before = running.pop(future)
                found = len(target.findings())
                ledger.add(target.name, *future.result())
                had = ledger.of(target.name)
                print(f"{target.name}: {had['cpu'] / 60:.1f} min, {had['runs']} inputs, {had['edges']} edges, "
                      f"{found} found", flush=True)
                if found == before:  # else it would find the same again
                    waiting.append(target)


if __name__ == "__main__":
    sys.exit(main())
