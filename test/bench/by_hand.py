"""What a database costs without us: the programs of its package, run as a person would."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

POLL = 0.01


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed")
    return found


def select_1(options, password=None):
    """Whether the server answers."""
    environment = {**os.environ, **({"MYSQL_PWD": password} if password else {})}
    answered = subprocess.run(
        [program("mariadb"), "--no-defaults", *options, "--batch", "--skip-column-names", "-e",
         "SELECT 1"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=False)
    return answered.stdout.strip() == b"1"


def await_select_1(options, password=None, within=120):
    end = time.monotonic() + within
    while not select_1(options, password):
        if time.monotonic() > end:
            raise RuntimeError("no answer to SELECT 1")
        time.sleep(POLL)


def fresh_mariadb():
    """Seconds for mariadb-install-db, a start and the first SELECT 1."""
    folder = tempfile.mkdtemp(prefix="trove-bench-hand.")
    data = str(Path(folder) / "data")
    socket = str(Path(folder) / "sock")
    user = ["--user=root"] if os.geteuid() == 0 else []
    server = None
    try:
        begun = time.monotonic()
        subprocess.run(
            [program("mariadb-install-db"), "--no-defaults", *user, f"--datadir={data}",
             "--skip-test-db", "--auth-root-authentication-method=normal"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = subprocess.Popen(
            [program("mariadbd"), "--no-defaults", *user, f"--datadir={data}",
             f"--socket={socket}", "--skip-networking"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_select_1([f"--socket={socket}", "--user=root"])
        return time.monotonic() - begun
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        shutil.rmtree(folder)
