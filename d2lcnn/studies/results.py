"""What the recorded runs of a study say."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from d2lcnn import statistics
from d2lcnn.records import Estimate, Record, Table
from d2lcnn.studies.protocol import Study


class Results:
    """The recorded runs of a study, paired by seed: those seeds that every variant has, in one precision.

    `study`, `seeds`, `precision`. A measure is "test_accuracy", "test_loss" or what the study's records hold under
    `measures`, such as "parameters" and "macs". Raises ValueError for an unknown variant or measure, and where nothing
    is recorded.
    """

    def __init__(self, study: Study, runs: dict[str, list[Record]]) -> None:
        every = [record for found in runs.values() for record in found]
        if not every:
            raise ValueError(f"study {study.name} has no records yet: python -m d2lcnn study {study.name}")
        precisions = [record["recipe"]["precision"] for record in every]
        self.study, self.precision = study, max(sorted(set(precisions)), key=precisions.count)
        own = {
            name: {r["seed"]: r for r in found if r["recipe"]["precision"] == self.precision}
            for name, found in runs.items()
        }
        self.seeds = tuple(sorted(set.intersection(*(set(found) for found in own.values()))))
        self._runs = {name: [found[seed] for seed in self.seeds] for name, found in own.items()}

    def records(self, variant: str) -> list[Record]:
        """The records of a variant, by seed."""
        if variant not in self._runs:
            raise ValueError(f"variant must be one of {', '.join(self._runs)}, got {variant!r}")
        return self._runs[variant]

    def values(self, variant: str, measure: str = "test_accuracy") -> list[Any]:
        """A measure of each run of a variant, by seed."""
        found = [{**r["measures"], **{k: r[k] for k in ("test_accuracy", "test_loss")}} for r in self.records(variant)]
        if any(measure not in values for values in found):
            known = ", ".join(sorted(set.intersection(*(set(values) for values in found))))
            raise ValueError(f"measure must be one of {known}, got {measure!r}")
        return [values[measure] for values in found]

    def mean(self, variant: str, measure: str = "test_accuracy") -> Any:
        """The mean over seeds of a measure; of a measure that is a list, the list of means."""
        return _over_seeds(mean, self.values(variant, measure))

    def spread(self, variant: str, measure: str = "test_accuracy") -> Any:
        """The sample standard deviation over seeds, as `mean`; None where there is but one."""
        return None if len(self.seeds) < 2 else _over_seeds(stdev, self.values(variant, measure))

    def curve(self, variant: str, column: str = "val_accuracy") -> list[float]:
        """The mean over seeds of a column of the training curve, by epoch."""
        rows = [[row[column] for row in record["curve"]] for record in self.records(variant)]
        return [mean(values) for values in zip(*rows)]

    def compare(self, first: str, second: str, measure: str = "test_accuracy") -> statistics.Paired:
        """First minus second, paired by seed, with the exact p of the sign-flip test."""
        return statistics.paired(self.values(first, measure), self.values(second, measure))

    def table(self, *measures: str) -> Table:
        """A row for each variant: parameters, MACs, runs, test accuracy and `measures`, mean and spread over seeds."""
        rows = []
        for name in self._runs:
            row = {"variant": name, "parameters": self.mean(name, "parameters"), "macs": self.mean(name, "macs")}
            row["runs"] = len(self.seeds)
            for measure in ("test_accuracy", *measures):
                row[measure] = Estimate(self.mean(name, measure), self.spread(name, measure))
            rows.append(row)
        return Table(tuple(rows))

    def __repr__(self) -> str:
        lines = [
            self.study.question,
            repr(self.table()),
            f"({self.precision}, seeds {', '.join(map(str, self.seeds))})",
        ]
        return "\n".join(lines)


def _over_seeds(statistic: Any, values: list[Any]) -> Any:
    if isinstance(values[0], list):
        return [statistic(column) for column in zip(*values)]
    return statistic(values)
