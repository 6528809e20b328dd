"""What an exercise calls to tell the reader how far they are; a module for each chapter."""

from importlib import import_module
from typing import Any

from d2lcnn.checks._answers import NotTried, Wrong, touched


def check(exercise: str, answer: Any) -> None:
    """Print whether `answer` solves the exercise, such as "2.3"; if not, what was expected and on which input.

    Never raises: an unknown exercise, an untouched answer (`...`) and an error inside the reader's own function are
    reported in words too.
    """
    try:
        chapter, number = str(exercise).split(".")
        judge = getattr(import_module(f"d2lcnn.checks.chapter{int(chapter)}"), f"exercise_{int(number)}")
    except (ValueError, AttributeError, ModuleNotFoundError):
        print(f'There is no exercise "{exercise}": give chapter and number, such as "2.3".')
        return
    try:
        judge(touched(answer))
    except NotTried as remedy:
        print(f"Exercise {exercise}: not tried yet. {remedy}")
    except Wrong as hint:
        print(f"Exercise {exercise}: not yet. {hint}")
    except Exception as error:
        # An answer of an unforeseen type must not end in a traceback through our code.
        print(f"Exercise {exercise}: not yet. The answer could not be used: {type(error).__name__}: {error}")
    else:
        print(f"Exercise {exercise}: right!")
