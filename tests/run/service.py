#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Rights and personalities (spec/neighbours.md): what the test guests find and may
call as guests of each start option, alone and beside others; and the options."""

import sys
sys.dont_write_bytecode = True
import os
import re

from harness import BUILD, expect, read, same, scratch, tail, test_all, \
    vmi_run

GUEST = os.path.join(BUILD, "tests/guest.elf")
GUEST64 = os.path.join(BUILD, "tests/guest64.elf")
NEIGHBOUR = os.path.join(BUILD, "tests/neighbour.elf")
CALLS = f"kernel={GUEST},append=after=sysenter mode="
COMM = 0x800000        # as in tests/guest/comm.c
CALLS64 = f"kernel={GUEST64},append=after=debug mode="


def passes(text):
    """Its TAP has results and no failure, and came to its end."""
    same("its failures", re.findall(r"^not ok .*", text, re.M), [])
    end = re.search(r"^1\.\.(\d+)", text, re.M)
    expect(end, "it ends with " + tail(text))
    same("its results", len(re.findall(r"^ok ", text, re.M)), int(end[1]))
    expect(int(end[1]) > 9, "it has hardly any results")


def alone(guest):
    run = vmi_run("--icount", "--memory", "64", "--initrd", "", "--guest",
                  guest)
    same("the end", (run.returncode, tail(run.stderr)), (0, ""))
    passes(run.stdout)


def manager():
    """Beside a guest of 64 bits and one that is out of reach."""
    with scratch() as directory:
        others = [os.path.join(directory, name) for name in "ab"]
        run = vmi_run(
            "--icount", "--memory", "64", "--initrd", "",
            "--guest", CALLS + "manage,rights=manage,console=stdio",
            "--guest", f"kernel={GUEST64},append=after=debug,"
            f"console={others[0]}",
            "--guest", f"kernel={NEIGHBOUR},append=busy=64,managed=off,"
            f"memory=16,console={others[1]}")
    same("the status", run.returncode, 0)
    passes(run.stdout)


def variables():
    """One asks, one answers, one does neither."""
    asks = f"kernel={GUEST},append=after=hypercalls mode=asks,rights=manage"
    with scratch() as directory:
        others = [os.path.join(directory, name) for name in "ab"]
        run = vmi_run(
            "--icount", "--memory", "64", "--initrd", "",
            "--guest", f"{asks},console=stdio",
            "--guest", f"kernel={GUEST},append=after=hypercalls mode=answers,"
            f"comm={COMM:#x},console={others[0]}",
            "--guest", f"kernel={NEIGHBOUR},append=busy=2048,memory=16,"
            f"comm=0x800000,reply_timeout=20,console={others[1]}")
        same("the status", run.returncode, 0)
        passes(run.stdout)
        passes(read(others[0]).decode())


def maps(kernel, after, *options):
    """One maps pages of another, which ends first."""
    with scratch() as directory:
        other = os.path.join(directory, "other")
        run = vmi_run(*options, "--memory", "64", "--initrd", "",
                      "--guest", f"kernel={kernel},append=after={after} "
                      "mode=maps,rights=introspect,console=stdio",
                      "--guest", f"kernel={GUEST},append=after=manage "
                      f"mode=mapped,console={other}")
        same("the status", run.returncode, 0)
        passes(run.stdout)
        passes(read(other).decode())


def not_there(says, keys):
    """What the hypervisor refuses, as it starts the guest."""
    run = vmi_run("--memory", "16", "--initrd", "", "--guest",
                  f"kernel={NEIGHBOUR},append=busy=1,{keys}")
    expect(says in run.stderr, f"it says {run.stderr!r}")
    same("the status", run.returncode, 2)


def manages(*options):
    """A service guest makes another, and all that it can do to it."""
    run = vmi_run(*options, "--initrd", "", "--guest",
                  f"kernel={GUEST},append=after=comm mode=manages,"
                  "rights=manage,memory=64", "--guest",
                  f"kernel={NEIGHBOUR},append=busy=1,memory=16")
    same("the status", run.returncode, 0)
    passes(run.stdout)


def serves(*options):
    """A service guest answers for what two others do, of 32 and 64 bits."""
    with scratch() as directory:
        run = vmi_run(*options, "--memory", "64", "--initrd", "", "--guest",
                      f"kernel={GUEST},append=after=manage mode=serves,"
                      "rights=manage,console=stdio", "--guest",
                      f"kernel={GUEST64},append=after=debug,console="
                      + os.path.join(directory, "a"))
    same("the status", run.returncode, 0)
    passes(run.stdout)


def answers(*options):
    """Of two processors one waits for its answer, and is stopped and started."""
    with scratch() as directory:
        other = os.path.join(directory, "a")
        run = vmi_run(*options, "--memory", "64", "--initrd", "", "--guest",
                      f"kernel={GUEST},append=after=manage mode=completes,"
                      "rights=manage,console=stdio", "--guest",
                      f"kernel={GUEST},append=after=manage mode=waits,cpus=2,"
                      f"console={other}")
        said = read(other).decode()
    same("the status", run.returncode, 0)
    for text in run.stdout, said:
        same("its failures", re.findall(r"^not ok .*", text, re.M), [])
        expect(re.search(r"^1\.\.\d", text, re.M), "it ends with " + tail(text))


def refused(says, key):
    run = vmi_run("--guest", key)
    same("the output", run.stdout, "")
    expect(says in run.stderr, f"it says {run.stderr!r}")
    same("the status", run.returncode, 2)


def cases():
    for mode in ("jailhouse", "acrn", "kvm"):
        yield (f"personality={mode}", alone,
               f"{CALLS}{mode},personality={mode}")
    yield "64-bit, personality=acrn", alone, CALLS64 + "acrn,personality=acrn"
    yield "no rights", alone, CALLS
    yield "64-bit, no rights", alone, CALLS64
    yield "rights=manage", manager
    yield "shared variables", variables
    yield "a guest makes another", manages, "--icount"
    yield ("a guest makes another, on two processors", manages,
           "--host-cpus", "2")
    yield "a guest answers for another", serves, "--icount"
    yield ("a guest answers for another, on two processors", serves,
           "--host-cpus", "2")
    yield "two processors ask", answers, "--icount"
    yield "two processors ask, on two", answers, "--host-cpus", "2"
    for bits, kernel, after in ((32, GUEST, "manage"),
                                (64, GUEST64, "hypercalls")):
        for options in (("--icount", "--verify"), ("--host-cpus", "2")):
            yield (f"pages of others, {bits}-bit, {options[0]}", maps, kernel,
                   after, *options)
    for where in ("0x800", "0x1000000", "0x100000"):
        yield (f"shared variables at {where}", not_there,
               f"comm: {int(where, 16):#x}: not a page between the kernel's "
               "end at", f"comm={where}")
    yield ("shared variables nowhere", refused, "comm is any or an address",
           "comm=here")
    yield ("no time that there is", refused,
           "reply_timeout=3600001: up to 3600000 ms", "reply_timeout=3600001")
    yield ("a time and nothing to reply to", refused,
           "reply_timeout=5: without comm= it has no messages",
           "reply_timeout=5")
    yield ("rights that there are not", refused,
           "rights are manage or introspect", "rights=manage+all")
    yield ("no rights to give", refused, "rights are manage or introspect",
           "rights=")
    yield ("a personality that there is not", refused,
           "personality is openvmi or jailhouse or acrn or kvm",
           "personality=xen")
    yield "managed is no word", refused, "managed is on or off", "managed=no"


test_all(list(cases()))
