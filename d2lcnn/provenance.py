"""Where, with what and from which code a result was computed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


def describe_run(device: Any, processes: int = 1) -> dict[str, Any]:
    """What a record says of the machine and the moment: see `d2lcnn.records`."""
    import platform
    from datetime import UTC, datetime
    from importlib.metadata import PackageNotFoundError, version

    import torch

    from d2lcnn.data import fashion_mnist

    try:
        own_version = version("d2lcnn")
    except PackageNotFoundError:
        own_version = "not installed"
    is_cuda = device.type == "cuda"
    return {
        "peak_memory": torch.cuda.max_memory_allocated(device) if is_cuda else _peak_memory(),
        "hardware": {
            "device": device.type,
            "cpu": cpu_name(),
            "gpu": torch.cuda.get_device_name(device) if is_cuda else None if device.type == "cpu" else device.type,
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "threads": torch.get_num_threads(),
            "processes": processes,
        },
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__), "d2lcnn": own_version},
        "data": fashion_mnist.SHA256,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def cpu_name() -> str:
    """The processor's name, as far as the system tells it."""
    import platform

    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, names), "") or platform.processor() or platform.machine() or "unknown"


def code_revision() -> str | None:
    """The last commit that changed the package's code, "-dirty" where changes are not committed; None: not tracked."""

    # Of the package's code alone: a record just written must not make the next one's revision dirty. An installed
    # package that lies in someone else's repository is not tracked there, so it has no revision.
    def git(*arguments: str) -> str:
        command = ["git", *arguments, "--", "*.py"]
        return subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=True).stdout

    try:
        revision = git("log", "-1", "--format=%H").strip()
        return revision + ("-dirty" if git("status", "--porcelain") else "") if revision else None
    except (OSError, subprocess.CalledProcessError):
        return None


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:  # on Windows
        return None
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
