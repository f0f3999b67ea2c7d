# SPDX-License-Identifier: GPL-2.0-only
"""Introspection: a connection from each guest to the tool that listens, and the
channel by which the hypervisor speaks on it (hypervisor-stub/core/kvmi.c)."""

import select
import socket
import struct
import threading
import time

# As in hypervisor-stub/core/kvmi.c.
OPEN, CLOSE = 0xffffffff, 0
GONE, BACK = OPEN, 0xfffffffe       # from there
RETRY = 1                           # seconds
CHUNK = 4096

BYTES = 512 << 10                   # what the hypervisor needs for one
PCI_SLOT = 0xc                      # of its bus: up to eight devices in each


class Ended(Exception):
    """QEMU has."""


class Channel(threading.Thread):
    """Of one guest. A frame of the hypervisor's is one message, which the tool
    gets in one piece."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.machine, theirs = socket.socketpair()
        self.fd = theirs.detach()   # QEMU's end
        self.received = b""
        self.gone = False           # until somebody starts it again
        self.next_try = 0.0

    def say(self, word):
        self.machine.sendall(struct.pack("<I", word))

    def frames(self):
        """Those that have come whole, when something comes; None is CLOSE."""
        data = self.machine.recv(1 << 16)
        if not data:
            raise Ended
        self.received += data
        yield from self.whole()

    def whole(self):
        """Those that are left."""
        while len(self.received) >= 4:
            size, = struct.unpack_from("<I", self.received)
            if size in (GONE, BACK):
                self.gone = size == GONE
                self.received = self.received[4:]
                continue
            if len(self.received) < 4 + size:
                break
            frame = self.received[4:4 + size]
            self.received = self.received[4 + size:]
            yield frame if size else None

    def wait(self):
        """Until the tool listens; no more than one try in each second, and none while
        the guest has gone."""
        # Behind CLOSE there may be that it has.
        for _ in self.whole():
            pass
        while True:
            left = None if self.gone else self.next_try - time.monotonic()
            # Nobody is connected: what comes is that it has gone, or is back.
            if (left is None or left > 0) and \
               select.select([self.machine], [], [], left)[0]:
                for _ in self.frames():
                    pass
                continue
            self.next_try = time.monotonic() + RETRY
            tool = socket.socket(socket.AF_UNIX)
            try:
                tool.connect(self.path)
                return tool
            except OSError:
                tool.close()

    def forward(self, tool):
        """What the tool says, until one side ends the connection."""
        try:
            while True:
                try:
                    data = tool.recv(CHUNK)
                except OSError:
                    data = b""
                if not data:
                    break
                self.machine.sendall(struct.pack("<I", len(data)) + data)
            self.say(CLOSE)
        except OSError:
            pass                    # the machine has ended

    def serve(self, tool):
        """Until one side ends the connection; both have to say so. Each direction has
        a thread: one may wait for the other's."""
        self.say(OPEN)
        forward = threading.Thread(target=self.forward, args=(tool,),
                                   daemon=True)
        forward.start()
        try:
            while True:
                for frame in self.frames():
                    if frame is None:
                        return
                    try:
                        tool.sendall(frame)
                    except OSError:
                        pass        # forward() finds that out, too
                if self.gone:
                    self.shut(tool)
        finally:
            self.shut(tool)
            forward.join()
            tool.close()

    @staticmethod
    def shut(tool):
        """Its end; forward() finds it, and says CLOSE."""
        try:
            tool.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def run(self):
        try:
            while True:
                self.serve(self.wait())
        except (Ended, OSError):
            pass


def devices(channels):
    """For QEMU, in the order of their numbers."""
    words = []
    for n, channel in enumerate(channels):
        words += ["-chardev",
                  f"socket,id=channel{n},fd={channel.fd}",
                  "-device", f"virtio-serial-pci,id=channels{n},max_ports=2,"
                  f"addr={PCI_SLOT + n // 8:#x}.{n % 8},multifunction=on",
                  "-device", f"virtserialport,bus=channels{n}.0,nr=1,"
                  f"chardev=channel{n}"]
    return words
