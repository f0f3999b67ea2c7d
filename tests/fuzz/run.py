#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs fuzz targets, as many at a time as there are processors.

usage: tests/fuzz/run.py [--time S | --runs N | --check] [NAME:LENGTH...]

NAME:LENGTH is a target and the longest input that makes sense for it; without
one, all of them. What is
found goes to build/fuzz/corpus/NAME, where the next run goes on; an input
that breaks something goes to build/fuzz/crash. --check is for the test
runner: from the seeds alone, the same inputs every time.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time

OUT = "build/fuzz"
SEEDS = "tests/fuzz/corpus"
CHECK_RUNS = 20000
PROGRESS = 10           # seconds between lines

lock = threading.Lock()


def say(text):
    with lock:
        print(text, flush=True)


def files(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


class Target:
    def __init__(self, spec, args):
        self.name, _, self.length = spec.partition(":")
        self.args = args
        self.binary = f"{OUT}/bin/{self.name}"
        self.seeds = f"{SEEDS}/{self.name}"
        kind = "check" if args.check else "corpus"
        self.corpus = f"{OUT}/{kind}/{self.name}"
        self.log = f"{OUT}/log/{kind}-{self.name}.log"
        if args.check:
            shutil.rmtree(self.corpus, ignore_errors=True)
        for path in (self.corpus, f"{OUT}/crash", f"{OUT}/log"):
            os.makedirs(path, exist_ok=True)
        self.before = len(files(self.corpus))
        self.running = False
        self.crash = None

    def command(self):
        how = {"runs": self.args.runs, "max_total_time": self.args.time}
        if self.args.check:
            how = {"runs": CHECK_RUNS, "seed": 1}
        return [self.binary, f"-max_len={self.length}",
                "-print_final_stats=1", "-timeout=100", "-entropic=0",
                f"-artifact_prefix={OUT}/crash/{self.name}-",
                *(f"-{k}={v}" for k, v in how.items() if v is not None),
                self.corpus, self.seeds]

    def run(self):
        start = time.monotonic()
        self.running = True
        with open(self.log, "w") as log:
            self.status = subprocess.call(self.command(), stdout=log,
                                          stderr=log,
                                          stdin=subprocess.DEVNULL)
        self.running = False
        self.seconds = time.monotonic() - start
        text = open(self.log, errors="replace").read()
        found = re.search(r"Test unit written to (\S+)", text)
        if self.status:
            self.crash = found[1] if found else self.log
            why = re.search(r"(?m)^(\S+\.[ch]:\d+.*|SUMMARY: .*)$", text)
            self.why = why[1] if why else f"exit status {self.status}"

    def executions(self):
        """So far, and what libFuzzer has to say."""
        n, rest = 0, ""
        for n, rest in re.findall(r"(?m)^#(\d+)\s+\w+\s+(.*)$",
                                  open(self.log, errors="replace").read()):
            pass
        return int(n), rest

    def summary(self):
        n = self.executions()[0]
        line = (f"{self.name:8} {n:10} executions, "
                f"{n / max(self.seconds, 1):7.0f}/s, "
                f"{len(files(self.corpus)) - self.before:4} new in the corpus, ")
        if not self.crash:
            return line + "no crash"
        return (line + f"CRASH: {self.why}\n"
                f"{'':8} reproduce: {self.binary} {self.crash}")

    def verdict(self):
        """As tests/runner wants it."""
        if not self.crash:
            return f"ok {self.name}"
        return f"FAIL {self.name}: {self.why}; {self.binary} {self.crash}"


def worker(queue, done):
    while True:
        with lock:
            if not queue:
                return
            target = queue.pop(0)
        target.run()
        done(target)


def progress(targets, stop):
    while not stop.wait(PROGRESS):
        for t in targets:
            if t.running:
                n, rest = t.executions()
                say(f"{t.name:8} {n:10} {rest}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--time", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("targets", nargs="*")
    args = parser.parse_args()
    if not args.targets:
        args.targets = open(f"{OUT}/targets").read().split()

    targets = [Target(spec, args) for spec in args.targets]
    stop = threading.Event()
    done = (lambda t: say(t.verdict())) if args.check else (lambda t: None)
    queue = list(targets)
    threads = [threading.Thread(target=worker, args=(queue, done))
               for _ in range(len(os.sched_getaffinity(0)))]
    if not args.check:
        threading.Thread(target=progress, args=(targets, stop),
                         daemon=True).start()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stop.set()
    if not args.check:
        print()
        for t in targets:
            print(t.summary())
    return 1 if any(t.crash for t in targets) else 0


if __name__ == "__main__":
    sys.exit(main())
