#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the hypervisor makes of the machine that it finds, and machines as
vmi-run never starts them: without a serial port, or with one that nobody
reads. For a look at its state from outside there is QEMU's stub for gdb."""

import sys
sys.dont_write_bytecode = True
import fcntl
import functools
import json
import os
import re
import socket
import struct
import subprocess
import threading

import iso
from harness import (BUILD, HANG, LOAD, RESET, ROM, VMI_RUN, Failed, elf, expect,
                     read, same, scratch, tail, test_all, write)

HYPERVISOR = os.path.join(BUILD, "hypervisor-stub.elf")
ORDERLY, GUEST_DIED, PANIC, BAD_INPUT = 1, 3, 5, 7      # as in vmi-run

LOOP = b"\xeb\xfe"
UD2 = b"\x0f\x0b"
SAY_A = b"\xba\xf8\x03\0\0\xb0\x41\xee"     # mov edx, 3f8h; mov al, 'A'; out
# mov edx, 3fdh; in al, dx; test al, 1; jz over the UD2
NOTHING_TYPED = b"\xba\xfd\x03\0\0\xec\xa8\x01\x74\x02" + UD2


def machine(directory, code, *options):
    """The command line of one whose only guest runs this code."""
    write(directory, "guest", elf(code))
    os.symlink(ROM, os.path.join(directory, "rom"))
    return ["qemu-system-x86_64", "-machine", "pc", "-cpu", "qemu64,+umip",
            "-m", "128", "-nodefaults", "-display", "none", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-kernel", HYPERVISOR, "-initrd",
            "guest role=kernel memory=64 name=guest,rom role=rom name=rom",
            *options]


def status(directory, command):
    """How it ends, if it does."""
    try:
        return subprocess.run(command, cwd=directory, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=float(HANG)).returncode
    except subprocess.TimeoutExpired:
        raise Failed("it does not end") from None


def no_uart(*options):
    with scratch() as directory:
        same("the status",
             status(directory, machine(
                 directory, SAY_A + NOTHING_TYPED + RESET, *options)),
             ORDERLY)


def nobody_reads():
    """The hypervisor's own words, a report among them, are lost then."""
    with scratch() as directory:
        for name in ("serial.in", "serial.out"):
            os.mkfifo(os.path.join(directory, name))
        pipe = os.open(os.path.join(directory, "serial.out"),
                       os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        os.write(pipe, bytes(4096))
        same("the status",
             status(directory, machine(
                 directory, UD2, "-chardev", "pipe,id=serial,path=serial",
                 "-serial", "chardev:serial")), GUEST_DIED)
        os.close(pipe)


# ---- looked at from outside -------------------------------------------------

class Debugger:
    """A machine that QEMU's stub for gdb runs (GDB manual, Remote Protocol),
    and how it ended."""

    # QEMU's numbers of registers
    RSP, CR3, EFER = 7, 29, 32

    def __init__(self, directory, code, *options):
        ours, theirs = socket.socketpair()
        self.log = os.path.join(directory, "log")
        self.stats = os.path.join(directory, "stats")
        self.socket, self.data = ours, b""
        with theirs:
            self.process = subprocess.Popen(machine(
                directory, code, "-debugcon", "file:log", "-S",
                "-chardev", "file,id=stats,path=stats",
                "-device", "isa-debugcon,iobase=0xea,chardev=stats",
                "-chardev", f"socket,id=gdb,fd={theirs.fileno()}",
                "-gdb", "chardev:gdb", *options), cwd=directory,
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self.timer = threading.Timer(float(HANG), self.process.kill)
        self.timer.start()
        self.ask("qXfer:features:read:target.xml:0,100")    # for registers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.kill()
        self.process.wait()
        self.socket.close()

    def send(self, text):
        data = text.encode("ascii")
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) & 255))

    def receive(self):
        try:
            while not (match := re.search(rb"\$([^#]*)#..", self.data)):
                data = self.socket.recv(1 << 16)
                expect(data, "the machine ended")
                self.data += data
            self.data = self.data[match.end():]
            self.socket.sendall(b"+")
        except OSError:
            raise Failed("the machine ended") from None
        return match[1].decode("ascii")

    def ask(self, text):
        self.send(text)
        return self.receive()

    def run_to(self, address):
        self.ask(f"Z1,{address:x},1")
        same("what it does", self.ask("c")[:3], "T05")
        self.ask(f"z1,{address:x},1")

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")),
                              "little")

    def set_register(self, number, value):
        self.ask(f"P{number:x}={value.to_bytes(8, 'little').hex()}")

    def memory(self, address, size):
        return bytes.fromhex(self.ask(f"m{address:x},{size:x}"))

    def monitor(self, command):
        self.send("qRcmd," + command.encode("ascii").hex())
        said = b""
        while (answer := self.receive()) != "OK":
            said += bytes.fromhex(answer[1:])
        return said.decode("ascii")

    def run_to_end(self):
        """Status and log."""
        self.send("c")
        status_found = self.process.wait()
        return status_found, read(self.log).decode("ascii")


def segments():
    """Of the hypervisor: (linear address, physical address, size, may be
    written)."""
    image = read(HYPERVISOR)
    at, = struct.unpack_from("<I", image, 28)
    count, = struct.unpack_from("<H", image, 44)
    for n in range(count):
        _, _, linear, physical, _, size, flags, _ = struct.unpack_from(
            "<8I", image, at + n * 32)
        yield linear, physical, size, bool(flags & 2)


def symbol(name):
    names = subprocess.run(["nm", os.path.join(BUILD, "hv/hypervisor64.elf")],
                           capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^(\w+) \w {name}$", names, re.M)[1], 16)


def efer():
    """What a loader has left in it is not believed: SVME, for one."""
    entry, = struct.unpack_from("<I", read(HYPERVISOR), 24)
    with scratch() as directory, Debugger(directory, RESET) as m:
        m.run_to(entry)
        m.set_register(m.EFER, 1 << 12)
        m.run_to(LOAD)
        same("EFER", m.register(m.EFER), 0xd00)     # LME, LMA, NXE


def machine_check():
    with scratch() as directory, Debugger(directory, LOOP) as m:
        m.run_to(LOAD)
        m.monitor("mce 0 1 0xbe00000000000136 5 0x1234000 0x8c")
        end, log = m.run_to_end()
        same("the status", end, PANIC)
        expect(re.search("^panic at .*: machine check: bank 1, status "
                         "be00000000000136", log, re.M), log[-200:])


# SDM Vol. 3, 4.5; the direct map is hypervisor-stub/metal/cpu.h's.
PRESENT, WRITE, USER, LARGE, NO_EXECUTE = 1, 2, 4, 0x80, 1 << 63
ADDRESS = 0xffffffffff000
DIRECT_BASE = 0xffff800000000000


@functools.lru_cache(None)
def table_of(m, physical):
    """Entries of a page table, which many may name (espfix.c)."""
    data = b"".join(m.memory(DIRECT_BASE + physical + at, 1024)
                    for at in range(0, 4096, 1024))
    return struct.unpack("<512Q", data)


def walk(m, table, level=4, linear=0, rights=WRITE | USER, never=0):
    """(linear, physical, size, rights): all that is mapped above 4 GB."""
    size = 1 << 12 + 9 * (level - 1)
    for n, entry in enumerate(table_of(m, table & ADDRESS)):
        here = linear + n * size
        if level == 4:
            here |= (n >> 8) * 0xffff << 48
        if not entry & PRESENT or here < 1 << 32 and (level < 4 or not n):
            continue
        may, never_here = rights & entry, never | entry & NO_EXECUTE
        if level > 1 and not entry & LARGE:
            yield from walk(m, entry, level - 1, here, may, never_here)
        else:
            yield here, entry & ADDRESS & -size, size, may | never_here


def hypervisor_pages(m):
    return list(walk(m, m.register(m.CR3)))


def pages():
    """Nothing is written and executed, whichever way it is mapped; code and
    constants are never written; nothing but the image is executed."""
    with scratch() as directory, Debugger(directory, RESET) as m:
        m.run_to(LOAD)
        found = hypervisor_pages(m)
    expect(len(found) > 8000, f"{len(found)} pages")
    code = {physical for _, physical, _, rights in found
            if not rights & NO_EXECUTE}
    expect(0 < len(code) < 64, f"{len(code)} executable pages")
    fixed = [(physical, physical + size)
             for _, physical, size, writable in segments() if not writable]
    for linear, physical, size, rights in found:
        what = f"{linear:x}, at {physical:x},"
        end = physical + size
        expect(not rights & USER, what + " is user mode's")
        expect(rights & NO_EXECUTE or linear >> 31 == (1 << 33) - 1,
               what + " is not the image, but executable")
        if not rights & WRITE:
            continue
        expect(not any(physical <= frame < end for frame in code),
               what + " is code, but writable")
        expect(not any(physical < last and first < end
                       for first, last in fixed),
               what + " is constant, but writable")


def stacks():
    """What lies below each stack that the processor may switch to is not
    mapped."""
    with scratch() as directory, Debugger(directory, RESET) as m:
        m.run_to(LOAD)
        tss = m.memory(symbol("tss"), 104)
        mapped = {linear for linear, _, size, _ in hypervisor_pages(m)
                  if size == 4096}
    for at in (4, 36, 44, 52):      # RSP0, IST1 to IST3
        top, = struct.unpack_from("<Q", tss, at)
        page, size = (top - 1) // 4096 * 4096, 0
        while page in mapped:
            page -= 4096
            size += 4096
        same(f"the size of the stack at {top:x}", size, 28672)


def overflow():
    """One stack pointer at the foot of its stack. A panic tells what was
    counted until then."""
    with scratch() as directory, Debugger(directory, RESET) as m:
        m.run_to(symbol("emulate_port"))
        m.set_register(m.RSP, m.register(m.RSP) // 32768 * 32768 + 4096 + 8)
        end, log = m.run_to_end()
        same("the status", end, PANIC)
        expect(re.search("^panic at .*: stack overflow", log, re.M),
               log[-200:])
        exits = json.loads(read(m.stats))["exits_by_reason"]
        expect(exits["gp"] > 0, "the exit is not counted")


# ---- processors --------------------------------------------------------------

def processors(said, *options):
    """How many are found and started, and the guest runs."""
    with scratch() as directory:
        same("the status", status(directory, machine(
            directory, RESET, "-debugcon", "file:log", *options)), ORDERLY)
        log = read(os.path.join(directory, "log")).decode("ascii")
        expect(f"\n{said}\n" in log, tail(log))
        expect("does not start" not in log, log)


def each_processor():
    """Each has what the first one has, and nothing of it is below 1 MB."""
    with scratch() as directory, Debugger(directory, RESET, "-smp", "3") as m:
        m.run_to(LOAD)
        found = [{name: re.search(rf"{name} *= *(\w+)( \w+)?", state)
                  for name in ("CPL", "CR0", "CR3", "CR4", "EFER", "TR",
                               "IDT")}
                 for state in m.monitor("info registers -a").split("CPU#")[1:]]
        same("the number of processors", len(found), 3)
        # One runs the guest. NE, WP and paging; FXSR, global pages, machine
        # checks and UMIP.
        idle = [f for f in found if f["CPL"][1] == "0"]
        for name, value in (("CR0", "80010033"), ("CR4", "00000ee0"),
                            ("EFER", "0000000000000d00"),
                            ("IDT", found[0]["IDT"][1])):
            same(name, [f[name][1] for f in idle], [value] * 2)
        same("different TSSs", len({f["TR"][2] for f in found}), 3)
        tables = m.memory(DIRECT_BASE + int(idle[0]["CR3"][1], 16), 8)
        same("what is mapped at 0", tables, bytes(8))


GRUB_CFG = b"""serial --unit=0 --speed=115200
multiboot /boot/hypervisor
module /boot/guest role=kernel memory=36 name=guest -- case=alarm strict=1
module /boot/rom role=rom name=rom
boot
"""


def bochs(model):
    """Two, of kinds that QEMU's TCG has not: with TSC deadline and x2APIC, or
    with neither. The guest waits for alarms."""
    with scratch() as directory:
        boot = os.path.join(directory, "iso/boot")
        os.makedirs(boot + "/grub")
        os.link(HYPERVISOR, boot + "/hypervisor")
        os.link(ROM, boot + "/rom")
        os.link(os.path.join(BUILD, "tests/attack.elf"), boot + "/guest")
        write(boot, "grub/grub.cfg", GRUB_CFG)
        image = os.path.join(directory, "iso.iso")
        done = subprocess.run(
            ["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", image,
             os.path.join(directory, "iso")], capture_output=True, check=False)
        same("the status of grub-mkrescue", done.returncode, 0)

        def command(where, port):
            return iso.bochs_command(where, image, port, more="cpu: "
                                     f"model={model}, count=2, ips=25000000\n")

        run = iso.Machine(command, directory)
        try:
            while run.console.recv(4096):
                pass
            same("the status", run.process.wait(float(HANG)), 1)
        finally:
            run.end()
        said = read(os.path.join(directory, "out"))
        expect(b"\n2 processors" in said and b"died" not in said,
               tail(said.decode("ascii", "replace")))


def all_stop():
    """At the end one processor goes on, the others never."""
    with scratch() as directory, Debugger(
            directory, RESET, "-smp", "3", "-icount",
            "shift=0,sleep=off") as m:
        m.run_to(symbol("host_stop_others"))
        m.run_to(int.from_bytes(m.memory(m.register(m.RSP), 8), "little"))
        same("the number of stopped processors",
             m.memory(symbol("host_stopped"), 3).count(1), 2)
        end, _ = m.run_to_end()
        same("the status", end, ORDERLY)


def nmi_to_all():
    """More than are used: the others are where an NMI does no harm."""
    processors("16 processors", "-smp", "18")


# ---- speculative execution --------------------------------------------------

# QEMU's TCG, but as a processor of which the hypervisor does not know it.
UNKNOWN = ["-cpu", "qemu64,+umip,tcg-cpuid=off"]


def no_indirect_branch():
    """But those that set-up puts in, and one before all guests. Nor a RET to what
    was pushed, which has no CALL."""
    code = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", "-j", ".text",
         os.path.join(BUILD, "hv/hypervisor64.elf")],
        capture_output=True, text=True, check=True).stdout
    expect("<exit_call>:" in code, "this is no disassembly")
    expect("<tramp_start>:" in code, "it has no trampoline")
    found = re.findall(r".*\b(?:call|jmp) +\*.*|.*\bpush .*\n.*\bret\b", code)
    expect(not found, " ".join(found[:1]).strip())


def no_such_word():
    with scratch() as directory:
        same("the status", status(directory, machine(
            directory, RESET, "-append", "mitigations=no")), BAD_INPUT)


def option():
    """A machine that only tells with what it was started."""
    with scratch() as directory:
        said = os.path.join(directory, "said")
        qemu = write(directory, "qemu-system-x86_64",
                     f'#!/bin/sh\necho "$@" >{said}\n'.encode("ascii"))
        os.chmod(qemu, 0o755)
        subprocess.run([VMI_RUN, "--mitigations", "off"], check=False,
                       env={**os.environ, "PATH": f"{directory}:"
                            + os.environ["PATH"]}, capture_output=True)
        expect(b" -append mitigations=off" in read(said), read(said))


def mitigations(said, branch, *options):
    """What the log says, and whether a branch on the way of each exit is
    plain; and the guest runs as ever."""
    with scratch() as directory, Debugger(
            directory, SAY_A + NOTHING_TYPED + RESET, *options) as m:
        m.run_to(LOAD)
        same("the first byte", m.memory(symbol("exit_call"), 1), branch)
        end, log = m.run_to_end()
        same("the status", end, ORDERLY)
        expect(f"mitigations: {said}\n" in log, log)


def main():
    test_all([
        ("no serial port", no_uart, "-debugcon", "file:log"),
        ("no serial port and no debug port", no_uart),
        ("a serial port that nobody reads", nobody_reads),
        ("EFER", efer),
        ("a machine check", machine_check),
        ("pages are written or executed", pages),
        ("a guard page below each stack", stacks),
        ("a stack overflow", overflow),
        ("one processor", processors, "1 processor"),
        ("two processors by ACPI", processors, "2 processors", "-smp", "2"),
        ("four processors by ACPI, on real threads", processors,
         "4 processors", "-smp", "4", "-accel", "tcg,thread=multi"),
        ("two processors by the MP table", processors, "2 processors",
         "-machine", "acpi=off", "-smp", "2,sockets=2"),
        ("four processors by the MP table, in turn", processors,
         "4 processors", "-machine", "acpi=off", "-smp", "4,sockets=4",
         "-icount", "shift=0,sleep=off"),
        ("more processors than are used", nmi_to_all),
        ("what each processor has", each_processor),
        ("the others stop at the end", all_stop),
        ("two processors with x2APIC and TSC deadline", bochs,
         "corei7_icelake_u"),
        ("two processors with xAPIC", bochs,
         "p4_prescott_celeron_336"),
        ("no indirect branch", no_indirect_branch),
        ("mitigations: what TCG needs", mitigations, "none needed", b"\xff"),
        ("mitigations: what any processor needs", mitigations,
         "retpolines, RSB", b"\xe8", *UNKNOWN),
        ("mitigations: off", mitigations, "off", b"\xff", *UNKNOWN,
         "-append", "mitigations=off"),
        ("mitigations: no such word", no_such_word),
        ("mitigations: vmi-run's option", option),
    ])


if __name__ == "__main__":
    main()
