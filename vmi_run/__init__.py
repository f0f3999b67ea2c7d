# SPDX-License-Identifier: GPL-2.0-only
"""The parts of vmi-run, and what they share: where things are, how to
refuse what the user asked for, what to say."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
RUN_DIR = os.path.join(ROOT, "build/run")


class Refused(Exception):
    """What the user asked for cannot work; the text says why."""


def built(path):
    return os.path.join(ROOT, "build", path)


HYPERVISOR = built("hypervisor-stub.elf")
PROFILER = built("tools/profile.so")
VMI_ROM = built("tools/vmi-rom")


def shown(path):
    """A path as the user would type it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def say(text, end="\n"):
    print("vmi-run: " + text, file=sys.stderr, end=end, flush=True)
