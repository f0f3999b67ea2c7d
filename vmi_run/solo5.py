# SPDX-License-Identifier: GPL-2.0-only
"""Unikernels: Solo5's .hvt files, their disks and networks. Whether a file is
right is for the hypervisor to say (hypervisor-stub/core/solo5.c)."""

import os
import random
import re
import struct

from vmi_run import Refused

# As in hypervisor-stub/include/host.h, and core/solo5.h.
DISKS_MAX, NETS_MAX, SECTOR = 64, 8, 512
# Slots of the bus, of eight devices each, in the order of the numbers; and what
# the hypervisor needs for one.
PCI_DISKS, PCI_NETS = 0x10, 0x18
BYTES = 320 << 10

PT_NOTE = 4
# As in spec/include/solo5_abi.h.
MANIFEST, MANIFEST_AT, ENTRY_SIZE, NAME_SIZE = 0x3154464d, 4, 104, 68
BLOCK, NET = 1, 2


# ---- what kind of kernel it is ----------------------------------------------

def fields(form, data, at):
    """struct.unpack_from() has another error where no file can be."""
    return struct.unpack(form, data[at:at + struct.calcsize(form)])


def notes(data):
    """(owner, type, contents) of each note of an ELF64 file."""
    if data[:6] != b"\x7fELF\x02\x01":
        return
    phoff, = fields("<Q", data, 32)
    count, = fields("<H", data, 56)
    for i in range(count):
        kind, _, at, _, _, size = fields("<IIQQQQ", data, phoff + i * 56)
        end = at + size
        if kind != PT_NOTE or end > len(data):
            continue
        while at + 12 <= end:
            owner, contents, note = fields("<III", data, at)
            name = data[at + 12:at + 12 + owner].rstrip(b"\0")
            at += 12 + (owner + 3 & ~3)
            yield name, note, data[at:at + contents]
            at += contents + 3 & ~3


def is_unikernel(path):
    """An ELF64 file with a note of Solo5's; one that cannot be read, or that
    is damaged, is not."""
    try:
        with open(path, "rb") as file:
            return any(owner == b"Solo5" for owner, _, _ in notes(file.read()))
    except (OSError, struct.error):
        return False


def manifest(path, kind):
    """The names of its devices of that kind, as far as they can be read."""
    data = b""
    try:
        with open(path, "rb") as file:
            for owner, note, contents in notes(file.read()):
                if (owner, note) == (b"Solo5", MANIFEST):
                    data = contents[MANIFEST_AT:]
    except struct.error:
        pass
    entries = [data[at:at + ENTRY_SIZE]
               for at in range(8, len(data) - ENTRY_SIZE + 1, ENTRY_SIZE)]
    return [entry[:NAME_SIZE].rstrip(b"\0").decode("ascii", "replace")
            for entry in entries
            if struct.unpack_from("<I", entry, NAME_SIZE)[0] == kind]


# ---- its devices ------------------------------------------------------------

NAMED = re.compile(r"([A-Za-z0-9]{1,%d})=(.+)" % (NAME_SIZE - 1))


def name_all(guest, option, kind):
    """NAME=VALUE of each --disk or --net; without a name it is the next device
    of the manifest that no other one names."""
    texts = getattr(guest, option)
    given = {text.partition("=")[0] for text in texts if NAMED.fullmatch(text)}
    # Others are none: they would be words for the hypervisor.
    free = [name for name in manifest(guest.kernel, kind)
            if name not in given and NAMED.fullmatch(f"{name}={option}")]
    for n, text in enumerate(texts):
        if NAMED.fullmatch(text):
            continue
        if not free:
            raise Refused(f"--{option} {text}: not NAME=VALUE, and the "
                          "unikernel's manifest has no further device for it")
        texts[n] = f"{free.pop(0)}={text}"


def check_disk(path):
    try:
        with open(path, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    if not size or size % SECTOR:
        raise Refused(f"{path}: {size} bytes; a disk is blocks of {SECTOR} "
                      f"bytes: truncate --size=%{SECTOR} {path}")


def check_net(option, value):
    kind, colon, interface = value.partition(":")
    if value == "user":
        return
    if kind != "tap" or not colon or not interface:
        raise Refused(f"{option}={value}: user, or tap:INTERFACE")
    if not os.path.exists(f"/sys/class/net/{interface}"):
        raise Refused(f"{option}={value}: there is no such interface; make "
                      f"it: ip tuntap add {interface} mode tap && "
                      f"ip link set {interface} up")


def check(guest):
    """Of a guest's options; whether it is a unikernel is known."""
    if not guest.unikernel:
        if guest.disk or guest.net:
            raise Refused(f"{guest.kernel}: --disk and --net are for "
                          "unikernels, which this is not")
        return
    if guest.initrd:
        raise Refused(f"{guest.kernel}: a unikernel has no initial RAM disk")
    if guest.cpus != 1:
        raise Refused(f"--cpus {guest.cpus}: a unikernel has one")
    name_all(guest, "disk", BLOCK)
    name_all(guest, "net", NET)
    for text in guest.disk:
        check_disk(text.partition("=")[2])
    for text in guest.net:
        name, _, value = text.partition("=")
        check_net(f"--net {name}", value)


def check_all(guests):
    disks = [os.path.realpath(text.partition("=")[2])
             for guest in guests for text in guest.disk]
    for path in disks:
        if disks.count(path) > 1:
            raise Refused(f"--disk: {path} is the disk of two")
    if len(disks) > DISKS_MAX:
        raise Refused(f"--disk: there can be {DISKS_MAX}")
    if sum(len(guest.net) for guest in guests) > NETS_MAX:
        raise Refused(f"--net: there can be {NETS_MAX}")


# ---- for QEMU and the hypervisor --------------------------------------------

def options(guest, disks, nets):
    """Of a guest's module string; so many devices are others'."""
    return "".join([f" disk={n}:{text.partition('=')[0]}"
                    for n, text in enumerate(guest.disk, disks)] +
                   [f" net={n}:{text.partition('=')[0]}"
                    for n, text in enumerate(guest.net, nets)])


def place(slot, n):
    return f"addr={slot + n // 8:#x}.{n % 8},multifunction=on"


def disk(n, text, quoted):
    path = quoted(os.path.abspath(text.partition("=")[2]))
    return ["-drive", f"if=none,id=disk{n},format=raw,file={path}", "-device",
            f"virtio-blk-pci,drive=disk{n},{place(PCI_DISKS, n)}"]


def net(n, text):
    kind, _, interface = text.partition("=")[2].partition(":")
    device = f"virtio-net-pci,netdev=net{n},romfile=,{place(PCI_NETS, n)}"
    if kind == "user":
        return ["-netdev", f"user,id=net{n}", "-device", device]
    # Nobody else on that network has it.
    mac = ":".join(f"{byte:02x}" for byte in [2, *random.randbytes(5)])
    return ["-netdev", f"tap,id=net{n},ifname={interface},script=no,"
            "downscript=no", "-device", f"{device},mac={mac}"]


def devices(guests, quoted):
    """All guests' in the order of their numbers."""
    disks = [text for guest in guests for text in guest.disk]
    nets = [text for guest in guests for text in guest.net]
    return ([word for n, text in enumerate(disks)
             for word in disk(n, text, quoted)] +
            [word for n, text in enumerate(nets) for word in net(n, text)])


# ---- how it ended -----------------------------------------------------------

DIED = 1                                # solo5-hvt's


def status(guests, lines):
    """The first status that is not 0, of the unikernels in their order; None:
    another kind of guest has died."""
    found = [[] for _ in guests]
    for line in lines:
        match = re.match(r"guest(?: (\d))?(?:: exit status (\d+)| (died))",
                         line)
        if match:
            n = int(match[1] or 1) - 1
            if n >= len(guests):    # made by one of ours, whose affair it is
                continue
            if match[3] and not guests[n].unikernel:
                return None
            found[n].append(DIED if match[3] else int(match[2]))
    return next((value for values in found for value in values if value), 0)
