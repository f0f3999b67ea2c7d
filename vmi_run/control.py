# SPDX-License-Identifier: GPL-2.0-only
"""Calls about guests from outside: vmi-run listens at a socket, takes commands as
lines of JSON, one answer for each (spec/control.md), and makes them calls to the
hypervisor by a channel (hypervisor-stub/core/control.c)."""

import errno
import json
import math
import os
import socket
import stat
import struct
import threading
import time

from vmi_run import Refused

# As in hypervisor-stub/core/control.h.
CALL, ANSWER = struct.Struct("<QQQQQQQQQ"), struct.Struct("<qQ")
MEMORY_MAX, WANTED_MAX = 1 << 30, 4080
BYTES = 1 << 20                     # what the hypervisor needs for itself

# As in spec/include/vmi_hypercall.h.
LIST, INFO, STATE, SEND, REPLY, CREATE, START, PAUSE, RESUME, RESET, DESTROY, \
    STATISTICS, CONSOLE_READ, CONSOLE_WRITE = range(16, 30)
STATES = ("running", "locked", "shut down", "failed", "ABI mismatch")
RIGHTS = {"manage": 1, "introspect": 2}
SHUTDOWN, DENIED, APPROVED = 1, 2, 3
COMM_ANY = 1
REPLY_TIMEOUT = 30000               # ms; with 0 a guest that hangs stays for ever
GUESTS = 64
INFO_OF = struct.Struct("<8IQQ32s")
STATS = ("exits", "hypercalls", "page_faults", "interrupts", "shadow_fills",
         "ports", "used", "stolen", "memory_left")
CREATE_OF = struct.Struct("<6Q4IQ2I32s")
PAGE = 4096
CONSOLE_WRITE_MAX = 256

LINE_MAX = 1 << 16
CLIENTS_MAX = 256                   # at a time: each has a descriptor and a thread
POLL = 0.05                         # seconds: a guest does not say that it replied
EVERYTHING = (1 << 32) - 1


class Refusal(Exception):
    """The answer to one command: an error's number, and why."""

    def __init__(self, number, why):
        super().__init__(why)
        self.number = number


class Ended(Exception):
    """QEMU has."""


def pages(size):
    return (size + PAGE - 1) // PAGE


# ---- calls ------------------------------------------------------------------

class Channel:
    """One call after the other."""

    def __init__(self):
        self.machine, theirs = socket.socketpair()
        self.fd = theirs.detach()   # QEMU's end
        self.lock = threading.Lock()

    def take(self, size):
        data = b""
        while len(data) < size:
            more = self.machine.recv(size - len(data))
            if not more:
                raise Ended
            data += more
        return data

    def call(self, number, *args, given=b"", wanted=0):
        """The result, and what was wanted of the call's memory, from 0 on."""
        size = max(pages(len(given)), 1) * PAGE
        args += (0,) * (4 - len(args))
        with self.lock:
            try:
                self.machine.sendall(CALL.pack(number, *args, size, len(given),
                                               0, wanted) + given)
                result, size = ANSWER.unpack(self.take(ANSWER.size))
                data = self.take(size)
            except OSError:
                raise Ended from None
        return result, data

    def must(self, why, number, *args, given=b"", wanted=0):
        """The same; why: what an error means, by its number."""
        result, data = self.call(number, *args, given=given, wanted=wanted)
        if result < 0:
            raise Refusal(-result, why.get(-result) or
                          WHY.get(-result) or os.strerror(-result))
        return result, data


WHY = {errno.EINVAL: "there is no such guest, or it is out of reach",
       errno.EPERM: "it has a vote, and is locked or has not approved its "
       "shutdown",
       errno.ENOMEM: "the machine has not so much memory",
       errno.ETIMEDOUT: "it did not reply in its time, and has failed"}


# ---- commands ---------------------------------------------------------------

def field(command, name, kind, default=None):
    value = command.pop(name, default)
    if value is None:
        raise Refusal(errno.EINVAL, f"{name} is missing")
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise Refusal(errno.EINVAL, f"{name} is not a " + {
            int: "whole number", str: "string", bool: "boolean"}[kind])
    return value


def whole(command, name, default=None):
    value = field(command, name, int, default)
    if not 0 <= value <= EVERYTHING:
        raise Refusal(errno.EINVAL, f"{name} is not 0 to {EVERYTHING}")
    return value


def no_more(command):
    if command:
        raise Refusal(errno.EINVAL, "not known: " + ", ".join(sorted(command)))


def guest_of(command):
    guest = whole(command, "guest")
    no_more(command)
    return guest


def rights_text(rights):
    return "+".join(name for name, bit in RIGHTS.items() if rights & bit)


def info_of(channel, guest):
    _, data = channel.must({}, INFO, guest, 0, wanted=INFO_OF.size)
    number, state, cpus, bits, rights, starts, paused, ended, memory, exits, name = \
        INFO_OF.unpack(data)
    return {"guest": number, "name": name.split(b"\0")[0].decode("latin-1"),
            "state": STATES[state] if state < len(STATES) else "unknown",
            "cpus": cpus, "memory": memory >> 20, "bits": bits,
            "rights": rights_text(rights), "starts": starts, "exits": exits,
            "paused": bool(paused), "ended": bool(ended)}


def do_info(channel, command):
    return info_of(channel, guest_of(command))


def do_list(channel, command):
    no_more(command)
    n, data = channel.must({}, LIST, 0, GUESTS, wanted=4 * GUESTS)
    found = []
    for guest in struct.unpack_from(f"<{min(n, GUESTS)}I", data):
        try:
            found.append(info_of(channel, guest))
        except Refusal:
            pass                    # it has just been destroyed
    return found


def do_stats(channel, command):
    _, data = channel.must({}, STATISTICS, guest_of(command), 0,
                           wanted=8 * len(STATS))
    return dict(zip(STATS, struct.unpack(f"<{len(STATS)}Q", data)))


def at_once(path, flags):
    """Not when a pipe has a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_file(path):
    try:
        with open(path, "rb", opener=at_once) as f:
            status = os.fstat(f.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refusal(errno.EINVAL, f"{path}: not a file")
            if status.st_size > MEMORY_MAX // 2:
                raise Refusal(errno.EFBIG, f"{path}: too large")
            data = f.read()
    except OSError as why:
        raise Refusal(why.errno or errno.EINVAL,
                      f"{path}: {why.strerror or why}") from None
    except ValueError as why:       # no name of a file
        raise Refusal(errno.EINVAL, f"{path}: {why}") from None
    if not data:
        raise Refusal(errno.EINVAL, f"{path}: empty")
    return data


def string(command, name, default, most):
    text = field(command, name, str, default).encode("latin-1", "replace")
    if len(text) > most or b"\0" in text:
        raise Refusal(errno.EINVAL, f"{name}: up to {most} characters, none "
                      "of them 0")
    return text


def rights_of(command):
    text = field(command, "rights", str, "")
    names = text.split("+") if text else []
    if not set(names) <= set(RIGHTS):
        raise Refusal(errno.EINVAL, "rights: manage, introspect or "
                      "manage+introspect")
    return sum(RIGHTS[name] for name in set(names))


def listed(data, at):
    """A list of its pages, which begin there."""
    return struct.pack(f"<{pages(len(data))}Q",
                       *range(at, at + len(data), PAGE))


def padded(data):
    return data + bytes(-len(data) % PAGE)


def create(channel, command):
    """Of what the struct says: itself, the command line, lists, and the files."""
    path = field(command, "kernel", str)
    append = string(command, "append", "console=ttyS0 panic=-1", 2047)
    name = string(command, "name", os.path.basename(path)[:31], 31)
    memory = whole(command, "memory", 64)
    cpus = whole(command, "cpus", 1)
    shares = whole(command, "shares", 100)
    rights = rights_of(command)
    comm = field(command, "comm", bool, True)
    reply_timeout = whole(command, "reply_timeout", REPLY_TIMEOUT)
    passive = field(command, "passive", bool, False)
    initrd = field(command, "initrd", str, "")
    no_more(command)
    kernel = read_file(path)
    initrd = read_file(initrd) if initrd else b""
    lists = 2 * PAGE
    initrd_list = lists + 8 * pages(len(kernel))
    files = pages(initrd_list + 8 * pages(len(initrd))) * PAGE
    initrd_at = files + pages(len(kernel)) * PAGE
    block = CREATE_OF.pack(lists, len(kernel), initrd_list, len(initrd), PAGE,
                           len(append), memory, cpus, rights, shares,
                           COMM_ANY if comm else 0, reply_timeout, passive,
                           name)
    given = (padded(block) + padded(append or b"\0") +
             padded(listed(kernel, files) + listed(initrd, initrd_at)) +
             padded(kernel) + initrd)
    guest, _ = channel.must({
        errno.EINVAL: "refused: memory is 4 to 8192 MB, cpus 1 to 8, shares 1 "
        "to 10000, the kernel a bzImage or an ELF file; the hypervisor's log "
        "may say more",
        errno.ENOMEM: "there is not so much memory, or as many guests as "
        "there can be"}, CREATE, 0, given=given)
    return guest


def do_create(channel, command):
    return {"guest": create(channel, command)}


def do_start(channel, command):
    if "kernel" in command:
        guest = create(channel, command)
    else:
        guest = guest_of(command)
    channel.must({errno.EBUSY: "it has begun and not ended"}, START, guest)
    return {"guest": guest}


def change(number, busy):
    def do(channel, command):
        channel.must({errno.EBUSY: busy}, number, guest_of(command))
        return {}
    return do


def has_ended(info, starts):
    """Since this start."""
    return info["ended"] or info["starts"] != starts


def do_shutdown(channel, command):
    seconds = whole(command, "timeout", 60)
    guest = guest_of(command)
    until = time.monotonic() + seconds
    starts = info_of(channel, guest)["starts"]
    said, _ = channel.must({errno.EBUSY: "it has not replied to the last "
                            "message"}, SEND, guest, SHUTDOWN)
    # At once, so nobody has asked it; but it may be on its way.
    info = said == APPROVED and info_of(channel, guest)
    if info and not has_ended(info, starts) and info["state"] != "shut down":
        raise Refusal(errno.EPERM, "it has no vote, and is not asked: destroy "
                      "ends it")
    while not said and time.monotonic() < until:
        time.sleep(POLL)
        said, _ = channel.must({}, REPLY, guest)
    if said != APPROVED:
        raise Refusal(errno.EACCES if said == DENIED else errno.ETIMEDOUT
                      if not said else errno.EINVAL,
                      "denied" if said == DENIED else
                      f"it has not replied in {seconds} s" if not said else
                      "it does not know what that is")
    while not has_ended(info_of(channel, guest), starts):
        if time.monotonic() >= until:
            raise Refusal(errno.ETIMEDOUT, "it may be ended, but has not in "
                          f"{seconds} s")
        time.sleep(POLL)
    return {}


def do_console_read(channel, command):
    n, data = channel.must({errno.EINVAL: "its console is elsewhere, or there "
                            "is no such guest"}, CONSOLE_READ,
                           guest_of(command), 0, WANTED_MAX, wanted=WANTED_MAX)
    return {"text": data[:n].decode("latin-1")}


def do_console_write(channel, command):
    text = field(command, "text", str).encode("latin-1", "replace")
    guest = guest_of(command)
    n, _ = channel.must({errno.EINVAL: "its console is elsewhere, or there is "
                         "no such guest"}, CONSOLE_WRITE, guest, 0,
                        min(len(text), CONSOLE_WRITE_MAX),
                        given=text[:CONSOLE_WRITE_MAX])
    return {"bytes": n}


COMMANDS = {
    "list": do_list, "info": do_info, "stats": do_stats, "create": do_create,
    "start": do_start, "pause": change(PAUSE, "it does not run"),
    "resume": change(RESUME, "it does not stand still"),
    "reset": change(RESET, "busy"), "destroy": change(DESTROY, "busy"),
    "shutdown": do_shutdown, "console-read": do_console_read,
    "console-write": do_console_write,
}


def finite(text):
    """Python has numbers that JSON does not have."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def too_long(line):
    """Of those that serve() reads."""
    return len(line) > LINE_MAX and not line.endswith(b"\n")


def answer(channel, line):
    """To one line, whatever it is."""
    reply = {}
    try:
        if too_long(line):
            raise Refusal(errno.EINVAL, f"longer than {LINE_MAX} bytes")
        try:
            command = json.loads(line, parse_float=finite, parse_constant=finite)
        except (ValueError, RecursionError):
            raise Refusal(errno.EINVAL, "not JSON") from None
        if not isinstance(command, dict):
            raise Refusal(errno.EINVAL, "not an object")
        if "id" in command:
            reply["id"] = command.pop("id")
        name = field(command, "command", str)
        if name not in COMMANDS:
            raise Refusal(errno.EINVAL, "the commands are "
                          + ", ".join(COMMANDS))
        reply["return"] = COMMANDS[name](channel, command)
    except Refusal as why:
        reply["error"] = {"errno": errno.errorcode.get(why.number, "EIO"),
                          "text": str(why)}
    return reply


# ---- the socket -------------------------------------------------------------

class Control(threading.Thread):
    """Listens, and has a thread for each who connects."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.channel = Channel()
        self.fd = self.channel.fd
        self.room = threading.Semaphore(CLIENTS_MAX)
        self.server = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            self.take_over()
        try:
            before = os.umask(0o177)
            try:
                self.server.bind(path)
            finally:
                os.umask(before)
            self.server.listen()
        except OSError as why:
            raise Refused(f"{path}: {why.strerror or why}") from None

    def take_over(self):
        """What a vmi-run that is no more has left."""
        if not stat.S_ISSOCK(os.stat(self.path).st_mode):
            raise Refused(f"{self.path}: it is there, and not a socket")
        try:
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(self.path)
        except ConnectionRefusedError:
            os.unlink(self.path)
            return
        except OSError as why:
            raise Refused(f"{self.path}: {why.strerror}") from None
        raise Refused(f"{self.path}: somebody else listens there")

    def serve(self, client):
        try:
            with client, client.makefile("rb") as lines:
                line = lines.readline(LINE_MAX + 1)
                while line:
                    client.sendall(json.dumps(
                        answer(self.channel, line)).encode() + b"\n")
                    if too_long(line):
                        break       # where the next begins nobody knows
                    line = lines.readline(LINE_MAX + 1)
        except (Ended, OSError):
            pass
        finally:
            self.room.release()

    def run(self):
        while True:
            self.room.acquire()
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def end(self):
        self.server.close()
        try:
            os.unlink(self.path)
        except OSError:
            pass
