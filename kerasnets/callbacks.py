"""Keras callbacks that show training: a progress bar and TensorBoard logs."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import re
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from kerasnets.errors import ConfigurationError, FileError, check_known
from kerasnets.typing import Path

if TYPE_CHECKING:
    from kerasnets.typing import Logs

#: Seeds of text samples in TensorBoard are this long, and the samples this.
SEED, SAMPLE = 40, 200

#: In the folder of a run of TensorBoard: its settings.
SETTINGS = 'settings.json'


def progress(verbose: Any) -> list[Any]:
    """Return the callbacks that show progress.

    `verbose` is 0 for none, 1 for a bar, 2 for a line per epoch, and 'auto' for a bar in a
    terminal or a notebook.
    """
    if verbose not in ('auto', 0, 1, 2):
        raise ConfigurationError(
            f"expected verbose as 'auto', 0, 1 or 2, got {verbose!r}. Choose one of them."
        )
    notebook = _in_notebook()
    if verbose == 'auto':
        verbose = int(notebook or sys.stderr.isatty())
    return [[], [NotebookProgress() if notebook else Progress()], [Lines()]][verbose]


def _in_notebook() -> bool:
    """Return True if the code runs in a Jupyter kernel, which shows HTML."""
    shell = sys.modules['IPython'].get_ipython() if 'IPython' in sys.modules else None
    return hasattr(shell, 'kernel')


class Rate(ProgressColumn):
    """Batches a second."""

    def render(self, task: Any) -> Any:
        """Return the column's text for a task."""
        seconds = task.fields['seconds']
        return Text(f'{task.completed / seconds:.0f} batches/s' if seconds else '')


class Shows(keras.callbacks.Callback):
    """Base of the callbacks that show the monitors, and do nothing else.

    A trainer sets `seconds` at the end of each epoch: one call may compute several epochs.
    """

    start = 0.0
    seconds: float | None = None

    def _seconds(self) -> float:
        """Return the duration of the last epoch in seconds."""
        return time.perf_counter() - self.start if self.seconds is None else self.seconds


class OnConsole(Shows):
    """Base of the callbacks that print to a console, standard error by default.

    Parameters
    ----------
    console : rich.console.Console, optional
    """

    def __init__(self, console: Any = None) -> None:
        super().__init__()
        self.console = console or Console(stderr=True)


class Left(ProgressColumn):
    """Seconds that the whole training will take, or took."""

    def render(self, task: Any) -> Any:
        """Return the column for a task."""
        left = task.fields['left']
        return Text('' if left is None else f'{int(left) // 60}:{int(left) % 60:02d}')


class Progress(OnConsole):
    """A bar for each epoch on standard error, with its monitors and the time left.

    A narrow terminal shows fewer columns and monitors, so that no line wraps.
    """

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start the bars."""
        width = self.console.width
        once = Column(no_wrap=True)
        bar = min(40, max(6, width - 120))
        columns: list[ProgressColumn] = [
            TextColumn('{task.description}', table_column=once),
            BarColumn(bar_width=bar),
        ]
        self.room = width - bar - 28  # for the monitors
        if width >= 100:
            columns.append(TextColumn('{task.completed}/{task.total}', table_column=once))
            self.room -= 14
        if width >= 140:
            columns.append(Rate())
            self.room -= 18
        columns += [TextColumn('{task.fields[monitors]}', markup=False, table_column=once), Left()]
        self.bars = Bars(*columns, console=self.console)
        self.began = time.perf_counter()
        self.bars.start()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Replace the bar by one for this epoch."""
        for task in self.bars.task_ids:
            self.bars.remove_task(task)
        of = f'/{self.params["epochs"]}' if self.params.get('epochs') else ''
        self.task = self.bars.add_task(
            f'epoch {epoch + 1}{of}',
            total=self.params.get('steps'),
            monitors='',
            seconds=0,
            left=None,
        )
        self.epoch, self.start = epoch, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advance the bar."""
        steps = self.params.get('steps')
        seconds = time.perf_counter() - self.start
        self._show(batch + 1, logs, self.epoch + ((batch + 1) / steps if steps else 0), seconds)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Show the epoch's monitors."""
        # epochs that a program ran in one call had no batches
        done = self.bars.tasks[-1].completed or self.params.get('steps') or 0
        self._show(done, logs, epoch + 1, self._seconds(), total=done)

    def _show(self, done: float, logs: Logs, epochs: float, seconds: float, **more: Any) -> None:
        now, every = time.perf_counter(), self.params.get('epochs')
        shown: dict[str, Any] = {
            'monitors': _figures(logs, self.room),
            'seconds': seconds,
            'left': (now - self.began) * (every / epochs - 1) if every and epochs else None,
        }
        self.bars.update(self.task, completed=done, **shown, **more)

    def on_train_end(self, logs: Logs = None) -> None:
        """Stop the bars."""
        if self.bars.task_ids:
            self.bars.update(self.bars.task_ids[-1], left=time.perf_counter() - self.began)
        self.bars.stop()


class NotebookProgress(Shows):
    """A bar in a notebook: one line, updated in place ten times a second at most."""

    #: Seconds between two updates.
    EVERY = 0.1

    def on_train_begin(self, logs: Logs = None) -> None:
        """Display an empty bar."""
        from IPython.display import DisplayHandle

        self.start, self.drawn = time.perf_counter(), 0.0
        self.logs: dict[str, Any] = {}
        self.handle = DisplayHandle()
        self.epoch = self.done = 0
        self.handle.display(self._content(), raw=True)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Reset the bar."""
        self.epoch, self.done = epoch, 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advance the bar."""
        self.done = batch + 1
        self._show(logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Show the epoch's monitors."""
        self.epoch, self.done = epoch + 1, 0
        self._show(logs)

    def on_train_end(self, logs: Logs = None) -> None:
        """Show the final state of the bar."""
        self.handle.update(self._content(ended=True), raw=True)

    def _show(self, logs: Logs) -> None:
        self.logs, now = {**self.logs, **(logs or {})}, time.perf_counter()
        if now - self.drawn >= self.EVERY:
            self.drawn = now
            self.handle.update(self._content(), raw=True)

    def _content(self, ended: bool = False) -> dict[str, str]:
        """Return the line as text and as HTML."""
        epochs, steps = self.params.get('epochs'), self.params.get('steps')
        of = f'/{epochs}' if epochs else ''
        seconds = time.perf_counter() - self.start
        line = f'epoch {self.epoch}{of}  {_figures(self.logs)}  {seconds:.1f} s'
        known, done = epochs or steps, self.epoch if epochs else self.done
        part = (
            1.0 if ended else (done + (self.done / steps if epochs and steps else 0)) / (known or 1)
        )
        value = f' value="{min(1.0, part):.3f}"' if ended or known else ''
        return {
            'text/plain': line,
            'text/html': f'<progress{value}></progress> <code>{line}</code>',
        }


class Lines(OnConsole):
    """A line on standard error for each epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Print the epoch's monitors and seconds."""
        of = f'/{self.params["epochs"]}' if self.params.get('epochs') else ''
        self.console.print(
            f'epoch {epoch + 1}{of}  {self._seconds():.1f} s  {_figures(logs)}', highlight=False
        )


def _figures(logs: Any, room: int = 100) -> str:
    """Return the loss, the accuracy and those of the validation, as many as there is room for."""
    names = [name for name in ('loss', 'acc', 'val_loss', 'val_acc') if name in (logs or {})]
    text = ''
    for name in names:
        longer = f'{text}{"  " if text else ""}{name} {float(logs[name]):.4f}'
        text = longer if len(longer) <= room else text
    return text


class TensorBoard(keras.callbacks.Callback):
    """Writes what TensorBoard shows: one run for each training.

    Scalars have the names of the monitors, and one step for each epoch, from 1. Those of the
    training data are in the subfolder ``train`` of a run, those of the validation data in
    ``valid``, so that TensorBoard draws both in one chart. The hyperparameters are under HParams.

    A run is named after the layers, the algorithm, the learning rate and those settings that
    differ from an earlier run in the same folder: ``4-8tanh-3,adam,learning_rate=0.01``.

    Parameters
    ----------
    path : str or path
        Folder of the runs. Each training makes a folder in it.
    histograms : bool
        Write a histogram of each parameter, each epoch.
    images : bool
        Write each matrix of weights as an image, each epoch: grey is 0, white the largest.
    graph : bool
        Write the graph of the model, where Keras runs on TensorFlow.
    sample : callable, optional
        Called each epoch with nothing; returns text to write. `train` gives one to a
        network that has a ``text``.

    The folder of the newest run is in the attribute ``run``.
    """

    def __init__(
        self,
        path: Path,
        histograms: bool = False,
        images: bool = False,
        graph: bool = False,
        sample: Any = None,
    ) -> None:
        super().__init__()
        self.path = pathlib.Path(path)
        self.histograms = histograms
        self.images = images
        self.graph = graph
        self.sample = sample
        self.params_of: Callable[[], list[Any]] = list
        self.hparams: dict[str, Any] = {}
        self.layers = 'model'
        self.run: pathlib.Path | None = None
        self.writers: dict[str, Any] = {}

    @classmethod
    def build(
        cls, tensorboard: Any, net: Any, hparams: Any = (), layers: str = 'model'
    ) -> TensorBoard:
        """Build a TensorBoard from a path, a dict of keywords or a TensorBoard, for a network.

        `hparams` are the keywords that it is trained with, `layers` starts the names of its runs.
        """
        if isinstance(tensorboard, dict):
            known = ('path', 'histograms', 'images', 'graph', 'sample')
            check_known(tensorboard, known, 'keyword of tensorboard')
            if 'path' not in tensorboard:
                raise ConfigurationError(
                    f"tensorboard: expected a 'path' among the keywords, got {list(tensorboard)}. "
                    "Write for example tensorboard=dict(path='logs')."
                )
            tensorboard = cls(**tensorboard)
        elif isinstance(tensorboard, (str, os.PathLike)):
            tensorboard = cls(tensorboard)
        elif not isinstance(tensorboard, cls):
            raise ConfigurationError(
                f'expected tensorboard as a path, a dict or a TensorBoard, got {tensorboard!r}. '
                "Write for example tensorboard='logs'."
            )
        tensorboard.params_of = lambda: net.params
        tensorboard.hparams = {'network': repr(net), **dict(hparams)}
        tensorboard.layers = layers
        if tensorboard.sample is None and getattr(net, 'text', None) is not None:
            tensorboard.sample = lambda: net.text_sample(SEED, SAMPLE)
        return tensorboard

    def on_train_begin(self, logs: Logs = None) -> None:
        """Open the log of this training."""
        import tensorflow as tf  # only here: TensorBoard's files are TensorFlow's
        from tensorboard.plugins.hparams import api

        self.summary = tf.summary
        settings = {k: _plain(v) for k, v in self.hparams.items()}
        self.run = self._new_run(settings)
        self.writers = {
            part: tf.summary.create_file_writer(str(self.run / part)) for part in ('train', 'valid')
        }
        whole = tf.summary.create_file_writer(str(self.run))
        with whole.as_default(step=0):
            api.hparams(settings)
            if self.graph and keras.backend.backend() == 'tensorflow':
                specs = [tf.TensorSpec(x.shape, x.dtype) for x in self.model.inputs]
                call = tf.function(self.model, autograph=False)
                inputs = specs if specs[1:] else specs[0]
                tf.summary.graph(call.get_concrete_function(inputs).graph)
        whole.close()

    def _new_run(self, settings: dict[str, Any]) -> pathlib.Path:
        """Make the folder of a run with these settings, and store them in it."""
        earlier = [json.loads(path.read_text('utf-8')) for path in self.path.glob(f'*/{SETTINGS}')]
        parts = [self.layers, str(settings.get('algo', 'keras'))]
        for key, value in settings.items():
            differs = any(other.get(key) != value for other in earlier)
            if key == 'learning_rate' or (differs and key not in ('network', 'algo')):
                parts.append(f'{key}={value}')
        name = re.sub(r'[^\w.,=+-]+', '_', ','.join(parts))[:120]
        names = (name if n == 1 else f'{name},{n}' for n in itertools.count(1))
        run = next(self.path / name for name in names if not (self.path / name).exists())
        try:
            run.mkdir(parents=True)
            (run / SETTINGS).write_text(json.dumps(settings), 'utf-8')
        except OSError as error:
            raise FileError(
                f'cannot write the logs of TensorBoard to {str(self.path)!r} ({error.strerror}). '
                'Choose another folder.'
            ) from error
        return run

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's monitors and parameters."""
        for name, value in (logs or {}).items():
            part = 'valid' if name.startswith('val_') else 'train'
            with self.writers[part].as_default(step=epoch + 1):
                self.summary.scalar(name.removeprefix('val_'), value)
        with self.writers['train'].as_default(step=epoch + 1):
            rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
            self.summary.scalar('learning_rate', float(rate))
            for param in self.params_of() if self.histograms or self.images else ():
                self._write(param.name, param.get_value())
            if self.sample is not None:
                self.summary.text('sample', self.sample())
        for writer in self.writers.values():
            writer.flush()

    def _write(self, name: str, value: Any) -> None:
        """Write a parameter as a histogram and as an image."""
        if self.histograms:
            self.summary.histogram(f'{name}/histogram', value)
        if self.images and value.ndim == 2:
            grey = 0.5 + value / (2 * (abs(value).max() or 1.0))
            self.summary.image(f'{name}/image', grey[None, :, :, None])

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the log."""
        for writer in self.writers.values():
            writer.close()


def _plain(value: Any) -> Any:
    """Return a setting for a log: an object of Keras by its class and numbers, others as repr."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if not hasattr(value, 'get_config'):
        return re.sub(
            r'<(?:function )?(?:[\w<>]+\.)*(\w+)(?: object)? at 0x\w+>', r'\1', repr(value)
        )
    numbers = (v for v in value.get_config().values() if type(v) in (int, float))
    return f'{type(value).__name__}({",".join(f"{v:g}" for v in numbers)})'
