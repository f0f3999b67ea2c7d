#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Takes checks out of the hypervisor and the ROM, one at a time, and says
which test notices.

usage: tests/mutants/run.py [--check | --all] [NAME...]

The mutants are in tests/mutants/list. Each is made in a copy of the tree,
build/mutants/tree, and tested there: by the test that is said to catch it; if
that does not, or with --all, by one layer of LAYERS after the other, until a
test fails. A test that fails, and does not without the mutant, has caught it;
so has one that runs for SPARE seconds and five times as long as without the
mutant. Progress comes on standard error, the table at the end on standard
output; status 1 if less than 95 % were caught.
--check only says, for tests/runner, whether every mutant still applies.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
LIST = os.path.join(ROOT, "tests/mutants/list")
OUT = os.path.join(ROOT, "build/mutants")
LIMIT = 3600            # seconds, as in tests/runner
SPARE = 60
ENOUGH = 95             # per cent
LEAST = 60              # mutants

# In order of cost; before them come the unit tests that the file is part of.
# "TEST [ARGUMENT...]" is a program of tests/run, "unit NAME" a unit test.
LAYERS = ("guest_memory.py", "guest", "guest64", "conformance",
          "conformance64", "bad_input.py", "client.py", "ends.py", "trace.py",
          "machine.py", "attack.py", "attack64.py", "guests.py", "fuzz", "linux.py", "linux_pae.py", "attack_bochs.py")

# Of build/: what takes long to build and nothing here changes; what is not
# of use. All else is copied.
LINKED = ("linux/bzImage", "linux-pae/bzImage")
LEFT = ("linux", "linux-pae", "iso", "openvmi.iso", "run", "coverage",
        "mutants", "initramfs", "corpus", "check", "crash")

FAILED = re.compile(r"FAIL ([^:\s][^:]*)|not ok \d+ - (?:test_)?(.*)")


def say(text, end="\n"):
    print(text, file=sys.stderr, end=end, flush=True)


class Mutant:
    """One entry of the list: three lines "key: value", then a difference of
    whole lines without their numbers, which begin with " ", "-" or "+"."""

    def __init__(self, entry):
        lines = [line for line in entry.splitlines() if line[:1] != "#"]
        keys = dict(line.split(": ", 1) for line in lines[:3])
        self.name = keys["mutant"]
        self.file = keys["file"]
        self.hint = keys["caught-by"]
        self.old, self.new = (
            "".join(line[1:] + "\n" for line in lines[3:] if line[0] in sides)
            for sides in (" -", " +"))

    def places(self, text):
        return ("\n" + text).count("\n" + self.old)

    def apply(self, tree):
        path = os.path.join(tree, self.file)
        with open(path, encoding="ascii") as f:
            text = f.read()
        assert self.places(text) == 1
        with open(path, "w", encoding="ascii") as f:
            f.write(("\n" + text).replace("\n" + self.old, "\n" + self.new)[1:])


def mutants():
    with open(LIST, encoding="ascii") as f:
        return [Mutant(entry) for entry in f.read().strip().split("\n\n")
                if not all(line[0] == "#" for line in entry.splitlines())]


def check(found):
    """What is wrong with the list."""
    names = [m.name for m in found]
    wrong = [f"{name} is there twice" for name in sorted(set(names))
             if names.count(name) > 1]
    if len(found) < LEAST:
        wrong.append(f"{len(found)} mutants")
    for m in found:
        with open(os.path.join(ROOT, m.file), encoding="ascii") as f:
            places = m.places(f.read())
        if places != 1 or m.old == m.new:
            wrong.append(f"{m.name}: its text is {places} times in {m.file}")
    return wrong


# ---- trees --------------------------------------------------------------------

def copy(tree, to):
    def left(path, names):
        in_build = os.path.relpath(path, tree).split("/")[0] == "build"
        return set(names) & set(LEFT if in_build else [".git"])

    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(tree, to, symlinks=True, ignore=left)
    for name in LINKED:
        path = os.path.join(to, "build", name)
        os.makedirs(os.path.dirname(path))
        os.link(os.path.join(tree, "build", name), path)


def make(tree, *targets):
    """What it says if it fails."""
    run = subprocess.run(["make", "-s", "-C", tree, *targets],
                         capture_output=True, text=True, check=False)
    return run.returncode and (run.stderr.strip() or "make failed")


def unit_tests(tree, file):
    """Those that were made again after the file had changed."""
    since = os.path.getmtime(os.path.join(tree, file))
    path = os.path.join(tree, "build/tests/unit")
    return [name for name in sorted(os.listdir(path))
            if os.path.getmtime(os.path.join(path, name)) > since]


# ---- tests --------------------------------------------------------------------

def command(tree, test):
    """Builds it, if it is made of what a mutant changes."""
    name, *args = test.split()
    if name == "unit":
        path = f"build/tests/unit/{args.pop(0)}"
        targets = [path]
    else:
        path, targets = f"tests/run/{name}", []
    if name == "fuzz":
        with open(os.path.join(tree, "build/fuzz/targets"),
                  encoding="ascii") as f:
            targets = ["build/fuzz/bin/" + target.partition(":")[0]
                       for target in args or f.read().split()]
    failed = targets and make(tree, *targets)
    assert not failed, failed
    return [os.path.join(tree, path), *args]


def failures(tree, test, limit):
    """The names of what fails, as it comes."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    p = subprocess.Popen(command(tree, test), cwd=tree, env=env,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace",
                         start_new_session=True)
    late = threading.Event()

    def kill():
        late.set()
        os.killpg(p.pid, signal.SIGKILL)

    timer = threading.Timer(limit, kill)
    timer.start()
    seen = False
    try:
        for line in p.stdout:
            match = FAILED.match(line.rstrip())
            if match:
                seen = True
                yield match[1] or match[2]
        status = p.wait()
        if late.is_set():
            yield f"still running after {limit:.0f} s"
        elif status and not seen:
            yield f"status {status}"
    finally:
        timer.cancel()
        if p.poll() is None:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()


class Judge:
    """What a test finds in the mutant that it does not find without."""

    def __init__(self):
        self.clean = os.path.join(OUT, "clean")
        self.tree = os.path.join(OUT, "tree")
        self.known = {}
        copy(ROOT, self.clean)

    def test(self, test):
        if test not in self.known:
            begin = time.monotonic()
            names = set(failures(self.clean, test, LIMIT))
            seconds = time.monotonic() - begin
            self.known[test] = names, SPARE + 5 * seconds
            if names:
                say(f"(without a mutant {test} fails: "
                    + ", ".join(sorted(names)) + ") ", "")
        names, limit = self.known[test]
        for name in failures(self.tree, test, limit):
            if name not in names:
                return test if name in test else f"{test}: {name}"
        return None

    def catch(self, mutant, every):
        """By which test, or None."""
        copy(self.clean, self.tree)
        mutant.apply(self.tree)
        error = make(self.tree, "build/hypervisor-stub.elf", "roms")
        if error:
            return "DOES NOT BUILD: " + error.splitlines()[0]
        caught = None if every else self.test(mutant.hint)
        if caught:
            return caught
        error = make(self.tree, "unit-tests")
        assert not error, error
        units = ["unit " + n for n in unit_tests(self.tree, mutant.file)]
        for test in [*units, *LAYERS]:
            say(test + " ", "")
            caught = self.test(test)
            if caught:
                return caught
        return None


def head():
    commit = subprocess.run(["git", "describe", "--always", "--dirty"],
                            cwd=ROOT, capture_output=True, text=True,
                            check=False).stdout.strip()
    return time.strftime("%Y-%m-%d, ") + commit


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()

    found = mutants()
    wrong = check(found)
    if args.check:
        print("FAIL every mutant applies: " + "; ".join(wrong) if wrong else
              "ok every mutant applies")
        return bool(wrong)
    chosen = [m for m in found if m.name in args.names or not args.names]
    if wrong or not chosen:
        sys.exit("mutants: " + ("; ".join(wrong) or "no such name"))

    os.nice(10)
    judge = Judge()
    table, caught = [], 0
    for n, mutant in enumerate(chosen, 1):
        begin = time.monotonic()
        say(f"[{n}/{len(chosen)}] {mutant.name}: ", "")
        by = judge.catch(mutant, args.all)
        say(f"{by or 'SURVIVED'} ({time.monotonic() - begin:.0f} s)")
        caught += by is not None and not by.startswith("DOES NOT")
        table.append((mutant.name, os.path.basename(mutant.file),
                      by or "SURVIVED"))
    print(head() + "\n")
    widths = [max(len(row[i]) for row in table) for i in (0, 1)]
    for name, file, by in [("mutant", "file", "caught by"), *table]:
        print(f"{name:{widths[0]}}  {file:{widths[1]}}  {by}")
    print(f"\n{caught} of {len(table)} caught "
          f"({caught * 1000 // len(table) / 10} %)")
    return caught * 100 < ENOUGH * len(table)


if __name__ == "__main__":
    sys.exit(main())
