#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moves that go well, moves that must not begin, and moves that break underway: TAP on standard output.

    migrate.py [all] [WORD...]     only the cases whose names have one of the words

Without "all" the points at which a fault has nothing new to show are left out.

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
import threading

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
EVC = os.path.abspath(os.environ.get("EVC", "build/evc"))
FILES = os.path.abspath(os.environ.get("EVC_GUEST") or os.path.join(os.path.dirname(EVC), "demo"))

sys.path.insert(0, os.path.join(SOURCE, "tests/live"))
import moving  # noqa: E402 pylint: disable=wrong-import-position
from moving import LOST, MOVED, PAUSED, STAYED  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position

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
    ("a greater CPU", cpu("SandyBridge-v1"), HASWELL, STAYED),
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

# Ways to move: name, options, what must come of it, exit status, something that evc says.
WAYS = (
    ("through two connections", ["--multifd", "2"], MOVED, 0, ""),
    ("with postcopy that has nothing left to do", ["--postcopy"], MOVED, 0, ""),
    ("with limits", ["--auto-converge", "--bandwidth", "100", "--downtime", "50"], MOVED, 0, ""),
    ("over TCP", ["tcp"], MOVED, 0, ""),
    ("a guest that its user paused", ["stop"], PAUSED, 0, ""),
    ("the source kept", ["--keep-source"], MOVED, 0, ""),
    ("the guest asked, and well", ["--ask", "true"], MOVED, 0, ""),
    ("the guest asked, and not well", ["--ask", "false"], MOVED, 4, "keeps it as it was, paused"),
    ("the log's disk full", ["--log", "/dev/full"], MOVED, 0, "could not be written"),
    ("nowhere to say anything", ["mute"], MOVED, 4, ""),
    ("only asked", ["--dry-run"], STAYED, 0, ""),
    ("a time that is too short", ["--timeout", "1", "--bandwidth", "1"], STAYED, 4, "took too long"),
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

# Left out unless all are wanted.
REDUNDANT = {("destination silent", "switching"), ("destination silent", "ending"), ("source silent", "running"),
             ("source silent", "switching"), ("source killed", "running"), ("destination's QMP cut", "running")} | {
    (fault, point) for fault in ("Ctrl-C", "evc killed, started again") for point in ("before", "switching", "running")}

# When: whose monitor, direction, word, before or after it is passed on.
POINTS = {
    "before": ("destination", "to", "qom-list", "after"),
    "during": ("source", "from", '"active"', "before"),
    "switchover": ("source", "to", "migrate-continue", "before"),
    "switching": ("source", "to", "migrate-continue", "after"),
    "loaded": ("destination", "to", "feature-words", "before"),  # the second time
    "told": ("destination", "to", '"cont"', "after"),
    "running": ("destination", "from", '"running": true', "before"),  # who heard it ends the source: "ending"
    "ending": ("source", "to", '"quit"', "before"),
}


class Rig:
    def __init__(self, directory):
        self.directory = directory
        self.kernel = moving.Kernel(os.path.join(FILES, "vmlinuz"), moving.build_tick(directory))
        self.sources = moving.Sources(directory, self.kernel)
        self.starting = threading.Semaphore(2)

    def pair(self, stack, source, destination, more=()):
        """A running guest and a QEMU that waits, in a directory of their own; more: arguments of the source, nothing to the guest."""
        directory = tempfile.mkdtemp(dir=self.directory)
        with self.starting:
            there = moving.Machine(directory, "b", self.kernel, destination, incoming="defer", wait=False)
            stack.append(there)
            here = self.sources.start(directory, "a", source, more)
            stack.append(here)
            there.wait()
        return directory, here, there


def end_all(stack):
    for one in reversed(stack):
        one.end()


MUTE = -100  # to a disk that is full


def evc(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([EVC, "migrate", "--json", *arguments], text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, stdout=full if stdout == MUTE else stdout,
                              stderr=full if stderr == MUTE else stderr)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, (done.stderr or "").strip()


def move_ours(here, there):
    status, answer, said = evc("--guest", here.qmp_path, "--to", there.qmp_path)
    became = moving.outcome(here, there)
    notes = [f["text"] for f in answer.get("findings", []) if f["severity"] in ("blocks", "doubt")]
    if became == MOVED and not moving.unbroken(here, there):
        notes.append("ticks were lost or doubled")
        became = LOST
    return status, became, notes or [answer.get("reason", said)]


def one_case(rig, row):
    """Ours, then QEMU alone: with the same two where ours refused, since it touched nothing; else with new ones."""
    _, source, destination, expected = row
    stack = []
    try:
        directory, here, there = rig.pair(stack, source, destination)
        ours = move_ours(here, there)
        if ours[1] != STAYED or expected != STAYED:
            end_all(stack)
            stack.clear()
            directory, here, there = rig.pair(stack, source, destination)
        said = moving.move_alone(here, there, directory)
        return (said, moving.outcome(here, there), *ours)
    except (RuntimeError, moving.Gone, subprocess.TimeoutExpired) as error:
        return "?", "?", -1, str(error), []
    finally:
        end_all(stack)


def cases(tap, rig, pool, wanted):
    rows = [row for row in CASES if wanted(row[0])]
    table, counts = [], {}
    for row, (said, alone, status, ours, notes) in zip(rows, pool.map(lambda row: one_case(rig, row), rows)):
        name, expected = row[0], row[3]
        good = ours == expected and status == (0 if expected == MOVED else 1)
        tap.result(good, f"{name}: {ours}", [f"QEMU alone: {said}, {alone}", f"ours: {status}, {ours}", *notes[:3]])
        table.append((name, f"{said}: {alone}", ours, "; ".join(" ".join(note.split()) for note in notes)))
        counts[alone] = counts.get(alone, 0) + 1
    print_table(("case", "QEMU alone", "ours", "what ours says"), table)
    print("# QEMU alone: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))


def print_table(heads, rows):
    print("# | " + " | ".join(heads) + " |")
    print("# |" + " --- |" * len(heads))
    for row in rows:
        print("# | " + " | ".join(str(cell)[:200] for cell in row) + " |")


# --- faults ----------------------------------------------------------------------------------------

# Where somebody is silent each answer is waited for to the end; else a loaded machine may have its time.
SILENT, PATIENT = ["--answer", "1", "--stall", "3"], ["--answer", "10", "--stall", "30"]


def start_evc(directory, here, there, more, stderr=subprocess.DEVNULL):
    """evc in the background; the relays, which are older than it, find its number in a file."""
    with open(os.path.join(directory, "out"), "w", encoding="utf-8") as out:
        process = moving.start([EVC, "migrate", "--json", "--guest", here, "--to", there, *more], stdout=out, stderr=stderr,
                               text=True)
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
        more = ["--uri", "unix:" + data.path, "--listen", "unix:" + data.target, *(SILENT if "silent" in fault else PATIENT)]
        status = start_evc(directory, *paths, more).wait(60)
        if fault.startswith("evc killed"):
            status = start_evc(directory, *paths, more).wait(60)
        for machine in (here, there):
            if machine.alive():
                machine.process.send_signal(signal.SIGCONT)
        return status, moving.outcome(here, there), answer_of(directory)
    finally:
        end_all(stack)


def wishes(everything):
    """Every fault at every point at which it can happen."""
    for fault, (action, whom) in FAULTS.items():
        for point, (where, *_) in POINTS.items():
            if action == "cut" and whom != where:
                continue
            if whom == "data" and point not in ("during", "switchover", "switching"):
                continue
            if everything or (fault, point) not in REDUNDANT:
                yield fault, point


def allowed(fault, point):
    """
    What may become of the guest.  Lost only where the one QEMU with the whole guest was killed: the source before
    the other had all, or the destination when the source had just been told to end.
    """
    if fault == "source killed":
        before, torn = ("before", "during", "switchover"), ("switching",)
        return (LOST,) if point in before else (MOVED, LOST) if point in torn else (MOVED,)
    if fault == "destination killed":
        return (LOST,) if point == "ending" else (PAUSED,) if point in ("told", "running") else (STAYED,)
    return (STAYED, MOVED, PAUSED)


def is_honest(status, became, answer):
    """Does evc say what became of the guest, and why, where it is not what was asked for?"""
    if status == 0 and became != MOVED:
        return False
    if status >= 3 and answer and not answer.get("reason"):
        return False
    said = answer.get("guest")
    may = {"destination": (MOVED,), "source": (STAYED, PAUSED), "nowhere": (LOST,)}
    return said not in may or became in may[said]


def faults(tap, rig, pool, rows):
    def one(row):
        try:
            return one_fault(rig, *row)
        except (RuntimeError, moving.Gone, subprocess.TimeoutExpired, ValueError) as error:
            return -1, f"{type(error).__name__}: {error}", {}
    table, counts = [], {}
    for (fault, point), (status, became, answer) in zip(rows, pool.map(one, rows)):
        said = [text for text in (answer.get("reason"), answer.get("advice")) if text]
        tap.result(became in allowed(fault, point) and is_honest(status, became, answer), f"{fault}, {point}: {became}",
                   [f"exit {status}, end {answer.get('end')}, guest at {answer.get('guest')}", *said])
        table.append((fault, point, f"{became} (exit {status})", "; ".join(said)))
        counts[became] = counts.get(became, 0) + 1
    print_table(("fault", "when", "ours", "what ours says"), table)
    print("# faults: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))


# --- postcopy --------------------------------------------------------------------------------------

# A guest that writes faster than it can be copied.
BUSY = [*HASWELL, "-append", "console=ttyS0 quiet panic=-1 -- busy"]

# Bytes a second.
TRICKLE, FLOOD = 1 << 20, 1 << 30

# What happens while it runs there and fetches its memory: what must come of it, exit status, what evc says.
FETCHING = {
    "nothing": (MOVED, 0, ""),
    "memory's socket cut": (MOVED, 0, "mending"),
    "memory's socket silent": (MOVED, 0, "mending"),
    "memory's socket cut for a while": (MOVED, 0, "mending"),
    "evc killed, started again": (MOVED, 0, ""),
    "source killed": (LOST, 4, ""),
    "destination killed": (LOST, 4, "has ended"),
}

LONG, LONG_SECONDS = "memory's socket cut for a while", 4
GO_ON = ("memory's socket cut", "memory's socket silent", LONG, "evc killed, started again")  # with what is broken made whole


def until(process, word, said):
    """Read what evc says until it says this."""
    for line in process.stderr:
        said.append(line.strip())
        if word in line:
            return True
    return False


def break_fetching(what, stack, process, here, there, data):
    if what == "memory's socket silent":
        data.process.send_signal(signal.SIGSTOP)
    elif what.startswith("memory"):
        data.end()
    if what in GO_ON and what.startswith("memory") and what != LONG:
        stack.append(moving.Data(os.path.dirname(data.path)))
    elif what == "source killed":
        here.process.kill()
    elif what == "destination killed":
        there.process.kill()
    elif what.startswith("evc"):
        process.kill()


def mend_late(stack, process, data, said):
    """
    Not before evc would give up where it need not hold on: if the destination answers, it says so and ends, and the same command
    has to connect the two; else it must be there still, since it alone can.
    """
    until(process, "mending", said)
    try:
        process.wait(LONG_SECONDS)
    except subprocess.TimeoutExpired:
        said.append("evc holds on")
    stack.append(moving.Data(os.path.dirname(data.path)))


def one_fetching(rig, what):
    """
    The first copy at a speed that the guest outdoes; then a trickle, so that fetching ends when the test wants it to, by a
    second monitor of the source.
    """
    stack, said = [], []
    try:
        directory = tempfile.mkdtemp(dir=rig.directory)
        side = os.path.join(directory, "side")
        directory, here, there = rig.pair(stack, BUSY, BUSY, ["-qmp", f"unix:{side},server=on,wait=off"])
        data = moving.Data(directory)
        stack.append(data)
        qmp = moving.Qmp(side)
        qmp("migrate-set-parameters", max_bandwidth=40 << 20, max_postcopy_bandwidth=TRICKLE if what != "nothing" else FLOOD)
        more = ["--uri", "unix:" + data.path, "--listen", "unix:" + data.target, "--postcopy", "--downtime", "50",
                "--answer", "10", "--stall", "2" if what == LONG else "10" if what.startswith("memory") else "30"]
        process = start_evc(directory, here.qmp_path, there.qmp_path, more, subprocess.PIPE)
        fetched = until(process, "fetching" if what != "nothing" else "starting", said)
        break_fetching(what, stack, process, here, there, data)
        if what in GO_ON:
            qmp("migrate-set-parameters", max_postcopy_bandwidth=FLOOD)
        if what == LONG:
            mend_late(stack, process, data, said)
        until(process, "\0", said)
        status = process.wait(90)
        if what.startswith("evc") or (what == LONG and status == 4):
            process = start_evc(directory, here.qmp_path, there.qmp_path, more, subprocess.PIPE)
            until(process, "\0", said)
            status = process.wait(90)
        became = moving.outcome(here, there)
        if became == MOVED and not moving.unbroken(here, there):
            became = "moved, ticks lost or doubled"
        return fetched, status, became, answer_of(directory), said
    finally:
        end_all(stack)


def fetching(tap, rig, pool, wanted):
    rows = [what for what in FETCHING if wanted("postcopy, " + what)]
    for what, result in zip(rows, pool.map(lambda what: one_fetching(rig, what), rows)):
        fetched, status, became, answer, said = result
        expected, expected_status, word = FETCHING[what]
        texts = [text for text in (answer.get("reason"), answer.get("advice")) if text]
        good = fetched and status == expected_status and expected in (None, became) and any(word in text for text in [*said, *texts])
        tap.result(good and is_honest(status, became, answer), f"postcopy, {what}: {became}",
                   [f"exit {status}, end {answer.get('end')}, guest at {answer.get('guest')}", *texts, *said])


# --- ways ------------------------------------------------------------------------------------------

def one_way(rig, row):
    _, options, *_ = row
    stack, options, port = [], list(options), 0
    try:
        more = []
        if options == ["tcp"]:
            port = moving.free_port()
            more = ["-qmp", f"tcp:127.0.0.1:{port},server=on,wait=off"]
        _, here, there = rig.pair(stack, HASWELL, [*HASWELL, *more])
        if options == ["stop"]:
            moving.Qmp(here.qmp_path)("stop")
        mute = {"stdout": MUTE, "stderr": MUTE} if options == ["mute"] else {}
        options = [word for word in options if word.startswith("-") or len(options) > 1]
        status, answer, said = evc("--guest", here.qmp_path, "--to", f"tcp:127.0.0.1:{port}" if port else there.qmp_path,
                                   *options, **mute)
        became = moving.outcome(here, there)
        if became == MOVED and not moving.unbroken(here, there):
            became = "moved, ticks lost or doubled"
        return status, became, [*said.splitlines(), answer.get("reason", ""), answer.get("advice", "")]
    except (RuntimeError, moving.Gone, subprocess.TimeoutExpired) as error:
        return -1, str(error), []
    finally:
        end_all(stack)


def ways(tap, rig, pool, wanted):
    rows = [row for row in WAYS if wanted(row[0])]
    for row, (status, became, said) in zip(rows, pool.map(lambda row: one_way(rig, row), rows)):
        name, _, expected, code, word = row
        tap.result(became == expected and status == code and any(word in line for line in said),
                   f"{name}: {became}, exit {status}", [line for line in said if line])


def main():
    everything, words = "all" in sys.argv[1:], [word for word in sys.argv[1:] if word != "all"]
    tap = Tap()
    done = subprocess.run([os.path.join(SOURCE, "demo/guest-files"), FILES], capture_output=True, text=True, check=False)
    why = moving.why_not(os.path.join(FILES, "vmlinuz"))
    if why:
        tap.skip("guests move", why + done.stderr)
        return tap.close()
    with tempfile.TemporaryDirectory(prefix="evc-move-") as directory, \
            concurrent.futures.ThreadPoolExecutor(4) as pool:
        moving.end_on_signals(directory)
        rig = Rig(directory)

        def wanted(name):
            return not words or any(word in name for word in words)
        cases(tap, rig, pool, wanted)
        ways(tap, rig, pool, wanted)
        fetching(tap, rig, pool, wanted)
        faults(tap, rig, pool, [row for row in wishes(everything) if wanted(", ".join(row))])
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
