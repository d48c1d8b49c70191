# SPDX-License-Identifier: Apache-2.0
"""cluster - a Slurm of three nodes on this machine's loopback: a real munged, slurmctld and slurmd each, started by hand (no systemd),
with sockets, ports, keys and spools of their own below one folder. Needs root, because slurmd starts jobs as their owners.

A node dies here as a machine does: slurmd, slurmstepd and all that its jobs had started are killed at once, found by the environment
or the job number that belongs to this cluster alone."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol")
PACKAGES = "slurm-wlm and munge"
CONFIG = """
ClusterName=prfarm-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
ReturnToService=2
SlurmdTimeout={slurmd_timeout}
InactiveLimit=0
KillWait=5
MessageTimeout=5
MinJobAge=300
GresTypes=board
NodeName=n[1-3] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports}] CPUs=1 RealMemory=500 Gres=board:npu:1 Feature=npu
PartitionName=low Nodes=n[1-3] Default=YES MaxTime=60 State=UP PriorityTier=1 PreemptMode=CANCEL GraceTime=5
PartitionName=high Nodes=n[1-3] MaxTime=60 State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing():
    """What this machine lacks for a cluster, as a sentence; empty: nothing."""
    if os.geteuid() != 0:
        return "needs root, slurmd starts jobs as their owners"
    lacking = [p for p in PROGRAMS if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin")]
    return f"{', '.join(lacking)} not found, Debian has them in {PACKAGES}" if lacking else ""


def free_ports(count):
    """Neighbouring ports that are free now, as Slurm wants them for a range of nodes."""
    while True:
        sockets = []
        try:
            first = socket.socket()
            first.bind(("127.0.0.1", 0))
            base = first.getsockname()[1]
            sockets = [first]
            for i in range(1, count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", base + i))
            return list(range(base, base + count))
        except (OSError, OverflowError):
            continue
        finally:
            for s in sockets:
                s.close()


def until(what, condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds} s")


class Unable(Exception):
    """Slurm's programs are there, but its daemons may not use this machine's control groups."""


class Cluster:
    def __init__(self, folder, slurmd_timeout=10):
        self.folder = pathlib.Path(folder)
        self.conf = self.folder / "slurm.conf"
        self.env = dict(os.environ, SLURM_CONF=str(self.conf), PATH=os.environ["PATH"] + ":/usr/sbin")
        self.daemons = {}
        self.nodes = ("n1", "n2", "n3")
        ports = free_ports(4)
        os.chmod(self.folder, 0o755)
        for name in ("ctld", *(f"spool.{n}" for n in self.nodes)):
            (self.folder / name).mkdir()
        self.conf.write_text(CONFIG.format(host=socket.gethostname().split(".")[0], folder=self.folder, ctld_port=ports[0],
                                           ports=f"{ports[1]}-{ports[3]}", slurmd_timeout=slurmd_timeout))
        (self.folder / "gres.conf").write_text("NodeName=n[1-3] Name=board Type=npu Count=1\n")
        (self.folder / "cgroup.conf").write_text("")

    def start(self):
        self._start_munged()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        until("nodes idle", lambda: self._runs() and self.states() == {n: "idle" for n in self.nodes}, 30)

    def _runs(self):
        """True; a node's daemon that has ended tells why in its log."""
        for node in self.nodes:
            if self.daemons[node].poll() is not None:
                lines = (self.folder / f"slurmd.{node}.log").read_text(errors="replace").splitlines()
                why = "; ".join(line.split("error: ")[1] for line in lines if "error: " in line) or "slurmd ends"
                raise Unable(why) if "cgroup" in why else AssertionError(why)
        return True

    def _daemon(self, name, argv):
        log = open(self.folder / f"{name}.out", "ab")
        self.daemons[name] = subprocess.Popen(argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                              start_new_session=True)
        log.close()

    def _start_munged(self):
        owner = pwd.getpwnam("munge")
        home = self.folder / "munge"
        home.mkdir()
        key = home / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        for path in (home, key):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        argv = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "munged", "--foreground",
                f"--socket={home}/socket", f"--key-file={key}", f"--pid-file={home}/pid", f"--seed-file={home}/seed"]
        self._daemon("munged", argv)
        until("munged", (home / "socket").exists, 10)

    def start_controller(self):
        self._daemon("slurmctld", ["slurmctld", "-D", "-f", str(self.conf)])

    def start_node(self, node):
        self._daemon(node, ["slurmd", "-D", "-N", node, "-f", str(self.conf)])

    def run(self, *argv, **more):
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=30, check=False, **more)

    def states(self):
        """{"n1": "idle", ...} as sinfo has them, without its marks."""
        lines = self.run("sinfo", "--noheader", "--Node", "--format=%N %T", "--partition=low").stdout.split("\n")
        return {node: state.rstrip("*~#%$@^-") for node, state in (line.split() for line in lines if line)}

    def jobs(self):
        """Every job that squeue still knows: (id, state, node, name, elapsed)."""
        text = self.run("squeue", "--noheader", "--states=all", "--format=%i|%T|%N|%j|%M").stdout
        return [line.split("|") for line in text.splitlines()]

    def processes_of(self, node):
        """Process ids of all that the node's jobs consist of."""
        jobs = {job for job, state, where, *_ in self.jobs() if where == node and state in ("RUNNING", "COMPLETING")}
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                environ = dict(v.split("=", 1) for v in (proc / "environ").read_text(errors="replace").split("\0") if "=" in v)
                title = (proc / "cmdline").read_text(errors="replace").replace("\0", " ")
            except OSError:
                continue
            ours = environ.get("SLURM_CONF") == str(self.conf)
            step = title.startswith("slurmstepd: [") and title[13:].split(".")[0].rstrip("] ") in jobs
            if ours and (environ.get("SLURMD_NODENAME") == node or step):
                found.append(int(proc.name))
        return found

    def kill_node(self, node):
        """Power off: nothing of it is left, and nobody was told. Returns how many processes there were."""
        killed = 0
        self.daemons[node].kill()
        self.daemons[node].wait()
        while pids := self.processes_of(node):
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
            time.sleep(0.05)
        return killed

    def stop_controller(self):
        self.daemons["slurmctld"].terminate()
        self.daemons["slurmctld"].wait(20)

    def stop(self):
        """Whatever happened before: nothing of it stays behind."""
        for node in self.nodes:
            if node in self.daemons:
                try:
                    self.kill_node(node)
                except (OSError, subprocess.SubprocessError):
                    pass
        for daemon in reversed(list(self.daemons.values())):
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
