"""What an error says of the value that came."""

from typing import Any


def described(value: Any) -> str:
    """`value` in under 80 characters: an array or tensor by its type and shape, a long text cut short."""
    shape = getattr(value, "shape", None)
    if shape is not None and not isinstance(value, type):
        return f"{type(value).__name__} of {getattr(value, 'dtype', 'unknown type')} and shape {tuple(shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        return f"the function {value.__name__}" if hasattr(value, "__name__") else f"a {type(value).__name__}"
    if type(value).__repr__ is object.__repr__:  # its address would say nothing
        return f"a {type(value).__name__}"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # the error to be told is another
        return f"a {type(value).__name__}"
    return text if len(text) < 80 else f"{type(value).__name__} {text[:50]}..."
