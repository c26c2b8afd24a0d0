# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two QEMUs and a guest that moves between them: what tests and bench need of it.

The guest is a stock Linux with lab/ticker.c as its only program: ten times a second it prints a number
and a hash of its whole CPUID.  So whether it lives, and whether its CPU changed, is seen from inside.
Everything runs under QEMU's own CPU emulation.  A booted guest is kept as a file for each kind of source,
so that a case begins within a second.
"""

import json
import os
import re
import select
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

    def __init__(self, directory, name, kernel, arguments, incoming=None):
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
        """Of query-status and query-migrate; empty when there is nobody."""
        if not self.alive():
            return "", ""
        try:
            qmp = Qmp(self.qmp_path, timeout=3)
            result = qmp("query-status")["status"], qmp("query-migrate").get("status", "")
            qmp.close()
            return result
        except (Gone, RuntimeError):
            return "", ""

    def end(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Sources:
    """Booted guests, kept as files: one for each kind of QEMU."""

    def __init__(self, directory, kernel):
        self.directory, self.kernel, self.files, self.lock = directory, kernel, {}, threading.Lock()

    def boot(self, arguments):
        name = "boot%d" % len(self.files)
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

    def start(self, directory, name, arguments):
        """A running guest, as if booted so."""
        key = tuple(arguments)
        with self.lock:
            if key not in self.files:
                self.files[key] = self.boot(arguments)
        machine = Machine(directory, name, self.kernel, arguments, incoming=f"exec:cat {self.files[key]}")
        qmp = Qmp(machine.qmp_path)
        while qmp("query-status")["status"] == "inmigrate":
            time.sleep(0.02)
        qmp("cont")  # it was saved while it stood still
        qmp.close()
        machine.wait_ticks(2)
        return machine


# What became of a guest, seen from inside.
MOVED, STAYED, CHANGED, LOST, TWICE, PAUSED = "moved", "stayed", "changed", "lost", "runs twice", "kept, paused"


def settled(machine):
    """Ticks printed within the next moments."""
    before = len(machine.ticks())
    time.sleep(0.45)
    return machine.ticks()[before:]


def revives(machine, is_source):
    """Follow evc's advice for a guest that stands still: does it tick again, as it did?"""
    run, migration = machine.status()
    if not is_source and not (run == "paused" and migration in ("completed", "postcopy-active", "postcopy-paused")):
        return False
    if not run:
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


def moments(*machines):
    """What each printed within the same moments."""
    results = {}
    threads = [threading.Thread(target=lambda m=m: results.__setitem__(m, settled(m))) for m in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[machine] for machine in machines]


def outcome(source, destination):
    known = source.ticks()[0][1]
    here, there = moments(source, destination)
    deadline = time.monotonic() + PATIENCE_SECONDS
    # A guest on a loaded machine may not get to print for seconds; one that nobody runs never will.
    while not here and not there and time.monotonic() < deadline and "running" in (source.status()[0], destination.status()[0]):
        here, there = moments(source, destination)
    paused = not here and not there and (revives(source, True) or revives(destination, False))
    if any(value != known for _, value in source.ticks() + destination.ticks()):
        return CHANGED
    if here and there:
        return TWICE
    return MOVED if there else STAYED if here else PAUSED if paused else LOST


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


class Relay:
    """A process between evc and a monitor, which does something at a certain word; ends with that QEMU."""

    def __init__(self, machine, rules):
        """rules: [direction "to" or "from", word, "before" or "after" passing it on, action, pids]."""
        self.path = machine.path + ".relay"
        self.process = start([sys.executable, __file__, "relay", self.path, machine.qmp_path,
                                         str(machine.process.pid), json.dumps(rules)])
        wait_for_file(self.path)

    def end(self):
        self.process.kill()
        self.process.wait()


class Data:
    """A process between the source and the destination's port for memory."""

    def __init__(self, directory):
        self.path, self.target = os.path.join(directory, "data"), os.path.join(directory, "data-there")
        self.process = start([sys.executable, __file__, "data", self.path, self.target])
        wait_for_file(self.path)

    def end(self):
        self.process.kill()
        self.process.wait()


def wait_for_file(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen(4)
    os.rename(path + ".new", path)
    return listener


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


class Pump:
    """The inside of a relay: lines of two sockets are passed on, and rules fire."""

    def __init__(self, rules):
        self.rules, self.cut = rules, False

    def run(self, client, server):
        buffers = {client: b"", server: b""}
        while not self.cut:
            for one in select.select([client, server], [], [], 0.5)[0]:
                try:
                    data = one.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                *lines, buffers[one] = (buffers[one] + data).split(b"\n")
                for line in lines:
                    self.pass_on(line + b"\n", "to" if one is client else "from", server if one is client else client)

    def pass_on(self, line, direction, other):
        # One rule a line: of two for the same word the second waits for the next one.
        fired = next((rule for rule in self.rules if rule[0] == direction and rule[1].encode() in line), None)
        if fired:
            self.rules.remove(fired)
            if fired[2] == "before":
                self.act(*fired[3:])
        if self.cut:
            return
        try:
            other.sendall(line)
        except OSError:
            self.cut = True
        if fired and fired[2] == "after":
            self.act(*fired[3:])

    def act(self, action, pids):
        numbers = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "interrupt": signal.SIGINT}
        self.cut |= action == "cut"
        if action not in numbers:
            return
        for pid in pids:
            if isinstance(pid, str):  # a file that holds it
                wait_for_file(pid)
                with open(pid, encoding="ascii") as stream:
                    pid = int(stream.read())
            os.kill(pid, numbers[action])
        time.sleep(0.05)


def relay_main(path, upstream, pid, rules):
    with open("/proc/self/comm", "w", encoding="ascii") as name:
        name.write("qemu-relay")  # it ends with its QEMU, so it may be watched like one
    listener, pump = listen(path), Pump(json.loads(rules))
    listener.settimeout(0.1)
    while not ended(int(pid)):
        try:
            client, _ = listener.accept()
        except socket.timeout:
            continue
        try:
            server = connect(upstream)
        except OSError:
            client.close()
            continue
        pump.cut = False
        pump.run(client, server)
        client.close()
        server.close()


def data_main(path, target):
    here, _ = listen(path).accept()
    there = connect(target)
    while True:
        for one in select.select([here, there], [], [])[0]:
            try:
                data = one.recv(1 << 16)
                (there if one is here else here).sendall(data)
            except OSError:
                return
            if not data:
                return


def ended(pid):
    """Gone, or waiting for its parent to notice."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def why_not(kernel):
    if not shutil.which(QEMU):
        return f"{QEMU} is not installed"
    return None if os.path.exists(kernel) else f"no kernel at {kernel}"


if __name__ == "__main__":
    {"relay": relay_main, "data": data_main}[sys.argv[1]](*sys.argv[2:])
