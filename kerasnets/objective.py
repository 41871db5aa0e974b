"""The losses of a network as a graph over its variables, and the Keras model that trains it.

One graph serves all: `Network.loss` hands it out, `evaluate` computes it and `train` follows
its gradient.
"""

import dataclasses
import itertools

import keras
from keras import ops

from kerasnets import layers, masks
from kerasnets.errors import ConfigurationError
from kerasnets.losses import hidden
from kerasnets.nodes import Probe, connect, full_name, output_names
from kerasnets.regularizers import WeightPenalty, mean_over


@dataclasses.dataclass(frozen=True)
class Graph:
    """What is computed from inputs, targets and weights.

    Each quantity is a pair of symbolic scalars, its mean over a batch and the mass of the
    batch (Σw, or a count): means of batches are averaged by mass, so that an epoch's figure
    is Σwe/Σw over all of its data.
    """

    variables: list  # KerasTensors: inputs, then the target and weights of each loss
    losses: list  # (coefficient, mean, mass) for each loss
    monitors: dict  # name -> (mean, mass)
    penalties: list  # (weight, value) for each regularizer

    @property
    def err(self):
        """The losses added up."""
        return sum(coefficient * mean for coefficient, mean, _ in self.losses)

    @property
    def loss(self):
        """The losses and the penalties added up: what training makes small."""
        return self.err + sum(weight * value for weight, value in self.penalties)


def graph(nodes, losses, inputs, sources, targets, monitors, regularizers=(), padded=False):
    """Build the graph of the losses.

    Parameters
    ----------
    nodes : list of nodes.Node
    losses : list of losses.Loss
    inputs : list of KerasTensor
        What the data holds for the inputs.
    sources : dict of str to KerasTensor
        What each input layer puts out, made from the inputs.
    targets : list of list of KerasTensor
        For each loss what the data holds: its target, weights if it is weighted.
    monitors : callable
        (loss, outputs, target, weights) -> dict of further quantities, for the first loss.
    regularizers : tuple of Regularizer
    padded : bool
        Whether the inputs are sequences of differing length, with their masks.

    Raises
    ------
    ConfigurationError
        If an output cannot have the loss that is about it, or a pattern matches nothing.
    """
    compared = [full_name(nodes, loss.output_name) for loss in losses]
    logits = [
        _logits(nodes, name) if loss.of_labels else None for loss, name in zip(losses, compared)
    ]
    within = [loss.target and full_name(nodes, loss.target) for loss in losses]
    penalized = [_penalized(nodes, regularizer) for regularizer in regularizers]
    tensors = connect(
        nodes,
        sources,
        [*compared, *filter(None, [*logits, *within]), *itertools.chain(*penalized)],
        padded,
    )
    against = [[tensors[name], *data] if name else data for name, data in zip(within, targets)]
    against = [
        _weigh(loss, tensors[name], *data) for loss, name, data in zip(losses, compared, against)
    ]
    terms = [
        (loss.weight, *loss.value(tensors[name], tensors.get(logit), *target))
        for loss, name, logit, target in zip(losses, compared, logits, against)
    ]
    penalties = [
        (r.weight, _penalty(nodes, r, [tensors[name] for name in outputs], inputs[0]))
        for r, outputs in zip(regularizers, penalized)
    ]
    first = tensors[logits[0] or compared[0]]
    return Graph(
        [*inputs, *itertools.chain(*targets)],
        terms,
        monitors(losses[0], first, *against[0]),
        penalties,
    )


def _weigh(loss, output, target, weights=None):
    """The target and the weights of a loss; steps that a mask hides have a weight of 0."""
    if len(output.shape) < 3 or loss.whole:
        return target, weights
    return target, hidden(masks.Steps()(output), target, weights)


def _penalized(nodes, regularizer):
    """Names of the outputs that a regularizer is about."""
    if regularizer.kind.of == 'weights':
        return []
    hidden = [node for node in nodes[:-1] if node.spec.form != 'input']
    if regularizer.kind.of == 'sequences':
        hidden = [node for node in hidden if len(node.output.shape) == 3]
        if not hidden and regularizer.pattern is None:
            raise ConfigurationError(f'{regularizer.form}: no hidden layer puts out sequences.')
    default = [f'{node.name}:out' for node in hidden]
    return regularizer.select(output_names(nodes), default)


def _penalty(nodes, regularizer, outputs, anchor):
    """The value of a penalty, as a symbolic scalar."""
    if outputs:
        return mean_over(regularizer.kind.penalty, outputs)
    named = {p.name: p for n in nodes for p in n.params()}
    weights = [name for name, p in named.items() if len(p.shape) > 1]
    chosen = [named[name] for name in regularizer.select(list(named), weights)]
    if not chosen:
        return ops.sum(ops.zeros_like(anchor))
    held = [node.layer for node in nodes]
    return WeightPenalty(regularizer.kind.penalty, chosen, held)(anchor)


def _logits(nodes, name):
    """Name of the logits behind a softmax output; None where the output has none."""
    layer_name, part = name.split(':')
    node = next((n for n in nodes if n.name == layer_name), None)
    if node is None or part != 'out':
        return None
    activation = layers.activation_of(node.layer)
    if activation is keras.activations.linear:
        raise node.spec.error(
            'a classifier reads probabilities from this layer, but its activation is linear. '
            "Make it softmax: (classes, 'softmax')."
        )
    softmax = isinstance(node.layer, keras.layers.Softmax)
    if (softmax or activation is keras.activations.softmax) and 'pre' in node.outputs():
        return f'{layer_name}:pre'
    return None


def logits_reader(nodes):
    """A layer from what the last layer reads to its logits; None where it has none."""
    node = nodes[-1]
    pre = node.outputs().get('pre') if _logits(nodes, f'{node.name}:out') else None
    return Probe(node.layer, 'pre') if pre is not None and not pre.after else None


class Objective(keras.Model):
    """Maps a network's variables to its losses and monitors; trained by ``fit``.

    The whole batch, targets and weights included, is the input of the model. Its outputs are
    the quantities of a `Graph`, of which ``loss`` is followed downhill.
    """

    @classmethod
    def over(cls, graph):
        """The Objective of a `Graph`."""
        outputs = {
            'loss': graph.loss,
            'losses': [(mean, mass) for _, mean, mass in graph.losses],
            'penalty': graph.loss - graph.err,
            'monitors': dict(graph.monitors),
        }
        objective = cls(graph.variables, outputs)
        objective.coefficients = [coefficient for coefficient, _, _ in graph.losses]
        objective.penalty = keras.metrics.Mean(name='penalty')
        objective.means = [keras.metrics.Mean(name=f'loss_{i}') for i in range(len(graph.losses))]
        objective.monitor_means = {name: keras.metrics.Mean(name=name) for name in graph.monitors}
        objective.compile()
        return objective

    def use(self, optimizer):
        """Train with this optimizer from now on."""
        if self.optimizer is not optimizer:
            self.compile(optimizer=optimizer)

    @property
    def names(self):
        """Names of the monitors: 'loss', 'err', and 'acc' for a classifier."""
        return ['loss', 'err', *self.monitor_means]

    @property
    def metrics(self):
        return [*self.means, self.penalty, *self.monitor_means.values()]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return y_pred['loss']

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        for metric, (mean, mass) in zip(self.means, y_pred['losses']):
            metric.update_state(mean, sample_weight=mass)
        self.penalty.update_state(y_pred['penalty'], sample_weight=ops.shape(x[0])[0])
        for name, (mean, mass) in y_pred['monitors'].items():
            self.monitor_means[name].update_state(mean, sample_weight=mass)
        return self.get_metrics_result()

    def get_metrics_result(self):
        results = [mean.result() for mean in self.means]
        err = sum(c * r for c, r in zip(self.coefficients, results))
        monitors = {name: mean.result() for name, mean in self.monitor_means.items()}
        return {'loss': err + self.penalty.result(), 'err': err, **monitors}
