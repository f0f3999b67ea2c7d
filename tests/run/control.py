#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""vmi-run --control (spec/control.md): a second Linux is made, talked with, stopped,
denied its end and ended by lines of JSON; each command's mistakes, and lines that are
none."""

import sys
sys.dont_write_bytecode = True
import contextlib
import json
import os
import resource
import socket
import struct
import subprocess
import time

from harness import (BUILD, HANG, INITRD, INITRD_AMD64, KERNEL, KERNEL_AMD64,
                     ROOT, VMI_RUN, expect, same, scratch, tail, test_all, write)

NEIGHBOUR = os.path.join(BUILD, "tests/neighbour.elf")
PROMPT = "/ # "


class Machine:
    """With one guest that is awake for a long time, and a connection."""

    def __init__(self, directory, *options):
        self.path = os.path.join(directory, "socket")
        self.out = os.path.join(directory, "out")
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                [VMI_RUN, "--timeout", HANG, "--host-memory", "160",
                 "--control", self.path, "--initrd", "",
                 *(options or ("--guest", f"kernel={NEIGHBOUR},memory=16,"
                               "append=light=900000"))],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.lines = self.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.lines.close()

    def connect(self):
        """When it listens; there is nothing that tells."""
        while True:
            with socket.socket(socket.AF_UNIX) as s:
                try:
                    s.connect(self.path)
                    return s.makefile("rwb")
                except OSError:
                    with open(self.out, encoding="ascii") as f:
                        expect(self.process.poll() is None, "it ended: "
                               + tail(f.read()))
            time.sleep(0.01)

    def line(self, line):
        self.lines.write(line + b"\n")
        self.lines.flush()
        return json.loads(self.lines.readline())

    def ask(self, command, **fields):
        return self.line(json.dumps({"command": command, **fields}).encode())

    def does(self, command, result, **fields):
        same(command, self.ask(command, **fields), {"return": result})

    def fails(self, command, number, why, **fields):
        error = self.ask(command, **fields).get("error", {})
        expect(error.get("errno") == number and why in error.get("text", ""),
               f"{command} {fields}: {error}, not {number}, {why!r}")

    def states(self):
        return [(guest["name"], guest["state"])
                for guest in self.ask("list")["return"]]

    def until(self, guest, text):
        said = ""
        while text not in said:
            answer = self.ask("console-read", guest=guest)
            expect("return" in answer, f"console-read: {answer}")
            said += answer["return"]["text"]
        return said


def life():
    with scratch() as directory, Machine(directory) as machine:
        same("the guests", machine.states(), [("guest", "running")])
        machine.does("create", {"guest": 1}, kernel=KERNEL, initrd=INITRD,
                     name="second", memory=64)
        same("the guests", machine.states(),
             [("guest", "running"), ("second", "shut down")])
        same("starts", machine.ask("info", guest=1)["return"]["starts"], 0)
        machine.fails("pause", "EBUSY", "does not run", guest=1)
        machine.does("start", {"guest": 1}, guest=1)
        machine.until(1, PROMPT)
        info = machine.ask("info", guest=1)["return"]
        expect(info.pop("exits") > 1000, "it has no exits")
        same("info", info, {
            "guest": 1, "name": "second", "state": "running", "cpus": 1,
            "memory": 64, "bits": 32, "rights": "", "starts": 1,
            "paused": False, "ended": False})
        expect(machine.ask("stats", guest=1)["return"]["hypercalls"] > 1000,
               "stats has no hypercalls")
        machine.does("pause", {}, guest=1)
        same("paused", machine.ask("info", guest=1)["return"]["paused"], True)
        machine.does("console-write", {"bytes": 16}, guest=1,
                     text="echo $((6 * 7))\n")
        machine.fails("pause", "EBUSY", "does not run", guest=1)
        machine.does("resume", {}, guest=1)
        machine.fails("resume", "EBUSY", "does not stand still", guest=1)
        machine.until(1, "\n42\r\n" + PROMPT)
        machine.ask("console-write", guest=1,
                    text="echo 1 >/sys/hypervisor/lock; echo locked\n")
        machine.until(1, "\nlocked")
        machine.fails("shutdown", "EACCES", "denied", guest=1)
        machine.fails("destroy", "EPERM", "it has a vote", guest=1)
        machine.fails("reset", "EPERM", "it has a vote", guest=1)
        machine.ask("console-write", guest=1,
                    text="echo 0 >/sys/hypervisor/lock; echo open\n")
        machine.until(1, "\nopen")
        machine.does("shutdown", {}, guest=1)
        machine.until(1, "reboot: Power down")
        same("the guests", machine.states(),
             [("guest", "running"), ("second", "shut down")])
        machine.does("destroy", {}, guest=1)
        machine.fails("info", "EINVAL", "no such guest", guest=1)
        # One with no vote is destroyed as it runs.
        machine.does("start", {"guest": 1}, kernel=KERNEL, initrd=INITRD,
                     comm=False, rights="manage")
        machine.until(1, "Linux version")
        machine.does("destroy", {}, guest=1)
        same("the guests", machine.states(), [("guest", "running")])


def other_kinds():
    """Of both widths, whatever the first guest is."""
    wide = f"kernel={KERNEL_AMD64},initrd={INITRD_AMD64},memory=64"
    with scratch() as directory:
        for first in ([], ["--host-memory", "256", "--guest", wide]):
            with Machine(directory, *first) as machine:
                for kernel, initrd, bits in ((KERNEL, INITRD, 32),
                                             (KERNEL_AMD64, INITRD_AMD64, 64)):
                    machine.does("start", {"guest": 1}, kernel=kernel,
                                 initrd=initrd, comm=False, memory=64)
                    machine.until(1, PROMPT)
                    same("bits", machine.ask("info", guest=1)["return"]["bits"],
                         bits)
                    machine.does("destroy", {}, guest=1)


def first_guest():
    """That of the boot loader, which is the one that the processor has."""
    with scratch() as directory, Machine(directory) as machine:
        other = machine.connect()
        machine.does("pause", {}, guest=0)
        machine.fails("shutdown", "EPERM", "it has no vote", guest=0)
        machine.does("resume", {}, guest=0)
        machine.fails("console-read", "EINVAL", "elsewhere", guest=0)
        machine.does("reset", {}, guest=0)
        while machine.ask("info", guest=0)["return"]["starts"] < 2:
            pass
        other.write(b'{"command": "list", "id": [7]}\n')
        other.flush()
        same("the id", json.loads(other.readline())["id"], [7])
        other.close()
        # The last guest: the machine ends.
        machine.lines.write(b'{"command": "destroy", "guest": 0}\n')
        machine.lines.flush()
        same("the status", machine.process.wait(float(HANG)), 0)
        expect(not os.path.exists(machine.path), "the socket is left")


def hangs():
    """A guest that does not reply has no vote when its time is over, and no sooner;
    half a minute passes at once with --icount."""
    with scratch() as directory, Machine(
            directory, "--icount", "--guest", f"kernel={NEIGHBOUR},memory=16,"
            "append=light=900000") as machine:
        machine.does("start", {"guest": 1}, kernel=KERNEL, initrd=INITRD)
        machine.until(1, PROMPT)
        machine.does("pause", {}, guest=1)
        machine.fails("shutdown", "ETIMEDOUT", "not replied in 0 s", guest=1,
                      timeout=0)
        machine.fails("destroy", "EPERM", "it has a vote", guest=1)
        machine.fails("shutdown", "EBUSY", "not replied to the last", guest=1)
        while machine.ask("info", guest=1)["return"]["state"] == "running":
            pass
        same("the guests", machine.states(),
             [("guest", "running"), ("bzImage", "failed")])
        # It has no vote, but it has not ended.
        machine.fails("shutdown", "EPERM", "it has no vote", guest=1)
        same("ended", machine.ask("info", guest=1)["return"]["ended"], False)
        machine.does("resume", {}, guest=1)
        machine.does("destroy", {}, guest=1)


def about_to_end():
    """One that says it is shut down has no vote, but is on its way."""
    code = b"\xc7\x05\x08\0\x30\0\x02\0\0\0\xeb\xfe"   # its state; jmp $
    at = 0x100000
    elf = struct.pack("<4s5B7xHHIIIIIHHHHHH8I", b"\x7fELF", 1, 1, 1, 0, 0, 2, 3, 1,
                      at, 52, 0, 0, 52, 32, 1, 0, 0, 0,
                      1, 84, at, at, len(code), len(code), 7, 4) + code
    with scratch() as directory, Machine(
            directory, "--guest", f"kernel={write(directory, 'kernel', elf)},"
            "memory=16,comm=0x300000") as machine:
        while machine.states() != [("guest", "shut down")]:
            pass
        machine.fails("shutdown", "ETIMEDOUT", "has not in 0 s", guest=0,
                      timeout=0)


def mistakes():
    with scratch() as directory, Machine(directory) as machine:
        empty = write(directory, "empty", b"")
        noise = write(directory, "noise", b"noise" * 10000)
        pipe = os.path.join(directory, "pipe")
        os.mkfifo(pipe)
        for line, why in (
                (b"", "not JSON"), (b"\0\xff\xfe", "not JSON"),
                (b"[" * 50000, "not JSON"), (b"17", "not an object"),
                (b'{"command": "list", "id": NaN}', "not JSON"),
                (b'{"command": "list", "id": -Infinity}', "not JSON"),
                (b'{"command": "list", "id": 1e999}', "not JSON"),
                (b"{}", "command is missing"),
                (b'{"command": ["list"]}', "command is not a string"),
                (b'{"command": "sleep"}', "the commands are list, info"),
                (b'{"command": "list", "guest": 0}', "not known: guest"),
                (b'{"command": "info"}', "guest is missing"),
                (b'{"command": "info", "guest": true}', "not a whole number"),
                (b'{"command": "info", "guest": 1e3}', "not a whole number"),
                (b'{"command": "info", "guest": -1}', "is not 0 to"),
                (b'{"command": "info", "guest": 4294967296}', "is not 0 to"),
                (b'{"command": "info", "guest": 4294967295}', "no such guest"),
                (b'{"command": "console-write", "guest": 0, "text": 5}',
                 "text is not a string")):
            answer = machine.line(line)
            expect(why in answer["error"]["text"] and
                   answer["error"]["errno"] == "EINVAL",
                   f"{line[:60]!r}: {answer}")
        for why, fields in (
                ("kernel is missing", {}),
                ("/none: No such file or directory", {"kernel": "/none"}),
                ("empty", {"kernel": empty}),
                ("Is a directory", {"kernel": directory}),
                ("not a file", {"kernel": "/dev/zero"}),
                ("not a file", {"kernel": pipe}),
                ("refused", {"kernel": noise}),
                ("refused", {"kernel": KERNEL, "memory": 3}),
                ("refused", {"kernel": KERNEL, "memory": 8193}),
                ("refused", {"kernel": KERNEL, "memory": 8000}),
                ("refused", {"kernel": KERNEL, "cpus": 9}),
                ("refused", {"kernel": KERNEL, "shares": 0}),
                ("refused", {"kernel": KERNEL, "reply_timeout": 3600001}),
                ("refused", {"kernel": KERNEL, "name": "a\nb"}),
                ("name: up to 31", {"kernel": KERNEL, "name": "x" * 32}),
                ("append: up to 2047", {"kernel": KERNEL, "append": "\0"}),
                ("rights: manage", {"kernel": KERNEL, "rights": "all"}),
                ("passive is not a boolean", {"kernel": KERNEL, "passive": 1}),
                ("not known: disk", {"kernel": KERNEL, "disk": "x"})):
            answer = machine.ask("create", **fields)
            expect(why in answer.get("error", {}).get("text", ""),
                   f"create {fields}: {answer}")
        same("the guests", machine.states(), [("guest", "running")])
        # As long as one may be, and too long: an answer, and the end of this
        # connection alone.
        expect("return" in machine.line(b'{"command": "list"}'.ljust(65536)),
               "a line of 65536 bytes is refused")
        expect("return" in machine.line(b'{"command": "list"}'),
               "nothing comes behind a line of 65536 bytes")
        for line in (b'{"command": "list", "id": "' + b"x" * 70000,
                     b'{"command": "list"}'.ljust(65537) + b"\n",
                     b'{"command": "list"}'.ljust(70000)):
            other = machine.connect()
            other.write(line)
            other.flush()
            answer = json.loads(other.readline())
            expect("65536" in answer.get("error", {}).get("text", ""),
                   f"too long: {answer}")
            same("the connection", other.readline(), b"")
            other.close()
        same("the guests", machine.states(), [("guest", "running")])


def many():
    """More clients than it may have descriptors; no more than may wait to connect."""
    with scratch() as directory, Machine(directory) as machine:
        resource.prlimit(machine.process.pid, resource.RLIMIT_NOFILE, (300, 300))
        with contextlib.ExitStack() as others:
            for _ in range(350):
                other = others.enter_context(socket.socket(socket.AF_UNIX))
                other.connect(machine.path)
            same("the guests", machine.states(), [("guest", "running")])
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(machine.path)
            client.sendall(b'{"command": "list"}\n')
            expect(b"return" in client.recv(4096), "it serves nobody any more")


def refused(why, path):
    with scratch() as directory, socket.socket(socket.AF_UNIX) as other:
        other.bind(directory + "/taken")
        other.listen()
        write(directory, "file", b"")
        run = subprocess.run(
            [VMI_RUN, "--control", os.path.join(directory, path)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT,
            check=False)
    expect(why in run.stderr and run.returncode == 2,
           f"status {run.returncode}, it says {run.stderr!r}")


test_all([
    ("a life, from outside", life),
    ("guests of other kinds", other_kinds),
    ("the guest of the boot loader", first_guest),
    ("a guest that hangs", hangs),
    ("a guest that is about to end", about_to_end),
    ("mistakes", mistakes),
    ("many clients", many),
    ("a socket in no directory", refused, "No such file", "none/socket"),
    ("a socket where somebody listens", refused, "somebody else listens",
     "taken"),
    ("a socket that is a file", refused, "not a socket", "file"),
])
