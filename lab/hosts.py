# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lab hosts: started, found, stopped.

A lab is a folder.  A host is a folder in its hosts/, with

    host.json      what it was started with
    console        what it printed
    portN, net, qmp   sockets of its QEMU (commands, network, monitor)

Which processes belong to it is asked of /proc each time: those of this user whose command line names the
folder.  So nothing here can be stale, a folder whose process is gone is a host that died, and stopping works
whatever happened before.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import image
import wire
from wire import Trouble

HERE = os.path.dirname(os.path.abspath(__file__))
PORTS = 6  # commands at once in a host
NETWORK = "10.0.0."
MTU = 9000  # fewer frames: each costs the emulation a lot
START_SECONDS = 60
MEMORY = 1024
# Beside the guest's memory, in MiB: what emulating takes.
OVERHEAD = 300


# --- kinds -----------------------------------------------------------------------------------------

def kinds():
    """{name: (cpu, words)} of hosts.txt."""
    result = {}
    with open(os.path.join(HERE, "hosts.txt"), encoding="utf-8") as stream:
        for line in stream:
            fields = line.split(None, 2)
            if fields and not line.startswith("#"):
                result[fields[0]] = fields[1], fields[2].strip()
    return result


def cpu_of(kind):
    """-cpu of a kind of hosts.txt; what has a comma or a + is one already."""
    known = kinds()
    if kind in known:
        return known[kind][0]
    if "," in kind:
        return kind
    raise Trouble(f"no host of the kind {kind}; there are {' '.join(known)}, or give a whole -cpu argument")


# --- the lab's folder ------------------------------------------------------------------------------

def lab_folder():
    """EVC_LAB, or a folder of this user that ends with the session; made if need be."""
    given = os.environ.get("EVC_LAB")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        folder = os.path.abspath(given)
    elif runtime and os.access(runtime, os.W_OK):
        folder = os.path.join(runtime, "evc-lab")
    else:
        folder = f"/tmp/evc-lab-{os.getuid()}"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    about = os.lstat(folder)
    if about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise Trouble(f"{folder} is not this user's alone")
    if len(os.path.join(folder, "hosts", "n" * 24, "port9")) > 100:
        raise Trouble(f"{folder}: the path is too long for sockets")
    os.makedirs(os.path.join(folder, "hosts"), mode=0o700, exist_ok=True)
    return folder


class Lock:
    """Held while hosts come and go."""

    def __init__(self, lab):
        self.path = os.path.join(lab, "lock")

    def __enter__(self):
        self.stream = open(self.path, "w", encoding="utf-8")
        fcntl.flock(self.stream, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.stream.close()


def host_folder(lab, name):
    return os.path.join(lab, "hosts", name)


def names(lab):
    return sorted(os.listdir(os.path.join(lab, "hosts")))


def load(lab, name):
    """What a host was started with, or None."""
    try:
        with open(os.path.join(host_folder(lab, name), "host.json"), encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return None


def processes(argument):
    """Processes of this user that have exactly this argument on their command line."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            if os.stat(f"/proc/{entry}").st_uid != os.getuid():
                continue
            with open(f"/proc/{entry}/cmdline", "rb") as stream:
                words = stream.read().split(b"\0")
            with open(f"/proc/{entry}/stat", "rb") as stream:
                dead = stream.read().rsplit(b")", 1)[1].split()[0] in (b"Z", b"X")
        except (OSError, IndexError):
            continue
        if os.fsencode(argument) in words and not dead:
            found.append(int(entry))
    return found


def mark(lab, name):
    """The word on its QEMU's command line by which a host's process is known."""
    return "evc-lab=" + host_folder(lab, name)


def running(lab, name):
    return processes("debug-threads=on,guest=" + mark(lab, name).replace(",", ",,"))


def resident(pid):
    """MiB."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except (OSError, IndexError, ValueError):
        return 0


def state(lab, name):
    """A host as evc-lab list shows it."""
    host, pids = load(lab, name), running(lab, name)
    about = {"name": name, "state": "running" if pids else "dead", "pid": pids[0] if pids else None}
    if host:
        about.update(kind=host["kind"], cpu=host["cpu"], address=host["address"], memory=host["memory"],
                     cpus=host["cpus"], started=host["started"])
    about["resident"] = resident(pids[0]) if pids else 0
    return about


# --- starting --------------------------------------------------------------------------------------

def check_memory(wanted):
    with open("/proc/meminfo", encoding="ascii") as stream:
        fields = dict(line.split(":", 1) for line in stream)
    free = int(fields["MemAvailable"].split()[0]) >> 10
    if free < wanted:
        raise Trouble(f"a host takes up to {wanted} MiB, and {free} MiB are free")


def free_number(lab):
    taken = {load(lab, name)["number"] for name in names(lab) if load(lab, name)}
    return next(number for number in range(1, 250) if number not in taken)


def command_line(lab, host, kernel, initrd):
    folder, number = host_folder(lab, host["name"]), host["number"]
    argv = [image.QEMU, "-name", "debug-threads=on,guest=" + mark(lab, host["name"]).replace(",", ",,"),
            "-accel", "tcg,thread=multi", "-machine", "pc", "-cpu", host["cpu"], "-smp", str(host["cpus"]),
            "-m", str(host["memory"]), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-kernel", kernel, "-initrd", initrd,
            "-append", f"console=ttyS0 quiet panic=-1 lab.name={host['name']} lab.number={number} lab.key={host['key']}",
            "-serial", f"file:{folder}/console", "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
            "-netdev", f"stream,id=net,server=on,addr.type=unix,addr.path={folder}/net",
            "-device", f"virtio-net-pci,netdev=net,mac=52:54:00:00:00:{number:02x},romfile=,host_mtu={MTU}",
            "-device", "virtio-serial-pci"]
    for port in range(PORTS):
        argv += ["-chardev", f"socket,id=port{port},path={folder}/port{port},server=on,wait=off",
                 "-device", f"virtserialport,chardev=port{port},name=evc.{port}"]
    return argv


def last_words(folder, *files):
    for name in files:
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as stream:
                lines = [line.strip() for line in stream if line.strip()]
        except OSError:
            continue
        if lines:
            return ": " + " / ".join(lines[-3:])
    return ""


def wait_until_up(folder, host, process):
    end = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            raise Trouble(f"{host['name']}: QEMU ended with status {process.returncode}{last_words(folder, 'errors', 'console')}")
        if time.monotonic() > end:
            raise Trouble(f"{host['name']}: not up after {START_SECONDS} s{last_words(folder, 'console')}")
        if os.path.exists(os.path.join(folder, f"port{PORTS - 1}")):
            break
        time.sleep(0.02)
    # Its agent answers when the host is up; a QEMU that dies before closes the port.
    try:
        wire.Port(folder, PORTS, bytes.fromhex(host["key"]), START_SECONDS).close()
    except Trouble as trouble:
        process.poll()
        raise Trouble(f"{host['name']}: {trouble}{last_words(folder, 'errors', 'console')}") from trouble


def make_host(lab, name, kind, options):
    folder = host_folder(lab, name)
    key = bytearray(os.urandom(16))
    key[4] = 0xff  # never the head of a frame
    host = {"name": name, "kind": kind, "cpu": cpu_of(kind), "number": free_number(lab), "memory": options.memory,
            "cpus": options.cpus, "ports": PORTS, "key": key.hex(), "started": int(time.time()), "while": options.owner}
    host["address"] = NETWORK + str(host["number"])
    if options.owner:
        host["while_since"] = birth(options.owner)
        if not host["while_since"]:
            raise Trouble(f"process {options.owner} is gone already")
    os.makedirs(folder, mode=0o700)
    with open(os.path.join(folder, "host.part"), "w", encoding="utf-8") as out:
        json.dump(host, out)
    os.rename(os.path.join(folder, "host.part"), os.path.join(folder, "host.json"))
    return host


def birth(pid):
    """When a process started, in ticks; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            return int(stream.read().rsplit(b")", 1)[1].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def start(lab, name, kind, options, files):
    """Start a host, not yet up; its process."""
    folder = host_folder(lab, name)
    if os.path.exists(folder):
        if running(lab, name):
            raise Trouble(f"{name} is up already")
        stop(lab, name)  # it died
    check_memory(options.memory + OVERHEAD)
    host = make_host(lab, name, kind, options)
    with open(os.path.join(folder, "errors"), "wb") as errors:
        process = subprocess.Popen(command_line(lab, host, *files), stdin=subprocess.DEVNULL, stdout=errors,
                                   stderr=errors, start_new_session=True)
    return host, process


def tell_names(lab):
    """Let all hosts find each other by name."""
    hosts = [load(lab, name) for name in names(lab) if running(lab, name)]
    text = "127.0.0.1 localhost\n" + "".join(f"{host['address']} {host['name']}\n" for host in hosts if host)
    for host in hosts:
        wire.output(host_folder(lab, host["name"]), host, ["sh", "-c", "cat >/etc/hosts"], text.encode(), 20)


def start_keeper(lab):
    if not processes("evc-lab-keeper=" + lab):
        with open(os.path.join(lab, "keeper.log"), "ab") as log:
            subprocess.Popen([sys.executable, os.path.join(HERE, "keeper.py"), "evc-lab-keeper=" + lab],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")


def up(lab, wanted, options):
    """Start hosts, {name: kind}, at once; all of them or none."""
    for kind in wanted.values():
        cpu_of(kind)
    files = image.build(options.evc)
    begun = []
    try:
        with Lock(lab):
            for name, kind in wanted.items():
                begun.append((name, *start(lab, name, kind, options, files)))
            start_keeper(lab)
        for name, host, process in begun:
            wait_until_up(host_folder(lab, name), host, process)
        tell_names(lab)
    except BaseException:
        for name, *_ in begun:
            stop(lab, name)
        raise
    return [host for _, host, _ in begun]


# --- stopping --------------------------------------------------------------------------------------

def end_processes(find):
    """End what find() finds: asked first, then killed."""
    for sign, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, 5)):
        for pid in find():
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                pass
        end = time.monotonic() + seconds
        while find() and time.monotonic() < end:
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pass
            time.sleep(0.02)
        if not find():
            return
    raise Trouble(f"these processes do not end: {find()}")


def stop(lab, name):
    end_processes(lambda: running(lab, name))
    shutil.rmtree(host_folder(lab, name), ignore_errors=True)


def down(lab, wanted=None):
    """Stop these hosts, or all and the lab with them; the names of those that were there."""
    with Lock(lab):
        there = [name for name in (names(lab) if wanted is None else wanted) if os.path.exists(host_folder(lab, name))]
        for name in there:
            stop(lab, name)
        if not names(lab):
            end_processes(lambda: processes("evc-lab-keeper=" + lab))
    return there


# --- the monitor -----------------------------------------------------------------------------------

def monitor(lab, name, command, **arguments):
    """One command to the host's QEMU."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(10)
        try:
            link.connect(os.path.join(host_folder(lab, name), "qmp"))
            stream = link.makefile("rw", encoding="utf-8")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
        except (OSError, ValueError) as error:
            raise Trouble(f"{name}: its QEMU does not answer: {error}") from error
    if "error" in answer:
        raise Trouble(f"{name}: {answer['error'].get('desc')}")
    return answer["return"]
