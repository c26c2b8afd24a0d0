#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that evc run starts, asked by evc guest what they were given: TAP on standard output.

For several modes and hosts a guest is started, paused, under QEMU's own CPU emulation.  What it was given has
to be what "evc apply" says a guest on that host sees, less what evc run said that the emulation
cannot show.  Then the ways to name a guest, what happens to its record, QEMUs that do not answer, and a
domain of a libvirt of our own.

Environment: EVC (the program), EVC_SOURCE (the tree).
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tap import Tap

EVC = os.path.abspath(os.environ.get("EVC", "build/evc"))
SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
QEMU = "qemu-system-x86_64"
START_SECONDS, ASK_SECONDS = 30, 90
NOBODY = 65534

MACHINES = os.path.join(SOURCE, "corpus/machines")
CASES = (("intel-nehalem", "intel-haswell-2xxeon-e5-2680v3.json"), ("intel-haswell", "intel-haswell-2xxeon-e5-2680v3.json"),
         ("intel-sandybridge@1", "intel-skylake-2xxeon6140.json"), ("x86-64-v2", "amd-19h-zen3-2xepyc-7763.json"),
         ("amd-zen", "amd-19h-zen3-2xepyc-7763.json"))


def run(*argv, timeout=ASK_SECONDS, env=None):
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL, env=env)


def evc(*words):
    return run(EVC, *words)


class Guest:
    """A process that is to become QEMU, and ends with us."""

    def __init__(self, socket_path, *argv):
        self.socket = socket_path
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + START_SECONDS
        while not os.path.exists(socket_path) and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """What it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.communicate(timeout=10)[1]


def qemu_version():
    match = re.search(r"version (\d+\.\d+)", run(QEMU, "--version").stdout)
    return match[1]


def evc_run(name, *words):
    socket = os.path.join(os.environ["XDG_RUNTIME_DIR"], "openevc", name + ".qmp")
    return Guest(socket, EVC, "run", "--accel", "tcg", "--name", name, *words,
                 "--", "-S", "-display", "none", "-nodefaults", "-m", "64")


def plain(directory, name, *words):
    socket = os.path.join(directory, name + ".qmp")
    return Guest(socket, QEMU, "-accel", "tcg", "-S", "-display", "none", "-nodefaults", "-m", "64",
                 "-qmp", f"unix:{socket},server=on,wait=off", *words)


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def understood(path):
    """What evc show understands of a dump."""
    seen = json.loads(evc("show", "--json", "--view", "raw", path).stdout)
    features = {name for names in seen["features"].values() for name in names}
    return features, {key: seen[key] for key in ("vendor", "brand", "max_basic", "max_extended")} | \
        {"signature": seen["signature"]["eax"]}


def promised_and_lost(directory, mode, host):
    """What a guest on the host sees at the mode, and what evc run says that TCG cannot show."""
    path = write(directory, "promise.json", evc("apply", "--mode", mode, "--qemu", qemu_version(), "--to", "json", host).stdout)
    said = json.loads(evc("run", "--mode", mode, "--host", host, "--accel", "tcg", "--dry-run", "--json").stdout)
    lost = {finding["feature"] for finding in said["findings"] if finding["kind"] == "target-loss"}
    lost |= {"e-" + feature for feature in lost}  # AMD tells some twice
    return (*understood(path), lost)


def check_mode(tap, directory, mode, host):
    name = f"a guest at {mode} on {host.split('.')[0]} was given what was promised"
    promise, numbers, lost = promised_and_lost(directory, mode, os.path.join(MACHINES, host))
    vm = "at-" + mode
    with evc_run(vm, "--mode", mode, "--host", os.path.join(MACHINES, host)) as guest:
        asked = evc("guest", vm)
        if asked.returncode:
            tap.result(False, name, asked.stderr.splitlines() + guest.end().splitlines())
            return
    given, given_numbers = understood(write(directory, "given.json", asked.stdout))
    # the hypervisor supplies some whatever the mode; the system switches two; topology and caches decide four
    free = {"hypervisor", "apic", "arat", "x2apic", "tsc-deadline-timer", "tsc-adjust", "osxsave", "ospke", "ht",
            "cmp-legacy", "topoext", "cache-self-init", "amd-cache-self-init", "mwait-ext", "mwait-irq-break",
            "cpuid-faulting", "misc-enable-fast-string"}  # the last two are no properties, so nobody can be asked
    promise = {feature for feature in promise if not feature.startswith("kvm")}
    wrong = [f"promised and not given: {feature}" for feature in sorted(promise - given - lost - free)]
    wrong += [f"given and not promised: {feature}" for feature in sorted(given - promise - free)]
    wrong += [f"{key}: promised {numbers[key]}, given {given_numbers[key]}"
              for key in numbers if numbers[key] != given_numbers[key]]
    tap.result(not wrong and len(given) > 20, f"{name}: {len(given)} features, {len(promise & lost)} less by TCG", wrong)


def leaves(text):
    return [cpu["leaves"] for cpu in json.loads(text)["cpus"]] if text.startswith("{") else text


def check_names(tap, directory):
    with evc_run("vm7", "--mode", "intel-haswell@1") as guest:
        record = os.path.join(os.environ["XDG_RUNTIME_DIR"], "openevc/vm7.json")
        with open(record, encoding="utf-8") as text:
            known = json.load(text)
        tap.result(known["pid"] == guest.process.pid and known["mode"] == "intel-haswell" and known["version"] == 1,
                   "the record names process, mode and version", [str(known)[:100]])
        by_name, by_pid, by_socket = (evc("guest", what) for what in ("vm7", str(guest.process.pid), guest.socket))
        tap.result(by_name.returncode == by_pid.returncode == by_socket.returncode == 0 and
                   leaves(by_name.stdout) == leaves(by_pid.stdout) == leaves(by_socket.stdout),
                   "a guest is the same by its name, its process and its socket",
                   by_name.stderr.splitlines() + by_pid.stderr.splitlines())
        tap.result("goes not beyond intel-haswell@1; signature and leaves are that mode's" in by_name.stderr,
                   "it is said between which modes it is", by_name.stderr.splitlines())
        path = write(directory, "vm7.json", by_name.stdout)
        moves = evc("check", "--guest", path, "--host", os.path.join(MACHINES, "intel-skylake-2xxeon6140.json"))
        tap.result(moves.returncode == 0 and "doubt" not in moves.stdout,
                   "its dump tells enough to check a move", moves.stdout.splitlines())
        again = evc("run", "--mode", "intel-haswell", "--accel", "tcg", "--name", "vm7", "--", "-S")
        tap.result(again.returncode == 2 and "is running" in again.stderr, "its name is taken while it lives",
                   again.stderr.splitlines())
        stolen = evc("run", "--mode", "intel-haswell", "--accel", "tcg", "--name", "vm8", "--qmp", guest.socket, "--", "-S")
        tap.result(stolen.returncode == 2 and "another program listens there" in stolen.stderr,
                   "its socket is taken while it lives", stolen.stderr.splitlines())
    gone = evc("guest", "vm7")
    tap.result(gone.returncode and not os.path.exists(record), "a guest that ended is found no more",
               gone.stderr.splitlines())


def check_others(tap, directory):
    with plain(directory, "max", "-cpu", "max") as guest:
        asked = evc("guest", guest.socket, "--json")
        told = json.loads(asked.stdout)["guest"] if asked.returncode == 0 else {}
        tap.result(told.get("exact") is False and told.get("accel") == "tcg" and told.get("vcpus") == 1,
                   "a guest without a mode is not said to be at one", asked.stderr.splitlines())
        guest.process.send_signal(signal.SIGSTOP)
        silent = evc("guest", guest.socket)
        guest.process.kill()
        tap.result(silent.returncode > 2 and "QEMU does not greet" in silent.stderr and guest.socket in silent.stderr,
                   "a QEMU that is stopped is said to be silent", silent.stderr.splitlines())
    left = evc("guest", guest.socket)
    tap.result(left.returncode > 2 and "nobody listens there" in left.stderr, "a socket that was left behind is said to be that",
               left.stderr.splitlines())
    other = evc("guest", str(os.getpid()))
    tap.result(other.returncode > 2 and "has no QMP socket" in other.stderr, "a process that is no QEMU is said to be none",
               other.stderr.splitlines())
    monitor = Guest(os.path.join(directory, "m"), QEMU, "-accel", "tcg", "-S", "-display", "none", "-nodefaults",
                    "-monitor", f"unix:{directory}/m,server=on,wait=off")
    with monitor:
        people = evc("guest", monitor.socket)
        tap.result(people.returncode > 2 and "is it a monitor for people?" in people.stderr,
                   "a monitor for people is said to be that", people.stderr.splitlines())
    smp = evc_run("two", "--mode", "intel-nehalem")
    with smp:
        asked = evc("guest", "two", "--to", "cpuid")
        tap.result(asked.returncode == 0 and "CPU 0:" in asked.stdout, "the dump is written in other forms", asked.stderr.splitlines())


DOMAIN = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
<cpu mode='custom' match='exact' check='none'><model>SandyBridge</model></cpu>
<devices><emulator>{qemu}</emulator><memballoon model='none'/></devices></domain>"""

# Our own libvirt: of a user without rights, so that nothing of the system's is touched.
LIBVIRT = """
export HOME=$1/home XDG_RUNTIME_DIR=$1/run
unset XDG_CONFIG_HOME XDG_CACHE_HOME
cd "$1"
libvirtd --timeout 60 > "$1/log" 2>&1 &
daemon=$!
trap 'virsh -q -c qemu:///session destroy "a guest" >/dev/null 2>&1; kill $daemon; wait $daemon' EXIT
for i in $(seq 100); do [ -S "$1/run/libvirt/libvirt-sock" ] && break; sleep 0.1; done
virsh -q -c qemu:///session create --paused "$1/domain.xml" >&2 || exit 77
"$1/evc" guest "a guest"
"""


def check_libvirt(tap):
    name = "a domain of libvirt is asked by its name"
    if not shutil.which("virsh") or not shutil.which("libvirtd") or not shutil.which("setpriv"):
        tap.skip(name, "needs virsh, libvirtd and setpriv")
        return
    with tempfile.TemporaryDirectory() as directory:
        os.makedirs(os.path.join(directory, "home/.config/libvirt"))
        os.mkdir(os.path.join(directory, "run"), 0o700)
        write(directory, "home/.config/libvirt/qemu.conf", 'stdio_handler="file"\n')
        write(directory, "domain.xml", DOMAIN.format(name="a guest", qemu=shutil.which(QEMU)))
        shutil.copy(EVC, os.path.join(directory, "evc"))
        command = ["sh", "-c", LIBVIRT, "sh", directory]
        if not os.geteuid():
            run("chown", "-R", str(NOBODY), directory)
            command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *command]
        done = run(*command, timeout=2 * ASK_SECONDS)
        if done.returncode == 77:
            tap.skip(name, "libvirt does not start a guest here: " + " ".join(done.stderr.split()))
            return
        tap.result(done.returncode == 0 and "GenuineIntel 6/42/1" in done.stderr and "1.0" in done.stdout, name,
                   done.stderr.splitlines())


def main():
    tap = Tap()
    if not shutil.which(QEMU):
        tap.skip("guests are started and asked", f"{QEMU} is not installed")
        return tap.close()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_RUNTIME_DIR"] = directory
        for mode, host in CASES:
            check_mode(tap, directory, mode, host)
        check_names(tap, directory)
        check_others(tap, directory)
    check_libvirt(tap)
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
