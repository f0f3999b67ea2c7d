# SPDX-License-Identifier: GPL-2.0-only
"""Is an initial RAM disk complete? A kernel would go on without the files that
are cut off."""

import bz2
import gzip
import lzma
import zlib

from vmi_run import Refused


def unpack(path, data):
    """The content of a compressed file; None when we cannot tell."""
    formats = {
        b"\x1f\x8b": gzip.decompress,
        b"\xfd7zXZ\0": lzma.decompress,
        b"BZh": bz2.decompress,
        b"0707": bytes,
    }
    for magic, decompress in formats.items():
        if not data.startswith(magic):
            continue
        try:
            return decompress(data)
        except (EOFError, ValueError):
            raise Refused(f"{path}: truncated: the compressed data has no "
                          "end") from None
        except (OSError, lzma.LZMAError, zlib.error) as error:
            raise Refused(f"{path}: damaged: {error}") from None
    return None


def check(path):
    """Refuse one that is truncated or damaged, as far as we can tell."""
    with open(path, "rb") as f:
        data = f.read()
    if not data:
        raise Refused(f"{path}: empty")
    data = unpack(path, data)
    if data is None or not data.startswith((b"070701", b"070702")):
        return
    pos = 0
    while True:     # newc: 110 bytes of header, name, data, each padded to 4
        header = data[pos:pos + 110]
        if len(header) < 110 or header[:5] != b"07070":
            break
        try:
            size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError:
            break
        name = data[pos + 110:pos + 110 + name_size]
        if name == b"TRAILER!!!\0":
            return
        pos = (pos + 110 + name_size + 3) & ~3
        pos = (pos + size + 3) & ~3
    raise Refused(f"{path}: truncated: the archive has no end" if
                  pos >= len(data) or len(data) - pos < 110 else
                  f"{path}: damaged: no archive member at byte {pos}")
