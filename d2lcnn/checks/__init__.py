"""What an exercise calls to tell the reader how far they are; a module for each chapter."""

from importlib import import_module
from typing import Any

import torch

from d2lcnn.checks import _progress
from d2lcnn.checks._answers import NotTried, Wrong, cut, safely, touched
from d2lcnn.checks._guard import Overtime, guarded

CHAPTERS = range(1, 11)
_hinted: dict[str, int] = {}  # how many hints of an exercise have been given in this session


def check(exercise: str, answer: Any) -> None:
    """Print whether `answer` solves the exercise, such as "2.3"; if not, what was expected and on which input.

    Never raises: an unknown exercise, an untouched answer (`...`), an error, an endless loop and a call of exit inside
    the reader's own function are reported in words too. Only an interrupt by the reader passes. The answer, random
    states and settings stay as they were.
    """
    found = _exercise(exercise)
    if found is None:
        print(_unknown(exercise))
        return
    try:
        said = _judged(found, answer)
    except Overtime:  # between two steps of ours
        said = f"not yet. {_overtime(found.seconds)}"
    print(f"Exercise {exercise}: {said}")
    if said == "right!":
        _progress.note(str(exercise))


def hint(exercise: str) -> None:
    """Print the next of the exercise's three hints: the idea, the formula, a small case worked out.

    Never raises; says when it is the last.
    """
    found, exercise = _exercise(exercise), str(exercise)
    if found is None:
        print(_unknown(exercise))
        return
    count = _hinted.get(exercise, 0)
    place = min(count, len(found.hints) - 1)
    _hinted[exercise] = place + 1
    which = f"hint {place + 1} of {len(found.hints)}"
    if place == len(found.hints) - 1:
        which += ", the last" if count < len(found.hints) else ", the last (there is no further one)"
    print(f"Exercise {exercise}, {which}: {found.hints[place]}")


def progress() -> None:
    """Print which exercises are solved, chapter by chapter, and the file in which that is kept.

    The file is `progress.json` in the user's folder for data; the variable D2LCNN_PROGRESS names another, or is "off".
    Never raises.
    """
    solved = _progress.solved()
    for chapter in CHAPTERS:
        numbers = [f"{chapter}.{number}" for number in _exercises(chapter)]
        done = [number for number in numbers if number in solved]
        left = [number for number in numbers if number not in solved]
        rest = f"; next: {left[0]}" if done and left else ""
        print(f"Chapter {chapter:>2}: {len(done)} of {len(numbers)} solved{rest}")
    print(_progress.place())


def _exercises(chapter: int) -> dict:
    with torch.random.fork_rng([]):  # a module draws weights when it is first imported
        module = import_module(f"d2lcnn.checks.chapter{chapter}")
    return module.EXERCISES


def _exercise(number: str):
    try:
        chapter, place = str(number).split(".")
        return _exercises(int(chapter))[int(place)]
    except Exception:  # whatever a reader may hand over, it is no number of an exercise
        return None


def _unknown(exercise: Any) -> str:
    return f'There is no exercise "{cut(safely(str, exercise), 40)}": give chapter and number, such as "2.3".'


def _judged(exercise, answer: Any) -> str:
    try:
        with guarded(exercise.seconds):
            exercise.task(touched(answer))
    except NotTried as remedy:
        return f"not tried yet. {remedy}"
    except Wrong as told:
        return f"not yet. {told}"
    except Overtime:
        return f"not yet. {_overtime(exercise.seconds)}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # An answer of an unforeseen type must not end in a traceback through our code.
        reason = cut(f"{type(error).__name__}: {safely(str, error)}", 300)
        return f"not yet. The answer could not be used: {reason}"
    return "right!"


def _overtime(seconds: float) -> str:
    return f"Your code was stopped after {seconds:.3g} seconds: is there a loop that does not end?"
