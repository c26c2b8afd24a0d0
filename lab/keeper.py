# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's only process of its own: keeper.py evc-lab-keeper=FOLDER

A switch between the hosts' network sockets, which learns who is where; and the end of hosts whose owner
(evc-lab up --while PID) is gone.  Ends when there are no hosts.  Hosts do not need it to live: QEMU listens and
the keeper connects, so it may die and be started again.
"""

import os
import selectors
import socket
import struct
import sys
import time

import hosts

ROOM = 8 << 20  # bytes that wait for a host; more is dropped, as a switch does
LINGER = 5  # seconds without hosts
HEAD = 4  # bytes of length before each frame, as QEMU's stream sockets have it


class Cable:
    """To one host."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.socket.setblocking(False)
        self.received, self.waiting = bytearray(), bytearray()

    def receive(self):
        """Whole frames with their heads, in pieces as large as share a destination: (address, bytes)."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise OSError("closed")
        self.received += chunk
        at, pieces = 0, []
        while len(self.received) - at >= HEAD:
            length = HEAD + struct.unpack_from(">I", self.received, at)[0]
            if len(self.received) - at < length:
                break
            frame = bytes(self.received[at:at + length])
            ends = frame[HEAD:HEAD + 6], frame[HEAD + 6:HEAD + 12]
            if pieces and pieces[-1][0] == ends:
                pieces[-1][1].append(frame)
            else:
                pieces.append((ends, [frame]))
            at += length
        del self.received[:at]
        return [(ends, b"".join(frames)) for ends, frames in pieces]

    def send(self, text=b""):
        if len(self.waiting) + len(text) <= ROOM:
            self.waiting += text
        while self.waiting:
            try:
                del self.waiting[:self.socket.send(self.waiting[:1 << 18])]
            except BlockingIOError:
                return


class Switch:
    def __init__(self, lab):
        self.lab, self.cables, self.places = lab, {}, {}
        self.selector = selectors.DefaultSelector()

    def connect(self):
        """Plug in hosts that came, and forget those that went."""
        there = hosts.names(self.lab)
        for name in there:
            if name in self.cables:
                continue
            try:
                cable = Cable(os.path.join(hosts.host_folder(self.lab, name), "net"))
            except OSError:
                continue
            self.cables[name] = cable
            self.selector.register(cable.socket, selectors.EVENT_READ, name)
        for name in set(self.cables) - set(there):
            self.unplug(name)
        return there

    def unplug(self, name):
        cable = self.cables.pop(name)
        self.selector.unregister(cable.socket)
        cable.socket.close()
        self.places = {address: place for address, place in self.places.items() if place != name}

    def pass_on(self, source):
        for (to, whence), text in self.cables[source].receive():
            self.places[whence] = source
            place = self.places.get(to)
            for name in [place] if place in self.cables else list(self.cables):
                if name != source:
                    self.send(name, text)

    def send(self, name, text=b""):
        cable = self.cables[name]
        try:
            cable.send(text)
        except OSError:
            self.unplug(name)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if cable.waiting else 0)
        if self.selector.get_key(cable.socket).events != events:
            self.selector.modify(cable.socket, events, name)

    def turn(self, seconds):
        if not self.cables:
            time.sleep(seconds)
            return
        for key, events in self.selector.select(seconds):
            name = key.data
            if name in self.cables and events & selectors.EVENT_WRITE:
                self.send(name)
            if name in self.cables and events & selectors.EVENT_READ:
                try:
                    self.pass_on(name)
                except OSError:
                    self.unplug(name)


def end_orphans(lab, there):
    for name in there:
        host = hosts.load(lab, name)
        if host and host.get("while") and hosts.birth(host["while"]) != host.get("while_since"):
            print(f"{name}: process {host['while']} is gone", flush=True)
            hosts.down(lab, [name])


def main():
    lab = sys.argv[1].split("=", 1)[1]
    switch = Switch(lab)
    looked = seen = time.monotonic()
    while True:
        switch.turn(0.2)
        now = time.monotonic()
        if now - looked < 0.2:
            continue
        looked = now
        try:
            there = switch.connect()
        except FileNotFoundError:
            return  # the lab's folder is gone
        end_orphans(lab, there)
        seen = now if there else seen
        if now - seen > LINGER:
            return


if __name__ == "__main__":
    main()
