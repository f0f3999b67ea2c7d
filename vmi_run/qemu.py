# SPDX-License-Identifier: GPL-2.0-only
"""QEMU: its command line, its control socket, how it is started and ended."""

import json
import os
import socket
import subprocess
import sys
import termios
import time

from vmi_run import (HYPERVISOR, PROFILER, Refused, control, introspect, shown,
                     solo5)
from vmi_run.trace import RING_SIZE

MACHINE_MAX = 15360                 # MB: 16 GB, less QEMU's hole for devices
CONSOLE_PORT = 0xe0                 # as in hypervisor-stub/metal/serial.c

# CPUID does not trap at ring 1: the processor must not show what the
# hypervisor does not give. UMIP makes SGDT and its kind trap.
CPU = "qemu64,+umip"
CPU_WIDE = ",+fsgsbase"             # of 64-bit guests, whose ROM needs it


# ---- its command line -------------------------------------------------------

def quoted(text):
    """A comma ends a value in QEMU's options; two are one."""
    return text.replace(",", ",,")


def common(args):
    engine = args.engine
    cpus = args.guests[0].cpus if args.native else args.host_cpus
    wide = CPU_WIDE if args.makes or any(guest.wide for guest in args.guests) \
        else ""
    if cpus > 1 and engine == "tcg" and not args.icount:
        # The profiler's counters are for one thread.
        engine += ",thread=" + ("single" if args.profile else "multi")
    cmd = ["qemu-system-x86_64", "-machine", "pc", "-accel", engine,
           "-cpu", CPU + wide, "-smp", f"{cpus},sockets={cpus}", "-nodefaults",
           "-display", "none", "-no-reboot",
           "-chardev", "stdio,id=con,signal=off,mux=on",
           "-serial", "chardev:con", "-mon", "chardev=con"]
    if args.icount:
        cmd += ["-icount", "shift=0,sleep=off",
                "-rtc", "base=2024-01-01T00:00:00,clock=vm"]
    if args.profile:
        cmd += ["-plugin", f"file={quoted(PROFILER)},"
                f"out={quoted(os.path.abspath(args.profile))}"]
    if args.gdb:
        cmd += ["-s", "-S"]
        print("vmi-run: waiting for: gdb -ex 'target remote :1234'"
              + ("" if args.native else " " + shown(HYPERVISOR)),
              file=sys.stderr)
    return cmd


def native(args):
    guest, = args.guests
    cmd = ["-m", str(guest.memory), "-kernel", guest.kernel,
           "-append", guest.append]
    if guest.initrd:
        cmd += ["-initrd", quoted(guest.initrd)]
    if args.rom:
        cmd += ["-option-rom", quoted(args.rom)]
    return cmd


def megabytes(size):
    return (size + (1 << 20) - 1) >> 20


def under_hypervisor(args, links, log, trace=None, memory=None):
    """links: a directory for names without spaces, which end a file's name in
    QEMU's list of modules. QEMU runs there, so that the random name of the
    directory stays out of the list: reading it would take the hypervisor more
    instructions in one run than in the next."""
    modules = []
    own = []                        # words for the hypervisor itself
    size = overhead = disks = nets = channels = 0
    cmd = ["-chardev", f"file,id=log,path=/proc/self/fd/{log}",
           "-device", "isa-debugcon,iobase=0xe9,chardev=log",
           "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]

    def module(role, path, options="", append=""):
        nonlocal overhead
        name = f"{role}{len(modules)}"
        os.symlink(os.path.abspath(path), os.path.join(links, name))
        modules.append(f"{name} role={role}{options} name={quoted(path)}"
                       f"{append}")
        overhead += os.path.getsize(path)

    for n, guest in enumerate(args.guests, 1):
        options = f" memory={guest.memory}"
        if args.no_batch:
            options += " nobatch"
        if args.verify:
            options += " verify"
        if args.trace:
            options += " trace"
            overhead += RING_SIZE
        if guest.cpus > 1:
            options += f" cpus={guest.cpus}"
        if guest.starts > 1:
            options += f" starts={guest.starts}"
        options += f" shares={guest.shares}"
        if guest.pin:
            options += f" pin={guest.pin}"
        if guest.rights:
            options += " rights=" + guest.rights
        if guest.personality != "openvmi":
            options += f" personality={guest.personality}"
        if guest.managed == "off":
            options += " unmanaged"
        if guest.comm is not None:
            options += f" comm={guest.comm}"
            options += f" reply_timeout={guest.reply_timeout}"
        if guest.passive == "on":
            options += " passive"
        if guest.console != "stdio":
            options += f" console={n}"
            path = quoted(os.path.abspath(guest.console))
            cmd += ["-chardev", f"file,id=console{n},path={path}", "-device",
                    f"isa-debugcon,iobase={CONSOLE_PORT + n:#x},"
                    f"chardev=console{n}"]
        if guest.introspect == "on":
            channels += 1
            options += f" introspect={channels}"
        options += solo5.options(guest, disks, nets)
        disks += len(guest.disk)
        nets += len(guest.net)
        module("kernel", guest.kernel, options, f" -- {quoted(guest.append)}")
        # Whoever has none gets the first of its kind.
        if guest.rom and (n == 1 or guest.rom != args.guests[0].rom):
            module("rom", guest.rom)
        for rom in args.roms if n == 1 else []:
            module("rom", rom)
        if guest.initrd:
            module("initrd", guest.initrd)
        size += guest.memory
        overhead += (8 << 20) + (guest.memory << 20) // 16
    overhead += (disks + nets) * solo5.BYTES + channels * introspect.BYTES
    if args.control:
        channels += 1
        own.append(f"control={channels}")
        overhead += control.BYTES
    size += megabytes(overhead + (24 << 20))
    if args.host_memory is not None:
        if args.host_memory > MACHINE_MAX:
            raise Refused(f"--host-memory {args.host_memory}: the hypervisor "
                          f"uses {MACHINE_MAX} MB at most")
        if args.host_memory < size:
            raise Refused(f"--host-memory {args.host_memory}: guests and "
                          f"hypervisor need {size} MB")
        size = args.host_memory
    if size > MACHINE_MAX:
        raise Refused(f"guests and hypervisor need {size} MB of memory; the "
                      f"hypervisor uses {MACHINE_MAX} MB at most")
    cmd += solo5.devices(args.guests, quoted)
    cmd += ["-m", str(size),
            "-kernel", HYPERVISOR, "-initrd", ",".join(modules)]
    if args.mitigations == "off":
        own.append("mitigations=off")
    if own:
        cmd += ["-append", " ".join(own)]
    if args.stats:
        cmd += ["-chardev",
                f"file,id=stats,path={quoted(os.path.abspath(args.stats))}",
                "-device", "isa-debugcon,iobase=0xea,chardev=stats"]
    if args.trace:
        cmd += ["-chardev", f"file,id=trace,path=/proc/self/fd/{trace}",
                "-device", "isa-debugcon,iobase=0xeb,chardev=trace",
                "-object", f"memory-backend-file,id=ram,size={size}M,"
                f"mem-path=/proc/self/fd/{memory},share=on",
                "-machine", "memory-backend=ram"]
    return cmd


# ---- running it -------------------------------------------------------------

class Terminated(Exception):
    pass


def terminated(*_):
    raise Terminated


class Qmp:
    """QEMU's control socket: what it tells and what we ask."""

    def __init__(self):
        self.socket, self.theirs = socket.socketpair()
        self.received = b""
        self.reason = None          # why QEMU says that it stopped
        self.requests = 0

    def line(self, deadline=None):
        """The next one; None at the end. TimeoutError: it did not come."""
        while b"\n" not in self.received:
            left = deadline and max(deadline - time.monotonic(), 0.001)
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                return None
            self.received += data
        line, self.received = self.received.split(b"\n", 1)
        line = json.loads(line)
        if line.get("event") == "SHUTDOWN":
            self.reason = line["data"]["reason"]
        return line

    def send(self, command, arguments=None):
        self.requests += 1
        request = {"execute": command, "arguments": arguments or {},
                   "id": self.requests}
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
        except ConnectionError:
            pass                    # line() will say so

    def monitor(self, command):
        """What QEMU's monitor answers; nothing when QEMU has ended."""
        self.send("human-monitor-command", {"command-line": command})
        while (line := self.line()) and line.get("id") != self.requests:
            pass
        return line["return"] if line and "return" in line else ""

    def wait_end(self, deadline):
        """QEMU has ended, or the guest did and QEMU waits for us."""
        while self.line(deadline) and self.reason is None:
            pass


def run(cmd, timeout, ended, late, folder=None, fds=()):
    """QEMU's status. ended(qmp) is called when the guest has ended, late(qmp)
    when the time is out. The fds are for QEMU alone."""
    qmp = Qmp()
    fds = [qmp.theirs.fileno(), *fds]
    cmd = cmd + ["-chardev", f"socket,id=qmp,fd={qmp.theirs.fileno()}",
                 "-mon", "chardev=qmp,mode=control"]
    tty = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        qemu = subprocess.Popen(cmd, pass_fds=fds, cwd=folder)
    finally:
        qmp.theirs.detach()
        for fd in fds:
            os.close(fd)
    try:
        # From here on QEMU tells of events.
        qmp.send("qmp_capabilities")
        try:
            qmp.wait_end(timeout and time.monotonic() + timeout)
            ended(qmp)
        except TimeoutError:
            late(qmp)
        return qemu.wait()
    finally:
        if qemu.poll() is None:
            qemu.kill()
            qemu.wait()
        if tty:     # QEMU does so too, but not when it is killed
            termios.tcsetattr(0, termios.TCSADRAIN, tty)
