"""Import TensorFlow without its log lines, which it writes whatever its log level is."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

#: The variable of TensorFlow's log level, and a level without log lines.
LEVEL, SILENT = 'TF_CPP_MIN_LOG_LEVEL', '3'

#: Lines that TensorFlow logs while it is imported.
LOGGED = re.compile(
    rb'WARNING: All log messages before absl|[IWE]\d{4} \S+ +\d+ \S+\.cc:\d+\] '
    rb'|\d{4}-\d\d-\d\d \S+: [IWE] \S+\.cc:\d+\] |To enable the following instructions: '
)


class Importer(importlib.abc.MetaPathFinder):
    """Imports TensorFlow once, without its log lines."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Return the spec of TensorFlow, whose import is quiet; None for any other module."""
        if name != 'tensorflow':
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            run = loader.exec_module

            def quietly(module: Any) -> None:
                with filtered():
                    run(module)

            loader.exec_module = quietly
        return spec


def install() -> None:
    """Silence TensorFlow, unless the user has set another log level or it is imported already."""
    if os.environ.setdefault(LEVEL, SILENT) == SILENT and 'tensorflow' not in sys.modules:
        sys.meta_path.insert(0, Importer())


@contextlib.contextmanager
def filtered() -> Iterator[None]:
    """Keep log lines from the file descriptor of standard error; other output comes at the end."""
    try:
        held = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
        kept = os.dup(2)
    except OSError:  # no file can be written, or there is no standard error
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        os.dup2(held.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        held.seek(0)
        lines = [line for line in held if line.strip() and not LOGGED.match(line)]
        held.close()
        if lines:
            os.write(2, b''.join(lines))
