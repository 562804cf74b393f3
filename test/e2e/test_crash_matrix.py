"""Every boundary of every workflow: the task manager is killed (-9) there, before and after each
commit and each call of the provisioner, and started again; and what is left in the end is what an
undisturbed run leaves. The boundaries are found by an undisturbed run that counts them, so that a
new step is tested by itself. The same with the other processes killed while the task manager stands
still at a boundary.

  test_crash_matrix.py [--seed N] [--kinds create,delete,…]

TROVE_MATRIX=all tries every boundary; otherwise so many of each workflow as TROVE_MATRIX says (3),
chosen by the seed, which is printed. TROVE_MESHES (2) meshes work side by side."""

import argparse
import contextlib
import os
import queue
import random
import signal
import sys
import threading
import time

import faults
from faults import KINDS, FaultMesh, clean, eventually, prepare, rest, settle, start

MATRIX = os.environ.get("TROVE_MATRIX", "3")
MESHES = int(os.environ.get("TROVE_MESHES", "2"))
WITHIN = 45  # seconds that an operation may take with everything that is done to it
CANCELLED = [kind for kind in KINDS if kind != "delete"]
VICTIMS = ("trove-keeper", "trove-agent-sample", "trove-agent-sample-server", "trove-conductor", "trove-api",
           "nats-server")


class Failed(Exception):
    pass


class Kind:
    """One workflow, cancelled or not, as an undisturbed run goes."""

    def __init__(self, kind, cancelled_at=None):
        self.kind = kind
        self.cancelled_at = cancelled_at
        self.boundaries = []
        self.ended = None
        self.expected = None  # the state it leaves
        self.uncancelled = None  # the same workflow when nobody cancels it
        self.otherwise = {}  # the state by how it ended, when that was neither

    def __str__(self):
        return self.kind + ("" if self.cancelled_at is None else f", cancelled at {self.cancelled_at}")


def compare(mesh, case, operation):
    """What differs from an undisturbed run; empty: nothing. Whether a cancel still comes in time is
    decided by moments, so that one may end as either; then as that one always does."""
    how = mesh.wait_ended(operation, WITHIN)
    if how == case.ended:
        return settle(mesh, operation, case.expected)
    if case.cancelled_at is None or how == "FAILED":
        different = settle(mesh, operation, case.expected, within=2)
        return [f"ended {how} and not {case.ended}", *different]
    if how == case.uncancelled.ended:
        return settle(mesh, operation, case.uncancelled.expected)
    state = rest(mesh, operation)
    return faults.differences(case.otherwise.setdefault(how, state), state)


def stop_there(mesh, run):
    """Waits until the task manager stands still at its boundary; None when it never came there."""
    return lambda operation: eventually(
        lambda: mesh.fired(run) or faults.ended_within(mesh, operation), WITHIN, "the boundary is reached") and mesh.fired(run)


def go_on(mesh):
    mesh.kill_service("trove-taskmanager", signal.SIGCONT)


def cancel_at(mesh, case, instance, then):
    """Begins the operation and cancels it while the task manager stands at the case's boundary; then
    calls `then` and goes on. Returns instance and operation; None when it came there never."""
    run = mesh.plan("stop", case.cancelled_at)
    instance, operation = start(mesh, case.kind, instance)
    if not stop_there(mesh, run)(operation):
        return instance, operation, False
    # Around a commit it holds the store's lock, and the request would wait for it.
    if "commit" in mesh.fired(run).label:
        then()
        go_on(mesh)
        try_cancel(mesh, operation)
    else:
        try_cancel(mesh, operation)
        then()
        go_on(mesh)
    return instance, operation, True


def try_cancel(mesh, operation):
    import grpc
    try:
        faults.cancel(mesh, operation)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
            raise  # else it is too late for it, or it has ended


def undisturbed(mesh, case):
    """Counts the boundaries, and remembers how it ends."""
    instance = prepare(mesh, case.kind)
    if case.cancelled_at is None:
        run = mesh.plan("count")
        instance, operation = start(mesh, case.kind, instance)
    else:
        runs = []
        instance, operation, there = cancel_at(mesh, case, instance, lambda: runs.append(mesh.plan("count")))
        if not there:
            clean(mesh, instance)
            return
        run = runs[0]
    case.ended = mesh.wait_ended(operation, WITHIN)
    case.expected = rest(mesh, operation)
    case.boundaries = [b.label for b in mesh.boundaries(run)]
    # Those after its end are not its own.
    clean(mesh, instance)


def disturbed(mesh, case, index):
    """Kills the task manager at one boundary. False: the run did not come by it."""
    instance = prepare(mesh, case.kind)
    run = None
    if case.cancelled_at is None:
        run = mesh.plan("kill", index)
        instance, operation = start(mesh, case.kind, instance)
    else:
        runs = []
        instance, operation, there = cancel_at(mesh, case, instance,
                                               lambda: runs.append(mesh.plan("kill", index)))
        run = runs[0] if there else None
    different = compare(mesh, case, operation)
    came = run is not None and mesh.fired(run)
    if different:
        raise Failed(f"killed at {index} ({came and came.label}):\n  " + "\n  ".join(different) +
                     f"\n  {history(mesh, operation)}")
    clean(mesh, instance)
    return bool(came)


def other_killed(mesh, case, index, victim):
    """Kills another process while the task manager stands at a boundary."""
    instance = prepare(mesh, case.kind)
    run = mesh.plan("stop", index)
    instance, operation = start(mesh, case.kind, instance)
    there = stop_there(mesh, run)(operation)
    mesh.forget_plan()  # else whoever looks after the guest later stops there
    killed = False
    for pid in mesh.service(victim):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed = True
    go_on(mesh)
    different = compare(mesh, case, operation)
    if different:
        raise Failed(f"{victim} killed at {index} ({there and there.label}):\n  " + "\n  ".join(different) +
                     f"\n  {history(mesh, operation)}")
    clean(mesh, instance)
    return bool(there) and killed


def history(mesh, operation):
    row = mesh.operation(operation)
    steps = mesh.rows("SELECT name, state, attempts, last_error FROM operation_steps WHERE operation_id = ? "
                      "ORDER BY position", operation)
    return {key: row[key] for key in ("kind", "state", "current_step", "reason", "error")} if row else None, steps


class Matrix:
    def __init__(self, seed, kinds):
        self.random = random.Random(seed)
        self.kinds = kinds
        self.failures = []
        self.done = self.missed = 0
        self.lock = threading.Lock()

    def chosen(self, count):
        if MATRIX == "all":
            return list(range(count))
        return sorted(self.random.sample(range(count), min(int(MATRIX), count)))

    def each(self, jobs):
        """Runs (name, job) on the meshes, a mesh a thread; one that fails gets another mesh."""
        waiting = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        def work():
            mesh = None
            try:
                while True:
                    with contextlib.suppress(queue.Empty):
                        name, job = waiting.get_nowait()
                        mesh = mesh or ready_mesh()
                        try:
                            came = job(mesh)
                            with self.lock:
                                self.done += 1
                                self.missed += came is False
                        except Exception as why:  # pylint: disable=broad-except
                            with self.lock:
                                self.failures.append(f"{name}: {why}")
                                print(f"FAIL {name}: {type(why).__name__} {why}", flush=True)
                            broken, mesh = mesh, None
                            with contextlib.suppress(Exception):
                                broken.close()
                        continue
                    return
            finally:
                if mesh:
                    try:
                        mesh.close()
                    except AssertionError as left:
                        with self.lock:
                            self.failures.append(str(left))
        threads = [threading.Thread(target=work) for _ in range(MESHES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run(self):
        cases = [Kind(kind) for kind in self.kinds]
        self.each([(f"{case} undisturbed", lambda mesh, case=case: undisturbed(mesh, case)) for case in cases])
        cases = [case for case in cases if case.expected]
        for case in cases:
            print(f"{case}: {case.ended}, {len(case.boundaries)} boundaries", flush=True)
            if len(case.boundaries) < 4:
                self.failures.append(f"{case}: hardly a boundary was counted: {case.boundaries}")
        cancelled = [Kind(case.kind, index) for case in cases if case.kind in CANCELLED
                     for index in self.chosen_cancels(case)]
        for case in cancelled:
            case.uncancelled = next(each for each in cases if each.kind == case.kind)
        self.each([(f"{case} undisturbed", lambda mesh, case=case: undisturbed(mesh, case))
                   for case in cancelled])
        for case in cancelled:
            print(f"{case}: {case.ended}, {len(case.boundaries)} boundaries after it", flush=True)
        jobs = [(f"{case} killed at {index}", lambda mesh, case=case, index=index: disturbed(mesh, case, index))
                for case in [*cases, *(case for case in cancelled if case.expected)]
                for index in self.chosen(len(case.boundaries))]
        for case in cases:
            for victim in VICTIMS:
                for index in self.random.sample(range(len(case.boundaries)),
                                                min(len(case.boundaries), 3 if MATRIX == "all" else 1)):
                    if MATRIX == "all" or self.random.random() < 0.4:
                        jobs.append((f"{case}, {victim} killed at {index}",
                                     lambda mesh, case=case, index=index, victim=victim:
                                     other_killed(mesh, case, index, victim)))
        self.random.shuffle(jobs)
        self.each(jobs)

    def chosen_cancels(self, case):
        count = len(case.boundaries)
        if MATRIX == "all":
            return sorted({count // 4, count // 2, 3 * count // 4})
        return [self.random.randrange(1, max(2, 3 * count // 4))]


def ready_mesh():
    mesh = FaultMesh()
    try:
        mesh.up()
        mesh.config_group = mesh.group(dynamic="7")
        mesh.remove(mesh.make_ready())  # its template is there from now on
    except BaseException:
        with contextlib.suppress(Exception):
            mesh.close()
        raise
    return mesh


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    print(f"--seed {options.seed}, TROVE_MATRIX={MATRIX}", flush=True)
    begun = time.monotonic()
    matrix = Matrix(options.seed, options.kinds.split(","))
    matrix.run()
    print(f"{matrix.done} runs, {matrix.missed} of them never came to their boundary, "
          f"{len(matrix.failures)} failed, {time.monotonic() - begun:.0f} s", flush=True)
    if matrix.missed > matrix.done // 4:
        matrix.failures.append("too many runs never came to their boundary")
    for failure in matrix.failures:
        print(f"\n{failure}")
    return 1 if matrix.failures else 0


if __name__ == "__main__":
    sys.exit(main())
