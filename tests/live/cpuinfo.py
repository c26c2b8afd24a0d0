#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What evc says Linux will print, against what guests print: TAP on standard output.

A kernel of this machine's distribution is booted under QEMU's own CPU emulation with some twenty CPUs, among them
families, models, steppings and levels that no such CPU has.  From the guest's CPUID and its kernel's name
alone /proc/cpuinfo and the files on flaws are predicted; every line and file has to be equal.  The clock, which
CPUID does not tell, is taken from the guest.  tests/live/kernels does the same with other kernels.

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_GUEST (where kernel and first file system are kept).
"""

import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
os.environ["EVC"] = os.path.abspath(os.environ.get("EVC", os.path.join(SOURCE, "build/evc")))
FILES = os.path.abspath(os.environ.get("EVC_GUEST") or os.path.join(os.path.dirname(os.environ["EVC"]), "demo"))
BOOT_SECONDS = 60
AT_ONCE = 2

for folder in ("tests/live", "tests/text", "demo"):
    sys.path.insert(0, os.path.join(SOURCE, folder))
from guests import compare, evc, sections  # noqa: E402 pylint: disable=wrong-import-position
from ground import why_no_guest  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position

# What the guest is, QEMU's arguments, and what evc is told of the environment that CPUID does not say.
GUESTS = (
    ("everything, as Intel", "-cpu max,vendor=GenuineIntel", ""),
    ("everything, as AMD", "-cpu max,vendor=AuthenticAMD", ""),
    ("Haswell, a server's", "-cpu Haswell,model=63,stepping=2", ""),
    ("Haswell, a client's", "-cpu Haswell,model=60,stepping=3", ""),
    ("the story's guest", "-cpu Skylake-Client,model=142,stepping=9,level=22", ""),
    ("the story's guest at Haswell", "-cpu Skylake-Client,model=63,stepping=0,level=13,-rdseed,-adx,-smap,-clflushopt", ""),
    ("leaves up to 12", "-cpu Haswell,level=12", ""),
    ("leaves up to 6", "-cpu Haswell,level=6", ""),
    ("Nehalem with leaves up to 4", "-cpu Nehalem,level=4", ""),
    ("extended leaves up to 4", "-cpu Haswell,xlevel=0x80000004", ""),
    ("Alder Lake by its model", "-cpu max,vendor=GenuineIntel,family=6,model=151,stepping=2", ""),
    ("an Atom", "-cpu Denverton", ""),
    ("a model that nobody has", "-cpu Haswell,family=6,model=255,stepping=15", ""),
    ("a family that nobody has", "-cpu Haswell,family=25,model=1", ""),
    ("Zen 1", "-cpu EPYC", ""),
    ("Zen 3", "-cpu EPYC-Milan", ""),
    ("Zen 5 by its family", "-cpu max,vendor=AuthenticAMD,family=26,model=2,stepping=1", ""),
    ("K10", "-cpu Opteron_G3", ""),
    ("Hygon", "-cpu max,vendor=HygonGenuine,family=24,model=1", ""),
    ("a vendor that nobody knows", "-cpu max,vendor=OpenEVCproof", ""),
    ("two cores with two threads", "-cpu Haswell -smp 4,sockets=1,cores=2,threads=2", "smp=4,sockets=1,cores=2,threads=2"),
    ("threads that are switched off", "-cpu Haswell -smp 4,sockets=1,cores=2,threads=2|nosmt",
     "smp=4,sockets=1,cores=2,threads=2 cmdline=nosmt"),
    ("two of four CPUs", "-cpu Haswell -smp 4,sockets=1,cores=2,threads=2|maxcpus=2",
     "smp=4,sockets=1,cores=2,threads=2 cmdline=maxcpus=2"),
    ("without mitigations", "-cpu Haswell|mitigations=off", "cmdline=mitigations=off"),
)


def boot(guest):
    """What the guest printed, or why it did not.  A busy machine can be too slow for a kernel that tests its timer."""
    text, why = boot_once(guest)
    return (text, why) if text else boot_once(guest)


def boot_once(guest):
    arguments, _, options = guest[1].partition("|")
    more = ["-append", f"console=ttyS0 quiet panic=-1 {options}"] if options else []
    done = subprocess.run([os.path.join(SOURCE, "demo/guest"), FILES, *arguments.split(), *more], capture_output=True,
                          text=True, timeout=BOOT_SECONDS + 30, check=False, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, EVC_ACCEL="tcg", EVC_TIMEOUT=str(BOOT_SECONDS)))
    return done.stdout if done.returncode == 0 else "", done.stderr.strip().replace("\n", "; ")


def kernel_of(parts):
    for line in parts.get("kernel", ()):
        match = re.match(r"release (\S+)", line)
        if match:
            return match[1]
    return ""


def judge(tap, directory, guest, text, why):
    name, arguments, env = guest
    if not text:
        tap.result(False, name, [f"{arguments}: did not answer: {why}"])
        return
    _, parts = sections(text)
    head = {"kernel": kernel_of(parts), "qemu": arguments}
    if env:
        head["env"] = env
    flaws, cpuinfo, unknown = compare(directory, head, parts)
    tap.result(not flaws, f"{name}: what the kernel says of flaws", flaws)
    tap.result(not cpuinfo, f"{name}: /proc/cpuinfo, {unknown} not known", cpuinfo)


def output(*argv):
    """What a tool of this machine says; nothing when it is not there."""
    if not shutil.which(argv[0]):
        return ""
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL).stdout


def builtin_supports(directory, names):
    """Those that this machine's compiler knows, and those of them that it finds on this CPU."""
    source, program = os.path.join(directory, "supports.c"), os.path.join(directory, "supports")
    known = []
    for name in names:
        with open(source, "w", encoding="utf-8") as out:
            out.write(f'int main(void) {{ return __builtin_cpu_supports("{name}") != 0; }}\n')
        if not subprocess.run(["gcc", "-fsyntax-only", source], capture_output=True, check=False, timeout=60).returncode:
            known.append(name)
    with open(source, "w", encoding="utf-8") as out:
        out.write("#include <stdio.h>\nint main(void) {\n" + "".join(
            f'if (__builtin_cpu_supports("{name}")) puts("{name}");\n' for name in known) + "return 0; }\n")
    subprocess.run(["gcc", "-o", program, source], check=True, timeout=60, capture_output=True)
    return known, output(program).split()


def check_views(tap, directory):
    """How this machine's own tools name its CPU and hypervisor."""
    done = evc("--views", "--json")
    if done.returncode:
        tap.result(False, "evc cpuinfo --views of this machine", [done.stderr.strip()])
        return
    views = json.loads(done.stdout)["views"]
    real = re.findall(r"^\s+(x86-64-v\d) \(supported", output("ld.so", "--help"), re.M)
    if real:
        tap.result(real == views["hwcaps"]["present"], "ld.so searches the directories that evc names", real)
    else:
        tap.skip("ld.so searches the directories that evc names", "ld.so does not say")
    march = re.search(r"-march=\s+(\S+)", output("gcc", "-march=native", "-Q", "--help=target"))
    version = output("gcc", "-dumpversion").split(".")[0].strip()
    if march and version in views["march"]:
        tap.result(march[1] == views["march"][version], "GCC's -march=native is what evc names", [march[1]])
        known, real = builtin_supports(directory, views["supports"]["present"] + ["cldemote", "amx-tile", "fma4", "3dnow"])
        want = [name for name in views["supports"]["present"] if name in known]
        tap.result(sorted(real) == sorted(want), "__builtin_cpu_supports says what evc says",
                   sorted(set(real) ^ set(want)))
    else:
        tap.skip("GCC's -march=native is what evc names", "no GCC of a version that evc knows")
    hypervisor = views["hypervisor"]
    if hypervisor["signature"] and shutil.which("systemd-detect-virt"):
        real = output("systemd-detect-virt", "--vm").strip()
        tap.result(real == hypervisor["systemd"], "systemd-detect-virt names the hypervisor as evc does", [real])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as directory:
        check_views(tap, directory)
    why = why_no_guest(SOURCE, os.environ["EVC"], FILES)
    if why:
        tap.skip("guests print what was predicted", why)
        return tap.close()
    with tempfile.TemporaryDirectory() as directory, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for guest, (text, said) in zip(GUESTS, pool.map(boot, GUESTS)):
            judge(tap, directory, guest, text, said)
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
