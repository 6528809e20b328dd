"""Exercises of chapter 2: padding and stride."""

import torch
import torch.nn.functional as F

from d2lcnn.checks._answers import Wrong, kind_of, numbers
from d2lcnn.checks._tasks import Exercise, Function, Number, Numbers, Statements
from d2lcnn.geometry import receptive_field
from d2lcnn.ops import convolve2d, corr2d


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _dropped(n, k, padding, stride):
    return (n + 2 * padding - k) % stride


def _same(X, K, up=lambda total: total // 2):
    down, across = K.shape[0] - 1, K.shape[1] - 1
    return corr2d(F.pad(X, (up(across), across - up(across), up(down), down - up(down))), K)


def _field(layers, before=False, dilated=True):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        if before:
            jump *= stride
        field += (dilation if dilated else 1) * (kernel - 1) * jump
        if not before:
            jump *= stride
    return field


def _seen(layers) -> list[bool]:
    """Which elements of its field one output element really reads, along one axis."""
    places = {0}
    for kernel, stride, dilation in reversed(layers):
        places = {place * stride + tap * dilation for place in places for tap in range(kernel)}
    return [place in places for place in range(max(places) + 1)]


def _wide_field(answer) -> None:
    if not isinstance(answer, (list, tuple)) or not answer:
        raise Wrong(f"A list of layers (kernel, stride, dilation) is expected, but this is {kind_of(answer)}.")
    layers = [tuple(int(part) for part in numbers(layer, 3, "kernel, stride, dilation")) for layer in answer]
    if min(map(min, layers)) < 1 or max(map(max, layers)) > 224 or len(layers) > 60:
        raise Wrong("Kernel, stride and dilation are whole numbers from 1 to 224, in at most 60 layers.")
    n = 224
    for place, (kernel, stride, dilation) in enumerate(layers, 1):
        n = (n - dilation * (kernel - 1) - 1) // stride + 1
        if n < 1:
            raise Wrong(f"Layer {place} no longer fits: of 224 elements too few have come through.")
    field, weights = receptive_field(layers), sum(kernel**2 for kernel, _, _ in layers)
    if field < 100:
        raise Wrong(
            f"The field is {field}, and at least 100 are wanted: strides and dilation make each layer count for more."
        )
    seen = _seen(layers)
    if not all(seen):
        raise Wrong(
            f"The field is {field}, but it has holes: {seen.count(False)} of its elements are never read, the first at "
            f"place {seen.index(False)}. Neighbouring taps must lie no farther apart than what each of them sees."
        )
    if weights > 60:
        raise Wrong(f"It has {weights} weights, and 60 are allowed: let later layers reach farther, with fewer layers.")


_SETTINGS = [
    (7, 3, 0, 2),
    (8, 3, 0, 2),
    (224, 11, 0, 4),
    (224, 11, 2, 4),
    (10, 2, 1, 5),
    (13, 2, 1, 5),
    (5, 5, 0, 3),
    (9, 3, 0, 7),
    (20, 3, 2, 6),
    (6, 1, 0, 1),
]
_SAME = [
    (torch.arange(30.0).reshape(5, 6), torch.arange(9.0).reshape(3, 3)),
    (_random(5, 6), _random(2, 2, seed=1)),
    (_random(5, 6, seed=2), _random(4, 1, seed=3)),
    (_random(4, 5, seed=4), _random(1, 4, seed=5)),
    (_random(3, 3, seed=6), _random(6, 5, seed=7)),
    (_random(1, 1, seed=8), _random(1, 1, seed=9)),
]

EXERCISES = {
    1: Exercise(
        "easy",
        "predict",
        Numbers(
            (3, 4),
            ("height", "width"),
            {
                (4, 3): "The right numbers, swapped: rows come first; and both are rounded down.",
                (
                    3,
                    3,
                ): "The height is right; the width forgets the padding of 1 on each side, or is rounded down twice.",
                (3, 5): "Rounded down, not up.",
                (4, 4): "The height is rounded down: there is no padding above and below.",
                (2, 3): "The last step is forgotten: one window more than there are steps.",
                (9, 7): "That is without the stride.",
                (9, 5): "That is without the stride.",
                (5, 3): "Kernel, padding and stride are given as (down, across): here the axes are mixed up.",
            },
            {
                "height": {
                    4: "Down: (11 - 3) steps of 3 are rounded down.",
                    2: "Count the first window, too, besides the steps.",
                    9: "That is without the stride of 3.",
                    5: "Down the stride is 3, not 2.",
                },
                "width": {
                    3: "Across there is padding of 1 on each side, so that the window slides over 9 + 2 elements.",
                    5: "Rounded down, after the kernel's 5 are taken off.",
                    7: "That is without the stride of 2.",
                },
            },
            "For each axis apart: how many steps of the stride fit after the first window? Rounded down.",
        ),
        (
            "Each axis has its own kernel, padding and stride: the first number of a pair is down, the second across.",
            "floor((n + 2p - k) / s) + 1, with 2p since the padding is on both sides.",
            "7 elements, kernel 3, padding 1, stride 2: (7 + 2 - 3) / 2 = 3 steps, so 4 windows.",
        ),
    ),
    2: Exercise(
        "easy",
        "compute",
        Number(
            2,
            "the padding per side",
            {
                1: "(224 + 2 - 11) / 4 = 53.75: the 55th window lacks one element still.",
                3: "It gives 55 as well, but is not the smallest.",
                1.5: "It would be enough, but half an element cannot be padded: a whole number is wanted.",
                4: "It is per side; 3 or 4 are what both sides have together.",
                0: "Without padding it is 54.",
                5: "That is same padding for a stride of 1; here the stride is 4, and 55 are wanted.",
            },
            "Try the formula with 0, 1, 2, ...",
        ),
        (
            "55 windows are 54 steps of 4 and one window. How long must the padded input be at least?",
            "floor((224 + 2p - 11) / 4) + 1 = 55: the smallest whole p for which that holds.",
            "With 23 elements, a kernel of 5 and stride 3, without padding: 18 / 3 + 1 = 7 windows. For 8 windows 7 "
            "* 3 + 5 "
            "= 26 are needed, 3 more: 1.5 a side, so 2.",
        ),
    ),
    3: Exercise(
        "medium",
        "compute",
        Function(
            _dropped,
            _SETTINGS,
            [
                (
                    lambda n, k, padding, stride: (n + padding - k) % stride,
                    "The padding is on both sides: it counts twice.",
                ),
                (
                    lambda n, k, padding, stride: (n - k) % stride,
                    "The padding is left out: the windows slide over it, too.",
                ),
                (
                    lambda n, k, padding, stride: (n + 2 * padding) % stride,
                    "The first window takes k elements before any step.",
                ),
                (
                    lambda n, k, padding, stride: int((n + 2 * padding - k) % stride != 0),
                    "It says whether something is left, and not how many elements.",
                ),
                (
                    lambda n, k, padding, stride: min(1, (n + 2 * padding - k) % stride),
                    "It says whether something is left, and not how many elements.",
                ),
                (lambda n, k, padding, stride: (n + 2 * padding - k) % 2, "The stride is not always 2."),
                (
                    lambda n, k, padding, stride: (n + 2 * padding - k) // stride,
                    "That is how many steps there are; what is left over after them?",
                ),
                (
                    lambda n, k, padding, stride: (n + 2 * padding - k + 1) % stride,
                    "It is off by one: after the first window n + 2 * padding - k elements remain for the steps.",
                ),
                (
                    lambda n, k, padding, stride: -(n + 2 * padding - k) % stride,
                    "That is how many are missing to one window more; asked is how many are left over.",
                ),
            ],
            "The last window ends at the last multiple of the stride plus the kernel: what is left after it?",
        ),
        (
            "Where does the last window end, and how many elements lie behind it?",
            "After the first window n + 2 * padding - k elements remain; the steps take whole strides of them.",
            "n = 9, k = 4, no padding, stride 3: 5 elements remain after the first window, one step takes 3, so 2 "
            "are left.",
        ),
    ),
    4: Exercise(
        "medium",
        "compute",
        Function(
            _same,
            _SAME,
            [
                (
                    lambda X, K: _same(X, K, lambda total: total - total // 2),
                    "The extra element is on the left and at the top; it belongs to the right and to the bottom.",
                ),
                (corr2d, "Nothing is padded, so the output is smaller."),
                (
                    lambda X, K: _same(X, K, lambda total: 0),
                    "All of the padding is on the right and at the bottom; half of it, rounded down, belongs to the "
                    "left and to the top.",
                ),
                (
                    lambda X, K: _same(X, K, lambda total: total),
                    "All of the padding is on the left and at the top; half of it, rounded up, belongs to the other "
                    "sides.",
                ),
                (
                    lambda X, K: corr2d(X, K, padding=((K.shape[0] - 1) // 2, (K.shape[1] - 1) // 2)),
                    "Both sides get (k - 1) // 2: for an even kernel one element is missing.",
                ),
                (
                    lambda X, K: corr2d(X, K, padding=(K.shape[0] // 2, K.shape[1] // 2)),
                    "Both sides get k // 2: for an even kernel one element is too many.",
                ),
                (lambda X, K: convolve2d(X, K, padding=(K.shape[0] // 2, K.shape[1] // 2)), "The kernel is flipped."),
                (
                    lambda X, K: corr2d(
                        F.pad(X, ((K.shape[0] - 1) // 2, K.shape[0] // 2, (K.shape[1] - 1) // 2, K.shape[1] // 2)), K
                    ),
                    "Rows and columns are swapped: F.pad takes (left, right, top, bottom), the last axis first.",
                ),
                (
                    lambda X, K: corr2d(X, K, padding=(len(K) - 1) // 2),
                    "Height and width of the kernel differ: each axis has its own padding.",
                ),
                (
                    lambda X, K: corr2d(X, K, padding=1),
                    "The padding depends on the kernel: it is k - 1 in all, on each axis.",
                ),
            ],
            "Pad k - 1 in all on each axis, and share it between the two sides as the task says.",
        ),
        (
            "The output is k - 1 smaller than the padded input. So how much must be added in all?",
            "On each axis (k - 1) // 2 in front, and what remains of k - 1 behind. F.pad's four numbers are left, "
            "right, "
            "top, bottom.",
            "For a kernel of 2 by 4: one element down, none above; three across, one on the left and two on the right: "
            "F.pad(X, (1, 2, 0, 1)).",
        ),
    ),
    5: Exercise(
        "easy",
        "predict",
        Number(
            23,
            "the field",
            {
                15: "One layer is left out, or the jump: it doubles behind each stride of 2, and the last layer's is "
                "4.",
                9: "That is the field of four such layers without strides.",
                47: "The jump of a layer comes from the layers before it: its own stride counts for the next one.",
                31: "The third layer has stride 1: behind it the jump stays 4.",
                22: "The field starts at 1 element, before any layer.",
                24: "The field starts at 1 element, and not at 2.",
                81: "Fields add up, they do not multiply.",
                11: "The jump doubles twice: the third and the fourth layer step over 4 elements of the input.",
                13: "The jump doubles twice: the third and the fourth layer step over 4 elements of the input.",
            },
            "Write field and jump down layer by layer, beginning with 1 and 1.",
        ),
        (
            "Behind a stride of 2 neighbours lie 2 elements apart, so that a layer reaches twice as far.",
            "field += (k - 1) * jump, then jump *= stride; both start at 1.",
            "Two layers with kernel 5 and stride 3: field 1 + 4 * 1 = 5, jump 3; then 5 + 4 * 3 = 17, jump 9.",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    False,
                    "the field of a layer grows by (k - 1) times the jump before it; its own stride lengthens the "
                    "jump, "
                    "which only later layers feel.",
                ),
                "b": (
                    True,
                    "with dilation 2 the three taps of an axis lie at 0, 2 and 4: they span 5 elements and read 3 of "
                    "them, 9 in two dimensions.",
                ),
                "c": (
                    False,
                    "padding adds elements at the border, and more outputs; each still sees as far as before.",
                ),
                "d": (
                    True,
                    "an even kernel needs k - 1 elements in all, an odd number, which two sides cannot share equally.",
                ),
                "e": (
                    True,
                    "jumps multiply: neighbours behind both lie 2 * 3 = 6 elements of the input apart.",
                ),
            }
        ),
        (
            "Three things are easily mixed up: how far an element sees (field), how far neighbours lie apart (jump), "
            "and "
            "how many outputs there are.",
            "field += d * (k - 1) * jump; jump *= stride; size = floor((n + 2p - d(k - 1) - 1) / s) + 1. Which of them "
            "does each statement change?",
            "One layer, kernel 3: stride 1 or 2, padding 0 or 1, its outputs see 3 elements. A second one: behind "
            "stride "
            "2 it sees 7, behind stride 1 it sees 5.",
        ),
    ),
    7: Exercise(
        "medium",
        "debug",
        Function(
            lambda layers: _field(layers),
            [
                ([(3, 2, 1), (3, 1, 1)],),
                ([(3, 1, 1)],),
                ([(5, 1, 2), (3, 3, 1), (2, 2, 4)],),
                ([(11, 4, 1), (3, 2, 1), (5, 1, 1), (3, 2, 1)],),
                ([(1, 2, 1), (7, 1, 1)],),
                ([],),
            ],
            [
                (
                    lambda layers: _field(layers, dilated=False),
                    "The dilation is lost: taps that lie d apart reach d times as far.",
                ),
                (
                    lambda layers: _field([(k, 1, d) for k, _, d in layers]),
                    "Now the strides are lost: the jump must still grow, for the layers after this one.",
                ),
                (
                    lambda layers: _field([(k + 1, s, d) for k, s, d in layers]),
                    "A kernel adds k - 1 jumps to the field, not k.",
                ),
                (
                    lambda layers: _field(layers) - 1,
                    "The field of no layer at all is 1: the element itself.",
                ),
            ],
            "Work out two layers by hand and follow the cell line by line.",
            planted=lambda layers: _field(layers, before=True),
        ),
        (
            "Try it on a single layer: kernel 3 with stride 2 sees 3 elements. What does the cell say, and why?",
            "A layer steps between elements of its input, which lie `jump` apart before its own stride counts.",
            "Kernel 3, stride 2, then kernel 3: field 1 + 2 * 1 = 3, only now jump 2, then 3 + 2 * 2 = 7.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _wide_field,
        (
            "Six layers of 3 by 3 have 54 weights, but a field of 13 only. What lets each layer add more than the "
            "one before?",
            "field += d * (k - 1) * jump. Let d or the jump double from layer to layer. To leave no hole, taps may "
            "lie no "
            "farther apart than each of them sees.",
            "Dilations 1, 2, 4 with kernel 3: fields 3, 7, 15, and no hole. With 1 and then 8 the field would be 19, "
            "but each "
            "tap sees 3 elements, and 5 between them would be lost.",
        ),
    ),
}
