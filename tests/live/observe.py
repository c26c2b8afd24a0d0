#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""evc observe on this machine and on guests that the test boots: TAP on standard output.

QEMU's own emulation refuses what a guest's CPU does not have, but for a few instructions that are named here.  So what
observe says of such a guest is known beforehand: nothing leaks, and what is shown executes.

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_GUEST (where kernel and first file system are kept).
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
EVC = os.path.abspath(os.environ.get("EVC", os.path.join(SOURCE, "build/evc")))
FILES = os.path.abspath(os.environ.get("EVC_GUEST") or os.path.join(os.path.dirname(EVC), "demo"))
BOOT_SECONDS = 90

sys.path.insert(0, os.path.join(SOURCE, "demo"))
from compare import leaves  # noqa: E402 pylint: disable=wrong-import-position
from ground import why_no_guest  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position

# The emulation of QEMU 7.2 and later executes RDSEED wherever it has RDRAND.
LOOSE = {"rdseed"}

# -cpu, and instructions that must have been refused and executed in such a guest.
GUESTS = (
    ("Nehalem,family=6,model=26,stepping=5,-sse4.2", "pcmpgtq crc32 aesenc vaddps andn", "pshufb pmulld popcnt"),
    ("Haswell-noTSX,-avx2,-movbe,-abm", "vpaddd movbe vpord extrq", "vaddps vfmadd132ps tzcnt pdep xsave rdrand"),
    ("EPYC-Rome,-bmi1,-sse4a", "andn tzcnt extrq vpord xtest", "vpaddd lzcnt clwb rdfsbase rdtscp"),
)


def run(*argv, timeout=BOOT_SECONDS + 30):
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, EVC=EVC, EVC_ACCEL="tcg", EVC_TIMEOUT=str(BOOT_SECONDS)))


def boot(directory, name, arguments):
    """The file that holds what the guest printed."""
    done = run(os.path.join(SOURCE, "demo/guest"), FILES, *arguments)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().replace("\n", "; "))
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(done.stdout)
    return path


def observe(*arguments):
    done = run(EVC, "observe", "--json", *arguments)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def check_here(tap):
    status, seen, said = observe()
    tried = [one for one in seen.get("instructions", []) if one["outcome"]]
    tap.result(status == 0 and seen["complete"] and seen["cpus"] == len(os.sched_getaffinity(0)) and len(tried) > 90,
               f"this machine: {len(tried)} instructions tried on one of {seen.get('cpus')} CPUs", said.splitlines())
    flags = set()
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as stream:
        for line in stream:
            if line.startswith("flags"):
                flags = set(line.split(":")[1].split())
    wrong = [one["name"] for one in tried if one["feature"] in flags and one["outcome"] == "#UD"]
    tap.result(not wrong, "this machine: what /proc/cpuinfo has executes", wrong)
    done = run("unshare", "--user", "--map-user=65534", EVC, "observe")
    if done.returncode and "unshare" in done.stderr:
        tap.skip("it needs no root", "user namespaces cannot be made here")
    else:
        tap.result(done.returncode == 0 and "shown and executed" in done.stdout, "it needs no root", done.stderr.splitlines())


def check_guest(tap, directory, cpu, refused, executed):
    path = boot(directory, "guest", ["-cpu", cpu, "-smp", "2"])
    status, seen, said = observe(path)
    by_name = {one["name"]: one for one in seen.get("instructions", [])}
    tap.result(status == 0 and seen["complete"] and seen["hypervisor"] == "TCGTCGTCGTCG" and seen["cpus"] == 2 and seen["kinds"] == 1,
               f"{cpu}: seen from inside, on two vCPUs that are alike", said.splitlines())
    wrong = [name for name in refused.split() if by_name[name]["verdict"] != "held"]
    wrong += [name for name in executed.split() if by_name[name]["verdict"] != "works"]
    tap.result(not wrong, f"{cpu}: {len((refused + executed).split())} instructions do as expected",
               [f"{name}: {by_name[name]}" for name in wrong])
    leaks = {name for name, one in by_name.items() if one["verdict"] == "leaks"}
    tap.result(leaks <= LOOSE, f"{cpu}: nothing leaks from the emulation but {' '.join(sorted(leaks)) or 'nothing'}",
               sorted(leaks))
    broken = [name for name, one in by_name.items() if one["verdict"] == "refused"]
    tap.result(not broken, f"{cpu}: what is shown executes", broken)
    silent = {name for name, one in by_name.items() if one["verdict"] == "silent"}
    tap.result("rep-movsb" in silent or by_name["rep-movsb"]["shown"], f"{cpu}: what says nothing is not called a leak",
               sorted(silent))
    check_dump(tap, directory, path, cpu)


def check_dump(tap, directory, path, cpu):
    """The dump for other verbs holds every leaf that the guest printed of its first vCPU."""
    dump = os.path.join(directory, "dump.json")
    run(EVC, "observe", "-o", dump, path)
    with open(path, encoding="utf-8") as stream:
        printed = leaves(stream.read().split("CPU 1:")[0])
    written = leaves(run(EVC, "convert", "--to", "cpuid", dump).stdout)
    tap.result(len(printed) > 15 and printed == written, f"{cpu}: its dump has all {len(printed)} leaves as they were printed",
               [key for key in set(printed) | set(written) if printed.get(key) != written.get(key)])


def check_mode(tap, directory, version):
    """A guest at a mode that the emulation can show wholly, and what it is not."""
    host = boot(directory, "host", ["-cpu", "max,vendor=GenuineIntel"])
    raw = os.path.join(directory, "host.json")
    run(EVC, "observe", "-o", raw, host)
    done = run(EVC, "export", "--to", "qemu", "--mode", "intel-nehalem", "--host", raw, "--accel", "tcg", "--qemu", version)
    tap.result(done.returncode == 0, "intel-nehalem can be exported for the emulation", done.stderr.splitlines())
    guest = boot(directory, "mode", shlex.split(done.stdout))
    status, seen, said = observe("--expect", "intel-nehalem", guest)
    tap.result(status == 0 and seen["expected"]["verdict"] == "yes", "the guest sees what intel-nehalem promises",
               said.splitlines() + [one["text"] for one in seen["expected"]["findings"]])
    tap.result(seen["given"]["mode"] == "intel-nehalem" and seen["given"]["fit"] == "exactly",
               f"and knows the mode by itself: {seen['given']['mode']}@{seen['given']['version']}", [str(seen["given"])])
    status, seen, _ = observe("--expect", "intel-westmere", guest)
    missing = {one["feature"] for one in seen["expected"]["findings"] if one["kind"] == "unseen"}
    tap.result(status == 1 and "aes" in missing, f"intel-westmere it is not: it lacks {' '.join(sorted(missing))}")
    status, seen, _ = observe("--expect", "intel-penryn", guest)
    more = {one["feature"] for one in seen["expected"]["findings"] if one["kind"] == "leaked"}
    tap.result(status == 1 and {"popcnt", "sse4.2"} <= more, f"intel-penryn it is not: it also has {' '.join(sorted(more))}")


def check_refusals(tap, directory):
    path = os.path.join(directory, "noise")
    with open(path, "w", encoding="utf-8") as out:
        out.write("[    1.0] Kernel panic - not syncing: no init found\n")
    done = run(EVC, "observe", path)
    tap.result(done.returncode > 2, "a guest's panic is refused", [done.stderr.strip()])
    tap.result(path in done.stderr and "not a CPUID dump" in done.stderr, "and what it is not is said", [done.stderr.strip()])


def main():
    tap = Tap()
    check_here(tap)
    why = why_no_guest(SOURCE, EVC, FILES)
    with tempfile.TemporaryDirectory() as directory:
        check_refusals(tap, directory)
        if why:
            tap.skip("guests are observed from inside", why)
            return tap.close()
        version = re.search(r"version (\d+\.\d+)", run("qemu-system-x86_64", "--version").stdout)[1]
        try:
            for cpu, refused, executed in GUESTS:
                check_guest(tap, directory, cpu, refused, executed)
            check_mode(tap, directory, version)
        except (RuntimeError, subprocess.TimeoutExpired) as problem:
            tap.result(False, "guests boot and answer", str(problem).splitlines())
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
