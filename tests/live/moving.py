# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two QEMUs and a guest that moves between them: what tests and bench need of it.

The guest is a stock Linux with lab/ticker.c as its only program: ten times a second it prints a number
and a hash of its whole CPUID.  So whether it lives, and whether its CPU changed, is seen from inside.
Everything runs under QEMU's own CPU emulation.  A booted guest is kept as a file for each kind of source,
so that a case begins within a second.
"""

import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lab"))
import image  # noqa: E402 pylint: disable=wrong-import-position

QEMU = "qemu-system-x86_64"
MACHINE, MEMORY = "pc-i440fx-7.2", "80"
BOOT_SECONDS, ANSWER_SECONDS, PATIENCE_SECONDS = 60, 20, 10
RELAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay.py")
SAYS_NOTHING = "says nothing"


CHILDREN = []  # every process that was started


def start(command, **more):
    CHILDREN.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, **more))
    return CHILDREN[-1]


def end_on_signals(directory):
    """Leave nothing behind when a test runner's patience ends."""
    def end(number, _):
        for child in CHILDREN:
            if child.poll() is None:
                child.kill()
        shutil.rmtree(directory, ignore_errors=True)
        os._exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)


class Gone(Exception):
    """The QEMU at the other end has ended, or does not answer."""


class Qmp:
    """As plain as a script that somebody writes on a bad day."""

    def __init__(self, path, timeout=ANSWER_SECONDS):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError as error:
            raise Gone(str(error)) from error
        self.stream = self.socket.makefile("rwb")
        self.read()
        self("qmp_capabilities")

    def read(self):
        try:
            line = self.stream.readline()
        except OSError as error:
            raise Gone(str(error)) from error
        if not line:
            raise Gone("closed")
        return json.loads(line)

    def __call__(self, command, **arguments):
        text = {"execute": command}
        if arguments:
            text["arguments"] = {name.replace("_", "-"): value for name, value in arguments.items()}
        try:
            self.stream.write(json.dumps(text).encode() + b"\n")
            self.stream.flush()
        except OSError as error:
            raise Gone(str(error)) from error
        while True:
            answer = self.read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(answer["error"]["desc"])

    def close(self):
        self.stream.close()
        self.socket.close()


def build_tick(directory):
    """The guest's first file system: the lab's ticker alone."""
    path = os.path.join(directory, "tick.cpio")
    with open(path, "wb") as out:
        out.write(image.guest_initrd(image.compile_ticker(directory)))
    return path


class Kernel:
    def __init__(self, vmlinuz, initrd):
        self.arguments = ["-kernel", vmlinuz, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1"]


def ticks_of(text):
    return [(int(number), value) for number, value in re.findall(r"^tick (\d+) at \d+ cpuid (\w{16}) uses[^\n]*\n", text, re.M)]


class Serial:
    """Where a guest prints its ticks, whoever runs it."""

    def __init__(self, log):
        self.log = log

    def printed(self):
        """All that the guest printed here."""
        try:
            with open(self.log, encoding="ascii", errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def ticks(self):
        """(number, hash) of every whole line that the guest printed here."""
        return ticks_of(self.printed())


class Machine(Serial):
    """A QEMU; its serial line is a file, its monitor a socket."""

    def __init__(self, directory, name, kernel, arguments, incoming=None, wait=True):
        self.path = os.path.join(directory, name)
        super().__init__(self.path + ".log")
        self.qmp_path, self.errors = self.path + ".qmp", self.path + ".err"
        command = [QEMU, "-accel", "tcg", "-m", MEMORY, "-machine", MACHINE, "-nodefaults", "-no-user-config",
                   "-no-reboot", "-display", "none", *kernel.arguments, "-serial", "file:" + self.log,
                   "-qmp", f"unix:{self.qmp_path},server=on,wait=off", *arguments]
        if incoming:
            command += ["-incoming", incoming]
        with open(self.errors, "wb") as errors:
            self.process = start(command, stdout=subprocess.DEVNULL, stderr=errors)
        if wait:
            self.wait()

    def wait(self):
        """Until it answers, or has ended."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self.answers() and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def answers(self):
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(self.qmp_path)
            return bool(probe.recv(1))
        except OSError:
            return False
        finally:
            probe.close()

    def wait_ticks(self, n, seconds=BOOT_SECONDS):
        deadline = time.monotonic() + seconds
        while len(self.ticks()) < n:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"{self.path}: no guest that ticks: {self.complaints()}")
            time.sleep(0.05)

    def complaints(self):
        with open(self.errors, encoding="utf-8", errors="replace") as stream:
            return " ".join(stream.read().split())[-300:]

    def alive(self):
        return self.process.poll() is None

    def status(self):
        """Of query-status and query-migrate; empty when there is nobody, SAYS_NOTHING when it does not answer."""
        if not self.alive():
            return "", ""
        try:
            qmp = Qmp(self.qmp_path, timeout=3)
            result = qmp("query-status")["status"], qmp("query-migrate").get("status", "")
            qmp.close()
            return result
        except (Gone, RuntimeError):
            return (SAYS_NOTHING, "") if self.alive() else ("", "")

    def end(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Sources:
    """Booted guests, kept as files: one for each kind of QEMU."""

    def __init__(self, directory, kernel):
        self.directory, self.kernel, self.files, self.lock = directory, kernel, {}, threading.Lock()

    def boot(self, name, arguments):
        machine = Machine(self.directory, name, self.kernel, arguments)
        try:
            machine.wait_ticks(3)
            path = machine.path + ".state"
            qmp = Qmp(machine.qmp_path)
            qmp("stop")
            qmp("migrate-set-parameters", max_bandwidth=1 << 40)
            qmp("migrate", uri=f"exec:cat > {path}")
            while qmp("query-migrate")["status"] not in ("completed", "failed"):
                time.sleep(0.02)
            return path
        finally:
            machine.end()

    def file_of(self, arguments):
        """The state of a guest that was booted with these; whoever asks first boots it, and others wait for that one alone."""
        with self.lock:
            mine = tuple(arguments) not in self.files
            future = self.files.setdefault(tuple(arguments), concurrent.futures.Future())
            name = "boot%d" % len(self.files)
        if mine:
            try:
                future.set_result(self.boot(name, arguments))
            except (RuntimeError, Gone) as error:
                future.set_exception(error)
        return future.result()

    def start(self, directory, name, arguments, more=()):
        """A running guest, as if booted so; more: arguments that are nothing to the guest."""
        machine = Machine(directory, name, self.kernel, [*arguments, *more],
                          incoming=f"exec:cat {self.file_of(arguments)}")
        qmp = Qmp(machine.qmp_path)
        while qmp("query-status")["status"] == "inmigrate":
            time.sleep(0.02)
        qmp("cont")  # it was saved while it stood still
        qmp.close()
        machine.wait_ticks(1)
        return machine


# What became of a guest, seen from inside.
MOVED, STAYED, CHANGED, LOST, TWICE, PAUSED = "moved", "stayed", "changed", "lost", "runs twice", "kept, paused"


def revives(machine, is_source):
    """Follow evc's advice for a guest that stands still: does it tick again, as it did?"""
    run, migration = machine.status()
    if not is_source and not (run == "paused" and migration in ("completed", "postcopy-active", "postcopy-paused")):
        return False
    if run in ("", SAYS_NOTHING):
        return False
    qmp = Qmp(machine.qmp_path)
    deadline = time.monotonic() + PATIENCE_SECONDS
    ticks = len(machine.ticks())
    while len(machine.ticks()) == ticks and time.monotonic() < deadline:
        try:
            if is_source and qmp("query-migrate").get("status") in ("active", "pre-switchover"):
                qmp("migrate_cancel")
            if not qmp("query-status")["running"]:
                qmp("cont")
        except RuntimeError:
            pass  # not finalized yet: again
        time.sleep(0.1)
    qmp.close()
    return len(machine.ticks()) > ticks


def who_ticks(machines):
    """
    Those that print another tick.  Nobody waits longer than it takes: a QEMU that has ended prints none, nor does one that
    says that its CPUs stand still.  One that says that they run has PATIENCE_SECONDS to print, since on a loaded machine a
    guest may not get to.
    """
    before = {machine: len(machine.ticks()) for machine in machines}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        may = {machine for machine in machines if machine.status()[0] in ("running", SAYS_NOTHING)}
        ticked = {machine for machine in machines if len(machine.ticks()) > before[machine]}
        if may <= ticked or time.monotonic() > deadline:
            return ticked
        time.sleep(0.02)


def outcome(source, destination):
    known = source.ticks()[0][1]
    ticked = who_ticks((source, destination))
    paused = not ticked and (revives(source, True) or revives(destination, False))
    if any(value != known for _, value in source.ticks() + destination.ticks()):
        return CHANGED
    if len(ticked) > 1:
        return TWICE
    return MOVED if destination in ticked else STAYED if source in ticked else PAUSED if paused else LOST


def unbroken(source, destination):
    """No tick is missing and none comes twice; the one in the middle of which the guest moved is in two pieces."""
    numbers = [number for number, _ in ticks_of(source.printed() + destination.printed())]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def move_alone(source, destination, directory, capabilities=()):
    """What QEMU does when it is told to migrate, and nothing else; returns what it says of it."""
    try:
        here, there = Qmp(source.qmp_path), Qmp(destination.qmp_path)
    except Gone:
        return "does not start"
    uri = f"unix:{directory}/alone"
    said = "?"
    try:
        if capabilities:
            here("migrate-set-capabilities", capabilities=[{"capability": name, "state": True} for name in capabilities])
        there("migrate-incoming", uri=uri)
        here("migrate", uri=uri)
        deadline = time.monotonic() + ANSWER_SECONDS
        while said not in ("completed", "failed", "cancelled") and time.monotonic() < deadline:
            said = here("query-migrate").get("status", "?")
            time.sleep(0.02)
        if said == "completed":
            here("quit")  # as everybody does who reads "completed"
            source.process.wait(ANSWER_SECONDS)
    except (Gone, RuntimeError) as error:
        said = f"{said}: {error}"
    finally:
        here.close()
        there.close()
    return said


class Between:
    """A process of tests/live/relay.py, from when it listens at its path."""

    def __init__(self, path, *arguments):
        self.path = path
        if os.path.exists(path):
            os.unlink(path)  # of one that has ended
        self.process = start([sys.executable, "-I", "-S", RELAY, arguments[0], path, *arguments[1:]])
        while not os.path.exists(path) and self.process.poll() is None:
            time.sleep(0.01)

    def end(self):
        self.process.kill()
        self.process.wait()


class Relay(Between):
    """A process between evc and a monitor, which does something at a certain word; ends with that QEMU."""

    def __init__(self, machine, rules):
        """rules: [direction "to" or "from", word, "before" or "after" passing it on, action, pids]."""
        super().__init__(machine.path + ".relay", "monitor", machine.qmp_path, str(machine.process.pid), json.dumps(rules))


class Data(Between):
    """A process between the source and the destination's port for memory."""

    def __init__(self, directory):
        self.target = os.path.join(directory, "data-there")
        super().__init__(os.path.join(directory, "data"), "data", self.target)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def why_not(kernel):
    if not shutil.which(QEMU):
        return f"{QEMU} is not installed"
    return None if os.path.exists(kernel) else f"no kernel at {kernel}"
