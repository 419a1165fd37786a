"""Runs the checks of a driver and says what became of them: `ok name`, `FAIL name: why`, and a last line of counts.

A check is a function, or a coroutine function, marked with `@check`; its name is the sentence that it shows. One that takes longer than
LIMIT has failed. The server is named by the environment: PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE. The checks do not know
whether PostgreSQL itself or something in front of it answers. Arguments name the only checks to run.
"""

import asyncio
import inspect
import os
import random
import signal
import sys
import time
import traceback

LIMIT = 30  # seconds, for one check
CHECKS = []


def check(function):
    """Adds a check to those that `main` runs."""
    CHECKS.append(function)
    return function


def main():
    """Runs all checks in the order of their definition and ends the program."""
    wanted = [one for one in CHECKS if one.__name__ in sys.argv[1:] or not sys.argv[1:]]
    failed = sum(not _passes(one) for one in wanted)
    print(f"{len(wanted) - failed} ok, {failed} failed", flush=True)
    sys.exit(1 if failed or not wanted else 0)


def _passes(function):
    try:
        if inspect.iscoroutinefunction(function):
            asyncio.run(asyncio.wait_for(function(), LIMIT))
        else:
            signal.signal(signal.SIGALRM, _too_long)
            signal.alarm(LIMIT)
            try:
                function()
            finally:
                signal.alarm(0)
    except Exception as error:  # whatever it is, it is reported and the next check runs
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.name == function.__name__]
        line = f" (line {lines[-1]})" if lines else ""
        print(f"FAIL {function.__name__}: {type(error).__name__}: {' '.join(str(error).split())}{line}", flush=True)
        return False
    print(f"ok {function.__name__}", flush=True)
    return True


def _too_long(_signal, _frame):
    raise TimeoutError(f"no end within {LIMIT} s")


def same(seen, expected, what=""):
    """The check fails unless both are equal and of the same type."""
    if seen != expected or type(seen) is not type(expected):
        raise AssertionError(f"{what} expected {expected!r}, seen {seen!r}"[:600])


def fails(error, work):
    """The error of this class that `work` must end with."""
    try:
        work()
    except error as caught:
        return caught
    raise AssertionError(f"no {error.__name__}")


async def fails_async(error, work):
    """The error of this class that an awaitable must end with."""
    try:
        await work
    except error as caught:
        return caught
    raise AssertionError(f"no {error.__name__}")


def served_by(backends):
    """Says how many servers have served one connection; whoever started this program knows how many it must be."""
    print(f"servers {len(set(backends))}", flush=True)


def server():
    """Where to connect, as (host, port, user, password, database)."""
    return tuple(os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"))


def pause():
    """A moment in which others get servers and give them back."""
    time.sleep(random.uniform(0, 0.004))


async def pause_async():
    """The same for coroutines."""
    await asyncio.sleep(random.uniform(0, 0.004))
