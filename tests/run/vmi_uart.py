#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A device model in user space of one Linux, vmi-uart, and the Linux of another guest
that uses it: all that its kernel has to say comes through requests (N-7). And what
/dev/vmi refuses, by vmi-errors."""

import sys
sys.dont_write_bytecode = True
import os
import re

from harness import (BUILD, KERNEL, KERNEL_AMD64, expect, no_complaint, same,
                     scratch, tail, test_all, vmi_run, write)

# Of two guests with one number, one after the other: the first one's device model is
# closed when the second one's has begun.
COMMANDS = """\
set -o pipefail
make() { vmictl create /boot/bzImage --initrd /boot/initramfs.cpio.gz --no-comm \
--append "earlyprintk=serial,0x2f8,keep rdinit=/bin/true panic=-1"; }
make
vmi-errors 1
vmi-uart 1 0x2f8 > /tmp/first & until [ -s /tmp/first ]; do :; done
kill -STOP $!
vmictl destroy 1
make
late() { dd bs=1 count=1 2> /dev/null; kill -KILL $1; cat; }
echo =begin; vmi-uart 1 0x2f8 | late $!; echo =end $?
vmictl stats 1
vmi-uart 2 0x2f8
vmi-uart 0 0x2f8
vmi-uart 1 0x3f8
vmi-uart 1 0x10000
exec poweroff -f
"""


def serves(kernel, initrd):
    with scratch() as directory:
        with open(write(directory, "typed", COMMANDS.encode("ascii")),
                  "rb") as typed:
            run = vmi_run("--icount", "--host-memory", "448", "--kernel", kernel,
                          "--initrd", os.path.join(BUILD, initrd), "--guest",
                          "rights=manage,memory=96", stdin=typed)
    same("the status", run.returncode, 0)
    said = run.stdout.replace("\r", "")
    log = re.search(r"^=begin\n(.*?)^=end (\d+)\n", said, re.S | re.M)
    expect(log, "it ends with " + tail(said))
    same("the status of vmi-uart", log[2], "0")
    no_complaint(said.replace(log[0], ""))
    for line in (r"Linux version 6\.", r"Kernel command line: .*0x2f8,keep",
                 r"Run /bin/true as init process",
                 r"Kernel panic - not syncing: Attempted to kill init!"):
        expect(re.search(r"^\[ *[\d.]+\] " + line, log[1], re.M),
               f"no {line} in {tail(log[1])}")
    expect("\nvmi-errors: OK\n" in said, "vmi-errors: " + repr(re.findall(
        "vmi-errors: .*", said)))
    # Each line is whole, and none is there twice.
    times = [float(time) for time in re.findall(r"^\[ *([\d.]+)\]", log[1], re.M)]
    expect(len(times) > 50 and times == sorted(times), f"it says {len(times)} lines")
    for why in ("2: Invalid", "0: Invalid", "0x3f8: Invalid", "0x10000: Invalid"):
        expect(f"\n{why} argument" in said, f"{why}: it says {tail(said)}")


test_all([("32 bits", serves, KERNEL, "service.cpio.gz"),
          ("64 bits", serves, KERNEL_AMD64, "service-amd64.cpio.gz")])
