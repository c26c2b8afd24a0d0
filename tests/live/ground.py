# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests with real guests stand on."""

import os
import shutil
import subprocess


def why_no_guest(source, evc, folder):
    """Why no guest can be booted here, or None: the kernel and evc's first file system are in the folder."""
    if not shutil.which("qemu-system-x86_64"):
        return "qemu-system-x86_64 is not installed"
    done = subprocess.run([os.path.join(source, "demo/guest-files"), folder], capture_output=True, text=True, timeout=120,
                          check=False, stdin=subprocess.DEVNULL, env=dict(os.environ, EVC=evc))
    return None if done.returncode == 0 else "no kernel to boot: " + " ".join(done.stderr.split())
