# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines that Bochs emulates: a Debian kernel from a CD, its console in a file, and nothing left behind.

Debian's Bochs is built with its debugger, which must be told to go on, and aborts when a speaker is wanted.  Its screen is
one of RFB, to which nobody connects.  It writes a console to a file in blocks, and the last not at all when it panics; so the
console is a terminal.
"""

import os
import shutil
import subprocess
import threading
import tty

import image
from wire import Trouble

IPS = 20000000  # instructions that make a second of the machine's time
ISOLINUX = ("/usr/lib/ISOLINUX/isolinux.bin", "/usr/lib/syslinux/modules/bios/ldlinux.c32")
FIRMWARE = "/usr/share/bochs/"
CONFIG = """plugin_ctrl: speaker=0
display_library: rfb, options="timeout=0"
romimage: file={firmware}BIOS-bochs-latest
vgaromimage: file={firmware}VGABIOS-lgpl-latest
megs: 512
cpu: model={cpu}, count=1, ips={ips}
clock: sync=none
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=term, dev={console}
log: {log}
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
{more}"""


def check_tools():
    for name in ("bochs", "xorriso", "setpriv", "unshare"):
        if not shutil.which(name):
            raise Trouble(f"{name} is not installed (Debian: bochs bochsbios isolinux xorriso util-linux)")
    for path in (*ISOLINUX, FIRMWARE + "BIOS-bochs-latest"):
        if not os.path.exists(path):
            raise Trouble(f"there is no {path} (Debian: isolinux syslinux-common bochsbios vgabios)")


def make_disc(folder, vmlinuz, initrd, options):
    """The path of a CD in folder that boots a kernel with a first file system, given as bytes."""
    root = os.path.join(folder, "disc")
    os.makedirs(os.path.join(root, "isolinux"))
    for path in ISOLINUX:
        shutil.copy(path, os.path.join(root, "isolinux"))
    shutil.copy(vmlinuz, os.path.join(root, "vmlinuz"))
    with open(os.path.join(root, "initrd"), "wb") as out:
        out.write(initrd)
    with open(os.path.join(root, "isolinux", "isolinux.cfg"), "w", encoding="ascii") as out:
        out.write(f"default host\nprompt 0\nlabel host\n kernel /vmlinuz\n initrd /initrd\n append {options}\n")
    iso = os.path.join(folder, "host.iso")
    image.call("xorriso", "-as", "mkisofs", "-quiet", "-o", iso, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
               "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", root)
    return iso


def copy(master, path):
    """What is written to a terminal, as it comes, until nobody has it open any more."""
    with open(path, "wb", buffering=0) as out:
        try:
            while data := os.read(master, 4096):
                out.write(data)
        except OSError:
            pass
    os.close(master)


def start(folder, iso, cpu, ips=IPS, more=""):
    """Bochs, running; more: lines of its configuration."""
    config, commands = os.path.join(folder, "bochsrc"), os.path.join(folder, "commands")
    master, slave = os.openpty()
    tty.setraw(slave)
    with open(config, "w", encoding="ascii") as out:
        out.write(CONFIG.format(firmware=FIRMWARE, cpu=cpu, ips=ips, iso=iso, more=more,
                                console=os.ttyname(slave), log=os.path.join(folder, "log")))
    with open(commands, "w", encoding="ascii") as out:
        out.write("c\n")
    # RFB listens on every address there is: in a network of its own there is none.  Bochs ends with this program, however that ends.
    machine = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "-rn", "--kill-child",
                                "bochs", "-q", "-f", config, "-rc", commands], cwd=folder, pass_fds=(slave,),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(slave)
    threading.Thread(target=copy, args=(master, os.path.join(folder, "console")), daemon=True).start()
    return machine


def console(folder):
    try:
        with open(os.path.join(folder, "console"), encoding="utf-8", errors="replace", newline="") as stream:
            return stream.read().replace("\r", "")
    except OSError:
        return ""


def last_words(text):
    last = [line for line in text.splitlines() if line.strip()][-1:]
    return last[0] if last else "(none)"


def stop(machine):
    """Nothing in it is worth an orderly end."""
    machine.kill()
    machine.wait()
