#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs a test guest, of 32 or 64 bits, and prints its TAP. A suite that ends the guest is a
failure, and the guest is booted again for those behind it. Time counts
instructions, so that each run is like the last.

usage: tests/guest/run.py [--guest NAME] [--no-batch] [--verify] [--cpus N]
                          [--after SUITE]
"""

import argparse
import re
import subprocess
import sys

LIMIT = 900     # seconds; only ends what hangs
RESULT = re.compile(r"(not ok|ok) \d+ - (.*)")
SUITE = re.compile(r"# suite (\w+)")
REPORT = re.compile(r"(Bail out! |guest |panic|vmi-run: ).*")


class Guest:
    """Boots, until one comes to its end."""

    def __init__(self, args):
        self.elf = f"build/tests/{args.guest}.elf"
        self.options = ["--cpus", args.cpus, "--host-cpus", args.cpus]
        self.options += ["--no-batch"] if args.no_batch else []
        self.options += ["--verify"] if args.verify else []
        self.append = "nocosts" if args.no_batch else ""
        self.after = args.after
        self.results = self.failures = 0

    def result(self, word, name):
        self.results += 1
        self.failures += word != "ok"
        print(f"{word} {self.results} - {name}", flush=True)

    def boot(self, after):
        """The suite that has ended it; None if none has."""
        append = f"{self.append} after={after}" if after else self.append
        p = subprocess.Popen(
            ["./vmi-run", "--timeout", str(LIMIT), "--icount", "--memory",
             "64", "--kernel", self.elf, "--append", append, *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="ascii", errors="replace")
        suite, ended, why = "begin", False, "no report"
        for line in p.stdout:
            line = line.rstrip()
            match = RESULT.fullmatch(line)
            if match:
                self.result(*match.groups())
                continue
            ended |= line.startswith("1..")
            if line and not line.startswith("1.."):
                print(line, flush=True)
            match = SUITE.fullmatch(line)
            suite = match[1] if match else suite
            why = line if REPORT.match(line) else why
        status = p.wait()
        if ended and not status:
            return None
        self.result("not ok", f"guest: suite {suite} comes to its end")
        print(f"# status {status}, {why}", flush=True)
        return None if ended or suite == "begin" else suite

    def run(self):
        after = self.boot(self.after)
        while after:
            after = self.boot(after)
        print(f"1..{self.results}")
        return self.failures != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--guest", default="guest")
    parser.add_argument("--no-batch", action="store_true")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--cpus", default="1")
    parser.add_argument("--after")
    return Guest(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
