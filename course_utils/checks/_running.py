"""Run a learner's function: for a bounded time, in bounded memory, and so that a stop stops it."""

import contextlib
import ctypes
import functools
import importlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

PROCESSOR_LIMIT = 10.0  # seconds of the processor's time for one call; imports are not counted
WAITING_LIMIT = 60.0  # seconds by the clock, for what waits and computes nothing; imports are not counted
MEMORY_LIMIT = 2 * 2**30  # bytes more than before the call
PATIENCE = 10.0  # seconds by the clock that a stop may take
OUTPUT_LIMIT = 2000  # characters that one check prints

ENDLESS = (
    "It was still running after {seconds:.0f} seconds and was stopped. Is there a loop that never ends, or one over "
    "every element where one tensor operation would do?"
)
TOO_LARGE = (
    f"It asked for more than {MEMORY_LIMIT / 2**30:.0f} GB of memory and was stopped. Is there a list that grows "
    "without end, or a table of all pairs of many things?"
)
UNSTOPPABLE = " It does not react and may go on in the background: restart the kernel before you go on."


class Stopped(BaseException):
    """Raised in the learner's code when it has to end; no `except Exception` catches it."""


class Overrun(Exception):
    """The call took too much time or memory; the message says so to the learner."""


class Raised(Exception):
    """The call raised an exception of its own, which is in `error`; `lines` are those that it came through."""

    def __init__(self, error: BaseException, lines: traceback.StackSummary):
        super().__init__(error)
        self.error, self.lines = error, lines


def run_limited(fn: Callable[[], Any]) -> Any:
    """Call fn() in a thread of its own.

    Returns:
        What fn returns.

    Raises:
        Overrun: It took more time or memory than it may. It has been stopped.
        Raised: fn raised an exception. What is raised from outside, an interrupt, stops fn first and then goes on.
    """
    outcome, ended = {}, threading.Lock()
    ended.acquire()
    thread = threading.Thread(target=_work, args=(fn, outcome, ended), daemon=True, name="answer")
    with _bounded_memory():
        try:
            thread.start()
            seconds = _watch(thread, outcome, ended)
        except BaseException:
            _stop(thread, outcome)
            raise
        if seconds is not None:
            raise Overrun(ENDLESS.format(seconds=seconds) + ("" if _stop(thread, outcome) else UNSTOPPABLE))
        thread.join(1.0)  # the little that comes after fn
    error = outcome.pop("error", None)
    if error is None:
        return outcome["result"]
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error)):
        raise Overrun(TOO_LARGE) from None
    raise Raised(error, outcome["lines"])


def _work(fn: Callable[[], Any], outcome: dict, ended: threading.Lock) -> None:
    """What the thread does. Whether it has ended stands in outcome: after an interrupt, Thread.is_alive is mistaken."""
    try:
        try:
            outcome["result"] = fn()
        finally:
            outcome["over"] = True  # nothing is raised here from now on, but for what is on its way already
            if "insistent" in outcome:
                outcome["insistent"].__init__ = BaseException.__init__
            for _ in (1, 2, 3):  # and that comes here
                pass
    except BaseException as error:
        outcome["lines"] = traceback.extract_tb(error.__traceback__)
        outcome["error"] = error
        _forget_frames(error)
    outcome["ended"] = True
    ended.release()


def _forget_frames(error: BaseException | None) -> None:
    """Let what the frames of an error hold end in this thread: PyTorch's guards belong to it, and printing makes some.

    Such a guard that ended in another thread would corrupt the memory of both.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error.__traceback__, error = None, error.__context__


def _raising(ident: int, exception: type[BaseException]) -> Callable[[], None]:
    """A function that has an exception raised in a thread at its next Python instruction; it contains none itself."""
    call = ctypes.pythonapi["PyThreadState_SetAsyncExc"]
    call.restype = None
    return functools.partial(call, ctypes.c_ulong(ident), ctypes.py_object(exception))


def _settle() -> None:
    """Have one exception raised here, and catch it.

    Python 3.11 remembers that somewhere one is to be raised until one has been. If the thread ended before that, it
    never forgets, and hangs as soon as somebody traces or profiles a function.
    """
    with contextlib.suppress(Stopped):
        _raising(threading.get_ident(), Stopped)()
        for _ in range(100):
            pass


def _insistent(ident: int) -> type[BaseException]:
    """A kind of Stopped that comes back until the answer has ended, against a bare `except:` in a loop.

    Python makes an exception where it raises it. The making of this one asks for the next one, which is then raised
    after the `except`, outside of its `try`.
    """
    insistent = type("Insistent", (Stopped,), {})
    insistent.__init__ = _raising(ident, insistent)
    return insistent


def _watch(thread: threading.Thread, outcome: dict, ended: threading.Lock) -> float | None:
    """Wait until the thread ends (None), or has used up its time (the seconds that it has used)."""
    start = clock = time.monotonic()
    used = _processor_time(thread)
    begun, pause = used, 0.001
    while True:
        ended.acquire(timeout=pause)
        if "ended" in outcome:
            return None
        pause = min(2 * pause, 0.02)
        was_used, was_clock, used, clock = used, clock, _processor_time(thread), time.monotonic()
        if _importing(thread):  # neither counted nor cut in half
            begun, start = begun + used - was_used, start + clock - was_clock
        elif used - begun > PROCESSOR_LIMIT:
            return used - begun
        elif clock - start > WAITING_LIMIT:
            return clock - start


def _processor_time(thread: threading.Thread) -> float:
    """Seconds that the processor has spent on a thread; on the whole process where a system does not tell."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    except (AttributeError, OSError, OverflowError):
        return time.process_time()


def _importing(thread: threading.Thread) -> bool:
    """Whether a thread is inside an import, which would leave half a module behind if it were stopped.

    Python keeps a lock for each module that is being imported. To look at the thread's frames instead, while it runs,
    crashes Python 3.11 now and then.
    """
    locks = [lock() for lock in list(getattr(importlib._bootstrap, "_module_locks", {}).values())]
    return any(getattr(lock, "owner", None) == thread.ident for lock in locks)


def _stop(thread: threading.Thread, outcome: dict) -> bool:
    """Raise Stopped in a thread until it has ended, never inside an import; False where that took too long."""
    begin = time.monotonic()
    while thread.ident is None and time.monotonic() - begin < 1:  # interrupted while it was being started
        time.sleep(0.002)
    outcome["insistent"] = _insistent(thread.ident or 0)
    once, insistently = (_raising(thread.ident or 0, kind) for kind in (Stopped, outcome["insistent"]))
    while "ended" not in outcome and (waited := time.monotonic() - begin) < PATIENCE:
        raise_in_it = once if waited < 1 else insistently
        if not _importing(thread) and "over" not in outcome:  # from here to the next line no other thread can run
            raise_in_it()
        time.sleep(0.002 if waited < 1 else 0.05)
    if "ended" in outcome:
        thread.join(1.0)
        _settle()
    return "ended" in outcome


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """Let the process have MEMORY_LIMIT more than it has now. Only Linux keeps such a limit."""
    try:
        import resource

        with open("/proc/self/status") as status:
            now = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmData"))
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        mine = now + MEMORY_LIMIT
        resource.setrlimit(resource.RLIMIT_DATA, (mine if soft < 0 else min(mine, soft), hard))
    except (ImportError, OSError, StopIteration, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


class _Shortened:
    """A stream that passes on the first OUTPUT_LIMIT characters only."""

    def __init__(self, stream):
        self.stream, self.left = stream, OUTPUT_LIMIT

    def write(self, text: str) -> int:
        if self.left > 0:
            self.stream.write(text[: self.left])
            if len(text) > self.left:
                self.stream.write("\n(What your function prints after this is not shown.)\n")
        self.left -= len(text)
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


def shortened_output() -> contextlib.AbstractContextManager:
    """A context in which little of what is printed is shown, so that an endless print does not fill a notebook."""
    return contextlib.redirect_stdout(_Shortened(sys.stdout))
