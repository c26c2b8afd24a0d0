#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moves to destinations that evc starts itself: on this machine, and on a host that only ssh reaches.

That host is this machine, too, by an sshd of our own: its port, its keys, its configuration, its place for
records.  The guest ticks (tests/live/moving.py), so that what became of it is seen from inside.  TAP.

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_GUEST (where the kernel is kept).
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

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
EVC = os.path.abspath(os.environ.get("EVC", "build/evc"))
FILES = os.path.abspath(os.environ.get("EVC_GUEST") or os.path.join(os.path.dirname(EVC), "demo"))

sys.path.insert(0, os.path.join(SOURCE, "tests/live"))
import moving  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position

CPU = ["-cpu", "Haswell-noTSX"]
TICKS_SECONDS = 20


def sshd_program():
    return shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Host:
    """A host called "there", behind an sshd that belongs to this test."""

    def __init__(self, directory):
        self.directory = directory
        self.runtime = self.path("there")
        os.makedirs(self.path("bin"))
        os.mkdir(self.runtime, 0o700)
        os.symlink(EVC, self.path("bin/evc"))
        for name in ("host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        port = moving.free_port()
        self.write("sshd_config", f"""Port {port}
ListenAddress 127.0.0.1
HostKey {self.path('host')}
PidFile none
AuthorizedKeysFile {self.path('user.pub')}
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv XDG_RUNTIME_DIR={self.runtime}
ForceCommand PATH={self.path('bin')}:$PATH; eval "$SSH_ORIGINAL_COMMAND"
""")
        self.write("config", "".join(f"""Host {name}
  HostName 127.0.0.1
  Port {port}
  IdentityFile {self.path(key)}
  IdentitiesOnly yes
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  LogLevel ERROR
""" for name, key in (("there", "user"), ("closed", "stranger"))))
        self.write("ssh", f"#!/bin/sh\nexec ssh -F {self.path('config')} \"$@\"\n")
        self.ssh = self.path("ssh")
        os.chmod(self.ssh, 0o755)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        with open(self.path("sshd.log"), "wb") as log:
            self.process = moving.start([sshd_program(), "-D", "-e", "-f", self.path("sshd_config")], stdout=log, stderr=log)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def why_not(self):
        for _ in range(50):
            if self.process.poll() is not None:
                break
            if subprocess.run([self.ssh, "there", "true"], check=False, stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=20).returncode == 0:
                return None
            time.sleep(0.1)
        with open(self.path("sshd.log"), encoding="utf-8", errors="replace") as log:
            return "sshd does not serve this user: " + " ".join(log.read().split())[-200:]


class Place(moving.Serial):
    """Where a guest that is not this test's child prints."""

    def lives(self):
        """Does it tick, and when it does, what it printed there."""
        before, deadline = len(self.ticks()), time.monotonic() + TICKS_SECONDS
        while len(self.ticks()) <= before + 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        return len(self.ticks()) > before + 1


def migrate(guest, to, *more):
    done = subprocess.run([EVC, "migrate", "--json", "--guest", guest, "--to", to, *more], text=True, timeout=120,
                          check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr.strip().splitlines()


def qemus(directory):
    """Processes that have the directory in their command line and are a QEMU."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"qemu" in words[0] and any(directory.encode() in word for word in words):
            found.append(int(name))
    return found


def end_qemus(directory):
    for pid in qemus(directory):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def one_guest(*places):
    """The numbers go on from place to place, each once, and the CPU stays the same."""
    ticks = [tick for place in places for tick in place.ticks()]
    numbers = [number for number, _ in ticks]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len({value for _, value in ticks}) == 1


def serial(place):
    return ["--", "-serial", "file:" + place.log]


def check_here(tap, directory, machine):
    place = Place(os.path.join(directory, "b.log"))
    status, _, said = migrate(machine.qmp_path, "here")
    tap.result(status == 2 and machine.alive() and any("-serial" in line for line in said),
               "a file of the guest's QEMU is not taken from it", said)
    status, answer, said = migrate(machine.qmp_path, "here", "--dry-run", *serial(place))
    left = [pid for pid in qemus(directory) if pid != machine.process.pid]
    tap.result(status == 0 and not left, "a destination that was only asked is ended", [f"exit {status}", *said])
    status, answer, said = migrate(machine.qmp_path, "here", *serial(place))
    lives = status == 0 and place.lives()
    tap.result(lives and not machine.alive() and one_guest(machine, place), "a guest goes on in a QEMU started beside its own",
               [f"exit {status}", *said])
    return answer.get("started_destination", {}).get("name", ""), place


def check_there(tap, directory, host, name, before):
    place = Place(os.path.join(directory, "c.log"))
    ssh = ["--ssh", host.ssh]
    known = set(qemus(directory))
    status, answer, said = migrate(name, "there", *ssh, "--", "-serial", "null", "-m", "96")
    texts = [finding["text"] for finding in answer.get("findings", [])]
    tap.result(status == 1 and any("memory" in text for text in texts) and set(qemus(directory)) == known,
               "a destination on a host that is refused is ended there", [f"exit {status}", *texts, *said])
    status, _, said = migrate(name, "there", *ssh, "--", "-serial", "null", "-bogus")
    tap.result(status == 4 and any("-bogus" in line for line in said), "what QEMU says there is said here", said)
    status, _, said = migrate(name, "closed", *ssh)
    tap.result(status == 4 and any("cannot be reached by ssh" in line for line in said), "a host that lets nobody in", said)
    status, _, said = migrate(name, "-oProxyCommand=true", *ssh)
    tap.result(status == 2, "a host's name is no option of ssh", said)
    status, answer, said = migrate(name, "ssh:there", *ssh, *serial(place))
    lives = status == 0 and place.lives()
    tap.result(lives and one_guest(*before, place), "a guest goes on at a host that only ssh reaches", [f"exit {status}", *said])
    tap.result(answer.get("started_destination", {}).get("qmp", "").startswith(host.runtime),
               "its record is that host's", [str(answer.get("started_destination"))])


def forwarder_of(process):
    """The ssh that process keeps, once it forwards."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        found = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "StreamLocalBindMask"], check=False,
                               capture_output=True, text=True).stdout.split()
        if found:
            return int(found[0])
        time.sleep(0.05)
    return 0


def check_cut(tap, rig, host, directory):
    """ssh ends in the middle: the guest stays where it was, and it is said what is left at the other side."""
    here = rig.start(directory, "e", CPU)
    there = moving.Machine(directory, "f", rig.kernel, CPU, incoming="defer")
    try:
        with open(os.path.join(directory, "cut.json"), "w", encoding="utf-8") as out:
            process = moving.start([EVC, "migrate", "--json", "--guest", here.qmp_path, "--to", "there:" + there.qmp_path,
                                    "--ssh", host.ssh, "--bandwidth", "4", "--answer", "2"], stdout=out,
                                   stderr=subprocess.PIPE, text=True)
        said = []
        for line in process.stderr:
            said.append(line.strip())
            if re.search(r"copying +[1-9]", line):
                break
        os.kill(forwarder_of(process), signal.SIGTERM)
        status = process.wait(60)
        with open(os.path.join(directory, "cut.json"), encoding="utf-8") as text:
            answer = json.load(text)
        tap.result(status == 4 and answer["guest"] == "source" and moving.outcome(here, there) == moving.STAYED,
                   "ssh ends while memory is copied: the guest stays",
                   [f"exit {status}", answer["reason"], answer["advice"], *said])
    finally:
        here.end()
        there.end()


def check_socket(tap, rig, host, directory):
    here = rig.start(directory, "g", CPU)
    there = moving.Machine(directory, "h", rig.kernel, CPU, incoming="defer")
    try:
        status, answer, said = migrate(here.qmp_path, "there:" + there.qmp_path, "--ssh", host.ssh)
        became = moving.outcome(here, there)
        tap.result(status == 0 and became == moving.MOVED and moving.unbroken(here, there),
                   "a QEMU that waits on a host is reached by its socket", [f"exit {status}, {became}", *said, str(answer)[:300]])
    finally:
        here.end()
        there.end()


def main():
    tap = Tap()
    why = moving.why_not(os.path.join(FILES, "vmlinuz"))
    if why:
        print(f"1..0 # SKIP {why}")
        return 0
    directory = tempfile.mkdtemp(prefix="evc-remote-", dir="/tmp")
    moving.end_on_signals(directory)
    os.environ["XDG_RUNTIME_DIR"] = os.path.join(directory, "here")
    os.mkdir(os.environ["XDG_RUNTIME_DIR"], 0o700)
    try:
        kernel = moving.Kernel(os.path.join(FILES, "vmlinuz"), moving.build_tick(directory))
        rig = moving.Sources(directory, kernel)
        machine = rig.start(directory, "a", CPU)
        name, place = check_here(tap, directory, machine)
        why = f"no {'ssh' if sshd_program() else 'sshd (openssh-server)'}" if not (sshd_program() and shutil.which("ssh")) else None
        host = None if why else Host(directory)
        why = why or host.why_not()
        if why:
            tap.skip("moves to a host by ssh", why)
        else:
            check_there(tap, directory, host, name, (machine, place))
            end_qemus(directory)
            check_socket(tap, rig, host, directory)
            check_cut(tap, rig, host, directory)
            left = [entry for entry in os.listdir(os.environ["XDG_RUNTIME_DIR"]) if entry.startswith("evc-")]
            tap.result(not left, "no forwarded socket is left", left)
    finally:
        for child in moving.CHILDREN:
            if child.poll() is None:
                child.kill()
        end_qemus(directory)
        shutil.rmtree(directory, ignore_errors=True)
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
