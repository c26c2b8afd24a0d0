# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a lab host boots from: a stock kernel, and one file system in memory with all that a KVM host needs.

Kernel and busybox come from the distribution's packages, fetched by apt and unpacked, not installed.  QEMU is
this machine's, with its libraries and firmware.  Both results are kept in a folder and shared by all hosts; a
file system is made anew when one of its parts changed, and the old ones are removed.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys

from wire import Trouble

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
QEMU = "qemu-system-x86_64"
# With their dependencies, which the modules name themselves; a kernel may have some built in.
MODULES = ("virtio_pci", "virtio_console", "virtio_net", "msr", "kvm-amd", "kvm-intel")
SSH_PROGRAMS = ("ssh", "ssh-keygen", "sshd")
FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin", "pvh.bin", "vgabios-stdvga.bin", "efi-virtio.rom")
FIRMWARE_FOLDERS = ("/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe/qemu")
KERNELS = ("linux-image-cloud-amd64", "linux-image-amd64", "linux-image-kvm", "linux-image-generic")
OWN_FILES = [os.path.join(HERE, name) for name in ("agent.c", "init", "image.py", "ticker.c", "lab.modes")]
KEPT = 3  # file systems


def say(text):
    print(f"evc-lab: {text}", file=sys.stderr, flush=True)


def call(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=600, **more)
    if done.returncode:
        raise Trouble(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def cache_folder():
    folder = os.environ.get("EVC_LAB_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "evc-lab")
    os.makedirs(folder, exist_ok=True)
    return folder


# --- packages --------------------------------------------------------------------------------------

def unpack(package, folder):
    """A package's files at folder, which is there only when whole."""
    if os.path.isdir(folder):
        return folder
    if not shutil.which("apt-get"):
        raise Trouble(f"no apt-get here to fetch {package}; unpack it at {folder}")
    say(f"fetching {package}")
    work = folder + ".part"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    call("apt-get", "-o", "APT::Sandbox::User=root", "download", "-q", package, cwd=work)
    debs = glob.glob(os.path.join(work, "*.deb"))
    for deb in debs:
        call("dpkg-deb", "-x", deb, work)
        os.remove(deb)
    os.rename(work, folder)
    return folder


def kernel_package():
    for meta in KERNELS:
        try:
            found = re.search(r"Depends: (linux-image-[0-9]\S*)", call("apt-cache", "depends", meta))
        except (Trouble, FileNotFoundError):
            continue
        if found:
            return found[1]
    raise Trouble("apt knows no Linux kernel package here; run apt-get update")


def kernel_folder(cache):
    """The unpacked kernel package: the one that is there, else fetched.  EVC_LAB_KERNEL names another."""
    given = os.environ.get("EVC_LAB_KERNEL")
    if given:
        return given
    there = sorted(glob.glob(os.path.join(cache, "linux-image-*[!t]")))
    if there:
        return there[-1]
    package = kernel_package()
    return unpack(package, os.path.join(cache, package))


def busybox(cache):
    folder = unpack("busybox-static", os.path.join(cache, "busybox-static"))
    for place in ("bin/busybox", "usr/bin/busybox"):
        if os.path.exists(os.path.join(folder, place)):
            return os.path.join(folder, place)
    raise Trouble(f"{folder} holds no busybox")


# --- parts -----------------------------------------------------------------------------------------

def one(pattern, what):
    found = sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise Trouble(f"no {what} at {pattern}")
    return found[-1]


def module_files(kernel):
    """{name: path} of all modules of a kernel package."""
    files = {}
    for path in glob.glob(os.path.join(kernel, "**", "*.ko*"), recursive=True):
        files[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
    return files


def module_bytes(path):
    if path.endswith(".ko"):
        with open(path, "rb") as stream:
            return stream.read()
    return subprocess.run(["zstd" if path.endswith(".zst") else "xz", "-dc", path], stdout=subprocess.PIPE, check=True).stdout


def load_order(files, wanted=MODULES):
    """Names of modules, each after what it needs."""
    order = []

    def visit(name):
        name = name.replace("-", "_")
        if name in order or name not in files:
            return
        needs = re.search(rb"\0depends=([^\0]*)", module_bytes(files[name]))
        for need in (needs[1].decode().split(",") if needs else []):
            if need:
                visit(need)
        order.append(name)

    for name in wanted:
        visit(name)
    return order


def libraries(program):
    """Paths of the shared libraries of a program, the loader among them."""
    found = []
    for line in call("ldd", program).splitlines():
        match = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if match:
            found.append(match[1])
    return found


def qemu_parts():
    program = shutil.which(QEMU)
    if not program:
        raise Trouble(f"{QEMU} is not installed")
    parts = {"/usr/bin/" + QEMU: program}
    for path in libraries(program):
        parts[path] = os.path.realpath(path)
    for path in glob.glob(f"/usr/lib/*/qemu/accel-*-{QEMU.rsplit('-', 1)[-1]}.so"):
        parts[path] = path
    for name in FIRMWARE:
        for folder in FIRMWARE_FOLDERS:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                parts["/usr/share/qemu/" + name] = os.path.realpath(path)
                break
    return parts


def ssh_parts():
    """What a host needs to reach others by ssh and to be reached; nothing where the system has no ssh."""
    programs = [shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") for name in SSH_PROGRAMS]
    if not all(programs):
        return {}
    parts = {}
    for name, program in zip(SSH_PROGRAMS, programs):
        parts[("/usr/sbin/" if name == "sshd" else "/usr/bin/") + name] = program
        parts.update({path: os.path.realpath(path) for path in libraries(program)})
    for path in glob.glob("/usr/lib/openssh/sshd-*"):  # since 9.8 a connection has a program of its own
        parts[path] = path
        parts.update({library: os.path.realpath(library) for library in libraries(path)})
    return parts


def add_ssh(archive, work):
    """One pair of keys, made for this file system, for all of its hosts; their network ends where the lab does."""
    key = os.path.join(work, "key")
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", key)
    public = read(key + ".pub")
    archive.file("/etc/passwd", b"root:*:0:0:root:/root:/bin/sh\nsshd:*:74:74:sshd:/run/sshd:/bin/false\n")
    archive.file("/etc/group", b"root:*:0:\nsshd:*:74:\n")
    archive.file("/etc/ssh/key", read(key))
    archive.file("/etc/ssh/sshd_config", b"HostKey /etc/ssh/key\nAuthorizedKeysFile /root/.ssh/authorized_keys\nStrictModes no\n"
                 b"PasswordAuthentication no\nKbdInteractiveAuthentication no\n")
    archive.file("/root/.ssh/id_ed25519", read(key))
    archive.file("/root/.ssh/authorized_keys", public)
    archive.file("/root/.ssh/known_hosts", b"10.0.0.* " + public)


def compile_program(name, folder, *flags):
    built = os.path.join(folder, name)
    call(*os.environ.get("CC", "cc").split(), "-O1", *flags, "-o", built, os.path.join(HERE, name + ".c"))
    return built


def compile_ticker(folder):
    """The program of a guest that is moved: without a C library, which would choose instructions by CPUID."""
    return compile_program("ticker", folder, "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-fno-pie",
                           "-no-pie", "-mgeneral-regs-only")


def compile_own(work):
    """Our programs of a host and of a guest in it; the paths of the binaries by name."""
    return {"agent": compile_program("agent", work, "-static", "-D_GNU_SOURCE"), "ticker": compile_ticker(work)}


# --- the file system -------------------------------------------------------------------------------

class Cpio:
    """A writer of the "newc" form of cpio archives."""

    def __init__(self):
        self.parts, self.number, self.folders = [], 0, set()

    def _add(self, name, mode, content=b"", device=(0, 0)):
        self.number += 1
        name = name.lstrip("/").encode()
        fields = (self.number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
        self.parts += [head, b"\0" * (-len(head) % 4), content, b"\0" * (-len(content) % 4)]

    def folder(self, name):
        name = name.rstrip("/")
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._add(name, stat.S_IFDIR | 0o755)

    def file(self, name, content, executable=False):
        self.folder(os.path.dirname(name))
        self._add(name, stat.S_IFREG | (0o755 if executable else 0o644), content)

    def console(self):
        self.folder("/dev")
        self._add("/dev/console", stat.S_IFCHR | 0o600, device=(5, 1))

    def text(self):
        self._add("TRAILER!!!", 0)
        return b"".join(self.parts)


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def guest_initrd(program):
    archive = Cpio()
    for folder in ("/proc", "/sys", "/dev"):
        archive.folder(folder)
    archive.console()
    archive.file("/init", read(program), True)
    return archive.text()


def pack(kernel, parts, own, evc):
    """The bytes of a host's first file system."""
    archive = Cpio()
    for folder in ("/proc", "/sys", "/dev", "/tmp", "/root", "/etc", "/var/log"):
        archive.folder(folder)
    archive.console()
    archive.file("/init", read(os.path.join(HERE, "init")), True)
    archive.file("/sbin/agent", read(own["agent"]), True)
    for name, path in parts.items():
        archive.file(name, read(path), os.access(path, os.X_OK))
    files = module_files(kernel)
    order = load_order(files)
    for name in order:
        archive.file(f"/lib/modules/{name}.ko", module_bytes(files[name]))
    archive.file("/lib/modules/order", "".join(f"{name}.ko\n" for name in order).encode())
    archive.file("/boot/ticker.initrd", guest_initrd(own["ticker"]))
    if evc:
        probe = os.path.join(os.path.dirname(own["agent"]), "probe")
        call(evc, "observe", "--initrd", probe)
        archive.file("/boot/probe.initrd", read(probe))
    if "/usr/sbin/sshd" in parts:
        add_ssh(archive, os.path.dirname(own["agent"]))
    archive.file("/etc/evc/modes.d/lab.modes", read(os.path.join(HERE, "lab.modes")))
    return archive.text()


def digest(paths):
    """What a file system is made of: our own files by content, the system's by name, size and time."""
    state = hashlib.sha256()
    for path in sorted(paths):
        state.update(path.encode() + b"\0")
        if path.startswith(TOP + os.sep):
            state.update(read(path))
        else:
            about = os.stat(path)
            state.update(f"{about.st_size} {about.st_mtime_ns}".encode())
    return state.hexdigest()[:16]


def find_evc():
    path = os.environ.get("EVC") or os.path.join(TOP, "build", "evc")
    return path if os.path.exists(path) else None


def build(evc):
    """(kernel, file system) to boot, made if need be.  evc: the program to put in, or None."""
    cache = cache_folder()
    with open(os.path.join(cache, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel = kernel_folder(cache)
        vmlinuz = one(os.path.join(kernel, "boot", "vmlinuz*"), "kernel")
        parts = {**ssh_parts(), **qemu_parts()}
        parts["/bin/busybox"] = busybox(cache)
        parts["/boot/vmlinuz"] = vmlinuz
        if evc:
            parts["/usr/bin/evc"] = os.path.abspath(evc)
        initrd = os.path.join(cache, f"host-{digest([*parts.values(), *OWN_FILES])}.cpio")
        if os.path.exists(initrd):
            os.utime(initrd)
            return vmlinuz, initrd
        work = os.path.join(cache, "work")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        try:
            text = pack(kernel, parts, compile_own(work), evc)
            with open(os.path.join(work, "host.cpio"), "wb") as out:
                out.write(text)
            os.rename(os.path.join(work, "host.cpio"), initrd)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        for old in sorted(glob.glob(os.path.join(cache, "host-*.cpio")), key=os.path.getmtime)[:-KEPT]:
            os.remove(old)
        return vmlinuz, initrd


def ready(evc):
    """The kernel that hosts with this evc boot and None; or None and why no host can be started here."""
    if not shutil.which(QEMU):
        return None, f"{QEMU} is not installed"
    try:
        return build(evc)[0], None
    except (Trouble, OSError, subprocess.SubprocessError) as trouble:
        return None, f"nothing to boot: {trouble}"
