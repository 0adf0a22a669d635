"""A real sshd on a port of the loopback address, with keys of its own and no trace on the machine."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.receivers import free_port

HOST = "robot"  # as the client's settings name it
_SERVER = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
_CLIENT = """Host {host}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking accept-new
"""
_PRIVATE = "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "  # in a mount namespace of its own


@dataclass(frozen=True)
class SshServer:
    """A server that runs.

    Attributes:
        folder: keys and settings; `bin` in it has an `ssh` that knows them, to be put first on the path.
        process: of the server.
    """

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def path(self) -> str:
        """A search path on which its own `ssh` comes first."""
        return f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Run one while the block lasts; skips the test where there is none, or it may not run here."""
    port, user, command = free_port(), getpass.getuser(), _command()
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "sshd_config").write_text(_SERVER.format(port=port, folder=folder))
    (folder / "config").write_text(_CLIENT.format(host=HOST, port=port, user=user, folder=folder))
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
    wrapper.chmod(0o755)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"{folder}/sshd_config"], stdout=log, stderr=log)
    try:
        _wait(process, folder / "log")
        yield SshServer(folder, process)
    finally:
        process.kill()
        process.wait()


def _command() -> list[str]:
    """How sshd is called; one of root wants a folder below /run, which is made where nobody else sees it."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if not server or not shutil.which("ssh") or not shutil.which("ssh-keygen"):
        pytest.skip("sshd, ssh and ssh-keygen (openssh-server, openssh-client) are not all installed")
    call = [server, "-D", "-e", "-f"]
    if os.geteuid() or Path("/run/sshd").is_dir():
        return call
    private = ["unshare", "--mount", "sh", "-c", f'{_PRIVATE}"$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        pytest.skip("sshd of root needs /run/sshd, and no mount namespace of its own can be made here")
    return [*private, *call]


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while b"listening" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > until:
            pytest.skip(f"sshd does not run here: {log.read_text(errors='replace').strip()[-300:]}")
        time.sleep(0.05)
