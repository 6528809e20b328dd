"""How much does a shift of the picture cost, and what softens it? (chapter 4)"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2lcnn.data import ImageData
from d2lcnn.layers import FlattenLayer
from d2lcnn.nets import he_init
from d2lcnn.studies.protocol import Protocol, Study, Variant

FARTHEST = 8  # pixels


class BlurPool2d(nn.Module):
    """Maximum over 2x2 windows at every place, then a blur by (1, 2, 1), and of that every second element.

    Zhang, "Making convolutional networks shift-invariant again", 2019.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", line[:, None] * line)

    def forward(self, X: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H // 2, W // 2) for even H and W."""
        X = F.max_pool2d(X, 2, stride=1)
        kernel = self.kernel.to(X.dtype).expand(X.shape[1], 1, 3, 3)
        return F.conv2d(X, kernel, stride=2, padding=1, groups=X.shape[1])


def subsampling(by: str) -> nn.Sequential:
    """LeNet with ReLU, whose maps are halved `by` "maximum", "average", "blur" or the "stride" of the convolutions."""
    pools = {"maximum": nn.MaxPool2d(2), "average": nn.AvgPool2d(2), "blur": BlurPool2d(), "stride": nn.Identity()}
    stride = 2 if by == "stride" else 1
    return he_init(
        nn.Sequential(
            nn.Conv2d(1, 6, 5, stride, padding=2),
            nn.ReLU(),
            pools[by],  # (N, 6, 14, 14)
            nn.Conv2d(6, 16, 5, stride),
            nn.ReLU(),
            pools[by],  # (N, 16, 5, 5)
            FlattenLayer(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )
    )


@torch.no_grad()
def measure(net: nn.Module, data: ImageData, device: torch.device) -> dict[str, list[float]]:
    """Test accuracy where all test pictures are moved by 0 to 8 pixels, black moving in: mean of left and right."""
    images, labels = data.split("test")
    images, labels = images.to(device), labels.to(device)
    normalised = data.preparation().on(device)
    accuracies = []
    for shift in range(FARTHEST + 1):
        padded = F.pad(images, (shift, shift, 0, 0))
        starts = {0, 2 * shift}
        right = [
            (net(normalised(X)).argmax(1) == y).sum().item()
            for start in starts
            for X, y in zip(padded[..., start : start + 28].split(1000), labels.split(1000))
        ]
        accuracies.append(sum(right) / (len(starts) * len(labels)))
    return {"accuracy_by_shift": accuracies}


STUDY = Study(
    "shift",
    "How fast does accuracy fall as the test pictures are shifted, with maximum pooling, average pooling, a stride in "
    "place of pooling, or a blur before every second element is taken?",
    {
        by: Variant(subsampling, Protocol(input_size=28, epochs=5, lr=1e-2), {"by": by})
        for by in ("maximum", "average", "stride", "blur")
    },
    minutes=12,
    measure=measure,
)
