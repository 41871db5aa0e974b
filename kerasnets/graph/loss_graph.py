"""The losses of a network as a graph over its variables.

One graph serves all: `Network.loss` hands it out, `evaluate` computes it and `train` follows
its gradient.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from kerasnets.errors import ConfigurationError, scalar
from kerasnets.graph import masks
from kerasnets.graph.curvature import Curvature
from kerasnets.graph.monitor_graph import GradientNorms, monitor_values
from kerasnets.graph.nodes import Flow, Node, connect, full_name, logits_of
from kerasnets.graph.noise import Noises
from kerasnets.graph.parameters import Value
from kerasnets.layers import abilities
from kerasnets.losses import Loss, hidden
from kerasnets.regularizers import Contraction, Contractive, Factor, Function, Noise, Regularizer
from kerasnets.typing import Tensor


@dataclasses.dataclass(frozen=True)
class Extras:
    """The quantities that a graph computes in addition to the losses."""

    regularizers: tuple[Any, ...] = ()
    noisy: bool = False  # whether there is noise outside of training too
    monitors: tuple[Any, ...] = ()  # of monitors.Monitor
    gradients: bool = False  # whether to watch the gradient of each parameter
    class_weight: tuple[Any, ...] | None = None  # a factor for each class, for losses of labels
    curvature: bool = False  # whether the optimizer is one that looks at it
    rows: bool = False  # whether the data says of each row if it counts: batches are filled up

    def without_weights(self) -> Extras:
        """Return the same request, with 0.5 for the weight of each regularizer."""
        plain = tuple(dataclasses.replace(r, weight=0.5) for r in self.regularizers)
        return dataclasses.replace(self, regularizers=plain)


@dataclasses.dataclass(frozen=True)
class Graph:
    """Symbolic results computed from inputs, targets and weights.

    Each quantity is a pair of symbolic scalars, its mean over a batch and the mass of the
    batch (Σw, or a count): means of batches are averaged by mass, so that an epoch's figure
    is Σwe/Σw over all of its data.
    """

    # KerasTensors: inputs, then the target and weights of each loss; last, if requested,
    # for each row a 1 if it counts or else a 0
    variables: list[Any]
    losses: list[Any]  # (coefficient, mean, mass) for each loss
    monitors: dict[str, Any]  # name -> (mean, mass)
    penalties: list[Any]  # the weighted value of each regularizer that is a penalty
    noises: list[Any]  # Keras layers that draw at random
    compared: tuple[Any, ...]  # target, output and weights of the first loss; weights may be None
    # (variable, which of the regularizers has its value as its weight)
    factors: list[Any] = dataclasses.field(default_factory=list)
    curvature: tuple[Any, ...] = ()  # variables, and the product of the Hessian with noise for each
    adding: list[Any] = dataclasses.field(default_factory=list)  # outputs of layers that add losses

    @property
    def err(self) -> Tensor:
        """The sum of the losses."""
        return weighted_sum((factor, mean) for factor, mean, _ in self.losses)

    @property
    def loss(self) -> Tensor:
        """The sum of the losses and the penalties: what training minimizes."""
        return functools.reduce(operator.add, self.penalties, self.err)


def weighted_sum(pairs: Iterable[tuple[float, Tensor]]) -> Tensor:
    """Return the sum of factors times tensors, without operations that change nothing."""
    terms = [value if factor == 1 else factor * value for factor, value in pairs]
    return functools.reduce(operator.add, terms)


def build(
    nodes: Sequence[Node],
    losses: Sequence[Loss],
    inputs: Any,
    sources: Mapping[str, Tensor],
    targets: list[list[Tensor]],
    monitors: Callable[..., dict[str, tuple[Tensor, Tensor]]],
    extras: Extras,
    padded: bool = False,
) -> Graph:
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
    extras : Extras
    padded : bool
        Whether the inputs are sequences of different lengths, with their masks.

    Raises
    ------
    ConfigurationError
        If an output cannot have the loss that is about it, or a pattern matches nothing.
    """
    counts = keras.Input((), dtype='float32', name='rows') if extras.rows else None
    noise = Noises(nodes, extras.regularizers, extras.noisy)
    flow = Flow(nodes, sources, padded, noise.change, swift=not extras.curvature)
    terms, compared = [], []
    for loss, data in zip(losses, targets):
        name = full_name(nodes, loss.output_name)
        logits = logits_of(nodes, name) if loss.kind.logits else None
        logits = flow[logits] if logits and name not in noise.changed else None
        if isinstance(loss.target, str):  # what the data holds, before any noise
            data = [Flow(nodes, sources)[full_name(nodes, loss.target)], *data]
        target, weights = _weigh(loss, flow[name], extras.class_weight, padded, *data)
        if counts is not None:
            weights = hidden(counts, weights, len(loss.weights_shape(flow[name].shape)))
        variance = loss.covar_name and flow[full_name(nodes, loss.covar_name)]
        predicted = flow if loss.is_custom else flow[name]
        terms.append((loss.weight, *loss.value(predicted, logits, target, weights, variance)))
        compared.append((target, flow[name] if logits is None else logits, weights))
    penalties, factors = [], []
    for i, r in enumerate(extras.regularizers):
        if not isinstance(r, Noise):
            value = scalar(_penalty(nodes, r, flow, sources, padded, counts), type(r).__name__)
            factors.append((Factor(r.weight), i))
            penalties.append(factors[-1][0](value))
    target, output, weights = compared[0]
    monitored = monitors(losses[0], output, target, weights)
    monitored.update(monitor_values(extras.monitors, nodes, flow, inputs[0]))
    data = list({id(tensor): tensor for tensors in targets for tensor in tensors}.values())
    first = target, flow[full_name(nodes, losses[0].output_name)], weights
    data += [] if counts is None else [counts]
    factors = [(layer.factor, i) for layer, i in [*factors, *zip(noise.layers, noise.indices)]]
    adding = [flow[f'{n.name}:out'] for n in nodes if abilities.may_add_losses(n.layer)]
    graph = Graph(
        [*inputs, *data], terms, monitored, penalties, noise.layers, first, factors, adding=adding
    )
    if extras.gradients:
        monitored.update(_gradients(nodes, graph))
    if extras.curvature:
        model = keras.Model(graph.variables, graph.loss)
        noise.layers.append(Curvature(model, model.trainable_variables))
        products = noise.layers[-1](graph.variables)
        graph = dataclasses.replace(graph, curvature=(model.trainable_variables, products))
    return graph


def _gradients(nodes: Sequence[Node], graph: Graph) -> dict[str, tuple[Tensor, Tensor]]:
    """Return name -> (squared norm of the gradient, 1) for each parameter."""
    params = [param for node in nodes for param in node.params()]
    norms = GradientNorms(keras.Model(graph.variables, graph.loss), params)(graph.variables)
    return {f'grad({p.name})': (norm, ops.ones_like(norm)) for p, norm in zip(params, norms)}


def _weigh(
    loss: Loss,
    output: Tensor,
    class_weight: tuple[float, ...] | None,
    padded: bool,
    target: Tensor,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Return the target and the weights of a loss.

    Steps that a mask hides have a weight of 0; classes have their factors.
    """
    if class_weight is not None:
        if not loss.of_labels:
            raise ConfigurationError(
                f'class_weight is for labels, not for the loss {loss.name!r}. Leave it out.'
            )
        factors = ops.take(ops.convert_to_tensor(class_weight, 'float32'), target)
        weights = factors if weights is None else factors * weights
    if len(output.shape) < 3:
        return target, weights
    if not loss.whole:
        ndim = len(loss.weights_shape(output.shape))
        return target, hidden(masks.Steps()(output), weights, ndim)
    if padded:
        raise ConfigurationError(
            f'{loss.name!r} is computed over a whole batch, so padding would count. '
            'Pass sequences of equal length.'
        )
    return target, weights


def _penalty(
    nodes: Sequence[Node],
    regularizer: Regularizer,
    outputs: Mapping[str, Tensor],
    sources: Mapping[str, Tensor],
    padded: bool,
    counts: Tensor | None,
) -> Tensor:
    """Return the value of a penalty, as a symbolic scalar."""
    if isinstance(regularizer, Function):
        function: Any = regularizer.function
        return function(outputs)
    if regularizer.of == 'weights':
        return _of_weights(nodes, regularizer, next(iter(sources.values())))
    hidden = [node for node in nodes[:-1] if node.spec.form != 'input']
    if regularizer.of == 'sequences':
        hidden = [node for node in hidden if len(node.output.shape) == 3]
        if not hidden and regularizer.pattern is None:
            raise ConfigurationError(
                f'{type(regularizer).__name__}: no hidden layer outputs sequences. Leave it out.'
            )
    chosen = regularizer.select(list(outputs), [f'{node.name}:out' for node in hidden])
    if not chosen:
        return ops.sum(ops.zeros_like(next(iter(sources.values()))))
    if isinstance(regularizer, Contractive):
        return _contraction(nodes, regularizer, chosen, sources, padded)
    steps = {name: _counted(outputs[name], padded, counts) for name in chosen}
    return sum(regularizer.penalty(outputs[name], steps[name]) for name in chosen) / len(chosen)


def _counted(tensor: Tensor, padded: bool, counts: Tensor | None) -> Tensor | None:
    """Return a mask that excludes padding from an output; None if there is no padding."""
    if counts is None:
        return masks.Steps()(tensor) if padded and len(tensor.shape) > 2 else None
    if len(tensor.shape) < 3:
        return ops.cast(counts, 'bool')
    steps = ops.cast(masks.Steps()(tensor), 'float32')
    return ops.cast(ops.expand_dims(counts, 1) * steps, 'bool')


def _of_weights(nodes: Sequence[Node], regularizer: Regularizer, anchor: Tensor) -> Tensor:
    named = {p.name: p for n in nodes for p in n.params()}
    weights = [name for name, p in named.items() if len(p.shape) > 1]
    chosen = [named[name] for name in regularizer.select(list(named), weights)]
    if not chosen:
        return ops.sum(ops.zeros_like(anchor))
    held = [node.layer for node in nodes]
    return sum(regularizer.penalty(Value(p, held)(anchor)) for p in chosen) / len(chosen)


def _contraction(
    nodes: Sequence[Node],
    regularizer: Contractive,
    chosen: list[str],
    sources: Mapping[str, Tensor],
    padded: bool,
) -> Tensor:
    if padded:
        raise ConfigurationError(
            'contractive: expected sequences of equal length, got padded ones. '
            'Pass such sequences, or leave contractive out.'
        )
    fresh = {
        name: keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        for name, tensor in sources.items()
    }
    outputs = connect(nodes, fresh, chosen)
    model = keras.Model(list(fresh.values()), outputs)
    wrt = dataclasses.replace(regularizer, pattern=regularizer.wrt).select(list(sources), ())
    return Contraction(model, [list(sources).index(name) for name in wrt])(list(sources.values()))
