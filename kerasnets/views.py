"""Several models over one set of layers: to every output, from labels, to the losses."""

import keras
import numpy as np
from keras import ops

from kerasnets import builder, data, objective, optimizers
from kerasnets.compiled import compiled
from kerasnets.errors import ConfigurationError

#: Values that enter the network at once in prediction, at most, and rows, at least.
BATCH_VALUES = 2**21
BATCH_ROWS = 32


class Views:
    """The models over a network's layers, each made when first asked for.

    Parameters
    ----------
    nodes : list of builder.Node
    model : keras.Model
        The network's own, made of the same layers.
    losses : list of Loss
    monitors : callable
        As `objective.graph` takes it.
    takes_labels : bool
        Whether inputs may be integers (examples, time), which stand for one-hot rows. The
        rows are made batch by batch, inside the compiled model.
    """

    def __init__(self, nodes, model, losses, monitors, takes_labels=False):
        self.nodes = nodes
        self.losses = losses
        self.monitors = monitors
        self.takes_labels = takes_labels
        self.model = model
        self.sampler = None  # of a recurrent classifier
        self._functions, self._graphs, self._objectives = {}, {}, {}
        self._optimizers, self._shapes, self._tensors = {}, {}, {}

    @property
    def inputs(self):
        """The Keras tensors that the network reads."""
        return list(builder.inputs_of(self.nodes).values())

    def are_labels(self, x):
        """Whether an array holds labels in the place of the inputs."""
        static = self.inputs[0].shape
        return (
            self.takes_labels
            and len(static) > 2
            and np.ndim(x) == len(static) - 1
            and np.asarray(x).dtype.kind in 'iu'
        )

    def check_losses(self):
        """Refuse a network that has nothing to make small."""
        if not self.losses:
            raise ConfigurationError("the network has no loss. Call set_loss('xe') first.")

    def tensors(self, names, labels=False, start=None):
        """Input tensors, and the named outputs as a dict of KerasTensors."""
        if start is None:
            inputs, sources = self._entry(labels)
        else:
            output = builder.find_output(self.nodes, start)
            inputs = [keras.Input(batch_shape=output.shape, dtype=output.dtype)]
            sources = {start: inputs[0]}
        return inputs, builder.connect(self.nodes, sources, names)

    @property
    def variables(self):
        """The Keras tensors that the losses read: inputs, targets and weights."""
        return self.graph().variables

    def graph(self, labels=False, regularizers=()):
        """The `objective.Graph` of the losses, always over the same variables."""
        key = labels, regularizers
        if key not in self._graphs:
            self.check_losses()
            inputs, sources, targets = self._data(labels)
            self._graphs[key] = objective.graph(
                self.nodes, self.losses, inputs, sources, targets, self.monitors, regularizers
            )
        return self._graphs[key]

    def objective(self, source, regularizers=()):
        """The compiled `Objective` for a Dataset."""
        key = source.slots[0].kind == 'labels', regularizers
        if key not in self._objectives:
            self._objectives[key] = objective.Objective.over(self.graph(*key))
        return self._objectives[key]

    def optimizer(self, algo, learning_rate, **options):
        """An optimizer as new: one made before for the same algorithm, its state set back.

        The compiled training step, which belongs to the optimizer, is thereby used again.
        """
        key = (str(algo).lower(), tuple(sorted(options.items())))
        fresh = optimizers.build(algo, learning_rate, **options)
        if key not in self._optimizers:
            fresh.build(self.model.trainable_variables)
            state = [np.array(ops.convert_to_numpy(v)) for v in fresh.variables]
            self._optimizers[key] = fresh, state
        optimizer, state = self._optimizers[key]
        for variable, value in zip(optimizer.variables, state):
            variable.assign(value)
        optimizer.learning_rate = learning_rate
        return optimizer

    def compile(self, objective, optimizer):
        """Compile an objective, and the network's own model beside it, with an optimizer.

        Callbacks and saved files see the network's model, with the optimizer's state.
        """
        objective.use(optimizer)
        if getattr(self.model, 'optimizer', None) is not optimizer:
            loss = self.losses[0].keras_loss if len(self.losses) == 1 else None
            self.model.compile(optimizer, loss)

    def compute(self, x, names, start=None):
        """The named outputs for an array of inputs, as a dict of arrays.

        With `start`, the array stands for that layer's output, in the place of the inputs.

        Raises
        ------
        DataError
            If the array does not fit.
        """
        if start is None:
            slot = self.slots([x])[0]
        else:
            shape = tuple(builder.find_output(self.nodes, start).shape)
            slot = data.Slot(f'outputs of {start!r}', shape, static=shape)
        x = slot.take(x)
        function = self._function(tuple(names), slot.kind == 'labels', start)
        results = _in_batches(function, x, slot)
        return {name: results[name] for name in names}

    def slots(self, arrays):
        """What the network takes, given the arrays that it is to take: lengths must agree."""
        x = arrays[0] if len(arrays) else ()
        static = tuple(self.inputs[0].shape)
        labels = self.are_labels(x)
        shape = static[:-1] if labels else static
        name = f'inputs ({self.nodes[0].name!r})'
        kind = ('labels', static[-1]) if labels else ('values', None)
        slots = [data.Slot(name, shape, *kind, static=shape)]
        for loss in self.losses:
            output = builder.find_output(self.nodes, loss.output_name)
            exact = self._exact(output, x, static, labels)
            shapes = loss.target_shape(exact), loss.target_shape(output.shape)
            if loss.target is None:
                name = f'targets ({loss.output_name or self.nodes[-1].name!r})'
                kind = ('labels', exact[-1]) if loss.of_labels else ('values', None)
                slots.append(data.Slot(name, shapes[0], *kind, static=shapes[1]))
            if loss.weighted:
                slots.append(data.Slot('weights', shapes[0], 'weights', static=shapes[1]))
        return slots

    def _exact(self, output, x, static, labels):
        """Shape of an output with the lengths that an input array gives it."""
        shape = tuple(np.shape(x)) if not isinstance(x, (list, tuple)) else static
        shape = (*shape, static[-1]) if labels else shape
        if output is not self.nodes[-1].output or len(shape) != len(static) or 0 in shape[1:]:
            return tuple(output.shape)
        shape = (None, *shape[1:-1], static[-1])
        if shape not in self._shapes:
            self._shapes[shape] = tuple(self.model.compute_output_shape(shape))
        return self._shapes[shape]

    def _function(self, names, labels, start):
        key = names, labels, start
        if key not in self._functions:
            model = keras.Model(*self.tensors(names, labels, start))
            self._functions[key] = compiled(
                lambda x: model(x, training=False),
                model.variables,
                model.inputs,
                xla=model.jit_compile,
            )
        return self._functions[key]

    def _data(self, labels):
        """The tensors of all that the data holds, and what the inputs become."""
        if labels not in self._tensors:
            inputs, sources = self._entry(labels)
            targets = []
            for i, loss in enumerate(self.losses):
                output = builder.find_output(self.nodes, loss.output_name)
                name = builder.full_name(self.nodes, loss.output_name).replace(':', '_')
                targets.append(loss.data(f'{name}_{i}' if i else name, output))
            self._tensors[labels] = inputs, sources, targets
        return self._tensors[labels]

    def _entry(self, labels):
        """Tensors for the data, and what the input layers put out for it."""
        sources = builder.inputs_of(self.nodes)
        if not labels:
            return list(sources.values()), sources
        ((name, values),) = sources.items()
        ids = keras.Input(batch_shape=values.shape[:-1], dtype='int32')
        return [ids], {name: ops.one_hot(ids, values.shape[-1], dtype=values.dtype)}


def _in_batches(function, x, slot):
    """A compiled function of a batch, over all rows of an array."""
    width = max(1, x[:1].size * (slot.classes or 1))
    rows = max(BATCH_ROWS, BATCH_VALUES // width)
    results = None
    for start in range(0, max(1, len(x)), rows):
        batch = np.asarray(x[start : start + rows], dtype=slot.dtype)
        if not len(x):  # one row of nothing tells the shapes of no rows
            batch = np.zeros((1, *x.shape[1:]), slot.dtype)
        outputs = {k: ops.convert_to_numpy(v) for k, v in function(batch).items()}
        if results is None:
            results = {k: np.empty((len(x), *v.shape[1:]), v.dtype) for k, v in outputs.items()}
        for name, value in outputs.items():
            results[name][start : start + rows] = value[: len(x)]
    return results
