"""The end of a stream of labels: at one of them, or at several that follow each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Stops:
    """Ends streams after certain labels.

    Parameters
    ----------
    stop : list of int
        Labels that follow each other; none if no stream ends.
    streams : int
    """

    def __init__(self, stop: list[int], streams: int) -> None:
        self.stop = stop
        self.streams = streams

    def ended(self, steps: Iterator[Any]) -> Iterator[Any]:
        """Yield (labels, logs) as they are given out, each stream up to the end of `stop`.

        A single label where there is one stream, else a list with None for those that ended; in
        a pair with the logarithms, if there are any.
        """
        if not self.stop:
            for labels, logs in steps:
                out = labels[0] if self.streams == 1 else labels
                yield out if logs is None else (out, logs[0] if self.streams == 1 else logs)
            return
        written: list[list[int]] = [[] for _ in range(self.streams)]
        going = [True] * self.streams
        for labels, logs in steps:
            found = [label if on else None for label, on in zip(labels, going)]
            logs = logs and [log if on else None for log, on in zip(logs, going)]
            for i, label in enumerate(labels):
                written[i] = [*written[i], label][-len(self.stop) :]
                going[i] = going[i] and written[i] != self.stop
            one = self.streams == 1
            out = found[0] if one else found
            yield out if logs is None else (out, logs[0] if one else logs)
            if not any(going):
                return
