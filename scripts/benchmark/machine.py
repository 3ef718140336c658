"""The machine: cores, processes with what they use of both, and a temporary PostgreSQL."""
import glob
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")


def fail(why):
    sys.exit(f"bench: {why}")


def note(text):
    """What goes on, beside what comes of it."""
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pinned(core, command):
    """A command on one core, and whatever it starts."""
    return ["taskset", "-c", str(core), *map(str, command)]


def times_of(pid):
    """What a process has had of the processor, and what those that it started and that ended had, in seconds."""
    own, system, ended, ended_system = map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15])
    return (own + system) / TICKS, (ended + ended_system) / TICKS


def seconds_of(pid):
    return times_of(pid)[0]


def children_of(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory_of(pid):
    """What it has of the machine's memory, in MiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    fail(f"process {pid} is gone")


class Process:
    """Something that was started, on one core, and is stopped at the end."""

    def __init__(self, core, command, log, **options):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(pinned(core, command), stdout=self.log, stderr=self.log, **options)
        self.pid = self.process.pid

    def until_it_listens(self, port, pause=0.02):
        while True:
            if self.process.poll() is not None:
                fail(f"it ended at its start; its log: {pathlib.Path(self.log.name).read_text()[-2000:]}")
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(pause)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)
        self.log.close()


class Postgres:
    """A server of its own in a temporary folder, with its defaults: what it says to have stored is on the disk."""

    name = "PostgreSQL"

    def __init__(self, folder, core):
        self.programs = self.find()
        self.folder, self.port = folder / "postgres", free_port()
        # PostgreSQL refuses to run as root; its user passes through the folders above its own.
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder.mkdir(mode=0o700)
        if self.user:
            for above in (folder, folder.parent):
                above.chmod(0o711)
            shutil.chown(self.folder, "postgres", "postgres")
        subprocess.run([self.programs / "initdb", "-D", self.folder, "-U", "souk", "-A", "trust", "--locale=C.UTF-8", "-E",
                        "UTF8"], check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **self.user)
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self.server = Process(core, [self.programs / "postgres", "-D", self.folder, *settings], folder / "postgres.log",
                              cwd=self.folder, **self.user)
        self.server.until_it_listens(self.port)

    @staticmethod
    def find():
        found = [os.environ.get("SOUK_TEST_POSTGRES_BIN", ""), *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
        for folder in map(pathlib.Path, filter(None, found)):
            if (folder / "initdb").exists():
                return folder
        fail("no PostgreSQL server (Debian: apt-get install postgresql), or set SOUK_TEST_POSTGRES_BIN")

    def create(self, name):
        """The address of a new database."""
        self.run("postgres", f"CREATE DATABASE {name}")
        return f"postgres://souk@127.0.0.1:{self.port}/{name}"

    def run(self, database, sql):
        command = [self.programs / "psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U",
                   "souk", "-d", database]
        for _ in range(200):
            done = subprocess.run(command, input=sql, text=True, capture_output=True)
            if "starting up" not in done.stderr:
                break
            time.sleep(0.05)
        if done.returncode:
            fail(done.stderr)
        return done.stdout

    def settle(self, database):
        """Statistics as they would be after a night, and no cleaning in the middle of a run."""
        self.run(database, "VACUUM ANALYZE")
        self.run(database, "CHECKPOINT")

    def seconds(self):
        """Of all its processes, also those that have ended: it starts some of its own, now and then."""
        total = sum(times_of(self.server.pid))
        for child in children_of(self.server.pid):
            try:
                total += seconds_of(child)
            except FileNotFoundError:
                continue
        return total

    def stop(self):
        self.server.stop(signal.SIGINT)


class Sqlite:
    """A file. The server does its work, so it has no share of its own."""

    name = "SQLite"

    def __init__(self, folder, _core):
        self.folder = folder

    def create(self, name):
        return f"sqlite://{self.folder}/{name}.db"

    def settle(self, _database):
        pass

    def seconds(self):
        return 0.0

    def stop(self):
        pass
