# SPDX-License-Identifier: Apache-2.0
"""hosts - machines that are reached by ssh: a network namespace each at one bridge, with a real sshd that has a host key of its own, and
in a mount namespace a home, a passwd and a shadow of its own, so that an ordinary user logs in there who is nobody on this machine, and a crontab(1), which
keeps the user's table in a file, refuses with what is in another one, and never runs anything.

sshd that is not installed is unpacked from Debian's package into build/tools: installing it would start a server on this machine.

To be used in namespaces of its own (enter), which take everything along when they end: whatever was started there, however detached."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "build" / "tools"
USER, UID, HERE = "board", 4711, "10.79.0.1"
PROGRAMS = ("ssh", "ssh-keygen", "ip", "unshare", "setpriv")
os.environ["PATH"] += ":/usr/sbin:/sbin"  # where ip and sshd are, which a user's may lack
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
SSHD = """
Port 22
HostKey {folder}/host_key
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PrintMotd no
"""
CRONTAB = """#!/bin/sh
[ ! -e ~/crontab.refused ] || { cat ~/crontab.refused >&2; exit 1; }
case "$1" in
-l) cat ~/crontab ;;
-) cat >~/crontab.new && mv ~/crontab.new ~/crontab ;;
esac
"""


def sshd():
    """The ssh daemon, unpacked if need be; None where it is not to be had."""
    installed = shutil.which("sshd")
    if installed:
        return installed
    program = TOOLS / "sshd/usr/sbin/sshd"
    if not program.exists():
        with tempfile.TemporaryDirectory() as folder:
            if not shutil.which("apt-get") or subprocess.run(["apt-get", "download", "-q", "openssh-server"], cwd=folder,
                                                             capture_output=True).returncode:
                return None
            TOOLS.mkdir(parents=True, exist_ok=True)
            package = next(pathlib.Path(folder).glob("openssh-server_*.deb"))
            subprocess.run(["dpkg-deb", "--extract", package, TOOLS / "sshd"], check=True)
    return program


def missing():
    """What this machine lacks, as a sentence; empty: nothing."""
    lacking = [p for p in PROGRAMS if not shutil.which(p)]
    if lacking:
        return f"{', '.join(lacking)} not found: deploy/setup --tests"
    if not sshd():
        return "there is no sshd, and apt-get did not bring Debian's package openssh-server"
    if os.geteuid() != 0:
        return "needs root, hosts are namespaces"
    probe = "mount -t tmpfs none /run && ip link add bridge type bridge && ip link add port type veth peer name eth0"
    if subprocess.run([*NAMESPACES, "sh", "-c", probe], capture_output=True).returncode:
        return "namespaces, or bridges in them, are not permitted here"
    return ""


def enter():
    """Starts this program once more in namespaces of its own, and ends with its exit code."""
    if os.environ.get("PRF_IN_NAMESPACES"):
        return
    os.environ["PRF_IN_NAMESPACES"] = "1"
    sys.exit(subprocess.run([*NAMESPACES, *sys.argv]).returncode)


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **more).stdout


def make_bridge():
    pathlib.Path("/run/netns").mkdir(parents=True, exist_ok=True)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "none", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "bridge", "type", "bridge")
    run("ip", "address", "add", f"{HERE}/16", "dev", "bridge")
    run("ip", "link", "set", "bridge", "up")


class Host:
    def __init__(self, root, number, public_key):
        self.name, self.address, self.folder = f"h{number}", f"10.79.1.{number}", root / f"h{number}"
        self.home = self.folder / "home" / USER
        self.authorized = self.home / ".ssh" / "authorized_keys"
        self.authorized.parent.mkdir(parents=True)
        self.authorized.write_text(public_key)
        for path in (self.home, self.authorized.parent, self.authorized):
            os.chown(path, UID, UID)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "host_key")
        (self.folder / "sshd_config").write_text(SSHD.format(folder=self.folder))
        for file, line in (("passwd", f"{USER}:x:{UID}:{UID}::/home/{USER}:/bin/sh\n"), ("shadow", f"{USER}:*:19000::::::\n")):
            daemon = "sshd:x:4712:65534::/run/sshd:/usr/sbin/nologin\n" if file == "passwd" else "sshd:*:19000::::::\n"
            others = [entry for entry in pathlib.Path("/etc", file).read_text().splitlines(True) if not entry.startswith("sshd:")]
            (self.folder / file).write_text("".join(others) + daemon + line)
        (self.folder / "local").mkdir()
        (self.folder / "local" / "crontab").write_text(CRONTAB)
        (self.folder / "local" / "crontab").chmod(0o755)
        self._plug_in(number)
        self.sshd = None
        self.start()

    def _plug_in(self, number):
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", f"port{number}", "master", "bridge", "up")
        run("ip", "-n", self.name, "address", "add", f"{self.address}/16", "dev", "eth0")
        run("ip", "-n", self.name, "link", "set", "eth0", "up")
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        self.port = f"port{number}"

    def start(self, more=":"):
        """The ssh daemon, with what else is to be mounted in its namespace."""
        mounts = "; ".join(f"mount --bind {self.folder}/{what} {where}"
                           for what, where in (("home", "/home"), ("passwd", "/etc/passwd"), ("shadow", "/etc/shadow"), ("local", "/usr/local/bin")))
        self.sshd = subprocess.Popen(["ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-ec",
                                      f"{mounts}; {more}; exec {sshd()} -D -e -f {self.folder}/sshd_config"],
                                     stderr=open(self.folder / "sshd.log", "a"))

    def listens(self):
        return "Server listening" in (self.folder / "sshd.log").read_text()

    def restart(self, more=":"):
        self.sshd.terminate()
        self.sshd.wait()
        self.start(more)

    def pull_plug(self, pulled=True):
        run("ip", "link", "set", self.port, "down" if pulled else "up")

    def end_all(self):
        """All workers end at once, as when the machine goes down. Returns what the user's crontab has for when it is up again."""
        while self.workers():
            for pid in self.workers():
                os.killpg(os.getpgid(pid), 9)
        return re.search(r"^@reboot (.*)$", (self.home / "crontab").read_text(), re.M).group(1)

    def known(self):
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"{self.address} {kind} {key}\n"

    def workers(self):
        """Process numbers of the workers here, apart from their boards' processes."""
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (proc / "cmdline").read_text().split("\0")
                inside = os.stat(proc / "ns/net").st_ino == os.stat(f"/run/netns/{self.name}").st_ino
            except OSError:
                continue
            if inside and words[0].endswith("prfarm-worker") and "--backend-host" not in words:
                found.append(int(proc.name))
        return sorted(found)
