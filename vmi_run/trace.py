# SPDX-License-Identifier: GPL-2.0-only
"""--trace: the records of a ROM that traces, out of the machine's memory."""

import os
import re
import struct
import subprocess
import tempfile
import threading

from vmi_run import RUN_DIR, VMI_ROM, say

# struct trace_ring of hypervisor-stub/vmi/trace.c.
TRACE_HEAD, TRACE_SIZE = 4096, 4 << 20
RING_SIZE = TRACE_HEAD + TRACE_SIZE

# struct stub_shared of spec/include/vmi_stub.h, of each vCPU: trace_used, and
# trace[] behind it; and struct stub_trace_batch.
SHARED_AT = re.compile(r".*vCPU (\d)'s shared area is at machine address "
                       r"([0-9a-f]+)$")
USED_AT, ROOM = 0x200, 0xffc - 0x204    # at most
BATCH = "<II"
LOW_MEMORY_MAX, HIGH_MEMORY = 3 << 30, 4 << 30  # of QEMU's pc, if it has both


class Trace(threading.Thread):
    """The records, out of the machine's memory, which is ours to read and
    write however QEMU ends: into a file while the machine runs, and printed
    at the end."""

    def __init__(self, path, log):
        super().__init__()
        self.path = path
        self.log = log
        self.ring = None            # where in the memory
        self.memory = os.memfd_create("memory")
        self.raw = tempfile.NamedTemporaryFile(dir=RUN_DIR)
        self.pipe, fd = os.pipe()
        self.fds = [fd, os.dup(self.memory)]    # QEMU's

    @staticmethod
    def place(at):
        """Where in the memory is this machine address?"""
        return at - (HIGH_MEMORY - LOW_MEMORY_MAX if at >= HIGH_MEMORY else 0)

    def run(self):
        """The address of the ring, then a byte for some more records."""
        with open(self.pipe, "rb") as pipe:
            address = pipe.read(8)
            if len(address) == 8:
                self.ring = self.place(int.from_bytes(address, "little"))
            while pipe.read1(4096):
                self.take()

    def take(self):
        ring = self.ring
        written, read = struct.unpack("<QQ", os.pread(self.memory, 16, ring))
        written, read = written * 4, read * 4
        while read < written:
            size = min(written - read, TRACE_SIZE - read % TRACE_SIZE)
            self.raw.write(os.pread(self.memory, size, ring + TRACE_HEAD
                                    + read % TRACE_SIZE))
            read += size
        os.pwrite(self.memory, struct.pack("<Q", read // 4), ring + 8)

    def take_area(self, vcpu, address):
        """What the ROM has not handed over, as the hypervisor would take it."""
        at = self.place(address) + USED_AT
        used, = struct.unpack("<I", os.pread(self.memory, 4, at))
        used = min(used, ROOM) & ~3
        self.raw.write(struct.pack(BATCH, vcpu, used)
                       + os.pread(self.memory, used, at + 4))

    def finish(self):
        """Of a machine that was stopped from outside the shared areas have the
        last records."""
        self.join()
        if self.ring:
            self.take()
        for match in filter(None, map(SHARED_AT.match, self.log.lines)):
            self.take_area(int(match[1]), int(match[2], 16))
        self.raw.flush()
        with open(self.path, "wb") as f:
            tool = subprocess.run([VMI_ROM, "trace", self.raw.name], stdout=f,
                                  stderr=subprocess.PIPE, text=True,
                                  check=False)
        if tool.returncode:
            say(tool.stderr.strip())
        elif not os.path.getsize(self.path):
            say(f"{self.path}: no calls: the ROM does not trace, or the guest "
                "did not use it")
