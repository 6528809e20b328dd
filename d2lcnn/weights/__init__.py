"""The five mini networks as their records of seed 0 left them, rounded to 16 bits: 1.6 MB of safetensors together.

`d2lcnn.network(name, "mini", weights="recorded")` loads one. A file is what `python -m d2lcnn train NAME --save FILE`
kept on two threads of the processor that the record names, to the last bit of its test loss, then `net.half()`.
"""

import hashlib
from pathlib import Path

from torch import nn

from d2lcnn import saving

FOLDER = Path(__file__).parent
# Each network's SHA-256, and the record of the run that made it, in d2lcnn.records.
RECORDED = {
    "lenet": (
        "1a077e8de214f7d95ea983dacaa5f4db77aa990103868b464b892d9c72ad3ba8",
        "lenet-mini-28-e3278f2c-0.json",
    ),
    "alexnet": (
        "1dbe91a47fa0640df329e262375d31b28cd095f60fbbc507254451750b769431",
        "alexnet-mini-28-55e89600-0.json",
    ),
    "vgg": (
        "982dd3f72bc5d6aff4e86d17eebb61245662d286eff0663c5dcd031cd0446b91",
        "vgg-mini-28-674051d5-0.json",
    ),
    "nin": (
        "a1c2e4daef189d8b9922f3dc1fdedde06180ca1f22c05383820a3120f3094558",
        "nin-mini-28-674051d5-0.json",
    ),
    "googlenet": (
        "7b7bfe27ae4f80a38b5f3d9066f1ff72c6eb36e510665a46c3836d0b42e35ee0",
        "googlenet-mini-28-7d888340-0.json",
    ),
}


def load_into(net: nn.Module, name: str) -> None:
    """Give net, built as the mini network `name`, its recorded weights, in eval mode.

    Raises FileNotFoundError for a missing file, OSError for one whose SHA-256 is not the expected one, and ValueError
    for a net of other shapes.
    """
    digest, _ = RECORDED[name]
    path, remedy = FOLDER / f"{name}.safetensors", "install d2lcnn anew to get it back"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {remedy}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise OSError(f"{path} is damaged or another file (SHA-256 {found[:8]}..., expected {digest[:8]}...): {remedy}")
    saving.load(path, net)
