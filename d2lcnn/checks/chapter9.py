"""Exercises of chapter 9: GoogLeNet."""

import torch

from d2lcnn.checks._answers import Wrong, agrees, call, compared, kind_of, module, tensor
from d2lcnn.checks._layers import Step, redrawn, steps_of
from d2lcnn.checks._tasks import Exercise, Function, Number, Numbers, Statements


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _merged(K, b, P, c):
    P = P[:, :, 0, 0]
    return torch.einsum("om,mihw->oihw", P, K), P @ b + c


def _merge(answer) -> None:
    names = ["K", "b", "P", "c"]
    for place, (inner, into, out) in enumerate(((3, 2, 4), (2, 2, 2), (4, 1, 3), (1, 3, 2))):
        K, b, P, c = (
            _random(*shape, seed=10 * place + k)
            for k, shape in enumerate(((inner, into, 3, 3), (inner,), (out, inner, 1, 1), (out,)))
        )
        result = call(answer, K, b, P, c, names=names, hint="The sum runs over the channels between the two.")
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Wrong(
                f"A pair is expected, the weight and the bias of the single convolution; this is {kind_of(result)}."
            )
        weight, bias = (tensor(part).float() for part in result)
        on = f"K {tuple(K.shape)} and P {tuple(P.shape)}"
        if tuple(weight.shape) != (out, into, 3, 3):
            swapped = (
                " The two are the wrong way round: the weight comes first."
                if tuple(bias.shape) == (out, into, 3, 3)
                else ""
            )
            raise Wrong(
                f"On {on} the weight's shape {(out, into, 3, 3)} is expected, but it is {tuple(weight.shape)}.{swapped}"
            )
        if tuple(bias.shape) != (out,):
            raise Wrong(
                f"On {on} the bias's shape is {tuple(bias.shape)}: one number for each of the {out} output channels "
                f"is expected."
            )
        right, shift = _merged(K, b, P, c)
        M = P[:, :, 0, 0]
        slips = [
            (bias, c, "The weight is right, the bias is not: the 1x1 convolution mixes the first one's biases, too."),
            (bias, M @ b, "The weight is right, the bias is not: the 1x1 convolution's own bias c is forgotten."),
            (bias, shift + M @ b, "The weight is right, the bias is not: the mixed biases are added twice."),
            (
                bias,
                M.sum(1) * b.sum() + c,
                "The weight is right, the bias is not: each b belongs to its own channel of P.",
            ),
            (bias, M @ b - c, "The weight is right; c has the wrong sign."),
        ]
        if agrees(weight, right):
            if agrees(bias, shift):
                continue
            hint = next(
                (text for given, other, text in slips if agrees(given, other)), "The weight is right, the bias is not."
            )
            raise Wrong(f"On {on} {compared(bias, shift)} {hint}")
        wrong = [
            (right.flip(2, 3), "The kernels are flipped: they stay as they are."),
            (right.flip(2), "The kernels' rows are flipped: they stay as they are."),
            (right.flip(3), "The kernels' columns are flipped: they stay as they are."),
            (right.mT, "The kernels' rows and columns are swapped: height is the third axis."),
            (
                K.sum(0).expand_as(right) if inner else right,
                "P is left out: each output channel mixes the kernels by its own weights.",
            ),
            (
                M.sum(1).view(-1, 1, 1, 1) * K.sum(0),
                "Every kernel meets every weight: weight m of P belongs to kernel m alone.",
            ),
            (
                M.mean(1).view(-1, 1, 1, 1) * K.sum(0),
                "Every kernel meets every weight: weight m of P belongs to kernel m alone.",
            ),
        ]
        if inner == out:
            wrong.append(
                (torch.einsum("mo,mihw->oihw", M, K), "P's two axes are swapped: the first is the output channel.")
            )
        hint = next(
            (text for other, text in wrong if agrees(weight, other)), "The sum runs over the channels between the two."
        )
        raise Wrong(f"On {on} the weight gives something else than the pair: {compared(weight, right)} {hint}")


def _slim(answer) -> None:
    net = module(answer, "block").eval()
    first = next(net.parameters(), torch.zeros(()))
    net = net.to("cpu", torch.float32) if first.is_floating_point() else net
    hint = "It is to take 192 channels of any height and width, as an Inception block does."
    Y = tensor(call(net, _random(2, 192, 8, 8), hint=hint))
    if tuple(Y.shape) != (2, 256, 8, 8):
        channels = (
            " The four output counts must add up to 256." if tuple(Y.shape)[2:] == (8, 8) else " Height and width stay."
        )
        raise Wrong(f"From (2, 192, 8, 8) the shape (2, 256, 8, 8) is expected, but it is {tuple(Y.shape)}.{channels}")
    net = redrawn(net)
    X = _random(2, 192, 8, 8).abs()
    steps, Y = steps_of(net, X)
    joined = [step for step in steps if step.name in ("cat", "concat", "concatenate")]
    if len(joined) != 1 or len(joined[0].sources) != 4:
        found = f"{len(joined[0].sources)} branches" if len(joined) == 1 else f"{len(joined)} torch.cat"
        raise Wrong(f"One torch.cat is to join the outputs of four branches; here are {found}.")
    branches = [_branch(steps, source) for source in joined[0].sources]
    for wanted, kind in ((1, "1x1 convolution alone"), (3, "3x3 convolution"), (5, "5x5 convolution")):
        if (wanted, False) not in branches:
            raise Wrong(f"No branch is there for the {kind}: all four branches are to stay.")
    if not any(pooled for _, pooled in branches):
        raise Wrong("There is no maximum pooling in it: all four branches are to stay.")
    parameters = sum(p.numel() for p in net.parameters())
    if parameters >= 100_000:
        raise Wrong(
            f"It has {parameters:,} parameters, and fewer than 100,000 are wanted. "
            "Two thirds of the original's are in the 3x3 convolution: let fewer channels reach it."
        )
    # What one example becomes must not depend on the others.
    if not agrees(Y[:1], tensor(call(net, X[:1]))):
        raise Wrong("A picture alone becomes something else than among others: examples must not mix.")
    dead = [k for k in range(256) if not Y[:, k].any() and not (Y[:, k] > 0).any()]
    if len(dead) > 200:
        raise Wrong(f"{len(dead)} of the 256 output channels are 0: all four branches are to be computed.")


def _branch(steps: list[Step], place: int) -> tuple[int, bool]:
    """The largest kernel of a convolution and whether there is a pooling on the way from the input to a step."""
    largest, pooled, seen, ahead = 0, False, set(), [place]
    while ahead:
        k = ahead.pop()
        if k in seen:
            continue
        seen.add(k)
        step = steps[k]
        pooled |= "max_pool2d" in step.name
        largest = max(largest, step.window if step.name == "conv2d" else 0)
        ahead += step.sources
    return largest, pooled


def _work(in_c, reduced, out_c, k, side):
    return side * side * (in_c * reduced + reduced * out_c * k * k)


_BLOCKS = [
    (64, (96, 128), (16, 32), 32),
    (5, (7, 3), (2, 11), 1),
    (1, (1, 2), (1, 4), 8),
    (384, (192, 384), (48, 128), 128),
]
_WORK = [(192, 16, 32, 5, 12), (192, 96, 128, 3, 12), (4, 2, 3, 5, 1), (7, 1, 2, 3, 6), (3, 3, 3, 1, 2)]

EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        Function(
            lambda c1, c2, c3, c4: c1 + c2[1] + c3[1] + c4,
            _BLOCKS,
            [
                (
                    lambda c1, c2, c3, c4: c1 + sum(c2) + sum(c3) + c4,
                    "The reductions are counted, too: a reduction is not an output.",
                ),
                (
                    lambda c1, c2, c3, c4: c1 + c2[0] + c3[0] + c4,
                    "Those are the reductions: the second number of a pair leaves the block.",
                ),
                (
                    lambda c1, c2, c3, c4: c1 + c2[1] + c3[1],
                    "The pooling branch is forgotten: its 1x1 convolution puts out c4.",
                ),
                (lambda c1, c2, c3, c4: c1 + c2[1] + c4, "The 5x5 branch is forgotten."),
                (lambda c1, c2, c3, c4: c1 + c3[1] + c4, "The 3x3 branch is forgotten."),
                (lambda c1, c2, c3, c4: c2[1] + c3[1] + c4, "The 1x1 branch is forgotten."),
                (
                    lambda c1, c2, c3, c4: max(c1, c2[1], c3[1], c4),
                    "The outputs are joined, not the widest one chosen.",
                ),
                (
                    lambda c1, c2, c3, c4: c1 * c2[1] * c3[1] * c4,
                    "Joined along the channels they add up, and do not multiply.",
                ),
            ],
            "The four outputs are joined along the channels.",
        ),
        (
            "torch.cat lays the four outputs one behind the other. How many channels has each?",
            "A branch puts out what its last convolution does; of a pair that is the second number.",
            "Inception(8, 1, (2, 3), (4, 5), 6): 1 + 3 + 5 + 6 = 15.",
        ),
    ),
    2: Exercise(
        "easy",
        "compute",
        Numbers(
            (15_920, 153_632),
            ("with", "without"),
            {
                (153_632, 15_920): "These are the two numbers, the wrong way round: with the reduction comes first.",
                (
                    15_872,
                    153_600,
                ): "These are the weights alone: each output channel of each convolution has a bias, too.",
                (15_904, 153_632): "The reduction has biases, too: one for each of its 16 channels.",
                (15_888, 153_632): "The 5x5 convolution has biases, too: one for each of its 32 channels.",
                (
                    12_832,
                    153_632,
                ): "The reduction itself is left out: a convolution of 1 by 1 from 192 to 16 channels, with one bias "
                "for each output channel.",
                (15_920, 153_600): "The first is right; the second lacks its biases.",
                (15_872, 153_632): "The second is right; the first lacks its biases, of both convolutions.",
            },
            {
                "with": {
                    12_832: "The reduction itself is left out: a 1x1 convolution from 192 to 16.",
                    3_088: "That is the reduction alone; the 5x5 convolution comes after it.",
                    15_872: "Each output channel of each convolution has a bias, too.",
                    15_904: "The reduction has biases, too.",
                    15_888: "The 5x5 convolution has biases, too.",
                    89_648: "The reduction has a window of 1 by 1.",
                },
                "without": {
                    153_600: "The 32 biases are missing.",
                    12_832: "Without the reduction all 192 channels reach the 5x5 convolution.",
                    30_752: "The window has 5 * 5 places.",
                },
            },
            "A convolution has k * k * inputs weights and one bias for each output channel.",
        ),
        (
            "With the reduction there are two convolutions, without it one.",
            "k * k * c_in * c_out + c_out for each.",
            "From 10 channels over 2 to 3, with a 5x5: 10 * 2 + 2 = 22 and 25 * 2 * 3 + 3 = 153, together 175; "
            "without: 753.",
        ),
    ),
    3: Exercise(
        "hard",
        "compute",
        _merge,
        (
            "Write down output channel o of the pair: a sum over the channels between the two. Which parts belong to "
            "X?",
            "weight[o] = sum over m of P[o, m] * K[m]; what is left over, without X, is the bias.",
            "One channel everywhere: (K * x + b) * p + c = (p * K) * x + (p * b + c).",
        ),
    ),
    4: Exercise(
        "medium",
        "predict",
        Number(
            832,
            "the number of channels",
            {
                480: "That is with the 1x1 convolution: without it, pooling hands on all 192, and then all of the "
                "first block's.",
                416: "That is the first block; the second has all of those as its input.",
                608: "Pooling in the second block hands on what enters it: the first block's output, not 192.",
                768: "The first block's own output counts for the second's pooling.",
                640: "In the second block pooling hands on the 416 channels that enter it.",
                704: "Pooling in the second block hands on what enters it.",
                224: "That is what three branches of the first block give; pooling adds all 192.",
                672: "In the second block pooling hands on the 416 channels that enter it, not 256.",
                1248: "Each block's pooling hands on its input once.",
                864: "The pooling branch's own 32 channels are gone, with its 1x1 convolution.",
                928: "The pooling branches' own channels are gone, with their 1x1 convolutions.",
                736: "The first block's own pooling hands on 192.",
            },
            "What enters a block comes out again by pooling, besides the three branches.",
        ),
        (
            "Pooling changes no number of channels. So what leaves a block is what entered it, and something more.",
            "channels -> c1 + c2[1] + c3[1] + channels, twice.",
            "From 10 channels with branches of 1, 2 and 3: 16 leave the first block; with the same branches 22 the "
            "second.",
        ),
    ),
    5: Exercise(
        "medium",
        "design",
        _slim,
        (
            "Where are the parameters? Print the block's layers with their counts.",
            "The 3x3 convolution has 9 * c2[0] * c2[1]: reduce harder. The outputs must still add up to 256.",
            "9 * 96 * 128 = 110,592. Half the reduction halves it.",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    True,
                    "joined along the channels they must agree in all other axes; each branch's padding keeps height "
                    "and width.",
                ),
                "b": (
                    False,
                    "it sees one pixel only: it chooses and mixes channels. What it saves is work in the layer after "
                    "it.",
                ),
                "c": (
                    True,
                    "25 * c_in * c_out without it; with it c_in * r + 25 * r * c_out, which is small where r is.",
                ),
                "d": (
                    False,
                    "the pooling has stride 1 in a block: it takes a maximum around each pixel, and keeps height and "
                    "width.",
                ),
                "e": (
                    True,
                    "without a ReLU between them, a convolution of a convolution is a convolution: the second one "
                    "adds nothing "
                    "that one layer could not compute.",
                ),
            }
        ),
        (
            "Follow the shape (N, C, H, W) through each branch.",
            "Output side: (n + 2p - k) / s + 1. Work of a convolution: h * w * k * k * c_in * c_out.",
            "k = 3, p = 1, s = 1 keeps n, for convolution and pooling alike.",
        ),
    ),
    7: Exercise(
        "medium",
        "debug",
        Function(
            _work,
            _WORK,
            [
                (
                    lambda i, r, o, k, s: s * s * r * o * k * k,
                    "Now the reduction is left out: it works at every pixel, too.",
                ),
                (
                    lambda i, r, o, k, s: s * s * i * o * k * k,
                    "That is without the reduction: all channels reach the window.",
                ),
                (
                    lambda i, r, o, k, s: i * r + r * o * k * k,
                    "Those are the weights: each of them is used at every place of the map.",
                ),
                (lambda i, r, o, k, s: s * (i * r + r * o * k * k), "A map has side * side places."),
                (lambda i, r, o, k, s: s * s * (i * r + r * o * k), "The window has k * k places."),
                (
                    lambda i, r, o, k, s: s * s * (i * r + i * o * k * k),
                    "Behind the reduction only `reduced` channels reach the window.",
                ),
            ],
            "Count the two convolutions apart: which of them has a window of k by k?",
            planted=lambda i, r, o, k, s: s * s * k * k * (i * r + r * o),
        ),
        (
            "The cell treats both convolutions alike. What is different about the first?",
            "side^2 * c_in * reduced for the 1x1, side^2 * k^2 * reduced * c_out for the other.",
            "in_c = 4, reduced = 2, out_c = 3, k = 5 at one pixel: 8 + 150 = 158; the cell says 350.",
        ),
    ),
    8: Exercise(
        "easy",
        "predict",
        Numbers(
            (1, 9),
            ("smallest", "largest"),
            {
                (9, 1): "These are the two numbers, the wrong way round.",
                (1, 5): "That is one block; the second looks at what the first has seen.",
                (2, 10): "Fields do not add up as they are: each layer adds k - 1.",
                (1, 10): "The smallest is right. Fields do not add up as they are: each layer adds k - 1.",
                (1, 25): "The smallest is right. Fields add up, they do not multiply: each layer adds k - 1.",
                (1, 7): "The smallest is right; the widest way goes through a 5x5 convolution in both blocks.",
                (3, 9): "The largest is right. There is a way through 1x1 convolutions alone.",
                (5, 9): "The largest is right. There is a way through 1x1 convolutions alone.",
                (
                    1,
                    13,
                ): "The smallest is right. A block's widest branch has one window of 5, and its reduction one of 1.",
            },
            {},
            "Follow the narrowest and the widest way through both blocks.",
        ),
        (
            "An output depends on pixels along every way through the two blocks. Which way is narrowest, which widest?",
            "A way's field is 1 plus the sum of (k - 1) along it, since all strides are 1.",
            "Through a 3x3 in the first block and a 5x5 in the second: 1 + 2 + 4 = 7.",
        ),
    ),
}
