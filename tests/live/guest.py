#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What evc promises, held against real guests: TAP on standard output.

A guest under QEMU's own CPU emulation with everything it has (-cpu max) is the host.  For several
modes "evc apply" says leaf by leaf what a guest on that host sees, "evc export" says how to start
it, and the started guest says what it sees.  Every register has to agree, but for the few that demo/compare.py names.
The same guest is then started by libvirt from "evc export --to libvirt".

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_GUEST (where kernel and first file system
are kept; beside EVC unless given).
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

EVC = os.environ.get("EVC", "build/evc")
SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
FILES = os.path.abspath(os.environ.get("EVC_GUEST") or os.path.join(os.path.dirname(EVC), "demo"))
BOOT_SECONDS = 60

sys.path.insert(0, os.path.join(SOURCE, "demo"))
from compare import differences, leaves  # noqa: E402 pylint: disable=wrong-import-position
from ground import why_no_guest  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position

INTEL, AMD = "GenuineIntel", "AuthenticAMD"
MODES = (("intel-nehalem", INTEL), ("intel-haswell", INTEL), ("x86-64-v2", AMD), ("amd-zen", AMD))


def run(*argv, timeout=BOOT_SECONDS + 20, env=None):
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))


def boot(arguments):
    """The cpuid lines of a guest; raises when it does not answer."""
    done = run(os.path.join(SOURCE, "demo/guest"), FILES, *arguments,
               env={"EVC_ACCEL": "tcg", "EVC_TIMEOUT": str(BOOT_SECONDS)})
    if done.returncode:
        raise RuntimeError(done.stderr.strip().replace("\n", "; "))
    return done.stdout.split("--- cpuinfo")[0]


def qemu_version():
    match = re.search(r"version (\d+\.\d+)", run("qemu-system-x86_64", "--version").stdout)
    return match[1] if match else None


def make_host(directory, vendor):
    path = os.path.join(directory, vendor + ".cpuid")
    with open(path, "w", encoding="utf-8") as out:
        out.write(boot(["-cpu", f"max,vendor={vendor}"]).replace("--- cpuid\n", ""))
    return path


def export(target, mode, host, version, *more):
    """The text; "lossy", since the emulation lacks features that a real host of the mode has."""
    done = run(EVC, "export", "--to", target, "--mode", mode, "--host", host, "--accel", "tcg",
               "--qemu", version, "--lossy", *more)
    return done.stdout, done.stderr.splitlines()


def check_mode(tap, mode, host, version):
    promised = leaves(run(EVC, "apply", "--mode", mode, host).stdout)
    text, said = export("qemu", mode, host, version)
    if not promised or not text:
        tap.result(False, f"a guest at {mode} sees what was promised", ["no promise", *said])
        return
    try:
        seen = leaves(boot(shlex.split(text)))
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        tap.result(False, f"a guest at {mode} sees what was promised", [str(error)])
        return
    wrong, allowed = differences(promised, seen)
    tap.result(not wrong and len(seen) > 10, f"a guest at {mode} sees what was promised, {len(seen)} leaves",
               wrong + allowed + [line for line in said if "cannot show" in line])


LIBVIRT_CONF = """user="root"
group="root"
dynamic_ownership=0
remember_owner=0
security_driver="none"
cgroup_controllers=[ ]
namespaces=[ ]
stdio_handler="file"
seccomp_sandbox=0
"""


def bootable(xml, log):
    """The exported domain with a kernel to boot and a place for what it prints."""
    xml = xml.replace("</type>\n", f"</type>\n    <kernel>{FILES}/vmlinuz</kernel>\n    <initrd>{FILES}/initrd</initrd>\n"
                      "    <cmdline>console=ttyS0 quiet panic=-1</cmdline>\n", 1)
    devices = (f"  <devices>\n    <emulator>{shutil.which('qemu-system-x86_64')}</emulator>\n"
               f"    <serial type='file'><source path='{log}'/></serial>\n    <memballoon model='none'/>\n  </devices>\n")
    return xml.replace("  <qemu:commandline>", "  <on_reboot>destroy</on_reboot>\n" + devices + "  <qemu:commandline>", 1)


def start_by_libvirt(directory, xml, mode):
    """What the guest prints, and virsh's complaints."""
    root, log = os.path.join(directory, "libvirt"), os.path.join(directory, "serial.log")
    os.makedirs(os.path.join(root, "etc"), exist_ok=True)
    with open(os.path.join(root, "etc/qemu.conf"), "w", encoding="utf-8") as out:
        out.write(LIBVIRT_CONF)
    path = os.path.join(directory, "domain.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(bootable(xml, log))
    # One process is the hypervisor's driver: the guest lives as long as it, and is destroyed at its end.
    done = run("virsh", "-c", f"qemu:///embed?root={root}",
               f"create {path}; event --domain {mode} --event lifecycle --timeout {BOOT_SECONDS}; destroy {mode}")
    time.sleep(0.5)
    text = ""
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    return text, [line for line in done.stderr.splitlines() if line and "failed to get domain" not in line]


def check_libvirt(tap, directory, host, version):
    mode = "intel-haswell"
    xml, _ = export("libvirt", mode, host, version, "--domain")
    if shutil.which("virt-xml-validate"):
        path = os.path.join(directory, "export.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(xml)
        done = run("virt-xml-validate", path, "domain")
        tap.result(done.returncode == 0, "libvirt's schema accepts the exported domain", done.stderr.splitlines())
    else:
        tap.skip("libvirt's schema accepts the exported domain", "virt-xml-validate is not installed")
    name = "a guest started by libvirt sees the same as one started by QEMU's command line"
    if not shutil.which("virsh") or os.geteuid():
        tap.skip(name, "needs virsh and root")
        return
    text, said = start_by_libvirt(directory, xml, mode)
    if any("no connection driver" in line or "failed to connect to the hypervisor" in line for line in said):
        tap.skip(name, "libvirt's QEMU driver is not installed")
        return
    direct = leaves(boot(shlex.split(export("qemu", mode, host, version)[0])))
    seen = leaves(text.replace("\r", ""))
    wrong = [f"{key}: {direct.get(key)} by QEMU, {seen.get(key)} by libvirt"
             for key in sorted(set(direct) | set(seen)) if direct.get(key) != seen.get(key)]
    tap.result(len(seen) > 10 and not wrong, name, wrong + (said if len(seen) <= 10 else []))


def check_capture(tap):
    done = run(EVC, "capture", "--no-programs", timeout=30)
    host = json.loads(done.stdout) if done.returncode == 0 else {}
    alike = sum(cpu["alike"] if "alike" in cpu else 1 for cpu in host.get("cpus", []))
    tap.result(alike == os.cpu_count(), f"captures all {os.cpu_count()} logical CPUs of this machine",
               done.stderr.splitlines())
    name = "captures what KVM offers, and whether it keeps to a mask"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        tap.skip(name, "no usable /dev/kvm")
        return
    tap.result("kvm" in host and "could not be tried" not in done.stderr, name, done.stderr.splitlines())


def main():
    tap = Tap()
    check_capture(tap)
    why = why_no_guest(SOURCE, EVC, FILES)
    if why:
        tap.skip("guests see what was promised", why)
        return tap.close()
    version = qemu_version()
    with tempfile.TemporaryDirectory() as directory:
        hosts = {vendor: make_host(directory, vendor) for vendor in (INTEL, AMD)}
        for mode, vendor in MODES:
            check_mode(tap, mode, hosts[vendor], version)
        check_libvirt(tap, directory, hosts[INTEL], version)
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
