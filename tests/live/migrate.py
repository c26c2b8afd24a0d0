#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moves that go well, moves that must not begin, and moves that break underway: TAP on standard output.

    migrate.py [WORD...]     only the cases whose names have one of the words

Each case has two QEMUs and a guest that ticks (tests/live/moving.py).  Whether it was kept is seen from
inside it.  The first table is of destinations that are not the same, with what QEMU alone does; the
second is of what breaks, by the point at which it breaks.

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_GUEST (where the kernel is kept).
"""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
EVC = os.path.abspath(os.environ.get("EVC", "build/evc"))
FILES = os.path.abspath(os.environ.get("EVC_GUEST") or os.path.join(os.path.dirname(EVC), "demo"))

sys.path.insert(0, os.path.join(SOURCE, "tests/live"))
import moving  # noqa: E402 pylint: disable=wrong-import-position
from moving import CHANGED, LOST, MOVED, PAUSED, STAYED, TWICE  # noqa: E402 pylint: disable=wrong-import-position

HASWELL, ROME = ["-cpu", "Haswell-noTSX"], ["-cpu", "EPYC-Rome"]


def cpu(text):
    return ["-cpu", text]


# name, source, destination, what must come of it
CASES = (
    ("the same CPU", HASWELL, HASWELL, MOVED),
    ("the same by another model's name", cpu("SandyBridge-v1"), cpu("SandyBridge"), MOVED),
    ("max on both sides", cpu("max"), cpu("max"), MOVED),
    ("invtsc on both sides", cpu("Haswell-noTSX,+invtsc"), cpu("Haswell-noTSX,+invtsc"), MOVED),
    ("a lesser CPU", HASWELL, cpu("SandyBridge"), STAYED),
    ("a greater CPU", cpu("SandyBridge"), HASWELL, STAYED),
    ("avx2 less, without enforce", HASWELL, cpu("Haswell-noTSX,-avx2"), STAYED),
    ("another vendor", HASWELL, cpu("EPYC"), STAYED),
    ("much older, the same vendor", ROME, cpu("Opteron_G3"), STAYED),
    ("much newer, the same vendor", cpu("Opteron_G3"), ROME, STAYED),
    ("another stepping", HASWELL, cpu("Haswell-noTSX,stepping=7"), STAYED),
    ("another model number", HASWELL, cpu("Haswell-noTSX,model=63"), STAYED),
    ("another level", HASWELL, cpu("Haswell-noTSX,level=11"), STAYED),
    ("another model-id", HASWELL, cpu("Haswell-noTSX,model-id=Other"), STAYED),
    ("other phys-bits", HASWELL, cpu("Haswell-noTSX,phys-bits=42"), STAYED),
    ("caches of another kind", HASWELL, cpu("Haswell-noTSX,l3-cache=off"), STAYED),
    ("another number of vCPUs", HASWELL, [*HASWELL, "-smp", "2"], STAYED),
    ("other memory", HASWELL, [*HASWELL, "-m", "160"], STAYED),
    ("another machine type", HASWELL, [*HASWELL, "-machine", "q35"], STAYED),
    ("another machine version", HASWELL, [*HASWELL, "-machine", "pc-i440fx-6.2"], STAYED),
    ("a device more", HASWELL, [*HASWELL, "-device", "virtio-rng-pci"], STAYED),
)

# What breaks: action, on whom ("source", "destination", "evc", "data").
FAULTS = {
    "destination killed": ("kill", "destination"),
    "source killed": ("kill", "source"),
    "destination's QMP cut": ("cut", "destination"),
    "source's QMP cut": ("cut", "source"),
    "destination silent": ("stop", "destination"),
    "source silent": ("stop", "source"),
    "memory's socket cut": ("kill", "data"),
    "Ctrl-C": ("interrupt", "evc"),
    "evc killed, started again": ("kill", "evc"),
}

# When: whose monitor, direction, word, before or after it is passed on.
POINTS = {
    "before": ("destination", "to", "qom-list", "after"),
    "during": ("source", "from", '"active"', "before"),
    "switchover": ("source", "to", "migrate-continue", "before"),
    "switching": ("source", "to", "migrate-continue", "after"),
    "loaded": ("destination", "to", "feature-words", "before"),  # the second time
    "told": ("destination", "to", '"cont"', "after"),
    "running": ("destination", "from", '"running": true', "after"),
    "ending": ("source", "to", '"quit"', "before"),
}


class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def result(self, good, name, notes=()):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}")
        for note in notes:
            print(f"# {note}")
        sys.stdout.flush()

    def skip(self, name, why):
        self.number += 1
        print(f"ok {self.number} - {name} # SKIP {why}")

    def close(self):
        print(f"1..{self.number}")
        return 1 if self.failed else 0


class Rig:
    def __init__(self, directory):
        self.directory = directory
        self.kernel = moving.Kernel(os.path.join(FILES, "vmlinuz"), moving.build_tick(SOURCE, directory))
        self.sources = moving.Sources(directory, self.kernel)

    def pair(self, stack, source, destination):
        """A running guest and a QEMU that waits, in a directory of their own."""
        directory = tempfile.mkdtemp(dir=self.directory)
        here = self.sources.start(directory, "a", source)
        stack.append(here)
        there = moving.Machine(directory, "b", self.kernel, destination, incoming="defer")
        stack.append(there)
        return directory, here, there


def end_all(stack):
    for one in reversed(stack):
        one.end()


def evc(*arguments, **more):
    done = subprocess.run([EVC, "migrate", "--json", *arguments], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL, **more)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr.strip()


def run_alone(rig, source, destination):
    stack = []
    try:
        directory, here, there = rig.pair(stack, source, destination)
        said = moving.move_alone(here, there, directory)
        return said, moving.outcome(here, there)
    finally:
        end_all(stack)


def run_ours(rig, source, destination):
    stack = []
    try:
        _, here, there = rig.pair(stack, source, destination)
        status, answer, said = evc("--guest", here.qmp_path, "--to", there.qmp_path)
        became = moving.outcome(here, there)
        notes = [f["text"] for f in answer.get("findings", []) if f["severity"] in ("blocks", "doubt")]
        if became == MOVED and not moving.unbroken(here, there):
            notes.append("ticks were lost or doubled")
            became = LOST
        return status, became, notes or [answer.get("reason", said)]
    finally:
        end_all(stack)


def one_case(rig, row):
    _, source, destination, _ = row
    try:
        return (*run_alone(rig, source, destination), *run_ours(rig, source, destination))
    except (RuntimeError, moving.Gone, subprocess.TimeoutExpired) as error:
        return "?", "?", -1, str(error), []


def cases(tap, rig, pool, wanted):
    rows = [row for row in CASES if wanted(row[0])]
    table, counts = [], {}
    for row, (said, alone, status, ours, notes) in zip(rows, pool.map(lambda row: one_case(rig, row), rows)):
        name, expected = row[0], row[3]
        good = ours == expected and status == (0 if expected == MOVED else 1)
        tap.result(good, f"{name}: {ours}", [f"QEMU alone: {said}, {alone}", f"ours: {status}, {ours}", *notes[:3]])
        table.append((name, f"{said}: {alone}", ours, "; ".join(notes)))
        counts[alone] = counts.get(alone, 0) + 1
    print_table("case", table)
    print("# QEMU alone: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))


def print_table(what, rows):
    print(f"# | {what} | QEMU alone | ours | what ours says |")
    print("# | --- | --- | --- | --- |")
    for row in rows:
        print("# | " + " | ".join(str(cell)[:200] for cell in row) + " |")


# --- faults ----------------------------------------------------------------------------------------

def start_evc(directory, here, there, more):
    """evc in the background; the relays, which are older than it, find its number in a file."""
    with open(os.path.join(directory, "out"), "w", encoding="utf-8") as out:
        process = subprocess.Popen([EVC, "migrate", "--json", "--guest", here, "--to", there, "--answer", "1",
                                    "--stall", "3", *more], stdout=out, stderr=subprocess.DEVNULL,
                                   stdin=subprocess.DEVNULL)
    path = os.path.join(directory, "pid")
    with open(path + ".new", "w", encoding="ascii") as stream:
        stream.write(str(process.pid))
    os.rename(path + ".new", path)
    return process


def answer_of(directory):
    with open(os.path.join(directory, "out"), encoding="utf-8") as stream:
        text = stream.read()
    return json.loads(text) if text else {}


def relays(stack, fault, point, directory, here, there, data):
    action, whom = FAULTS[fault]
    where, *rule = POINTS[point]
    pids = {"source": here.process.pid, "destination": there.process.pid, "data": data.process.pid,
            "evc": os.path.join(directory, "pid")}
    rules = {"source": [], "destination": []}
    rules[where].append([*rule, action, [pids[whom]]])
    if point == "loaded":
        rules[where].insert(0, [*rule, "nothing", []])
    result = []
    for name, machine in (("source", here), ("destination", there)):
        if rules[name]:
            stack.append(moving.Relay(machine, rules[name]))
        result.append(stack[-1].path if rules[name] else machine.qmp_path)
    return result


def one_fault(rig, fault, point):
    stack = []
    try:
        directory, here, there = rig.pair(stack, HASWELL, HASWELL)
        data = moving.Data(directory)
        stack.append(data)
        paths = relays(stack, fault, point, directory, here, there, data)
        more = ["--uri", "unix:" + data.path, "--listen", "unix:" + data.target]
        status = start_evc(directory, *paths, more).wait(60)
        if fault.startswith("evc killed"):
            status = start_evc(directory, *paths, more).wait(60)
        for machine in (here, there):
            if machine.alive():
                machine.process.send_signal(signal.SIGCONT)
        return status, moving.outcome(here, there), answer_of(directory)
    finally:
        end_all(stack)


def wishes():
    """Every fault at every point at which it can happen."""
    for fault, (action, whom) in FAULTS.items():
        for point, (where, *_) in POINTS.items():
            if action == "cut" and whom != where:
                continue
            if whom == "data" and point not in ("during", "switchover", "switching"):
                continue
            yield fault, point


def allowed(fault, point):
    """What may become of the guest.  Lost only where the source died with the only whole copy."""
    if fault == "source killed":
        return (LOST,) if point in ("before", "during", "switchover") else (MOVED, LOST) if point == "switching" else (MOVED,)
    if fault == "destination killed":
        return (PAUSED,) if point in ("told", "ending") else (STAYED,)
    return (STAYED, MOVED, PAUSED)


def faults(tap, rig, pool, wanted):
    rows = [row for row in wishes() if wanted(f"{row[0]} {row[1]}")]

    def one(row):
        try:
            return one_fault(rig, *row)
        except (RuntimeError, moving.Gone, subprocess.TimeoutExpired, ValueError) as error:
            return -1, f"{type(error).__name__}: {error}", {}
    table = []
    for (fault, point), (status, became, answer) in zip(rows, pool.map(one, rows)):
        said = [text for text in (answer.get("reason"), answer.get("advice")) if text]
        tap.result(became in allowed(fault, point), f"{fault}, {point}: {became}",
                   [f"exit {status}, end {answer.get('end')}, guest at {answer.get('guest')}", *said])
        table.append((f"{fault}, {point}", "", f"{became} (exit {status})", "; ".join(said)))
    print_table("fault, when", table)


def main():
    words = sys.argv[1:]
    tap = Tap()
    done = subprocess.run([os.path.join(SOURCE, "demo/guest-files"), FILES], capture_output=True, text=True, check=False)
    why = moving.why_not(os.path.join(FILES, "vmlinuz"))
    if why:
        tap.skip("guests move", why + done.stderr)
        return tap.close()
    with tempfile.TemporaryDirectory(prefix="evc-move-") as directory, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        rig = Rig(directory)

        def wanted(name):
            return not words or any(word in name for word in words)
        cases(tap, rig, pool, wanted)
        faults(tap, rig, pool, wanted)
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
