#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The shell, used as a person does: on a terminal and through pipes."""

import sys
sys.dont_write_bytecode = True
import os
import pty
import re
import subprocess
import termios
import threading

from harness import HANG, VMI_RUN, Failed, expect, same, tail, test_all

PROMPT = b"/ # "
# Carriage returns (two on a terminal: the guest's and our own terminal's) and
# the shell's question where the cursor is.
NOISE = re.compile(rb"\r|\x1b\[6n")


class Session:
    """A running guest: what it prints, and what we type."""

    def __init__(self, options, terminal):
        if terminal:
            self.master, self.slave = pty.openpty()
            self.before = termios.tcgetattr(self.slave)
            self.typed = self.printed = self.master
            stdin = stdout = self.slave
        else:
            stdin, self.typed = os.pipe()
            self.printed, stdout = os.pipe()
        self.terminal = terminal
        self.output = b""
        self.process = subprocess.Popen(
            [VMI_RUN, "--timeout", HANG, *options],
            stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
        if not terminal:
            os.close(stdin)
            os.close(stdout)
        # A pty gives no end of file while we hold its other side: this
        # wakes up a read that would wait for ever.
        self.waiter = threading.Thread(target=self.wait)
        self.waiter.start()

    def wait(self):
        self.stderr = self.process.stderr.read()
        self.process.wait()
        if self.terminal:
            os.write(self.slave, b"\n<ended>\n")

    def until(self, text):
        """Everything up to text, which must come."""
        while text not in self.output:
            data = os.read(self.printed, 4096)
            self.output = NOISE.sub(b"", self.output + data)
            if not data or b"<ended>" in data:
                self.waiter.join()
                raise Failed(f"it ended before {text!r} came: "
                             f"{self.output[-200:]!r} {self.stderr!r}")
        before, self.output = self.output.split(text, 1)
        return before

    def type(self, text):
        os.write(self.typed, text)

    def start(self, line, sign):
        """Start a program, which prints the sign when it is ready."""
        self.type(line.encode() + b"\n")
        self.until(line.encode() + b"\n")
        self.until(sign.encode() + b"\n")

    def command(self, line):
        """What the shell prints between the line and its next prompt."""
        self.type(line.encode() + b"\n")
        self.until(line.encode() + b"\n")
        return self.until(PROMPT).decode()

    def finish(self):
        """The status of vmi-run, once it has ended by itself."""
        while True:
            data = os.read(self.printed, 4096)
            if not data or b"<ended>" in data:
                break
        self.waiter.join()
        return self.process.returncode


def use(options, append, terminal, hypervisor):
    # quiet: a late word of the kernel must not be taken for an answer.
    s = Session(["--append", "console=ttyS0 panic=-1 quiet" + append,
                 *options], terminal)
    try:
        s.until(PROMPT)
        same("6 * 7", s.command("echo $((6 * 7))"), "42\n")
        same("a pipe", s.command("seq 1000 | wc -l"), "1000\n")
        same("files", s.command("echo text >/tmp/f; cat /tmp/f"), "text\n")
        same("the hypervisor",
             s.command("cat /sys/hypervisor/type 2>/dev/null"), hypervisor)
        # What is typed reaches a program ...
        s.start("sh -c 'echo go; read x; echo got $x'", "go")
        s.type(b"xyz\n")
        s.until(b"got xyz\n" + PROMPT)
        # ... and Ctrl-C is the guest's: it ends the program, not QEMU.
        s.start("sh -c 'echo go; exec sleep 1000'", "go")
        s.type(b"\x03")
        s.until(PROMPT)
        same("the status after Ctrl-C", s.command("echo $?"), "130\n")
        s.type(b"poweroff\n")
        same("the status of vmi-run", s.finish(), 0)
        if terminal:
            expect(termios.tcgetattr(s.slave) == s.before,
                   "the terminal is not as it was")
    finally:
        s.process.kill()


def quit_by_user(options):
    s = Session(options, True)
    try:
        s.until(PROMPT)
        s.type(b"\x01x")
        s.waiter.join()
        same("the status", s.process.returncode, 130)
        expect(termios.tcgetattr(s.slave) == s.before,
               "the terminal is not as it was")
    finally:
        s.process.kill()


def piped_at_once(options, commands):
    """All input is there before the guest is."""
    run = subprocess.run(
        [VMI_RUN, "--timeout", HANG, "--append", "console=ttyS0 panic=-1 quiet",
         *options], input=commands + b"poweroff\n", capture_output=True,
        check=False)
    expect(run.returncode == 0, f"status {run.returncode}: "
           + tail(run.stdout.decode(errors="replace")))
    for line in (b"\none-42\r", b"\nand-42\r"):
        expect(line in run.stdout, f"{line!r} was not printed")


ONE, AND = b"echo one-$((6*7))\n", b"echo and-$((6*7))\n"

test_all([
    ("piped at once", piped_at_once, [], ONE + AND),
    ("much piped at once", piped_at_once, [],
     ONE + b"true a b c d e f g\n" * 100 + AND),
    ("on a terminal", use, [], "", True, "vmi\n"),
    ("through pipes", use, [], "", False, "vmi\n"),
    ("natively on a terminal", use, ["--native"], "", True, ""),
    ("natively with vmi=off", use, ["--native"], " vmi=off", False, ""),
    ("Ctrl-A x", quit_by_user, []),
    ("Ctrl-A x natively", quit_by_user, ["--native"]),
])
