# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of introspection look into: a loop of a few instructions, the same in
32-bit and 64-bit code, of which each event is known."""

import struct
import sys

from harness import same, scratch, test_all, write
import kvmi_tool as kvmi
from kvmi_tool import Machine

BASE = 0x1000000
DATA, STACK = BASE + 0x1000, BASE + 0x3000
SYSENTER_CS = 0x174

# As bytes that mean the same in both modes; by name, where they are.
LOOP = [("esi", b"\xbe" + struct.pack("<I", DATA)),
        ("esp", b"\xbc" + struct.pack("<I", STACK)),
        ("read", b"\x8a\x06"),              # mov al, [esi]
        ("add", b"\x04\x01"),               # add al, 1
        ("write", b"\x88\x06"),             # mov [esi], al
        ("lidt", b"\x0f\x01\x5e\x40"),      # lidt [esi + 64]
        ("pushf", b"\x9c"),
        ("pop", b"\x5b"),                   # pop ebx
        ("ecx", b"\xb9" + struct.pack("<I", SYSENTER_CS)),
        ("edx", b"\x31\xd2"),               # xor edx, edx
        ("wrmsr", b"\x0f\x30"),
        ("lldt", b"\x0f\x00\xd2"),          # lldt dx
        ("from_cr3", b"\x0f\x20\xd8"),      # mov eax, cr3
        ("xor", b"\x83\xf0\x08"),           # xor eax, 8
        ("to_cr3", b"\x0f\x22\xd8"),        # mov cr3, eax
        ("count", b"\xff\x46\x04"),         # inc dword [esi + 4]
        ("jump", b"\xeb")]
AT = {}
CODE = b""
for NAME, BYTES in LOOP:
    AT[NAME] = BASE + len(CODE)
    CODE += BYTES
CODE += struct.pack("b", AT["read"] - AT["jump"] - 2)
AROUND = [name for name, _ in LOOP[2:]]     # once


def elf32():
    header = struct.pack("<4s5B7xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 0,
                         2, 3, 1, BASE, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 84, BASE, BASE, len(CODE), 0x4000, 7, 4)
    return header + segment + CODE


def elf64():
    header = struct.pack("<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0,
                         2, 62, 1, BASE, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 120, BASE, BASE, len(CODE),
                          0x4000, 8)
    return header + segment + CODE


def loop(directory, wide, *options):
    kernel = write(directory, "kernel", elf64() if wide else elf32())
    return Machine(directory, "--memory", "64", "--kernel", kernel,
                   "--initrd", "", *options)


class Paused:
    """The loop at a known instruction: paused, and stepped to there."""

    def __init__(self, machine, name):
        self.machine = machine
        self.tool = tool = machine.tool()
        self.first = tool.libvmi_init()
        event = tool.pause()
        same("stepping", tool.step(), 0)
        tool.reply(event)
        self.event = tool.wait_for(kvmi.EV_STEP)
        while self.event.regs["rip"] != AT[name]:
            tool.reply(self.event)
            self.event = tool.wait_for(kvmi.EV_STEP)
        same("stepping no more", tool.step(False), 0)


def counter(tool):
    return struct.unpack("<I", tool.read(DATA + 4, 4))[0]


def runs(tool):
    """The guest does."""
    before = counter(tool)
    while counter(tool) == before:
        pass


def with_loop(wide, function, *options):
    with scratch() as directory, loop(directory, wide, *options) as machine:
        function(machine)


def paused(wide, name, function):
    with scratch() as directory, loop(directory, wide) as machine:
        here = Paused(machine, name)
        function(here, here.tool, here.event)


def many_quiet(tool):
    """More at once than are carried out in one turn, and no answer in between whose
    way could bring the vCPU back."""
    batch = tool.message(kvmi.RESPONSE, b"\0\1" + bytes(6))
    batch += b"".join(tool.message(kvmi.VM_EVENTS, bytes(8)) for _ in range(100))
    batch += tool.message(kvmi.RESPONSE, b"\1\1" + bytes(6))
    tool.send(batch)
    same("the answer to the last", tool.answer(kvmi.RESPONSE)[0], 0)


def test_some(tests):
    """Those with one of the words on the command line in their names; or all."""
    words = sys.argv[1:]
    test_all([test for test in tests
              if not words or any(word in test[0] for word in words)])
