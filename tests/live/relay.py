# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes between a test's evc and its QEMUs, which do something at a certain word, or end.

    relay.py monitor PATH QMP-SOCKET PID RULES     between evc and the monitor of the QEMU with this number
    relay.py data PATH SOCKET                      between a source and the port for memory of its destination

tests/live/moving.py starts them.  They import little, since tests start dozens.
"""

import json
import os
import select
import signal
import socket
import sys
import time

ENDING_SECONDS = 10


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


def state_of(pid):
    """The letter that /proc has for a process: "Z" also where there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def end_or_stop(pid, number, letters):
    """Send a signal, and go on when the process is as it wants it."""
    os.kill(pid, number)
    deadline = time.monotonic() + ENDING_SECONDS
    while state_of(pid) not in letters and time.monotonic() < deadline:
        time.sleep(0.005)


ACTIONS = {"kill": (signal.SIGKILL, "ZX"), "stop": (signal.SIGSTOP, "TZX"), "interrupt": (signal.SIGINT, "RSDTZX")}


class Pump:
    """The inside of a monitor's relay: lines of two sockets are passed on, and rules fire."""

    def __init__(self, pid, rules):
        self.pid, self.rules, self.cut = pid, rules, False

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
        # What it was about to say when it was killed nobody hears.
        if self.cut or (fired and direction == "from" and state_of(self.pid) in "ZX"):
            return
        try:
            other.sendall(line)
        except OSError:
            self.cut = True
        if fired and fired[2] == "after":
            self.act(*fired[3:])

    def act(self, action, pids):
        self.cut |= action == "cut"
        for pid in pids if action in ACTIONS else ():
            if isinstance(pid, str):  # a file that holds it
                wait_for_file(pid)
                with open(pid, encoding="ascii") as stream:
                    pid = int(stream.read())
            end_or_stop(pid, *ACTIONS[action])


def monitor(path, upstream, pid, rules):
    with open("/proc/self/comm", "w", encoding="ascii") as name:
        name.write("qemu-relay")  # it ends with its QEMU, so it may be watched like one
    listener, pump = listen(path), Pump(pid, json.loads(rules))
    listener.settimeout(0.1)
    while state_of(pid) not in "ZX":
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


def pass_bytes(here, there):
    while True:
        for one in select.select([here, there], [], [])[0]:
            try:
                data = one.recv(1 << 16)
                (there if one is here else here).sendall(data)
            except OSError:
                return
            if not data:
                return


def data(path, target):
    listener = listen(path)
    while True:
        here, _ = listener.accept()
        try:
            there = connect(target)
            pass_bytes(here, there)
            there.close()
        except OSError:
            pass  # nobody listens there yet
        here.close()


if __name__ == "__main__":
    {"monitor": monitor, "data": data}[sys.argv[1]](*sys.argv[2:])
