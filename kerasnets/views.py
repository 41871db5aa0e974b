"""Several models over one set of layers: to every output, from labels, to the losses."""

import keras
import numpy as np
from keras import ops

from kerasnets import checkpoint, distribution, graphs, masks, optimizers
from kerasnets.compiled import compiled
from kerasnets.errors import ConfigurationError, number
from kerasnets.feeds import Feeds
from kerasnets.nodes import connect, find_output
from kerasnets.objective import Objective
from kerasnets.regularizers import Noise
from kerasnets.slots import Ragged, Slot, fill, length

#: Nothing beside the losses.
PLAIN = graphs.Asked()

#: Values that enter the network at once in prediction, at most, and rows, at least.
BATCH_VALUES = 2**21
BATCH_ROWS = 32


class Views:
    """The models over a network's layers, each made when first asked for.

    Parameters
    ----------
    nodes : list of nodes.Node
    model : keras.Model
        The network's own, made of the same layers.
    losses : list of Loss
    monitors : callable
        As `graphs.build` takes it.
    takes_labels : bool
        As `Feeds` takes it.
    """

    def __init__(self, nodes, model, losses, monitors, takes_labels=False):
        self.nodes = nodes
        self.losses = losses
        self.monitors = monitors
        self.model = model
        self.feeds = Feeds(nodes, losses, self._output_shape, takes_labels)
        self.sampler = None  # of a recurrent classifier
        self._functions, self._graphs, self._objectives = {}, {}, {}
        self._optimizers = {}

    def check_losses(self):
        """Refuse a network that has nothing to make small."""
        if not self.losses:
            raise ConfigurationError("the network has no loss. Call set_loss('xe') first.")

    def outputs(self, names, regularizers=()):
        """The named outputs as a dict of KerasTensors, over the network's inputs."""
        noise = graphs.Noises(self.nodes, regularizers, noisy=True)
        return connect(self.nodes, self.feeds.inputs, names, change=noise.change)

    @property
    def variables(self):
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self.graph().variables

    def graph(self, way=None, asked=PLAIN):
        """The `graphs.Graph` of the losses, over the same variables for each way of data."""
        way = self.feeds.usual() if way is None else way
        key = way, asked
        if key not in self._graphs:
            self.check_losses()
            self._graphs[key] = graphs.build(
                self.nodes,
                self.losses,
                *self.feeds.tensors(way),
                self.monitors,
                asked,
                padded=any(masked for _, masked in way),
            )
        return self._graphs[key]

    def objective(self, source, asked=PLAIN, metrics=()):
        """The compiled `Objective` for a Dataset."""
        way = self.feeds.way(source.slots[: len(self.feeds.inputs)])
        key = way, asked, metrics
        if key not in self._objectives:
            self._objectives[key] = Objective.over(self.graph(way, asked), metrics)
        return self._objectives[key]

    def class_weight(self, asked):
        """Factors for the classes, in order, from a dict of them.

        Raises
        ------
        ConfigurationError
            If a class has none, or there is no such class.
        """
        if asked is None:
            return None
        output = find_output(self.nodes, self.losses[0].output_name)
        classes = range(output.shape[-1])
        if not isinstance(asked, dict) or set(asked) != set(classes):
            raise ConfigurationError(
                f'expected class_weight as a dict with each class of 0 to {classes[-1]}, '
                f'got {asked!r}.'
            )
        finite = (lambda w: 0 <= w < np.inf), 'of 0 or more'
        return tuple(number(asked[k], f'the weight of class {k}', *finite) for k in classes)

    def optimizer(self, algo, learning_rate, keep=False, **options):
        """An optimizer as new: one made before for the same algorithm, its state set back.

        The compiled training step, which belongs to the optimizer, is thereby used again. Its
        state is kept if that is asked for, and an optimizer of the user's own is as it is.
        """
        fresh = optimizers.build(algo, learning_rate, **options)
        if fresh is algo and learning_rate is not None:
            fresh.learning_rate = learning_rate
        scheduled = isinstance(learning_rate, optimizers.schedules.LearningRateSchedule)
        key = algo if fresh is algo else str(algo).lower(), tuple(sorted(options.items()))
        key = (*key, learning_rate) if scheduled else key  # a schedule is part of it
        if key not in self._optimizers:
            fresh.build(self.model.trainable_variables)
            self._optimizers[key] = fresh, checkpoint.values(fresh.variables)
        optimizer, state = self._optimizers[key]
        if not keep and optimizer is not algo:
            checkpoint.restore(optimizer.variables, state)
        if not scheduled and optimizer is not algo:
            optimizer.learning_rate = float(ops.convert_to_numpy(fresh.learning_rate))
        return optimizer

    def compile(self, objective, optimizer, **settings):
        """Compile an objective, and the network's own model beside it, with an optimizer.

        Callbacks and saved files see the network's model, with the optimizer's state.
        """
        objective.use(optimizer, **settings)
        if getattr(self.model, 'optimizer', None) is not optimizer:
            single = len(self.losses) == 1 and len(self.model.outputs) == 1
            self.model.compile(optimizer, self.losses[0].keras_loss if single else None)

    def compute(self, x, names, start=None, regularizers=(), rng=None):
        """The named outputs for some inputs: a dict of arrays.

        Noise and dropout among the regularizers are drawn as a numpy generator decides.
        Sequences of differing length give lists of arrays, a sequence each, where the output
        has steps. With `start`, the array stands for that layer's output, in the place of the
        inputs.

        Raises
        ------
        DataError
            If the data does not fit.
        """
        if start is None:
            arrays = self.feeds.arrays(x)
            slots = self.feeds.slots(arrays)
        else:
            output = find_output(self.nodes, start)
            arrays = [x]
            slots = [Slot(f'outputs of {start!r}', tuple(output.shape), dtype=output.dtype)]
        arrays = fill(slots, arrays, 'inputs')
        noisy = tuple(r for r in regularizers if isinstance(r, Noise))
        function, noises = self._function(tuple(names), self.feeds.way(slots), start, noisy)
        graphs.reseed(noises, rng)
        results = _in_batches(function, arrays, slots)
        return {name: results[name] for name in names}

    def _output_shape(self, shapes):
        shape = self.model.compute_output_shape(shapes if shapes[1:] else shapes[0])
        return shape[0] if isinstance(shape, list) else shape

    def _function(self, names, way, start, regularizers):
        """A compiled function of a batch, and the layers in it that draw at random."""
        key = names, way, start, regularizers
        if key not in self._functions:
            if start is None:
                tensors, sources = self.feeds.entry(way)
            else:
                output = find_output(self.nodes, start)
                tensors = [keras.Input(batch_shape=output.shape, dtype=output.dtype)]
                sources = {start: tensors[0]}
            padded = any(masked for _, masked in way)
            noise = graphs.Noises(self.nodes, regularizers, noisy=True)
            outputs = connect(self.nodes, sources, names, padded, noise.change)
            steps = {}
            for name in names if padded else ():
                if len(outputs[name].shape) > 2:
                    steps[name] = masks.Steps()(outputs[name])
            model = keras.Model(tensors, {'outputs': outputs, 'steps': steps})
            function = compiled(
                lambda *xs: keras.tree.map_structure(_full, model(list(xs), training=False)),
                model.variables,
                model.inputs,
                xla=model.jit_compile,
            )
            self._functions[key] = function, noise.layers
        return self._functions[key]


def _full(tensor):
    """A tensor of half precision in full: what is no dtype of numpy's is not handed out."""
    half = keras.backend.standardize_dtype(tensor.dtype) in ('bfloat16', 'float16')
    return ops.cast(tensor, 'float32') if half else tensor


def _in_batches(function, arrays, slots):
    """A compiled function of a batch, over all rows of some arrays."""
    if any(isinstance(array, Ragged) for array in arrays):
        return _in_ragged_batches(function, arrays, slots)
    count = length(arrays[0])
    rows = max(BATCH_ROWS, BATCH_VALUES // _width(slots, arrays))
    results = None
    for start in range(0, max(1, count), rows):
        outputs, _ = _run(function, slots, arrays, slice(start, start + rows))
        if results is None:
            results = {k: np.empty((count, *v.shape[1:]), v.dtype) for k, v in outputs.items()}
        for name, value in outputs.items():
            results[name][start : start + rows] = value[:count]
    return results


def _in_ragged_batches(function, arrays, slots):
    """The same for sequences of differing length, those of like length together."""
    longest = np.max([a.lengths for a in arrays if isinstance(a, Ragged)], axis=0)
    order = np.argsort(longest, kind='stable')
    found = {}
    while len(order):
        size = max(1, BATCH_VALUES // (_width(slots, arrays) * max(1, longest[order[-1]])))
        rows, order = order[-size:], order[:-size]
        outputs, steps = _run(function, slots, arrays, rows)
        for name, value in outputs.items():
            into = found.setdefault(name, [None] * len(longest))
            for i, row in enumerate(rows):
                into[row] = value[i][steps[name][i]] if name in steps else value[i]
    return {name: v if name in steps else np.stack(v) for name, v in found.items()}


def _width(slots, arrays):
    """Values that a row of the inputs has, a step of it for sequences of differing length."""
    shapes = [s.shape[1:] if isinstance(a, Ragged) else a.shape[1:] for s, a in zip(slots, arrays)]
    widths = [
        np.prod([n or 1 for n in shape]) * (s.classes or 1) for s, shape in zip(slots, shapes)
    ]
    return max(1, int(sum(widths)))


def _run(function, slots, arrays, rows):
    """Outputs, and masks of those that have steps, for some rows: dicts of arrays."""
    if length(arrays[0]):
        batch = [part for s, a in zip(slots, arrays) for part in s.batch(a, rows)]
    else:  # one row of nothing tells the shapes of no rows
        batch = [np.zeros((1, *a.shape[1:]), s.dtype) for s, a in zip(slots, arrays)]
    found = distribution.run(function, batch)
    return found['outputs'], found['steps']
