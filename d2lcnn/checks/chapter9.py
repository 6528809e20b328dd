"""Exercises of chapter 9: GoogLeNet."""

import torch
import torch.nn.functional as F
from torch import nn

from d2lcnn.checks._answers import Wrong, call, number, same, tensor


def exercise_1(answer) -> None:
    """Output channels of an Inception block."""
    for channels in (
        (64, (96, 128), (16, 32), 32),
        (5, (7, 3), (2, 11), 1),
    ):
        hint = "The four outputs are joined along the channels; a reduction is not an output."
        expected = channels[0] + channels[1][1] + channels[2][1] + channels[3]
        given = number(call(answer, *channels))
        same(given, expected, f"the number of channels for c1, c2, c3, c4 = {channels}", hint)


def exercise_2(answer) -> None:
    """Parameters of the 5x5 branch, with and without its reduction."""
    try:
        given = tuple(number(part) for part in answer)
    except TypeError:
        raise Wrong("A pair of numbers is expected: with the reduction, and without.") from None
    if given == (153632, 15920):
        raise Wrong("These are the two numbers, the wrong way round.")
    if given == (192 * 16 + 16 * 32 * 25, 192 * 32 * 25):
        raise Wrong("These are the weights alone: each output channel of each convolution has a bias, too.")
    hint = "A convolution has k * k * inputs weights and one bias for each output channel."
    same(given, (15920, 153632), "the pair of counts", hint)


def exercise_3(answer) -> None:
    """A 3x3 convolution followed by a 1x1 one, as a single convolution."""
    random = torch.Generator().manual_seed(0)
    K, b, P, c = (torch.randn(shape, generator=random) for shape in ((3, 2, 3, 3), (3,), (4, 3, 1, 1), (4,)))
    try:
        weight, bias = call(answer, K, b, P, c)
    except (TypeError, ValueError):
        raise Wrong("A pair is expected: the weight and the bias of the single convolution.") from None
    weight, bias = tensor(weight), tensor(bias)
    same(tuple(weight.shape), (4, 2, 3, 3), "the weight's shape", "K is (3, 2, 3, 3) and P is (4, 3, 1, 1) here.")
    if tuple(bias.shape) != (4,):
        raise Wrong(
            f"The bias's shape is {tuple(bias.shape)}: one number for each of the 4 output channels is expected."
        )
    X = torch.randn(1, 2, 5, 5, generator=random)
    pair = F.conv2d(F.conv2d(X, K, b, padding=1), P, c)
    single = F.conv2d(X, weight.float(), bias.float(), padding=1)
    if not torch.allclose(single, pair, atol=1e-3):
        offset = (pair - single).mean((0, 2, 3))
        if torch.allclose(single + offset.view(1, -1, 1, 1), pair, atol=1e-3):
            raise Wrong("The weight is right, the bias is not: the 1x1 convolution mixes the first one's biases, too.")
        raise Wrong(
            "On a 5 by 5 input with 2 channels the single convolution gives something else than the pair. "
            "The sum runs over the channels between the two."
        )


def exercise_4(answer) -> None:
    """Channels after b3, were pooling to hand on all of its own."""
    hint = "The first block: 64 + 128 + 32, and all 192 that went in. The second has those as its input."
    same(number(answer), 832, "the number of channels", hint)


def exercise_5(answer) -> None:
    """A cheaper Inception block."""
    if not isinstance(answer, nn.Module):
        raise Wrong(f"A block is expected, an nn.Module, but this is {type(answer).__name__}.")
    weight = next(answer.parameters(), torch.zeros(()))
    X = torch.zeros(1, 192, 8, 8, device=weight.device, dtype=weight.dtype)
    hint = "The four output counts must add up to 256."
    same(tuple(tensor(call(answer, X)).shape), (1, 256, 8, 8), "the output's shape for 192 channels of 8 by 8", hint)
    from d2lcnn.tracing import trace

    nodes = trace(answer, tuple(X.shape))
    joined = [node for node in nodes if node.kind in ("cat", "concat", "concatenate")]
    if len(joined) != 1 or len(joined[0].inputs) != 4:
        raise Wrong("One torch.cat is to join the outputs of four branches.")

    def largest(name):
        """The pooling or the size of the largest kernel on the way from the input to this node."""
        node = nodes[name]
        if "maxpool" in node.kind.lower().replace("_", ""):
            return "pooling"
        own = max(node.kernel) if node.kernel else 0
        before = [largest(source) for source in node.inputs]
        return "pooling" if "pooling" in before else max([own, *before])

    branches = {largest(name) for name in joined[0].inputs}
    for wanted, kind in ((1, "1x1 convolution alone"), (3, "3x3 convolution"), (5, "5x5 convolution")):
        if wanted not in branches:
            raise Wrong(f"No branch is there for the {kind}: all four branches are to stay.")
    if "pooling" not in branches:
        raise Wrong("There is no maximum pooling in it: all four branches are to stay.")
    parameters = sum(p.numel() for p in answer.parameters())
    if parameters >= 100_000:
        raise Wrong(
            f"It has {parameters:,} parameters, and fewer than 100,000 are wanted. "
            "Two thirds of the original's are in the 3x3 convolution: let fewer channels reach it."
        )
