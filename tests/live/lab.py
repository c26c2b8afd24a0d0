#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""evc on real KVM hosts of two CPU generations, in the lab: TAP on standard output.

What KVM said there is held against what was predicted for it; a guest at the level of both hosts is booted, and
says itself what it sees; it moves to the older host and back while it runs.

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_LAB_CACHE (where a lab keeps what its hosts boot from).
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
EVC = os.path.abspath(os.environ.get("EVC", os.path.join(SOURCE, "build/evc")))
LAB = os.path.join(SOURCE, "lab/evc-lab")
NEW, OLD = "rome", "phenom"
MODE = "lab-greyhound"

sys.path[:0] = [os.path.join(SOURCE, "demo"), os.path.join(SOURCE, "lab")]
import image  # noqa: E402 pylint: disable=wrong-import-position
from compare import differences, leaves  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position

# Beside those of demo/compare.py: registers that QEMU decides under KVM whatever the host and the mode.
# A guest at a mode has one processor here, and QEMU's own caches.
BY_QEMU = (
    ("1.0", "edx", 1 << 28, "HTT follows the guest's topology"),
    ("80000001.0", "ecx", 1 << 1 | 1 << 22, "so do CMP_LEGACY and TOPOEXT"),
    ("b.3", "ecx", 0xff, "a level that is not there repeats its number"),
    ("80000005.0", "ecx", 0xffffffff, "caches"), ("80000005.0", "edx", 0xffffffff, "caches"),
    ("80000006.0", "ecx", 0xffffffff, "caches"), ("80000006.0", "edx", 0xffffffff, "caches"),
    ("80000008.0", "ecx", 0xffffffff, "number of processors"),
)
TICK = re.compile(r"^tick (\d+) at (\d+) cpuid ([0-9a-f]{16}) uses(.*)$", re.MULTILINE)


def lab(*argv, timeout=120, stdin=b""):
    return subprocess.run([sys.executable, LAB, *argv], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout, check=False)


def inside(host, *argv, timeout=60, stdin=b""):
    """Text that a command printed in a host; RuntimeError with its words when it failed."""
    done = lab("exec", "--timeout", str(timeout), host, *argv, timeout=timeout + 30, stdin=stdin)
    if done.returncode:
        raise RuntimeError(f"{host}: {' '.join(argv)[:100]}: status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


# --- the lab itself --------------------------------------------------------------------------------

def check_exec(tap):
    done = lab("exec", NEW, "sh", "-c", "echo out; echo err >&2; exit 7")
    tap.result((done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n"),
               "a command in a host has its own output and exit status")
    noise = os.urandom(300000)
    tap.result(lab("exec", NEW, "cat", stdin=noise).stdout == noise, "every byte goes there and comes back")
    start = time.monotonic()
    done = lab("exec", "--timeout", "1", NEW, "sleep", "60")
    tap.result(done.returncode == 124 and time.monotonic() - start < 15, "a command that takes too long is ended")
    tap.result("sleep 60" not in inside(NEW, "ps"), "and does not go on in the host")
    slow = subprocess.Popen([sys.executable, LAB, "exec", "--no-input", OLD, "sh", "-c", "sleep 2; echo slow"], stdout=subprocess.PIPE)
    quick = inside(OLD, "echo", "quick")
    tap.result(quick == "quick\n" and slow.poll() is None and slow.communicate(timeout=60)[0] == b"slow\n",
               "two commands run in a host at once")
    left = subprocess.Popen([sys.executable, LAB, "exec", "--no-input", OLD, "sleep", "77"])
    time.sleep(1)
    left.send_signal(signal.SIGKILL)
    left.wait()
    time.sleep(1)
    tap.result("sleep 77" not in inside(OLD, "ps"), "a command whose client was killed is ended")
    tap.result(lab("exec", "nobody", "true").returncode == 3, "a host that is not there is a failure of its own")


def check_hosts(tap):
    done = lab("list", "--json")
    hosts = {one["name"]: one for one in json.loads(done.stdout)["hosts"]}
    tap.result(set(hosts) == {NEW, OLD} and all(one["state"] == "running" for one in hosts.values()), "both hosts are listed")
    tap.result("1 packets received" in inside(NEW, "ping", "-c", "1", "-W", "10", OLD), "they find each other by name")
    tap.result("kvm" in inside(OLD, "ls", "/dev"), "they have /dev/kvm")


def check_owner(tap):
    """A process that has ended, and been reaped, cannot own a host: what was begun for it would stay for ever."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    done = lab("up", "late=phenom", "--while", str(gone.pid))
    left = json.loads(lab("list", "--json").stdout)["hosts"]
    tap.result(done.returncode != 0 and b"is gone already" in done.stderr and "late" not in {one["name"] for one in left},
               "a host of a process that is gone is refused, and nothing is left of it", done.stderr.decode().splitlines())


def check_end(tap, folder):
    pids = {one["name"]: one["pid"] for one in json.loads(lab("list", "--json").stdout)["hosts"]}
    os.kill(pids[OLD], signal.SIGKILL)
    end = time.monotonic() + 10
    while time.monotonic() < end and b"dead" not in lab("list").stdout:
        time.sleep(0.1)
    tap.result(b"dead" in lab("list").stdout and lab("exec", OLD, "true").returncode == 3, "a host that died is said to be dead")
    done = lab("down")
    tap.result(done.returncode == 0, "the lab is taken down", done.stderr.decode().splitlines())
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and folder.encode() in command_line(pid)]
    tap.result(not left and not lab("list").stdout, "nothing of it is left", left)


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return stream.read()
    except OSError:
        return b""


# --- what KVM offers -------------------------------------------------------------------------------

def capture(tap, host, folder):
    """The host's capture, kept in the folder and in both hosts."""
    path = os.path.join(folder, host + ".json")
    done = lab("exec", host, "evc", "capture", "--name", host)
    with open(path, "wb") as out:
        out.write(done.stdout)
    said = done.stderr.decode()
    told = json.loads(done.stdout) if done.returncode == 0 else {}
    tap.result("kvm" in told and told["facts"]["kernel"] and "trusted" not in said and "could not be tried" not in said,
               f"{host}: evc captures what its KVM offers, and that it keeps to a mask", said.splitlines())
    for other in (NEW, OLD):
        lab("cp", path, other + ":/tmp/")
    return path


def offered(path):
    """What evc takes a guest of a host to be offered."""
    done = subprocess.run([EVC, "level", "--view", "kvm", "--json", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def check_prediction(tap, host, path, folder):
    """KVM's answer and the prediction for the same CPU and kernel are the same."""
    with open(path, encoding="utf-8") as stream:
        told = json.load(stream)
    told.pop("kvm", None)
    told.pop("kvm_emulated", None)
    blind = os.path.join(folder, "blind.json")
    with open(blind, "w", encoding="utf-8") as out:
        json.dump(told, out)
    measured, predicted = set(offered(path)["baseline"]), set(offered(blind)["baseline"])
    tap.result(len(measured) > 30 and measured == predicted, f"{host}: KVM offers what was predicted, {len(measured)} features",
               [f"only KVM: {sorted(measured - predicted)}", f"only predicted: {sorted(predicted - measured)}"])


def check_level(tap):
    told = json.loads(inside(NEW, "evc", "level", "--json", f"/tmp/{NEW}.json", f"/tmp/{OLD}.json"))
    tap.result((told["mode"], told["psabi"]) == (MODE, "x86-64-v1"), f"the level of both is {MODE}", [told["mode"], told["psabi"]])
    alone = json.loads(inside(NEW, "evc", "level", "--json", f"/tmp/{NEW}.json"))
    tap.result(alone["psabi"] == "x86-64-v3", f"{NEW} alone has more", [alone["psabi"]])


# --- guests ----------------------------------------------------------------------------------------

QMP_PORT = 4440
# start NAME INITRD BEFORE...: a guest, its command line from BEFORE on; waits until it is there.
START = f"""name=$1 initrd=$2
shift 2
rm -f /tmp/$name.*
setsid "$@" -m 128 -nodefaults -no-user-config -no-reboot -display none -serial file:/tmp/$name.log -kernel /boot/vmlinuz \\
	-initrd /boot/$initrd.initrd -append "console=ttyS0 quiet panic=-1" -qmp tcp:0.0.0.0:{QMP_PORT},server=on,wait=off \\
	-pidfile /tmp/$name.pid </dev/null >/tmp/$name.said 2>&1 &
while kill -0 $! && ! [ -s /tmp/$name.pid -a -e /tmp/$name.log -a -S /tmp/$name.qmp ]; do sleep 0.2; done
kill -0 $! || {{ cat /tmp/$name.said >&2; exit 1; }}
"""


def at_mode(name, *incoming):
    """At what the older host can keep."""
    more = ("--incoming", *incoming) if incoming else ()
    return ("evc", "run", "--mode", MODE, "--host", f"/tmp/{OLD}.json", "--accel", "kvm", "--name", name,
            "--qmp", f"/tmp/{name}.qmp", *more, "--")


def unlevelled(name, *incoming):
    more = ("-incoming", *incoming) if incoming else ()
    return ("qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-qmp", f"unix:/tmp/{name}.qmp,server=on,wait=off", *more)


def start(host, name, initrd, words):
    inside(host, "sh", "/tmp/start", name, initrd, *words)


def end(host, name):
    inside(host, "sh", "-c", f"[ ! -e /tmp/{name}.pid ] || kill $(cat /tmp/{name}.pid); while [ -e /tmp/{name}.pid ]; do sleep 0.1; done")


def printed(host, name, wanted, seconds):
    """What a guest printed, when wanted is in it or time is up."""
    limit = time.monotonic() + seconds
    while True:
        text = inside(host, "cat", f"/tmp/{name}.log").replace("\r", "")
        if wanted(text) or time.monotonic() > limit:
            return text
        time.sleep(1)


def check_promise(tap):
    promised = leaves(inside(OLD, "sh", "-c", f"evc apply --mode {MODE} /tmp/{OLD}.json 2>/dev/null"))
    start(OLD, "probe", "probe", at_mode("probe"))
    text = printed(OLD, "probe", lambda text: "--- end" in text, 120)
    seen = leaves(text.split("--- cpuinfo")[0])
    wrong, allowed = differences(promised, seen, BY_QEMU)
    tap.result(len(seen) > 10 and not wrong, f"a guest under KVM at {MODE} sees what was promised, {len(seen)} leaves", wrong + allowed)


def ticks(host):
    return [(int(number), int(at), cpuid, uses) for number, at, cpuid, uses in TICK.findall(inside(host, "cat", "/tmp/g.log").replace("\r", ""))]


def move(source, target, words):
    """evc migrate's result: (status, all it said)."""
    start(target, "g", "ticker", words("g", "defer"))
    address = next(one["address"] for one in json.loads(lab("list", "--json").stdout)["hosts"] if one["name"] == target)
    done = lab("exec", "--timeout", "180", source, "evc", "migrate", "--guest", "/tmp/g.qmp", "--to", f"tcp:{address}:{QMP_PORT}", timeout=210)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def start_ticking(host, words):
    start(host, "g", "ticker", words("g"))
    printed(host, "g", lambda text: len(TICK.findall(text)) > 5, 90)


def check_moves(tap):
    start_ticking(NEW, at_mode)
    seen = []
    for source, target in ((NEW, OLD), (OLD, NEW)):
        status, said = move(source, target, at_mode)
        before = ticks(source)
        end(source, "g")
        time.sleep(3)
        after = ticks(target)
        seen += before
        tap.result(status == 0 and len(after) > 2, f"a guest at {MODE} moves from {source} to {target}", said.splitlines())
        if not after:
            return
    seen += after
    numbers = [number for number, *_ in seen]
    # A line that was being printed when the guest moved is in two pieces on two hosts.
    gaps = [b for a, b in zip(numbers, numbers[1:]) if not 1 <= b - a <= 2]
    tap.result(not gaps and numbers[0] == 1, f"its {numbers[-1]} ticks are unbroken", gaps)
    tap.result(len({cpuid for _, _, cpuid, _ in seen}) == 1, "it saw the same CPUID all the time, on both hosts")
    end(NEW, "g")


def check_names(tap):
    """By the other host's name: evc starts the QEMU that waits there, and memory goes through ssh."""
    name = f"a guest moves from {NEW} to {OLD} by the host's name alone"
    if lab("exec", NEW, "test", "-x", "/usr/sbin/sshd").returncode:
        tap.skip(name, "no openssh-server and openssh-client to put into the hosts")
        return
    start_ticking(NEW, at_mode)
    address = next(one["address"] for one in json.loads(lab("list", "--json").stdout)["hosts"] if one["name"] == OLD)
    done = lab("exec", "--timeout", "240", NEW, "evc", "migrate", "--guest", "g", "--to", "root@" + address, timeout=270)
    limit = time.monotonic() + 20
    while done.returncode == 0 and len(ticks(OLD)) < 3 and time.monotonic() < limit:
        time.sleep(0.5)
    tap.result(done.returncode == 0 and len(ticks(OLD)) > 2, name, done.stderr.decode().splitlines()[-8:])


def check_refusal(tap):
    start_ticking(NEW, unlevelled)
    status, said = move(NEW, OLD, unlevelled)
    tap.result(status == 1 and all(word in said for word in ("ssse3", "sse4.2", "bmi2")),
               "a guest with all that its host has may not move, and what the other lacks is named", said.splitlines())
    before = len(ticks(NEW))
    time.sleep(3)
    tap.result(len(ticks(NEW)) > before, "it runs on where it was")
    for host in (NEW, OLD):
        end(host, "g")


def check_run(tap):
    """evc run under KVM, and evc guest about it, on the newer host."""
    quiet = ("-m", "64", "-nodefaults", "-display", "none", "-S")
    lab("exec", "--detach", NEW, "evc", "run", "--mode", MODE, "--name", "vm7", "--accel", "kvm", "--with", "kvm-pv-ipi", "--", *quiet)
    limit = time.monotonic() + 60
    while lab("exec", NEW, "sh", "-c", "evc guest vm7 --json -o /tmp/vm7.json").returncode and time.monotonic() < limit:
        time.sleep(1)
    given = json.loads(inside(NEW, "cat", "/tmp/vm7.json"))
    guest = given["guest"]
    tap.result(guest["accel"] == "kvm" and guest["exact"] and guest["within"] == f"{MODE}@1", f"evc run starts a guest under KVM exactly at {MODE}",
               [f"{key}: {guest[key]}" for key in ("accel", "within", "exact")])
    tap.result(guest["cpus"][0]["properties"].get("kvm-pv-ipi") is True and guest["tsc_khz"] == given["facts"]["tsc_khz"] > 0,
               "what KVM gives beside the mode, and the clock, are told too")
    done = lab("exec", NEW, "evc", "check", "--guest", "/tmp/vm7.json", "--host", f"/tmp/{NEW}.json")
    tap.result(done.returncode == 0, "what was asked from outside is enough to check a move", done.stdout.decode().splitlines())
    done = lab("exec", NEW, "evc", "run", "--mode", "amd-zen", "--name", "vm8", "--accel", "kvm", "--", *quiet)
    tap.result(done.returncode == 1 and b"lacks rdseed" in done.stderr and b"vm8 is not started" in done.stderr,
               "a guest at a mode that the host cannot give is not started, and what is missing is named", done.stderr.decode().splitlines())
    inside(NEW, "sh", "-c", "kill $(sed -n 's/^ \"pid\": \\([0-9]*\\),$/\\1/p' /run/openevc/vm7.json)")


def why_no_lab():
    _, why = image.ready(EVC)
    if why:
        return why
    with open("/proc/meminfo", encoding="ascii") as stream:
        free = int(re.search(r"MemAvailable:\s+(\d+)", stream.read())[1]) >> 10
    return None if free > 4000 else f"two hosts want 2.6 GB of memory, {free} MB are free"


def check_all(tap, folder):
    began = time.monotonic()
    done = lab("up", NEW, OLD, "--while", str(os.getpid()), timeout=300)
    tap.result(done.returncode == 0, f"two hosts are up in {time.monotonic() - began:.0f} s", done.stderr.decode().splitlines())
    if done.returncode:
        return
    check_hosts(tap)
    check_exec(tap)
    for host in (NEW, OLD):
        check_prediction(tap, host, capture(tap, host, folder), folder)
        lab("exec", host, "sh", "-c", "cat >/tmp/start", stdin=START.encode())
    check_level(tap)
    check_promise(tap)
    check_run(tap)
    check_moves(tap)
    check_refusal(tap)
    check_names(tap)
    check_owner(tap)
    check_end(tap, os.environ["EVC_LAB"])


def main():
    tap = Tap()
    why = why_no_lab()
    if why:
        tap.skip("evc on KVM hosts of two generations", why)
        return tap.close()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(EVC_LAB=os.path.join(folder, "lab"), EVC=EVC)
        try:
            check_all(tap, folder)
        except (RuntimeError, subprocess.SubprocessError, OSError, ValueError) as problem:
            tap.result(False, "the lab does what is asked of it", str(problem).splitlines())
        finally:
            lab("down")
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
