#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Leaks on real KVM: TAP on standard output.

In a host of the lab, a Zen 2, QEMU with KVM boots the probe guest as an Opteron of 2007.  KVM hides what is younger and
cannot forbid it: evc observe has to find those instructions by name, and must not name those whose execution says nothing.

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_LAB_CACHE (where a lab keeps what its hosts boot from).
"""

import json
import os
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
EVC = os.path.abspath(os.environ.get("EVC", os.path.join(SOURCE, "build/evc")))
LAB = os.path.join(SOURCE, "lab/evc-lab")
HOST, GUEST = "rome", "Opteron_G3,-misalignsse,-vme,enforce"

sys.path[:0] = [os.path.join(SOURCE, "lab")]
import image  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position

# Zen 2 has them, this guest is shown none of them, and they are under no control that AMD's CPUs have.
LEAKS = "pshufb pmulld pcmpgtq crc32 aesenc pclmulqdq movbe andn pdep adcx tzcnt clflushopt rdrand"
# Shown; refused by XCR0; not on this CPU at all; executing without saying anything.
WORKS, BY_XCR0, ABSENT, SILENT = "addsubps cmpxchg16b popcnt", "vaddps vpaddd vfmadd132ps", "vpord xtest", "prefetchw rep-movsb pavgb"

BOOT = """evc observe --initrd /tmp/probe && exec timeout 150 qemu-system-x86_64 -accel kvm -m 256 -nodefaults -no-user-config \
-no-reboot -display none -serial stdio -kernel /boot/vmlinuz -initrd /tmp/probe -append 'console=ttyS0 quiet loglevel=1 panic=-1' -cpu """


def lab(*argv, timeout=300):
    return subprocess.run([sys.executable, LAB, *argv], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)


def check_host(tap):
    """The host itself is a guest of TCG, which forbids what it hides."""
    done = lab("exec", "--timeout", "60", HOST, "evc", "observe", "--json")
    seen = json.loads(done.stdout) if done.stdout else {}
    leaks = [one["name"] for one in seen.get("instructions", []) if one["verdict"] == "leaks"]
    tap.result(seen.get("hypervisor") == "TCGTCGTCGTCG" and seen["complete"] and set(leaks) <= {"rdseed"},
               "the host sees that it is emulated, and nothing leaks there but what TCG lets", leaks + [done.stderr.decode()])


def check_guest(tap, folder):
    done = lab("exec", "--timeout", "200", HOST, "sh", "-c", BOOT + GUEST)
    path = os.path.join(folder, "guest.txt")
    with open(path, "wb") as out:
        out.write(done.stdout)
    said = subprocess.run([EVC, "observe", "--leaks", "--json", path], capture_output=True, check=False)
    seen = json.loads(said.stdout) if said.stdout else {}
    tap.result(said.returncode == 1 and seen["complete"] and seen["hypervisor"] == "KVMKVMKVM" and seen["family"] == 16,
               "a guest of KVM is observed, and something leaks", done.stderr.decode().splitlines() + [said.stderr.decode()])
    by_name = {one["name"]: one for one in seen.get("instructions", [])}
    if not by_name:
        return
    wrong = [name for name in LEAKS.split() if by_name[name]["verdict"] != "leaks"]
    tap.result(not wrong, f"{len(LEAKS.split())} hidden instructions are found to execute", [str(by_name[name]) for name in wrong])
    stoppable = [name for name in LEAKS.split() if by_name[name]["stoppable"]]
    tap.result(not stoppable, "and nothing on this CPU could have stopped them", stoppable)
    for words, verdict, what in ((WORKS, "works", "what is shown executes"), (ABSENT, "held", "what the host lacks is refused"),
                                 (SILENT, "silent", "what says nothing is not called a leak"),
                                 (BY_XCR0, "held", "what needs a state of XCR0 is refused")):
        wrong = [name for name in words.split() if by_name[name]["verdict"] != verdict]
        tap.result(not wrong, what, [str(by_name[name]) for name in wrong])
    engaged = [name for name in BY_XCR0.split() if not any(stop["kind"] == "xcr0" and stop["engaged"] for stop in by_name[name]["stops"])]
    tap.result(not engaged, "by XCR0, which is said", engaged)


def main():
    tap = Tap()
    _, why = image.ready(EVC)
    if why:
        tap.skip("hidden instructions on real KVM", why)
        return tap.close()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(EVC_LAB=os.path.join(folder, "lab"), EVC=EVC)
        try:
            done = lab("up", HOST, "--while", str(os.getpid()))
            tap.result(done.returncode == 0, "a host of the lab is up", done.stderr.decode().splitlines())
            if done.returncode == 0:
                check_host(tap)
                check_guest(tap, folder)
        except (subprocess.SubprocessError, OSError, ValueError, KeyError) as problem:
            tap.result(False, "the lab does what is asked of it", str(problem).splitlines())
        finally:
            lab("down")
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
