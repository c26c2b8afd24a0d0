# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands in a lab host, from its serial ports: the client of agent.c, which says what goes over the wire."""

import fcntl
import os
import select
import socket
import struct
import time

PAYLOAD = 32768  # bytes of a frame, at most
WORD = 16
ENDED_BY_TIME = 124  # as timeout(1) has it


class Trouble(Exception):
    """A lab's own failure, in one line."""


class Port:
    """One of a host's ports, held until closed; the host answers on it."""

    def __init__(self, folder, n_ports, key, timeout):
        self.key, self.socket, self.lock, self.buffer = key, None, None, b""
        end = time.monotonic() + timeout
        while not self._take(folder, n_ports):
            if time.monotonic() > end:
                raise Trouble("all ports of this host are taken by other commands")
            time.sleep(0.05)
        try:
            self._greet(end)
        except BaseException:
            self.close()
            raise

    def _take(self, folder, n_ports):
        for number in range(n_ports):
            path = os.path.join(folder, f"port{number}")
            lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                continue
            self.lock = lock
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self.socket.connect(path)
            except OSError as error:
                self.close()
                raise Trouble(f"{path}: {error.strerror}") from error
            return True
        return False

    def _greet(self, end):
        """Everything before our own word is what a former client left."""
        word = self.key + os.urandom(WORD)
        self.socket.sendall(word)
        while word not in self.buffer:
            self.buffer = self.buffer[-len(word):] + self.receive(end)
        self.buffer = self.buffer.split(word, 1)[1]

    def receive(self, end):
        """Bytes; Trouble when the host is gone or nothing came in time."""
        left = None if end is None else max(0, end - time.monotonic())
        if not select.select([self.socket], [], [], left)[0]:
            raise Trouble("the host does not answer")
        try:
            chunk = self.socket.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            raise Trouble("the host is gone")
        return chunk

    def send(self, kind, payload=b""):
        try:
            self.socket.sendall(kind + struct.pack("<I", len(payload)) + payload)
        except OSError as error:
            raise Trouble("the host is gone") from error

    def frames(self):
        """Whole frames that are in the buffer."""
        while len(self.buffer) >= 5:
            length = struct.unpack_from("<I", self.buffer, 1)[0]
            if len(self.buffer) < 5 + length:
                return
            frame = self.buffer[:1], self.buffer[5:5 + length]
            self.buffer = self.buffer[5 + length:]
            yield frame

    def close(self):
        for thing, end in ((self.socket, lambda: self.socket.close()), (self.lock, lambda: os.close(self.lock))):
            if thing is not None:
                end()
        self.socket = self.lock = None


class Run:
    """One command: its input from a descriptor or bytes, its outputs to functions that take bytes."""

    def __init__(self, port, argv, stdin, out, err):
        request = b"".join(os.fsencode(word) + b"\0" for word in argv)
        if len(request) > PAYLOAD:
            raise Trouble("the command line is too long")
        self.port, self.stdin, self.out, self.err = port, stdin, out, err
        self.waiting = False  # an I is under way
        self.ended = stdin is None
        self.status = None
        port.send(b"R", request)
        if self.ended:
            port.send(b"E")

    def _feed(self):
        if isinstance(self.stdin, bytes):
            chunk, self.stdin = self.stdin[:PAYLOAD], self.stdin[PAYLOAD:]
        else:
            chunk = os.read(self.stdin, PAYLOAD)
        if chunk:
            self.port.send(b"I", chunk)
            self.waiting = True
        else:
            self.port.send(b"E")
            self.ended = True

    def _take(self, kind, payload):
        if kind == b"O":
            self.out(payload)
        elif kind == b"X":
            self.err(payload)
        elif kind == b"A":
            self.waiting = False
        elif kind == b"D":
            self.status = payload[0]

    def _wait(self, end):
        """What may be read now: the port, the input, or neither in time."""
        sources = [self.port.socket]
        if not self.ended and not self.waiting:
            if isinstance(self.stdin, bytes):
                return [self.stdin]
            sources.append(self.stdin)
        return select.select(sources, [], [], None if end is None else max(0, end - time.monotonic()))[0]

    def finish(self, timeout):
        """Its exit status; ENDED_BY_TIME when it had to be ended."""
        end = None if timeout is None else time.monotonic() + timeout
        late = False
        while self.status is None:
            ready = self._wait(end)
            if not ready:
                if late:
                    return ENDED_BY_TIME  # it does not heed SIGTERM; closing the port kills it
                self.port.send(b"K")
                late, end = True, time.monotonic() + 2
            elif self.port.socket in ready:
                self.port.buffer += self.port.receive(end)
                for frame in self.port.frames():
                    self._take(*frame)
            else:
                self._feed()
        return ENDED_BY_TIME if late else self.status


def run(folder, host, argv, stdin=None, out=None, err=None, timeout=None):
    """Run argv in a host; its exit status.  out and err default to dropping."""
    port = Port(folder, host["ports"], bytes.fromhex(host["key"]), 20)
    try:
        return Run(port, argv, stdin, out or (lambda _: None), err or (lambda _: None)).finish(timeout)
    finally:
        port.close()


def output(folder, host, argv, stdin=None, timeout=60):
    """(status, stdout, stderr) of argv in a host."""
    outs, errs = [], []
    status = run(folder, host, argv, stdin, outs.append, errs.append, timeout)
    return status, b"".join(outs), b"".join(errs)
