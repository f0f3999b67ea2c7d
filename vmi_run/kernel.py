# SPDX-License-Identifier: GPL-2.0-only
"""What kind of kernel a file is, as hypervisor-stub/core/loader.c has it; whether
the file is right is for that to say."""

import struct

KERNEL_64 = 1                           # in xloadflags, since 2.12


def is_wide(path):
    """A 64-bit one; a file that cannot be read is not."""
    try:
        with open(path, "rb") as file:
            head = file.read(0x260)
    except OSError:
        return False
    if head[:6] == b"\x7fELF\x02\x01":
        return True
    if head[0x202:0x206] != b"HdrS" or len(head) < 0x260:
        return False
    version, = struct.unpack_from("<H", head, 0x206)
    xloadflags, = struct.unpack_from("<H", head, 0x236)
    return version >= 0x20c and xloadflags & KERNEL_64 != 0
