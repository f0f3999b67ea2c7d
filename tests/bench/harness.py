# SPDX-License-Identifier: GPL-2.0-only
"""What the benchmarks share: a run of a guest, plots, where results go."""

import json
import os
import subprocess
import sys

FOLDER = "build/bench"
# For one processor, and with no code for more.
KERNEL = "build/linux-up/bzImage"
SMP_KERNEL = "build/linux/bzImage"
AMD64_KERNEL = "build/linux-amd64/bzImage"
AMD64_INITRD = "build/initramfs-amd64.cpio.gz"
GUEST = ["--initrd", "build/initramfs.cpio.gz", "--memory", "256"]


def run(arguments, timeout):
    """What the guest printed; without success, the end of everything."""
    cmd = ["./vmi-run", "--timeout", str(timeout)] + arguments
    done = subprocess.run(cmd, stdin=subprocess.DEVNULL, text=True,
                          errors="replace", capture_output=True)
    if done.returncode:
        fail(cmd, f"ended with status {done.returncode}",
             done.stdout + done.stderr)
    return done.stdout


def fail(cmd, why, output):
    sys.exit(f"bench: {' '.join(cmd)}\n{why}; its last words:\n"
             f"{output[-1500:]}")


def save(name, results):
    os.makedirs(FOLDER, exist_ok=True)
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="ascii") as f:
        json.dump(results, f, indent=2)
        f.write("\n")
    print(path)


def plot(name, script, lines):
    """NAME.svg and NAME.png; the script reads the lines as "{data}"."""
    os.makedirs(FOLDER, exist_ok=True)
    data = os.path.join(FOLDER, name + ".dat")
    with open(data, "w", encoding="ascii") as f:
        f.writelines(line + "\n" for line in lines)
    for kind, term in (
            ("svg", "svg size 1100,620 font 'sans,13' background 'white'"),
            ("png", "pngcairo size 1100,620 font 'sans,11'")):
        out = os.path.join(FOLDER, f"{name}.{kind}")
        text = (f'set terminal {term}\nset output "{out}"\n' +
                script.replace("{data}", data))
        subprocess.run(["gnuplot"], text=True, check=True, input=text)
        print(out)
