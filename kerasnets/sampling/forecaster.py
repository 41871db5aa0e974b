"""Forecasts of sequences: predictions are fed back as inputs in one compiled loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from kerasnets.data.array_spec import Ragged, fill
from kerasnets.errors import ConfigurationError, DataError, number, positive
from kerasnets.graph.nodes import Node
from kerasnets.initializers import generator
from kerasnets.programs.program import Programs
from kerasnets.sampling.loop import chunk, run_steps
from kerasnets.sampling.sampler import StepNetwork, StepPrograms
from kerasnets.typing import Array, Tensor, Tensors


class Forecaster:
    """Continues sequences of values.

    Parameters
    ----------
    programs : Programs
        Of the network.
    mean : str
        Name of the layer whose output is the next step.
    variance : str or None
        Name of the layer whose output is the variance of each value, if values are drawn.
    feedback : list of int or str, or None
        Columns of the inputs that are fed back, in the order of the outputs. None: all.

    Raises
    ------
    ConfigurationError
        If the layers cannot run a step at a time, or the outputs do not match the inputs.
    """

    def __init__(self, programs: Programs, mean: str, variance: str | None, feedback: Any) -> None:
        outputs = [mean] if variance is None else [mean, variance]
        self.data_spec = data_spec = programs.models.data_spec
        self.drawn = variance is not None

        def make(nodes: Sequence[Node]) -> StepNetwork:
            return StepNetwork(nodes, outputs=outputs)

        self.network = make(data_spec.nodes)
        self.programs = StepPrograms(programs, self.network, make, *outputs)
        shapes = {node.name: node.output.shape for node in data_spec.nodes}
        self.columns, self.values = shapes[self.network.source][-1], shapes[mean][-1]
        if len(shapes[self.network.source]) != 3 or self.columns is None:
            raise ConfigurationError(
                f'expected inputs of values (examples, time, variables), got inputs of shape '
                f'{tuple(shapes[self.network.source])}. For labels, use a Classifier.'
            )
        self.feedback = check_feedback(feedback, self.columns, self.values)

    def predict(
        self,
        seed: Any,
        steps: int,
        streams: int = 1,
        rng: Any = None,
        future: Any = None,
        temperature: float = 1.0,
    ) -> Any:
        """Return the steps after a seed: see `recurrent.Regressor.predict_sequence`."""
        steps, streams = positive(steps, 'steps', least=0), positive(streams, 'streams')
        number(temperature, 'temperature', lambda t: 0 <= t < np.inf, 'of 0 or more')
        names = [str(name) for name in getattr(seed, 'columns', [])]
        fed = self._places(names)
        listed = isinstance(seed, (list, tuple)) and any(np.ndim(one) > 1 for one in seed)
        single = not listed and np.ndim(seed) == 2
        seed = self._seed(seed, single)
        self.network.check_length(seed.shape[1] + steps - 1)
        future = self._future(future, len(seed), steps, fed, names)
        noise = generator(rng) if self.drawn and temperature else None
        forecasts = self._run(seed, future, streams, noise, fed, np.float32(temperature))
        forecasts = forecasts.reshape(len(seed), streams, steps, self.values)
        forecasts = forecasts[:, 0] if streams == 1 else forecasts
        forecasts = forecasts[0] if single else forecasts
        turned = self.data_spec.time_major and not single
        return np.moveaxis(forecasts, -2, 0) if turned else forecasts

    def _run(
        self,
        seed: Array,
        future: Array,
        streams: int,
        noise: np.random.Generator | None,
        fed: list[int],
        temperature: np.float32,
    ) -> Array:
        """Return forecasts (series · streams, steps, values)."""
        count, length, steps = len(seed) * streams, seed.shape[1], future.shape[1]
        read, states = self.programs.begin(seed, streams)
        rows = np.concatenate([seed, future], axis=1)  # columns that are fed back hold 0 later
        rows = np.repeat(np.swapaxes(rows, 0, 1), streams, axis=1)
        whole, records = length + steps - 1, []
        y = np.zeros((count, self.values), 'f')
        matrix = np.zeros((self.values, self.columns), 'f')
        matrix[np.arange(self.values), fed] = 1
        size = chunk()
        for first in range(read, whole, size):
            part = rows[first : min(first + size, whole)]
            inputs = np.zeros((size, *part.shape[1:]), 'f')
            inputs[: len(part)] = part
            draws = np.zeros((size if self.drawn else 0, count, self.values), 'f')
            if noise is not None:
                # steps of the seed draw no numbers
                after = min(len(part), max(0, length - 1 - first))
                drawn = noise.standard_normal((len(part) - after, count, self.values), 'f')
                draws[after : len(part)] = temperature * drawn
            times = np.array([first, len(part), length], 'i')
            args = y, inputs, draws, times, matrix, states
            y, record, states = self.programs.call('forecast', _steps, *args)
            records.append(ops.convert_to_numpy(record)[: len(part)])
        forecasts = (
            np.concatenate(records)[length - 1 - read :]
            if records
            else np.zeros((0, count, self.values))
        )
        return np.swapaxes(forecasts[:steps], 0, 1)

    def _places(self, names: list[str]) -> list[int]:
        """Return the indices of the fed-back columns, of which `feedback` may give names."""
        places = []
        for column in self.feedback:
            if isinstance(column, str):
                if column not in names:
                    raise DataError(
                        f'feedback: the seed has no column {column!r}, it has '
                        f'{names or "no names"}. Pass the seed as a DataFrame with that column, '
                        'or feedback as indices.'
                    )
                column = names.index(column)
            places.append(column)
        return places

    def _seed(self, seed: Any, single: bool) -> Array:
        if hasattr(seed, 'columns'):
            seed = seed.to_numpy()
        seed = np.asarray(seed)[None] if single else seed
        (seed,) = self.data_spec.turned([seed]) if not single else [seed]
        (seed,) = fill(self.data_spec.specs([seed]), [seed], 'seed')
        if isinstance(seed, Ragged):
            raise DataError(
                'seed: expected series of one length, got series of different lengths. Cut them '
                'to the length of the shortest, or predict them one by one.'
            )
        return np.asarray(seed, 'float32')

    def _future(
        self, future: Any, series: int, steps: int, fed: list[int], names: list[str]
    ) -> Array:
        """Return inputs of future steps (series, steps, columns), 0 if they are fed back."""
        rest = [i for i in range(self.columns) if i not in fed]
        rows = np.zeros((series, steps, self.columns), 'f')
        which = ', '.join(names[i] if names else str(i) for i in rest)
        if future is None:
            if rest and steps > 1:
                raise DataError(
                    f'expected the future values of the inputs {which}, got none. Pass future=, an '
                    f'array of shape ({steps}, {len(rest)}).'
                )
            return rows
        future = _known([names[i] for i in rest] if names else [], which, future)
        future = future[None] if future.ndim == 2 else future
        turned = self.data_spec.time_major and future.ndim == 3 and series > 1
        future = np.swapaxes(future, 0, 1) if turned else future
        shape = series, steps, len(rest)
        one = future.ndim == 3 and len(future) == 1
        if future.ndim != 3 or future.shape[2] != len(rest) or not (one or len(future) == series):
            raise DataError(
                f'future: expected shape ({steps}, {len(rest)}) or {shape}, a row for each step '
                f'and the columns {which or "of none, since all are fed back"}, got '
                f'{future.shape[1:] if one else future.shape}. Pass an array of that shape.'
            )
        if future.shape[1] < steps:
            raise DataError(
                f'future: expected a row for each of {steps} steps, got {future.shape[1]}. Add '
                'rows, or pass fewer steps.'
            )
        rows[:, :, rest] = future[:, :steps]
        return rows


def _steps(
    network: StepNetwork,
    y: Tensor,
    inputs: Tensor,
    draws: Tensor,
    times: Tensor,
    matrix: Tensor,
    states: Tensors,
) -> tuple[Tensor, Tensor, Tensors]:
    """Run steps from an output; return the last output, all outputs and the states."""
    first, count, length = times[0], times[1], times[2]
    advance = network.make_step()

    def step(held: Any, parts: list[Tensor], i: Tensor) -> tuple[Any, list[Tensor]]:
        y, own = held
        ours = ops.cast(first + i >= length, 'float32')  # 0 within the seed
        x = parts[0] + ours * ops.matmul(y, matrix)
        (y, *variance), own = advance(x, own, first + i)
        y = ops.cast(y, 'float32')
        if variance:
            y = y + ops.sqrt(ops.cast(variance[0], 'float32')) * parts[1]
        return [y, own], [y]

    rows = [inputs, draws] if draws.shape[0] else [inputs]
    record = ops.zeros((inputs.shape[0], *y.shape), 'float32')
    (y, states), (record,) = run_steps(step, count, rows, [y, states], [record])
    return y, record, states


def _known(names: list[str], which: str, future: Any) -> Array:
    """Return future inputs as numbers; select the named columns of a DataFrame in order."""
    if hasattr(future, 'columns'):
        if not set(names) <= set(future.columns):
            raise DataError(
                f'future: expected the columns {which}, got {list(future.columns)}. '
                'Add the columns that are missing.'
            )
        future = (future[names] if names else future).to_numpy()
    try:
        future = np.asarray(future, 'float32')
    except (TypeError, ValueError):
        future = np.array(np.nan)  # rows of different lengths, or words
    if not np.isfinite(future).all():
        raise DataError(
            'future: expected an array of finite numbers, got others. Fill in missing values.'
        )
    return future


def check_feedback(feedback: Any, columns: int, values: int) -> list[Any]:
    """Return the input columns that predictions are fed back to, as indices or names.

    Parameters
    ----------
    feedback : int, str, list of them, or None
        None: all columns.
    columns, values : int
        Numbers of input columns and of outputs.

    Raises
    ------
    ConfigurationError
        If their number is not that of the outputs, or one does not exist or is repeated.
    """
    if feedback is None:
        if columns != values:
            raise ConfigurationError(
                f'predictions are fed back as inputs: expected as many outputs as inputs, got '
                f'{values} and {columns}. Build the network with feedback=, the columns of the '
                'inputs that the outputs become.'
            )
        return list(range(columns))
    listed = not isinstance(feedback, str) and hasattr(feedback, '__iter__')
    fed = list(feedback) if listed else [feedback]
    for column in fed:
        whole = isinstance(column, (int, np.integer)) and not isinstance(column, bool)
        if not (isinstance(column, str) or (whole and 0 <= column < columns)):
            raise ConfigurationError(
                f'feedback: expected columns of 0 to {columns - 1}, or their names, got '
                f'{column!r}. Pass the index of a column.'
            )
    if len(fed) != values or len(set(fed)) < len(fed):
        raise ConfigurationError(
            f'feedback: expected {values} different columns, one for each output, got {fed}. '
            'Pass a list of that many.'
        )
    return fed
