"""Processes, their cost, and the packages that they need."""

import atexit
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / "target" / "bench"
WARDROOM = ROOT / "target" / "release" / "wardroom"
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
# The core of the servers and that of the load.
SERVERS, LOAD = "0", "1"
running = []


def fail(text):
    sys.exit(f"bench: {text}")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def found(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def postgres_programs():
    """The directory with the programs of the newest PostgreSQL, or None."""
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    return programs[-1].parent if programs else None


def install(programs):
    """Installs missing Debian packages. `programs` maps the name of a program to its package."""
    missing = lambda: sorted({package for program, package in programs.items() if not (postgres_programs() if program == "postgres" else found(program))})
    wanted = missing()
    if not wanted:
        return
    as_root = [] if os.getuid() == 0 else ["sudo", "-n"]
    if not found("apt-get") or subprocess.run([*as_root, "true"], capture_output=True).returncode:
        fail(f"missing: {' '.join(wanted)}; install these packages, or run this as root on Debian")
    say(f"installing {' '.join(wanted)}")
    if "postgresql" in wanted:
        # Without this the package creates and starts a server of its own.
        settings = "/etc/postgresql-common/createcluster.conf"
        subprocess.run([*as_root, "sh", "-c", f"[ -e {settings} ] || {{ mkdir -p $(dirname {settings}) && echo 'create_main_cluster = false' > {settings}; }}"], check=True)
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    subprocess.run([*as_root, "apt-get", "update", "-qq"], **quiet)
    subprocess.run([*as_root, *environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *wanted], **quiet)
    if still := missing():
        fail(f"could not install {' '.join(still)}")


def build(*arguments):
    subprocess.run(["cargo", "build", "--release", "--locked", *map(str, arguments)], check=True, cwd=ROOT)


def need_two_cores():
    if (os.cpu_count() or 1) < 2:
        fail("two cores are needed: one for the servers, one for the load")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server on the servers' core, which accepts connections."""

    def __init__(self, command, port, stop=signal.SIGTERM, pinned=True, patience=60, **options):
        self.port, self.stop_signal = port, stop
        PLACE.mkdir(parents=True, exist_ok=True)
        self.log = PLACE / f"{port}.log"
        pin = ["taskset", "-c", SERVERS] if pinned else []
        self.started = time.perf_counter()
        with open(self.log, "w") as log:
            self.child = subprocess.Popen([*pin, *map(str, command)], stdout=log, stderr=log, start_new_session=True, **options)
        running.append(self)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if self.child.poll() is not None:
                fail(f"{command[0]} ended: see {self.log}")
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
            except OSError:
                time.sleep(0.002)
        fail(f"{command[0]} does not listen: see {self.log}")

    def family(self):
        """The process and all its descendants."""
        known, queue = [], [self.child.pid]
        while queue:
            pid = queue.pop()
            known.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    queue += map(int, open(f"/proc/{pid}/task/{task}/children").read().split())
            except (FileNotFoundError, ProcessLookupError):
                pass
        return known

    def cpu(self):
        """User and system time so far, in seconds."""
        user = system = 0
        for text in self.about("stat"):
            fields = text.rsplit(")", 1)[1].split()
            user, system = user + int(fields[11]), system + int(fields[12])
        return user / TICK, system / TICK

    def memory(self):
        """Resident bytes."""
        return sum(int(text.split()[1]) * PAGE for text in self.about("statm"))

    def about(self, file):
        """What the system says of each process of the family. One that ends meanwhile, such as a worker of autovacuum, is left out."""
        for pid in self.family():
            try:
                yield open(f"/proc/{pid}/{file}").read()
            except (FileNotFoundError, ProcessLookupError):
                pass

    def stop(self):
        try:
            os.killpg(self.child.pid, self.stop_signal)
            self.child.wait(15)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        if self in running:
            running.remove(self)


@atexit.register
def stop_all():
    for process in reversed(list(running)):
        process.stop()


def describe():
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), Linux {platform.release()}"


def write(page, marker, text):
    """Replaces the text between the markers of a page."""
    page = pathlib.Path(page)
    start, end = f"<!-- {marker} -->\n", f"<!-- end of {marker} -->"
    before, found_start, rest = page.read_text().partition(start)
    _, found_end, after = rest.partition(end)
    if not found_start or not found_end:
        fail(f"{page} has no markers for {marker}")
    page.write_text(before + start + text + "\n" + end + after)
