"""Layerwise training and pretraining: one part of a network at a time.

Each part is a network over the same layer objects, so the whole network is valid at every moment.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kerasnets.data import batches
from kerasnets.errors import ConfigurationError
from kerasnets.graph import nodes as graph_nodes
from kerasnets.graph.nodes import is_chain
from kerasnets.initializers import generator
from kerasnets.language.spec import parse
from kerasnets.losses import Loss
from kerasnets.training.settings import Settings
from kerasnets.training.trainer import Immediate, Sequence

#: Maximum number of examples that 'sample' reads.
EXAMPLES = 10_000


def itertrain(
    net: Any,
    make: Any,
    algo: Any,
    train: Any,
    valid: Any,
    subalgo: Any = 'rmsprop',
    unlabelled: Any = None,
    **keywords: Any,
) -> Any:
    """Yield (training, validation) monitors of each part in turn.

    Parameters
    ----------
    net : Network
    make : callable
        (nodes, losses, plain) -> a network over them; a plain one outputs values.
    algo : {'layerwise', 'pretrain', 'sample'}
    train, valid
        As for `Network.itertrain`.
    subalgo : str
        The algorithm for each part.
    unlabelled : list of arrays or callable, optional
        Inputs for 'pretrain'. Default: those of `train`.
    **keywords
        Of `Network.itertrain`, for each part.

    Raises
    ------
    ConfigurationError
        If the network has no layers that can be trained one by one.
    """
    if not is_chain(net.nodes):
        raise ConfigurationError(
            f'{algo!r}: expected a chain of layers, got a network with branches. Use another '
            'algorithm.'
        )
    if unlabelled is not None and algo != 'pretrain':
        raise ConfigurationError(
            f"unlabelled: expected algo='pretrain', got {algo!r}. Leave out unlabelled."
        )
    if algo == 'sample':
        return Immediate(lambda: _sampled(net, train, valid, keywords))
    parts = {'layerwise': _layerwise, 'pretrain': _shadow}[algo](net, make)
    if algo == 'pretrain':
        train = unlabelled if unlabelled is not None else _inputs(train)
        valid = None if valid is None else _inputs(valid)

    def start(part: Any) -> Any:
        return part.itertrain(train, valid, algo=subalgo, **keywords)

    first, *others = parts
    return Sequence(start(first), map(start, others))


def _layerwise(net: Any, make: Any) -> Any:
    """Return networks over the first layers, one layer more each time, the whole network last.

    `make` builds a network from nodes, losses and whether it is a plain `Network`.

    Y. Bengio, P. Lamblin, D. Popovici, H. Larochelle (2006), "Greedy layer-wise training of
    deep networks", NIPS.
    """
    nodes, tied = net.nodes, any(node.spec.form == 'tied' for node in net.nodes)
    middle = len(nodes) // 2 if tied else len(nodes) - 2
    losses = [dataclasses.replace(loss, output_name=None) for loss in net.losses]
    parts = []
    for depth in range(1, middle if tied else middle + 1):
        head = nodes[: depth + 1]
        tail = _mirror(net, head) if tied else [*head, _tap(net, head)]
        parts.append(make(tail, losses, False))
    return [*parts, net]


def _tap(net: Any, nodes: Any) -> Any:
    """Return an output layer like the network's own, on top of `nodes`."""
    last = net.nodes[-1]
    size = last.output.shape[-1]
    activation = last.spec.activation or last.spec.default_activation
    entry = {'size': size, 'form': 'ff', 'activation': activation, 'name': 'tap'}
    return _added(net, nodes, entry)


def _mirror(net: Any, nodes: Any) -> Any:
    """Return the nodes followed by a tied layer for each of them, in reverse order."""
    nodes, partners = list(nodes), list(nodes[:0:-1])
    for i, partner in enumerate(partners):
        if partner.spec.form != 'ff':
            raise partner.spec.error(
                "only dense layers can be tied in pretraining. Use 'layerwise' for others."
            )
        first = i == len(partners) - 1
        activation = 'linear' if first else partners[i + 1].spec.activation or 'relu'
        entry = {'form': 'tied', 'partner': partner.name, 'activation': activation}
        nodes.append(_added(net, nodes, {**entry, 'name': f'tied{i}'}))
    return nodes


def _added(net: Any, nodes: Any, entry: Any) -> Any:
    spec = parse(entry, len(nodes), previous=nodes[-1].name)
    return graph_nodes.add_node(nodes, spec, net.rng, net.INPUT_NDIM)


def _shadow(net: Any, make: Any) -> Any:
    """Return autoencoders over the first hidden layers, one layer more each time.

    Their decoders are tied. `make` is as for `_layerwise`.
    """
    hidden = net.nodes[:-1]
    if len(hidden) < 2:
        raise ConfigurationError(
            "'pretrain': expected a hidden layer, and this network has none. Use another algorithm."
        )
    loss = Loss('mse', target=f'{hidden[0].name}:out')
    return [
        make(_mirror(net, hidden[: depth + 1]), [loss], True) for depth in range(1, len(hidden))
    ]


def _inputs(source: Any) -> Any:
    """Return training data without its targets."""
    if callable(source):
        return lambda: source()[:1]
    if isinstance(source, (list, tuple)):
        return list(source[:1])
    return [batch[:1] for batch in source]


def _sampled(net: Any, train: Any, valid: Any, keywords: Any) -> Any:
    """Set the weights of dense layers to samples of their inputs, scaled to length 1.

    The last layer of a network without labels gets samples of its targets. Return the monitors of
    the training data and of the validation data.
    """
    rng = generator(int(net.rng.integers(2**63)))
    source = batches.dataset(train, net.data_spec.fit, batch_size=EXAMPLES)
    batch = next(source.epoch())
    for before, node in zip(net.nodes, net.nodes[1:]):
        if 'w' not in (params := node.parts().get(node.name, {})) or len(params['w'].shape) != 2:
            continue
        last = node is net.nodes[-1] and not net.losses[0].of_labels and len(batch) > 1
        if last:
            rows = _drawn(batch[1], params['w'].shape[0], rng)
        else:
            read = net.feed_forward(batch[0])[f'{before.name}:out']
            rows = _drawn(read, params['w'].shape[1], rng).T
        params['w'].set_value(rows)
    size = keywords.get('batch_size', Settings.batch_size)
    monitors = net.evaluate(train, batch_size=size)
    return monitors, monitors if valid is None else net.evaluate(valid, batch_size=size)


def _drawn(rows: Any, count: Any, rng: Any) -> Any:
    """Return random rows of an array, scaled to length 1; noise is added to repeated rows."""
    rows = np.reshape(rows, (-1, rows.shape[-1])).astype('float32')
    rows = rows[np.linalg.norm(rows, axis=1) > 0]
    if not len(rows):
        return rng.normal(size=(count, rows.shape[1]))
    chosen = rng.choice(len(rows), count, replace=len(rows) < count)
    again = np.isin(np.arange(count), np.unique(chosen, return_index=True)[1], invert=True)
    drawn = rows[chosen]
    drawn[again] += rows.std(axis=0) * rng.normal(size=(again.sum(), rows.shape[1]))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
