"""The losses of a network as a graph over its variables, and the Keras model that trains it.

One graph serves all: `Network.loss` hands it out, `evaluate` computes it and `train` follows
its gradient.
"""

import dataclasses

import keras
from keras import ops

from kerasnets import builder


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

    @property
    def err(self):
        """The losses added up."""
        return sum(coefficient * mean for coefficient, mean, _ in self.losses)


def graph(nodes, losses, inputs, sources, monitors):
    """Build the graph of the losses.

    Parameters
    ----------
    nodes : list of builder.Node
    losses : list of losses.Loss
    inputs : list of KerasTensor
        What the data holds for the inputs.
    sources : dict of str to KerasTensor
        What each input layer puts out, made from the inputs.
    monitors : callable
        (loss, outputs, target, weights) -> dict of further quantities, for the first loss.

    Raises
    ------
    ConfigurationError
        If there is no loss, or one that the output it is about cannot have.
    """
    variables, terms, extra = list(inputs), [], {}
    for i, loss in enumerate(losses):
        name = loss.output_name or f'{nodes[-1].name}:out'
        name = name if ':' in name else f'{name}:out'
        logits_name = _logits(nodes, name)
        wanted = [name, *([logits_name] if logits_name else [])]
        tensors = builder.connect(nodes, sources, wanted)
        output, logits = tensors[name], tensors.get(logits_name)
        data = loss.target(name.replace(':', '_') + (f'_{i}' if i else ''), output)
        variables += data
        terms.append((loss.weight, *loss.value(output, logits, *data)))
        if not i:
            extra = monitors(loss, output if logits is None else logits, *data)
    return Graph(variables, terms, extra)


def _logits(nodes, name):
    """Name of the logits behind a softmax output; None where the output has none."""
    layer_name, part = name.split(':')
    node = next((n for n in nodes if n.name == layer_name), None)
    if node is None or part != 'out':
        return None
    activation = getattr(node.layer, 'activation', None)
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
    return builder.Probe(node.layer, pre.read) if pre is not None and not pre.after else None


class Objective(keras.Model):
    """Maps a network's variables to its losses and monitors; trained by ``fit``.

    The whole batch, targets and weights included, is the input of the model. Its outputs are
    the quantities of a `Graph`, of which ``loss`` is followed downhill.
    """

    @classmethod
    def over(cls, graph):
        """The Objective of a `Graph`."""
        outputs = {
            'loss': graph.err,
            'losses': [(mean, mass) for _, mean, mass in graph.losses],
            'monitors': dict(graph.monitors),
        }
        objective = cls(graph.variables, outputs)
        objective.coefficients = [coefficient for coefficient, _, _ in graph.losses]
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
        return [*self.means, *self.monitor_means.values()]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return y_pred['loss']

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        for metric, (mean, mass) in zip(self.means, y_pred['losses']):
            metric.update_state(mean, sample_weight=mass)
        for name, (mean, mass) in y_pred['monitors'].items():
            self.monitor_means[name].update_state(mean, sample_weight=mass)
        return self.get_metrics_result()

    def get_metrics_result(self):
        results = [mean.result() for mean in self.means]
        err = sum(c * r for c, r in zip(self.coefficients, results))
        monitors = {name: mean.result() for name, mean in self.monitor_means.items()}
        return {'loss': err, 'err': ops.copy(err), **monitors}
