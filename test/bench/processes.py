"""What running processes cost, from /proc."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def find(words):
    """{pid: program name} of processes whose command line has `words`."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(words in word for word in command):
            found[int(entry.name)] = os.path.basename(command[0])
    return found


def cpu_seconds(pid):
    """User and system time of a process with all its threads, in ticks of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def precise_cpu_seconds(pid):
    """The same in nanoseconds, of threads that live: for what costs next to nothing."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except OSError:
            continue  # it ended
    return total / 1e9


def memory_mb(pid):
    """{rss, pss, anon}: resident; the same with shared pages divided among those who share them; what
    is the process's alone and no file's."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        sizes[name.rstrip(":")] = int(value)
    return {
        "rss": sizes["Rss"] / 1024,
        "pss": sizes["Pss"] / 1024,
        "anon": sizes["Anonymous"] / 1024,
        "threads": len(os.listdir(f"/proc/{pid}/task")),
    }


def cpu_share(pids, seconds):
    """Share of one core that each process uses while nothing is asked of it."""
    before = {pid: precise_cpu_seconds(pid) for pid in pids}
    time.sleep(seconds)
    return {pid: (precise_cpu_seconds(pid) - before[pid]) / seconds for pid in pids}
