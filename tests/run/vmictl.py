#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""vmictl in a service guest: it makes a second Linux of what is in /boot, talks with it,
stops it and lets it go on, is denied its end and is not, and destroys it (N-6); of 32
and of 64 bits. And the options that it and the second Linux were given."""

import sys
sys.dont_write_bytecode = True
import os
import re
import subprocess
import threading

from harness import (BUILD, HANG, KERNEL, KERNEL_AMD64, VMI_RUN, expect,
                     no_complaint, same, scratch, tail, test_all)

PROMPT = "/ # "
ESCAPE = "\x1d"
KERNELS = {32: (KERNEL, "service.cpio.gz", "i686"),
           64: (KERNEL_AMD64, "service-amd64.cpio.gz", "x86_64")}


class Service:
    """The console of a service guest, as a conversation."""

    def __init__(self, bits, keys, *options):
        kernel, initrd, self.machine = KERNELS[bits]
        self.errors = scratch()
        with open(os.path.join(self.errors.name, "err"), "wb") as errors:
            self.process = subprocess.Popen(
                [VMI_RUN, "--icount", "--timeout", HANG, "--host-memory", "448",
                 "--kernel", kernel, "--initrd", os.path.join(BUILD, initrd),
                 *options, "--guest", keys], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors)
        self.said = self.all = ""
        self.timer = threading.Timer(float(HANG), self.process.terminate)
        self.timer.start()
        self.shell()

    def shell(self):
        """At the first prompt of one: it is not to wrap what is typed."""
        self.until(PROMPT)
        self.type("stty columns 999\n")
        self.until(PROMPT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.terminate()    # it ends QEMU
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.cleanup()

    def until(self, text):
        """What came since the last call, up to the text."""
        while text not in self.said:
            data = os.read(self.process.stdout.fileno(), 4096)
            if not data:
                with open(os.path.join(self.errors.name, "err"),
                          encoding="ascii", errors="replace") as f:
                    errors = f.read()
                expect(False, f"it ended before {text!r}: "
                       + tail(self.said + errors))
            # The shell asks terminals for the cursor's place.
            text_now = data.decode("ascii", "replace").replace("\r", "")
            self.all += text_now
            self.said = (self.said + text_now).replace("\x1b[6n", "")
        found, self.said = self.said.split(text, 1)
        return found

    def type(self, text):
        self.process.stdin.write(text.encode("ascii"))
        self.process.stdin.flush()

    def run(self, command):
        """In whichever guest's shell this is: its output, and its status."""
        self.type(command + "; echo =$?=\n")
        found = self.until("\n" + PROMPT)
        match = re.search(r"\n((?:.*\n)*?)=(\d+)=", found)
        expect(match, f"{command}: it says {found!r}")
        return match[1].strip(), int(match[2])

    def does(self, command, output=""):
        same(command, self.run(command), (output, 0))

    def fails(self, command, why, status=1):
        said, found = self.run(command)
        expect(why in said, f"{command}: it says {said!r}, not {why!r}")
        same(f"the status of {command}", found, status)

    def states(self):
        """Of list: the state of each name."""
        said, status = self.run("vmictl list")
        same("the status of list", status, 0)
        return {line[6:26].strip(): line[27:40].strip()
                for line in said.splitlines()[1:]}

    def end(self):
        self.type("poweroff\n")
        same("the status", self.process.wait(float(HANG)), 0)


START = ("vmictl start /boot/bzImage --initrd /boot/initramfs.cpio.gz "
         "--memory 64 --name second")


def life(bits):
    with Service(bits, "rights=manage,memory=96") as guest:
        same("the guests", guest.states(), {"guest": "running"})
        guest.does(START, "guest 1")
        guest.type("vmictl console second\n")
        guest.until("Run /init")
        guest.shell()
        guest.does("uname -m", guest.machine)
        guest.does("cat /sys/hypervisor/lock", "0")
        expect("No such file" in guest.run("ls /dev/vmi")[0],
               "the second may manage")
        guest.does("echo 1 >/sys/hypervisor/lock")
        guest.type(ESCAPE)
        guest.until(PROMPT)
        same("the guests", guest.states(),
             {"guest": "running", "second": "locked"})
        # It may deny its end while it is locked.
        guest.fails("vmictl shutdown second", "guest 1: denied")
        guest.fails("vmictl destroy second", "it has a vote")
        guest.does("vmictl pause 1")
        same("its state", guest.states()["second"], "paused")
        guest.fails("vmictl pause 1", "it does not run")
        guest.does("vmictl resume 1")
        guest.fails("vmictl resume second", "it does not stand still")
        guest.type("vmictl console 1\n\n")
        guest.until(PROMPT)
        guest.does("echo 0 >/sys/hypervisor/lock")
        guest.type(ESCAPE)
        guest.until(PROMPT)
        # Its console says that it ended in order; nobody reads it meanwhile.
        guest.does("vmictl shutdown -t 100 second")
        same("the guests", guest.states(),
             {"guest": "running", "second": "shut down"})
        guest.type("vmictl console second\n")
        found = guest.until("\n" + PROMPT)
        expect("VMI: asked to shut down" in found and
               "reboot: Power down" in found, f"it says {found!r}")
        guest.does("vmictl destroy second")
        same("the guests", guest.states(), {"guest": "running"})
        guest.fails("vmictl destroy second", "second: no guest is of that name")
        guest.end()
        no_complaint(guest.all)


def no_rights():
    with Service(32, "memory=96") as guest:
        guest.fails("vmictl list", "/dev/vmi is not there")
        guest.fails("vmictl", "vmictl COMMAND", 2)
        said, status = guest.run("vmictl --help")
        same("the status of --help", status, 0)
        expect("  shutdown GUEST" in said, "its help is not all there")
        guest.end()


def mistakes():
    """Of options, none of which makes a guest; and what info, stats and top say."""
    create = "vmictl create /boot/bzImage"
    with Service(32, "rights=manage,memory=96") as guest:
        guest.fails("vmictl start /boot/none", "/boot/none: No such file")
        guest.fails("vmictl start /boot", "/boot: no file")
        guest.fails("vmictl create /etc/passwd", "No such file")
        guest.fails("vmictl create /init", "refused")
        guest.fails(create + " --memory 3", "refused")
        guest.fails(create + " --memory 7000", "refused")
        guest.fails(create + " --rights introspect", "refused")
        guest.fails(create + " --rights all", "rights are", 2)
        guest.fails(create + " --memory x", "--memory is not a number", 2)
        guest.fails(create + " --memory -4294967232", "--memory is not a number", 2)
        guest.fails("vmictl top -n -1", "-n TIMES is not a number", 2)
        guest.fails(create + " --initrd /none", "/none: No such file")
        guest.fails(create + " again", "one KERNEL", 2)
        guest.fails("vmictl info 5", "there is none")
        guest.fails("vmictl start 0", "it is this one")
        guest.fails("vmictl shutdown guest", "it is this one")
        guest.fails("vmictl console 0", "console is elsewhere")
        guest.fails("vmictl sleep 0", "no such command", 2)
        guest.fails("vmictl info", "one GUEST", 2)
        guest.fails("vmictl list 0", "nothing else is needed", 2)
        guest.fails("vmictl top 0", "top: -d S", 2)
        guest.fails("vmictl start guest --console", "a GUEST has no options", 2)
        same("the guests", guest.states(), {"guest": "running"})
        # One with no vote, which has rights and is not started.
        guest.does(create + " --rights manage --no-comm --cpus 2", "guest 1")
        said, _ = guest.run("vmictl info 1")
        expect("name: bzImage\nstate: shut down\ncpus: 2\nmemory: 64 MB\n"
               "bits: 32\nrights: manage\nstarts: 0\nexits: 0" in said,
               f"info says {said!r}")
        said, _ = guest.run("vmictl stats 1")
        expect("exits: 0\n" in said and re.search(r"memory_left: \d{8}", said),
               f"stats says {said!r}")
        said, status = guest.run("while :; do :; done & vmictl top -d 1 -n 2; "
                                 "kill $!")
        first, last = re.findall(r"\n0 +guest +running +(\S+) +\S+ +(\S+)", said)
        expect(first == ("0.0", "0") and float(last[0]) > 0 and
               int(last[1]) > 0 and not status, f"top says {said!r}")
        guest.does("vmictl start 1 && vmictl pause 1")
        guest.fails("vmictl shutdown 1", "it has no vote")
        guest.does("vmictl destroy bzImage")
        # A RAM disk that is in one piece nowhere; and the device is root's.
        guest.does("dd if=/dev/zero of=/big bs=1M count=30 2>/dev/null")
        guest.does(create + " --initrd /big --memory 100", "guest 1")
        guest.does("vmictl destroy 1")
        said, _ = guest.run("ls -l /dev/vmi")
        expect(said.startswith("crw------- "), f"/dev/vmi is {said!r}")
        guest.end()


test_all([
    ("a life, 32 bits", life, 32),
    ("a life, 64 bits", life, 64),
    ("vmictl without rights", no_rights),
    ("mistakes, and what it tells", mistakes),
])
