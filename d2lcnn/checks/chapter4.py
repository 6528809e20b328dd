"""Exercises of chapter 4: pooling."""

import torch
import torch.nn.functional as F

from d2lcnn.checks._answers import Wrong, call, kind_of, module, numbers, same, tensor
from d2lcnn.checks._tasks import Exercise, Function, Numbers, Statements
from d2lcnn.geometry import pair
from d2lcnn.ops import corr2d, pool2d


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _as_kernel(answer) -> None:
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Wrong(f"The answer is a pair, the kernel and the stride; but this is {kind_of(answer)}.")
    K, stride = tensor(answer[0]).double(), answer[1]
    if K.dim() != 2 or K.numel() > 64:
        raise Wrong(f"A kernel has two axes; this one has the shape {tuple(K.shape)}. The pair is (kernel, stride).")
    steps = (
        numbers(stride, 2, "down, across")
        if hasattr(stride, "__len__") and len(stride) == 2
        else numbers([stride], 1, "stride") * 2
    )
    if any(step != int(step) or step < 1 for step in steps):
        raise Wrong(f"A stride is a whole number of elements, at least 1; this is {steps}.")
    hint = ""
    if tuple(K.shape) != (2, 2):
        hint = "The kernel has the window's shape, 2 by 2."
    elif (K - 0.25).abs().max() > 1e-5:
        hint = "In a mean each of the four elements counts equally" + (
            ", and the four weights add up to 1." if (K - K.mean()).abs().max() < 1e-5 else "."
        )
    elif steps != (2, 2):
        hint = "The windows of pool2d do not overlap: its stride is the window's size unless told."
    X = (torch.arange(24.0) ** 3 % 17).reshape(4, 6).double()
    if K.shape[0] > 4 or K.shape[1] > 6:
        raise Wrong(f"The kernel does not fit a 4 by 6 input. {hint}")
    same(corr2d(X, K, stride=tuple(map(int, steps))), pool2d(X, 2, mode="avg"), "a 4 by 6 input", hint)


def _maximum_pools(names: list[str]) -> str:
    if {"min", "amin", "minimum", "aminmax", "fmin"} & set(names):
        return "build them from maximum pooling: no minimum is taken."
    if not {"max", "amax", "maximum"} & set(names) and not any("max_pool" in name for name in names):
        return 'build them from `pool2d(..., mode="max")`.'
    return ""


# What reading a tensor, its attributes and copying it call.
_HARMLESS = {"__get__", "clone", "contiguous", "detach", "size", "dim", "__len__", "__repr__", "as_tensor", "tensor"}
_SUMS = {"add", "add_", "sub", "sub_", "subtract", "rsub", "neg", "negative", "relu", "relu_", "neg_", "positive"}


def _relu_and_sums(names: list[str]) -> str:
    plain = {name.strip("_").removeprefix("r").removeprefix("i") if name.startswith("__") else name for name in names}
    others = sorted(plain - _HARMLESS - _SUMS - {"elu", "sub", "add", "get", "pos", "len", "repr"})
    if others:
        return f"now get them with torch.relu, + and - alone: it calls {', '.join(others[:3])}, too."
    if not {"relu", "relu_"} & set(names):
        return "now get them with torch.relu, + and - alone: there is no torch.relu in it."
    return ""


def _shift_pooled(X, size, value=-torch.inf, stride=None):
    """Maximum pooling with a padding of half the window, filled with `value`."""
    p = size // 2
    return pool2d(F.pad(X, (p, p, p, p), value=value), size, stride=stride or size)


def _blocks() -> torch.Tensor:
    """A picture of patches, their sides of one to five pixels: what a shift by one pixel does to edges shows in it."""
    rows = torch.cat(
        [torch.full((n,), float(k)) for k, n in enumerate([3, 1, 5, 2, 4, 1, 3, 2, 5, 1, 4, 2, 3, 1, 2, 5])]
    )[:40].long()
    values = torch.rand(16, 16, generator=torch.Generator().manual_seed(3)).round()
    return values[rows][:, rows][None, None]


def _steady(answer) -> None:
    net = module(answer, "layer or a stack of them").eval()
    X = _blocks()
    now, moved = X[..., 4:36, 4:36], X[..., 4:36, 3:35]
    hint = "It is to take pictures of shape (N, 1, 32, 32)."
    with torch.no_grad():
        Y, Z = (tensor(call(net, part.contiguous(), hint=hint)).double() for part in (now, moved))
        flat = tensor(call(net, torch.ones(1, 1, 32, 32))).double()
    if Y.dim() != 4 or tuple(Y.shape[:2]) != (1, 1) or not all(14 <= n <= 17 for n in Y.shape[2:]):
        raise Wrong(f"From (1, 1, 32, 32) half the side is to come out, 14 to 17 elements; but it is {tuple(Y.shape)}.")
    if (flat[..., 4:-4, 4:-4] - 1).abs().max() > 0.01:
        raise Wrong(
            f"A picture that is 1 everywhere is to stay 1 (away from the border), but it becomes "
            f"{flat[0, 0, 7, 7].item():.3g}: "
            "let the weights add up to 1, without a bias."
        )
    inner = (..., slice(3, -3), slice(3, -3))
    change = ((Y - Z)[inner].norm() / (Y - Y[inner].mean())[inner].norm()).item()
    contrast = (Y[inner].std() / now.std()).item()
    if not contrast >= 0.5:
        raise Wrong(
            f"Only {contrast:.0%} of the picture's contrast is left, and half of it is wanted: it is blurred too much."
        )
    if not change <= 0.55:
        raise Wrong(
            f"Moved by one pixel, the picture changes its map by {change:.0%} of the map's own contrast, and 55 % are "
            "allowed. What is sharp before it is thinned out changes most: blur first."
        )


_SIGNED = torch.tensor([[3.0, 1.0, -2.0, 5.0], [4.0, 7.0, 0.0, -1.0], [9.0, 8.0, 6.0, 2.0]])
_POOLED = [
    (_SIGNED, 2),
    (_SIGNED, (1, 2)),
    (_SIGNED, (3, 4)),
    (_random(5, 7), (2, 3)),
    (_random(6, 6, seed=1).abs() + 1, 3),
    (_random(4, 4, seed=2), 1),
]
_PADDED = [
    (torch.tensor([[-1.0, -2.0], [-3.0, -4.0]]), 2),
    (_random(4, 4).abs() + 1, 3),
    (_random(5, 5, seed=1), 3),
    (_random(2, 6, 4, seed=2) - 2, 2),
    (_random(3, 3, seed=3) - 3, 1),
]

EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        _as_kernel,
        (
            "A mean is a sum with equal weights: that is what a kernel does.",
            "For a window of k by k each weight is 1 / k**2, and the stride is the window's side.",
            "A mean over a window of 1 by 4 is the kernel [[0.25, 0.25, 0.25, 0.25]] with a stride of (1, 4).",
        ),
    ),
    2: Exercise(
        "medium",
        "compute",
        Function(
            lambda X, pool_size: -pool2d(-X, pool_size),
            _POOLED,
            [
                (lambda X, s: pool2d(-X, s), "That is the largest of the negatives: the sign must be turned back."),
                (lambda X, s: -pool2d(X, s), "The negatives must be taken before pooling, too."),
                (lambda X, s: pool2d(X, s), "That is the maximum: take it of the negatives."),
                (
                    lambda X, s: -pool2d(-X, s, stride=1),
                    "The stride is to be the window's size: leave it at its default.",
                ),
                (lambda X, s: pool2d(X, s, mode="avg"), "That is the mean."),
                (
                    lambda X, s: pool2d(X, s, mode="avg") * 2 - pool2d(X, s),
                    "Twice the mean less the maximum is the minimum of two elements only.",
                ),
                (lambda X, s: 1 / pool2d(1 / X, s), "Reciprocals turn the order round for positive numbers only."),
                (lambda X, s: -pool2d(-X, pair(s)[::-1]), "The window's height and width are swapped."),
                (
                    lambda X, s: X.amin((-2, -1), keepdim=True),
                    "That is one minimum for the whole picture: pool window by window.",
                ),
            ],
            "Which numbers' largest tells of these numbers' smallest?",
            must=_maximum_pools,
        ),
        (
            "Turn the order of the numbers round: what was smallest is then largest.",
            "min(x) = -max(-x).",
            "Of 3, 1, -2 the negatives are -3, -1, 2; the largest is 2, and the smallest of the numbers is -2.",
        ),
    ),
    3: Exercise(
        "easy",
        "predict",
        Numbers(
            (26, 26),
            ("height", "width"),
            {
                (27, 27): "Rounded down: the last element of 54 is dropped. (It would be 27 for 55.)",
                (18, 18): "That is a stride of 3; here windows of 3 overlap.",
                (25, 25): "The first window counts, besides the steps.",
                (25.5, 25.5): "Rounded down, and then the first window.",
                (26.5, 26.5): "Rounded down: half a window is none.",
                (52, 52): "That is a stride of 1.",
                (53, 53): "That is a stride of 1, and a window of 2.",
            },
            {"height": {27: "Rounded down: the last element of 54 is dropped."}},
            "After the first window, how many steps of 2 fit?",
        ),
        (
            "Pooling is counted like a convolution: windows that fit.",
            "floor((n - k) / s) + 1.",
            "12 elements, window 3, stride 2: 9 / 2 = 4.5, so 4 steps and 5 windows; the last element is dropped.",
        ),
    ),
    4: Exercise(
        "medium",
        "compute",
        Function(
            lambda a, b: torch.relu(a - b) + b,
            [
                (torch.tensor([1.0, -2.0, 3.0, 0.0]), torch.tensor([2.0, -5.0, 3.0, -1.0])),
                (_random(3, 4), _random(3, 4, seed=1)),
                (_random(5, seed=2) - 3, _random(5, seed=3) - 3),
                (_random(2, 1, 3, seed=4) + 3, _random(2, 1, 3, seed=5) + 3),
                (torch.zeros(1), -torch.ones(1)),
            ],
            [
                (lambda a, b: torch.relu(a - b), "That is how much a exceeds b; b itself must still be added."),
                (lambda a, b: torch.relu(a - b) + a, "The excess of a over b belongs on b, not on a."),
                (lambda a, b: torch.relu(b - a) + b, "The excess of b over a belongs on a, not on b."),
                (
                    lambda a, b: torch.relu(a) + torch.relu(b),
                    "A ReLU of each compares nothing: take it of a difference.",
                ),
                (
                    lambda a, b: torch.relu(a - b) + torch.relu(b - a),
                    "That is the distance of the two: one of them must be added.",
                ),
                (lambda a, b: torch.relu(a - b) - b, "The sign of b is the wrong way round."),
                (lambda a, b: a - torch.relu(a - b), "That is the minimum."),
                (lambda a, b: torch.relu(torch.relu(a - b) + b), "One ReLU too many: a maximum may be negative."),
                (lambda a, b: torch.relu(a + b), "How much does one exceed the other? Take the ReLU of a difference."),
                (lambda a, b: a, "b is ignored: how much does a exceed it?"),
                (lambda a, b: b, "a is ignored: how much does it exceed b?"),
            ],
            "relu(a - b) is how much a exceeds b, and 0 where it does not.",
            must=_relu_and_sums,
        ),
        (
            "Start with b. Where a is larger, something must be added: how much?",
            "relu(a - b) is a - b where a is larger, and 0 elsewhere.",
            "a = 5, b = 3: the excess is 2. a = 1, b = 3: the excess is 0. In both cases b plus excess is the maximum.",
        ),
    ),
    5: Exercise(
        "easy",
        "predict",
        Numbers(
            (0, 2),
            ("moved by one", "moved by two"),
            {
                (1, 2): "After one step the 1 still lies in the same window: which elements does the window cover?",
                (2, 2): "After one step the 1 still lies in the same window: which elements does the window cover?",
                (0, 1): "Moved by two, one window loses the 1, and another gains it: both change.",
                (0, 0): "Moved by two, the 1 lies in another window: pooling forgives a shift within a window alone.",
                (1, 1): "Draw the windows: elements 0 and 1, 2 and 3, 4 and 5, 6 and 7.",
                (2, 0): "After two steps the 1 is in the next window, after one in its own still.",
            },
            {},
            "Draw the windows: elements 0 and 1, 2 and 3, 4 and 5, 6 and 7.",
        ),
        (
            "Only the window that holds the 1 puts out a 1. Does it stay in its window?",
            "Element i lies in window i // 2.",
            "A 1 at place 5 lies in window 2; at place 6 it lies in window 3: windows 2 and 3 change.",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    False,
                    "any stride above 1 gives it up, a strided convolution as well: moved by one pixel, it looks at "
                    "other "
                    "windows.",
                ),
                "b": (
                    True,
                    "maximum and mean are taken in each channel alone: none is mixed with another, so they stay as "
                    "many.",
                ),
                "c": (
                    False,
                    "it keeps the largest number, wherever in the window it lay; the place is what it forgets.",
                ),
                "d": (
                    True,
                    "minus infinity is never the largest. A 0 would be, beside negative numbers.",
                ),
                "e": (
                    False,
                    "the maximum is not linear: max(1, 0) + max(0, 1) is 2, but the maximum of the sum (1, 1) is 1. "
                    "Average pooling is a convolution.",
                ),
            }
        ),
        (
            "Try each on a row of four numbers and a window of two.",
            "Equivariant: f(moved X) is f(X) moved. Linear: f(X + Z) = f(X) + f(Z).",
            "Row 0, 0, 1, 0 pooled by two: 0, 1. Moved by one, 0, 0, 0, 1: again 0, 1, and not moved by half an "
            "element.",
        ),
    ),
    7: Exercise(
        "easy",
        "debug",
        Function(
            lambda X, size: _shift_pooled(X, size),
            _PADDED,
            [
                (
                    lambda X, size: _shift_pooled(X, size, value=torch.inf),
                    "Plus infinity wins always: what can never be the largest?",
                ),
                (
                    lambda X, size: pool2d(X, size) if min(X.shape[-2:]) >= size else X,
                    "The padding is gone: it is to stay.",
                ),
                (
                    lambda X, size: _shift_pooled(X, size, value=-1.0),
                    "-1 is larger than -2: which number is smaller than all?",
                ),
                (
                    lambda X, size: _shift_pooled(X.abs(), size, value=0.0),
                    "The signs are lost: the numbers are to stay as they are.",
                ),
            ],
            "Give it a picture whose numbers are all negative.",
            planted=lambda X, size: _shift_pooled(X, size, value=0.0),
        ),
        (
            "After a ReLU nobody notices. What comes out where all numbers are negative?",
            "What is padded must never win: a maximum must not change when it is added.",
            "[[-1, -2]] padded with 0 on the left gives max(0, -1) = 0 in the first window of two, and should give -1.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _steady,
        (
            "Where the picture is sharp, a pixel more or less decides. What makes it smooth before every other pixel "
            "goes?",
            "A mean over a window that is larger than the stride: windows overlap, and what leaves one is in the next.",
            "The row 0, 0, 1, 1, 0, 0, 1, 1 thinned by two: 0, 1, 0, 1 or, moved, 0, 1, 0, 1 shifted. With the "
            "weights 1, 2, 1 "
            "over 4 first, the numbers in between soften the jump.",
        ),
    ),
}
