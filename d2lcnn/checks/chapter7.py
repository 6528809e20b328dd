"""Exercises of chapter 7: VGG."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from d2lcnn.checks._answers import NotTried, Wrong, agrees, call, compared, kind_of, module, numbers, show, tensor
from d2lcnn.checks._layers import redrawn, steps_of, vgg_like
from d2lcnn.checks._tasks import Exercise, Function, Number, Statements


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _architecture(answer) -> list[tuple[int, int, int]]:
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    if isinstance(answer, (str, bytes, dict, set)) or not hasattr(answer, "__len__") or not len(answer):
        raise Wrong(
            f"A list of blocks (num_convs, in_channels, out_channels) is expected, but this is {kind_of(answer)}."
        )
    blocks = [numbers(block, 3, "num_convs, in_channels, out_channels") for block in answer]
    if any(value != int(value) or value < 1 for block in blocks for value in block):
        raise Wrong("Numbers of convolutions and channels are whole, and at least 1.")
    return [tuple(map(int, block)) for block in blocks]


def _vgg16(answer) -> None:
    blocks = _architecture(answer)
    if len(blocks) != 5:
        raise Wrong(f"Five blocks are expected, one for each halving of 224 to 7; but it is {(len(blocks), 3)}.")
    num_convs, in_channels, out_channels = map(list, zip(*blocks))
    if in_channels[1:] == [128, 256, 512, 512] and out_channels[1:] == [64, 128, 256, 512]:
        raise Wrong("In and out are swapped: a block is (num_convs, in_channels, out_channels).")
    if num_convs != [2, 2, 3, 3, 3]:
        hint = " Those are VGG-11's." if num_convs == [1, 1, 2, 2, 2] else ""
        raise Wrong(f"The blocks hold 2, 2, 3, 3 and 3 convolutions, but yours {num_convs}.{hint}")
    if out_channels != [64, 128, 256, 512, 512]:
        raise Wrong(f"The blocks give as many channels as those of VGG-11; yours give {out_channels}.")
    if in_channels[0] != 3:
        raise Wrong("The first block takes the picture: how many channels has one in colour?")
    if in_channels[1:] != out_channels[:-1]:
        raise Wrong(f"A block takes as many channels as the block before it gives; yours take {in_channels}.")


def _block(answer, net: str, cases, strides_of, pool: bool, planted=None) -> None:
    """Judge a function that builds blocks of 3x3 convolutions by what they compute, with their own weights redrawn."""
    for num_convs, in_channels, out_channels in cases:
        on = f"({num_convs}, {in_channels}, {out_channels})"
        built = call(answer, num_convs, in_channels, out_channels, hint="It takes what `vgg_block` takes.")
        if not isinstance(built, nn.Module):
            raise Wrong(
                f"On {on} a {net} is expected, an nn.Module, but this is {type(built).__name__} ({show(built)})."
            )
        block = redrawn(module(built, net).eval())
        X = _random(2, in_channels, 8, 8)
        Y = tensor(call(block, X, names=["X"], hint=f"This is the block for {on}."))
        steps, _ = steps_of(block, X)
        convs = [step for step in steps if step.name == "conv2d"]
        pools = [step for step in steps if "pool" in step.name]
        if planted is not None and planted(block, X, Y):
            raise NotTried("The cell builds what it did: the mistake is still in it.")
        if pools and not pool:
            raise Wrong(f"On {on} there is still a pooling in it; the last convolution is to take its place.")
        if pool and len(pools) != 1:
            raise Wrong(f"On {on} one pooling is expected, at the end; this has {len(pools)}.")
        if len(convs) != num_convs:
            raise Wrong(f"On {on} as many convolutions as num_convs are expected; this has {len(convs)}.")
        strides = [step.stride for step in convs]
        wanted = [(s, s) for s in strides_of(num_convs)]
        if strides != wanted:
            place = " only the last convolution has stride 2" if not pool else " every convolution has stride 1"
            raise Wrong(f"On {on}{place}; here the strides are {[s if s[0] != s[1] else s[0] for s in strides]}.")
        shapes = [tuple(step.weight.shape) for step in convs]
        right = [(out_channels, in_channels if k == 0 else out_channels, 3, 3) for k in range(num_convs)]
        if shapes != right:
            k = next(k for k in range(num_convs) if shapes[k] != right[k])
            hint = "every kernel is 3 by 3" if shapes[k][2:] != (3, 3) else "channels go in as they come out before"
            raise Wrong(
                f"On {on} convolution {k + 1} has a weight of shape {shapes[k]}, and {right[k]} is expected: {hint}."
            )
        if tuple(Y.shape) != (2, out_channels, 4, 4):
            raise Wrong(
                f"On {on}, 8 by 8 is to become 4 by 4, the output's shape (2, {out_channels}, 4, 4); it is "
                f"{tuple(Y.shape)}."
            )
        parameters = sum(p.numel() for p in block.parameters())
        count = sum(step.weight.numel() + out_channels for step in convs)
        if parameters != count:
            raise Wrong(
                f"On {on} it has {parameters} parameters, and {count} are expected: each convolution has its biases."
            )
        biases = _biases(block, X)
        weights = list(zip([step.weight.detach() for step in convs], biases))
        expected = vgg_like(X, weights, strides_of(num_convs), pool)
        if not agrees(Y, expected):
            for name, other in _changed(X, weights, strides_of(num_convs), pool):
                if other.shape == Y.shape and agrees(Y, other):
                    raise Wrong(f"On {on} {name}")
            raise Wrong(
                f"On {on} a random picture becomes something else than by convolutions with padding 1, "
                f"each of them followed by a ReLU: {compared(Y, expected)}"
            )


def _biases(block, X) -> list[torch.Tensor]:
    found = []

    class Biases(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            if getattr(function, "__name__", "") == "conv2d":
                found.append(kwargs.get("bias", args[2] if len(args) > 2 else None))
            return function(*args, **kwargs)

    with torch.no_grad(), Biases():
        block(X)
    return [bias if bias is None else bias.detach() for bias in found]


def _changed(X, weights, strides, pool):
    def run(last=True, inner=True, end=lambda Y: Y):
        Y = X
        for k, ((weight, bias), stride) in enumerate(zip(weights, strides)):
            Y = F.conv2d(Y, weight, bias, stride, padding=1)
            Y = Y.relu() if (last if k == len(weights) - 1 else inner) else Y
        return end(F.max_pool2d(Y, 2) if pool else Y)

    return [
        ("no convolution is followed by a ReLU.", run(last=False, inner=False)),
        ("the last ReLU is missing: each of the convolutions is followed by one.", run(last=False)),
        ("only the last convolution is followed by a ReLU; each of them is.", run(inner=False)),
        (
            "a Sigmoid stands at the end: each convolution is followed by a ReLU, and that is all.",
            run(end=torch.sigmoid),
        ),
        ("the mean is taken at the end, not the maximum.", F.avg_pool2d(vgg_like(X, weights, strides, False), 2)),
    ]


_CASES = ((2, 3, 6), (1, 4, 5), (3, 2, 4), (2, 4, 4))


def _strided_block(answer) -> None:
    _block(answer, "block", _CASES, lambda n: [1] * (n - 1) + [2], pool=False)


def _mended_block(answer) -> None:
    def planted(block, X, Y):
        return Y.shape[-1] < 4 and sum("pool" in step.name for step in steps_of(block, X)[0]) > 1

    _block(answer, "block", ((2, 3, 6), (3, 2, 4), (1, 4, 5)), lambda n: [1] * n, pool=True, planted=planted)


def _small_vgg(answer) -> None:
    blocks = _architecture(answer)
    if blocks[0][1] != 1:
        raise Wrong("The first block takes a picture of one channel.")
    for (_, _, out), (_, into, _) in pairwise(blocks):
        if out != into:
            raise Wrong(f"A block takes as many channels as the block before it gives: {out}, not {into}.")
    convs = sum(block[0] for block in blocks)
    if len(blocks) < 3 or convs < 5:
        raise Wrong(f"At least three blocks and five convolutions are wanted; here are {len(blocks)} and {convs}.")
    if len(blocks) > 4:
        raise Wrong("28 pixels can be halved four times: the fifth block gets nothing.")
    if blocks[-1][2] < 32:
        raise Wrong(f"The last block is to give at least 32 channels; it gives {blocks[-1][2]}.")
    side, work, parts = 28, 0, []
    for num_convs, c_in, c_out in blocks:
        own = side * side * 9 * c_out * (c_in + (num_convs - 1) * c_out)
        work, side = work + own, side // 2
        parts.append(own)
    if work > 1_000_000:
        most = parts.index(max(parts)) + 1
        raise Wrong(
            f"It makes {work:,} multiplications, and 1,000,000 are allowed. Block {most} makes most of them: "
            f"{max(parts):,}."
        )


EXERCISES = {
    1: Exercise(
        "easy",
        "compute",
        _vgg16,
        (
            "Look at VGG-11's list: a line for each block, and only the numbers of convolutions and the first input "
            "change.",
            "(num_convs, in_channels, out_channels), each in_channels being the out_channels of the line before.",
            "Two blocks for colour, of two convolutions each, 8 and 16 channels: ((2, 3, 8), (2, 8, 16)).",
        ),
    ),
    2: Exercise(
        "medium",
        "compute",
        Function(
            lambda k: (k - 1) // 2 * 9 / k**2,
            [(5,), (7,), (11,), (3,), (1,), (9,), (21,)],
            [
                (lambda k: 27 / k**2, "Three layers are right for 7 only: their number depends on k."),
                (lambda k: 18 / k**2, "Two layers are right for 5 only: their number depends on k."),
                (lambda k: (k - 1) // 2 / k**2, "Each 3 by 3 layer has 9 weights for every pair of channels, not one."),
                (
                    lambda k: k // 3 * 9 / k**2,
                    "Each layer adds 2 to the field, which starts at 1: that is not k / 3 layers.",
                ),
                (
                    lambda k: k / 2 * 9 / k**2,
                    "The field starts at 1, before any layer: (k - 1) pixels are to be added.",
                ),
                (lambda k: (k - 1) * 9 / k**2, "A 3 by 3 layer adds 2 to the field, one on either side."),
                (lambda k: (k - 2) * 9 / k**2, "A 3 by 3 layer adds 2 to the field, one on either side."),
                (
                    lambda k: k**2 / ((k - 1) // 2 * 9) if k > 1 else 0.0,
                    "It is upside down: the small ones' share of the large one.",
                ),
                (lambda k: 9 / k**2, "One 3 by 3 layer does not see as far: how many of them do?"),
                (lambda k: (k + 1) // 2 * 9 / k**2, "One layer too many: the first sees 3 already."),
            ],
            "How many 3 by 3 layers see k pixels? Each has 9 weights for every pair of channels.",
        ),
        (
            "First the number of layers: how many 3 by 3 does it take to see k pixels?",
            "m layers see 1 + 2m, so m = (k - 1) / 2; the share is 9m / k^2.",
            "k = 13: six layers, 54 weights for each pair of channels, against 169: 0.32.",
        ),
    ),
    3: Exercise(
        "easy",
        "compute",
        Number(
            4608,
            "the number of features",
            {
                25088: "That is for 224 by 224 pixels.",
                512: "One number for each channel: both height and width are left.",
                1536: "Both height and width are left: 3 times 3.",
                9: "The last block has channels, too: how many?",
                18432: "Five blocks halve, not four.",
                512 * 144: "Five blocks halve, not three.",
                2304: "The last block of VGG-11 gives 512 channels.",
                512 * 36: "Five blocks halve, not four.",
                512 * 96 * 96: "Each block halves height and width.",
            },
            "Halve the side block by block.",
        ),
        (
            "Each block halves the side; how many blocks are there, and how many channels has the last?",
            "channels * (side / 2^5)^2.",
            "For 160 pixels: 160, 80, 40, 20, 10, 5, so 512 * 5 * 5 = 12,800.",
        ),
    ),
    4: Exercise(
        "hard",
        "compute",
        _strided_block,
        (
            "Start from vgg_block's loop. Where does the pooling go, and what must the last convolution do in its "
            "place?",
            "nn.Conv2d(c_in, c_out, 3, stride, padding=1) with stride 2 for the last one only; a ReLU after each.",
            "For num_convs = 1 the only convolution is the last: 8 pixels with padding 1 and stride 2 are 4.",
        ),
    ),
    5: Exercise(
        "medium",
        "predict",
        Number(
            150,
            "the field",
            {
                149: "The field starts at 1 element.",
                134: "The last pooling is left out: it adds 1 jump of 16.",
                212: "That is VGG-16's, more or less: VGG-11 has 1, 1, 2, 2 and 2 convolutions.",
                32: "That is how far neighbours lie apart (the jump), and not how far one sees.",
                17: "The poolings double the jump: what comes behind them counts twice, four times, ...",
                22: "The poolings double the jump: what comes behind them counts twice, four times, ...",
                224: "It does not see the whole picture: add it up layer by layer.",
                119: "The poolings widen the field, too: a window of 2 adds one jump.",
                120: "The poolings widen the field, too: a window of 2 adds one jump.",
                151: "One too many somewhere: a pooling of 2 adds 1 jump, a convolution of 3 adds 2.",
                181: "A pooling of 2 adds one jump, the one before it halves: its own stride counts only afterwards.",
                180: "A pooling of 2 adds one jump, the one before it halves: its own stride counts only afterwards.",
            },
            "Write field and jump down, layer by layer.",
        ),
        (
            "Chapter 2's two lines, thirteen times: eight convolutions, five poolings.",
            "field += (k - 1) * jump, then jump *= stride. A convolution has k = 3, s = 1, a pooling k = 2, s = 2.",
            "The first two blocks: 1, 3, 4 (jump 2), 8, 10 (jump 4).",
        ),
    ),
    6: Exercise(
        "medium",
        "explain",
        Statements(
            {
                "a": (
                    True,
                    "both see 5 by 5 pixels; 2 * 9 = 18 weights for every pair of channels are fewer than 25.",
                ),
                "b": (
                    False,
                    "without the ReLU two linear layers are one linear layer, a 5x5 with fewer degrees of freedom: "
                    "the pair "
                    "can compute less than a 5x5, not more.",
                ),
                "c": (
                    True,
                    "a quarter of the places, but twice the input channels and twice the output channels: 1/4 * 2 * "
                    "2 = 1.",
                ),
                "d": (
                    False,
                    "most of its parameters are in the fully connected layers, over nine tenths; the work is in the "
                    "convolutions.",
                ),
                "e": (
                    False,
                    "with the padding of the pair each layer pads its own input: near the border that is another sum.",
                ),
            }
        ),
        (
            "Count for one pair of channels: weights, places, what is added up.",
            "Work of a convolution: h * w * k * k * c_in * c_out. Its weights: the same without h * w.",
            "A 2x2 after a 2x2 sees 3 by 3, with 8 weights for 9: there are 3x3 kernels that no such pair can be.",
        ),
    ),
    7: Exercise(
        "easy",
        "debug",
        _mended_block,
        (
            "Print the block for three convolutions. What stands in it more than once?",
            "A block halves its map once, whatever its length: the pooling comes after the loop.",
            "For two convolutions the order is conv, ReLU, conv, ReLU, pool; 8 by 8 becomes 4 by 4, the cell gives 2 "
            "by 2.",
        ),
    ),
    8: Exercise(
        "hard",
        "design",
        _small_vgg,
        (
            "Work grows with the map's area: where is a convolution cheap, at the front or at the back?",
            "A block makes side^2 * 9 * c_out * (c_in + (num_convs - 1) * c_out) multiplications; the side halves "
            "after each.",
            "(1, 1, 8) at 28 pixels: 784 * 9 * 8 = 56,448. (2, 8, 16) at 14: 196 * 9 * 16 * (8 + 16) = 677,376.",
        ),
    ),
}
