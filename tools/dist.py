"""Build the package's wheel and sdist into _build/dist, and try each in an empty environment: `make dist`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "_build" / "dist"
LARGEST = 35e6
TRAIN = """
import d2lcnn
few = [next(iter(d2lcnn.FashionMNIST().train(64)))]
d2lcnn.fit(d2lcnn.network("lenet", "mini"), few, epochs=1, lr=1e-3, progress=False)
"""
# What an installed package must do in a folder that holds nothing of the clone.
USES = {
    "python -m d2lcnn data verify": ["-m", "d2lcnn", "data", "verify"],
    "python -m d2lcnn trace lenet": ["-m", "d2lcnn", "trace", "lenet"],
    "python -m d2lcnn records": ["-m", "d2lcnn", "records"],
    "an epoch on 64 pictures": ["-c", TRAIN],
}


def build(folder: Path = DIST) -> list[Path]:
    """Build wheel and sdist into a folder of their own; raises ValueError where one is too large."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    files = sorted(folder.iterdir())
    for file in files:
        if file.stat().st_size > LARGEST:
            raise ValueError(f"{file.name} has {file.stat().st_size:,} bytes; {LARGEST:,.0f} are allowed")
    return files


def try_out(file: Path) -> None:
    """Install one file where nothing else is, with the versions of the lock, and use it."""
    print(file.name, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(python.parent.parent)], check=True)
        install = ["uv", "pip", "install", "--quiet", "--python", str(python), "--constraint", "requirements.lock"]
        subprocess.run([*install, str(file)], cwd=ROOT, check=True)
        for name, command in USES.items():
            print(f"  {name}", flush=True)
            subprocess.run([str(python), *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    for file in build():
        try_out(file)
