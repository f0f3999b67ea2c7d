# SPDX-License-Identifier: GPL-2.0-only
"""Introspection: a connection from each guest to the tool that listens, and the
channel by which the hypervisor speaks on it (hypervisor-stub/core/kvmi.c)."""

import select
import socket
import struct
import threading

# As in hypervisor-stub/core/kvmi.c.
OPEN, CLOSE = 0xffffffff, 0
GONE = OPEN                         # from there
RETRY = 1                           # seconds
CHUNK = 4096

BYTES = 512 << 10                   # what the hypervisor needs for one
PCI_SLOT = 0xc                      # of its bus: up to eight devices in each


class Ended(Exception):
    """QEMU has, or the guest."""


class Channel(threading.Thread):
    """Of one guest. A frame of the hypervisor's is one message, which the tool
    gets in one piece."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.machine, theirs = socket.socketpair()
        self.fd = theirs.detach()   # QEMU's end
        self.received = b""

    def say(self, word):
        self.machine.sendall(struct.pack("<I", word))

    def frames(self):
        """Those that have come whole; None is CLOSE."""
        data = self.machine.recv(1 << 16)
        if not data:
            raise Ended
        self.received += data
        while len(self.received) >= 4:
            size, = struct.unpack_from("<I", self.received)
            if size == GONE:
                raise Ended
            if len(self.received) < 4 + size:
                break
            frame = self.received[4:4 + size]
            self.received = self.received[4 + size:]
            yield frame if size else None

    def wait(self):
        """Until the tool listens."""
        while True:
            tool = socket.socket(socket.AF_UNIX)
            try:
                tool.connect(self.path)
                return tool
            except OSError:
                tool.close()
            # Nobody is connected: what comes is that the guest has gone.
            if select.select([self.machine], [], [], RETRY)[0]:
                for _ in self.frames():
                    pass

    def serve(self, tool):
        """Until one side ends the connection; both have to say so."""
        self.say(OPEN)
        said = False
        try:
            while True:
                ready, _, _ = select.select(
                    [self.machine] + ([] if said else [tool]), [], [])
                if tool in ready:
                    try:
                        data = tool.recv(CHUNK)
                    except OSError:
                        data = b""
                    if data:
                        self.machine.sendall(struct.pack("<I", len(data))
                                             + data)
                    else:
                        self.say(CLOSE)
                        said = True
                if self.machine not in ready:
                    continue
                for frame in self.frames():
                    if frame is None:
                        if not said:
                            self.say(CLOSE)
                        return
                    if not said:
                        try:
                            tool.sendall(frame)
                        except OSError:
                            self.say(CLOSE)
                            said = True
        finally:
            tool.close()

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
                  "-device", f"virtio-serial-pci,id=channels{n},max_ports=1,"
                  f"addr={PCI_SLOT + n // 8:#x}.{n % 8},multifunction=on",
                  "-device", f"virtconsole,bus=channels{n}.0,"
                  f"chardev=channel{n}"]
    return words
