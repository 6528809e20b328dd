"""A trained net on disk with all that it takes to use it on pictures: `save`, `load`, and the Classifier they share."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors
from torch import Tensor, nn

from d2lcnn import nets
from d2lcnn._files import replacing
from d2lcnn._modes import tried_out
from d2lcnn._words import described
from d2lcnn.data import ImageData, Preparation

FORMAT, VERSION = "d2lcnn.classifier", 1
# Pictures that are in memory at once.
_BATCH = 64


@dataclass(frozen=True)
class Classifier:
    """A net, the names of its classes, and the `preparation` that makes pictures into its batches.

    Raises TypeError or ValueError where the net does not take such batches, or does not give a score for each class.
    """

    net: nn.Module
    classes: tuple[str, ...]
    preparation: Preparation

    def __post_init__(self) -> None:
        if not isinstance(self.net, nn.Module):
            raise TypeError(f"net must be a torch.nn.Module, got {described(self.net)}")
        shape = (1, self.preparation.channels, *self.preparation.size)
        gives = nets.check_input(self.net, shape)
        if gives != (1, len(self.classes)):
            wanted = f"a score for each of {len(self.classes)} classes"
            raise ValueError(f"net must give {wanted}, here (1, {len(self.classes)}) for {shape}, got {gives}")

    def predict(self, pictures: Any, *, invert: bool = False) -> list[dict[str, float]]:
        """Each picture's classes with their probabilities, the most probable first.

        `pictures` and `invert` are what a `Preparation` takes: paths, PIL images, arrays, uint8 tensors, or a list.
        """
        device = next((p.device for p in self.net.parameters()), torch.device("cpu"))
        parts = [pictures]
        if isinstance(pictures, (list, tuple)):
            parts = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
        found = []
        with tried_out(self.net):
            for part in parts:
                shares = self.net(self.preparation(part, invert=invert).to(device)).float().softmax(1).cpu()
                for row in shares:
                    found.append({self.classes[c]: float(row[c]) for c in row.argsort(descending=True).tolist()})
        return found

    def save(self, path: str | os.PathLike) -> None:
        """Write all of it to a safetensors file at `path`, which `load` reads; one that is there is replaced.

        Raises ValueError for a net whose state holds something else than tensors, and OSError where it cannot write.
        """
        state = self.net.state_dict()
        if strange := [name for name, value in state.items() if not isinstance(value, Tensor)]:
            raise ValueError(f"net must hold its state in tensors, but {strange[0]} is {described(state[strange[0]])}")
        # Clones: weights that are tied share memory, which the format does not allow.
        tensors = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()
        }
        content: dict[str, Any] = {"version": VERSION, "network": _network(self.net), "classes": list(self.classes)}
        content |= {"preparation": asdict(self.preparation), "sha256": _digest(tensors)}
        # One entry: the library writes several in any order, and the same net is to make the same file.
        data = safetensors.save(tensors, {FORMAT: json.dumps(content)})
        with replacing(Path(path), "wb") as file:
            file.write(data)


def save(net: nn.Module, path: str | os.PathLike, data: ImageData, *, size: int | None = None) -> None:
    """Keep a trained net at `path`, a safetensors file, with the names of its classes and how its pictures are made.

    `data` is what it was trained on, `size` the pixels that its batches had (None: the pictures' own). Raises as
    `Classifier` and `Classifier.save` do.
    """
    if not isinstance(data, ImageData):
        raise TypeError(f"data must be the ImageData that net was trained on, got {described(data)}")
    Classifier(net, data.classes, data.preparation(size)).save(path)


def load(path: str | os.PathLike, net: nn.Module | None = None) -> Classifier:
    """The Classifier that `save` wrote to `path`, on the CPU and in eval mode.

    A net that `d2lcnn.network` built is built again; for any other one give `net`, built as it was, which takes the
    weights in place. Nothing in the file is run. Raises FileNotFoundError where there is none, and ValueError for a
    file that is damaged, of something else or of another net.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file that d2lcnn.save wrote, but there is none at {path}")
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged, or no safetensors file ({str(error)[:100]})") from error
    if FORMAT not in metadata:
        raise ValueError(f"{path} is a safetensors file that d2lcnn.save did not write")
    content = json.loads(metadata[FORMAT])
    if content["version"] != VERSION:
        raise ValueError(f"{path} is of version {content['version']}; this d2lcnn reads version {VERSION}")
    if content["sha256"] != _digest(tensors):
        raise ValueError(f"{path} is damaged: its weights are not those that were saved")
    if net is None:
        if content["network"] is None:
            raise ValueError(f"{path} is of a net that d2lcnn.network did not build; give one built as it was as net")
        # The weights that it begins with are drawn, and then replaced.
        with torch.random.fork_rng([]):
            net = nets.network(**content["network"])
    elif not isinstance(net, nn.Module):
        raise TypeError(f"net must be a torch.nn.Module, got {described(net)}")
    _check_state(path, tensors, net)
    net.load_state_dict(tensors)
    return Classifier(net.eval(), tuple(content["classes"]), Preparation(**content["preparation"]))


def _network(net: nn.Module) -> dict[str, Any] | None:
    """The arguments of `nets.network` that build such a net, None where there are none."""
    built = getattr(net, "built_by", None)
    if built is None:
        return None
    # It may have been changed since.
    with torch.random.fork_rng([]):
        return built if str(nets.network(**built)) == str(net) else None


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_state(path: Path, tensors: dict[str, Tensor], net: nn.Module) -> None:
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in wanted | found:
        if wanted.get(name) != found.get(name):
            has, needs = found.get(name, "not there"), wanted.get(name, "not there")
            raise ValueError(f"net must be built as the one in {path}: {name} is {has} in the file, {needs} in net")
