"""Running what a reader wrote so that the notebook survives it: it ends, it fits into memory, it leaves no trace."""

import builtins
import contextlib
import ctypes
import io
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

SECONDS = 15.0  # that a check lets the reader's code run
MEMORY = 2 * 2**30  # bytes that it may take beside what the notebook holds
PRINTED = 2_000  # characters of what it prints that are shown


class Overtime(BaseException):
    """The reader's code ran too long; no Exception, so that an `except Exception` in it does not keep it alive."""


@contextlib.contextmanager
def guarded(seconds: float) -> Iterator[None]:
    """Within it, code is stopped by Overtime after `seconds`, has MEMORY to itself and prints up to PRINTED characters.

    After it the random states, the default dtype, threads, gradients, warnings and the streams are as they were. A time
    limit needs no signal: a watching thread raises Overtime in this one, on every system and in every thread, at the
    next step of Python. What runs in C (one huge matrix product, `sum(itertools.count())`) takes no such step: nothing
    within the process can stop it.
    """
    with _state_kept(), _memory_bounded(), _output_cut(), _exit_disarmed():
        watch = _Watch(seconds)
        try:
            yield
        finally:
            watch.stop()


class _Watch:
    """A thread that raises Overtime in the thread that made it, again and again until it is stopped."""

    def __init__(self, seconds: float) -> None:
        self.watched = threading.get_ident()
        self.deadline = time.monotonic() + seconds
        self.fired = False
        self.stopped = threading.Lock()
        self.stopped.acquire()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        # Once is not enough where a bare `except` swallows it.
        while not self.stopped.acquire(timeout=max(0.2, self.deadline - time.monotonic())):
            if time.monotonic() >= self.deadline and not _importing(self.watched):
                self.fired = True
                _raise_in(self.watched)

    def stop(self) -> None:
        while True:
            try:
                if self.thread.is_alive() and self.stopped.locked():
                    self.stopped.release()
                self.thread.join()
                break
            except Overtime:
                pass
        if self.fired:
            # What may still be on its way would strike the reader later: let it come now. To take it back instead
            # leaves CPython 3.11 looking for it at every step, and hanging where a trace function is set.
            with contextlib.suppress(Overtime):
                _raise_in(self.watched)
                while True:
                    time.sleep(0)


def _importing(thread: int) -> bool:
    """Whether the thread imports a module, which would be left half-imported for the rest of the session."""
    frame = sys._current_frames().get(thread)
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Overtime))


@contextlib.contextmanager
def _state_kept() -> Iterator[None]:
    dtype, threads, numbers = torch.get_default_dtype(), torch.get_num_threads(), random.getstate()
    array_numbers, deterministic = np.random.get_state(), torch.are_deterministic_algorithms_enabled()
    tracer, profiler, folder = sys.gettrace(), sys.getprofile(), _folder()
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    try:
        with (
            torch.random.fork_rng(gpus),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.device("cpu"),
            np.errstate(),
            warnings.catch_warnings(),
        ):
            torch.set_default_dtype(torch.float32)  # the inputs' own
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)
        random.setstate(numbers)
        np.random.set_state(array_numbers)
        if sys.gettrace() is not tracer:
            sys.settrace(tracer)
        if sys.getprofile() is not profiler:
            sys.setprofile(profiler)
        if folder and folder != _folder():
            os.chdir(folder)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109, since it is compared and handed back
    except OSError:  # deleted under the reader's feet
        return ""


@contextlib.contextmanager
def _memory_bounded() -> Iterator[None]:
    """On Linux, where more memory is promised than there is; a GPU's driver reserves addresses that are no memory."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        pages = 0
    if not pages or torch.cuda.is_initialized():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = pages * resource.getpagesize() + MEMORY
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([bound, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _Cut(io.TextIOBase):
    """Hands on what is printed, up to PRINTED characters."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.left = stream, PRINTED

    def write(self, text: str) -> int:
        if self.left > 0:
            self.stream.write(text[: self.left])
            if len(text) > self.left:
                self.stream.write(f"\n[cut: your code prints more than {PRINTED:,} characters]\n")
            self.left -= len(text)
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    @property
    def encoding(self) -> str:
        return getattr(self.stream, "encoding", "utf-8")


@contextlib.contextmanager
def _output_cut() -> Iterator[None]:
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Cut(out), _Cut(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


@contextlib.contextmanager
def _exit_disarmed() -> Iterator[None]:
    """In a notebook `exit()` raises nothing: it asks the kernel to end, once the cell is done. Nobody may be asked."""

    def leave(*args: Any) -> None:
        raise SystemExit

    console = sys.modules.get("IPython")
    shell = console.get_ipython() if console else None
    exits = {name: getattr(builtins, name) for name in ("exit", "quit", "input") if hasattr(builtins, name)}
    builtins.input = _no_input
    if shell is not None:
        asked = shell.__dict__.get("ask_exit")
        shell.__dict__["ask_exit"] = leave
    try:
        yield
    finally:
        for name, value in exits.items():
            setattr(builtins, name, value)
        if shell is not None:
            if asked is None:
                del shell.__dict__["ask_exit"]
            else:
                shell.__dict__["ask_exit"] = asked


def _no_input(*args: Any) -> str:
    raise EOFError("a check answers no input()")
