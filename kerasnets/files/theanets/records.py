"""Read the network described by a pickle of theanets 0.6 to 0.8, without Keras.

In 0.6 a network's state is a dict, from 0.7 on the pair (layers, losses). Up to 0.7 a layer's
record holds its size and inputs, in 0.8 its keywords.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kerasnets.errors import FileError
from kerasnets.files.atomic import damaged
from kerasnets.files.theanets import safe_unpickler
from kerasnets.typing import Array

#: theanets' classes of layers -> our forms, if they differ in more than case.
FORM_NAMES = {'feedforward': 'ff', 'pool': 'pool2', 'lrrnn': 'rrnn', 'arrnn': 'rrnn'}

#: theanets' classes of networks with another name here, and their losses before 0.7.
CLASSES = {'Predictor': 'Regressor'}
EARLY_LOSSES = {'Classifier': 'xe'}

#: Activations of theanets up to 0.7 whose parameters were slopes, not their logarithms.
SLOPES = {
    'prelu': 'prelu:slope',
    'leaky-relu': 'prelu:slope',
    'lgrelu': 'lgrelu:slope',
    'leaky-gain-relu': 'lgrelu:slope',
}

#: Layers of theanets whose names stand for the shape of their learned rates.
RATES = {'lrrnn': 'vector', 'arrnn': 'matrix'}

#: theanets' classes of losses -> ours.
LOSSES = {
    'CrossEntropy': 'xe',
    'Hinge': 'hinge',
    'MeanSquaredError': 'mse',
    'MeanAbsoluteError': 'mae',
    'KullbackLeiblerDivergence': 'kl',
    'MaximumMeanDiscrepancy': 'mmd',
    'GaussianLogLikelihood': 'gll',
}

#: Attribute of a layer's record -> the keyword of the form.
OPTIONS = {
    'periods': 'periods',
    'num_modules': 'num_modules',
    'worker': 'worker',
    'filter_size': 'filter_size',
    'filter_shape': 'filter_size',
    'pool_size': 'pool_size',
    'stride': 'stride',
    'border_mode': 'padding',
    'h_0': 'h_0',
    'c_0': 'c_0',
    's_0': 's_0',
}


@dataclasses.dataclass(frozen=True)
class Records:
    """A network of theanets.

    Attributes
    ----------
    kind : tuple of str
        Module and class: ('recurrent', 'Classifier').
    entries : list of dict
        Entries of the language of layers.
    values : list of dict of str to array
        The parameters of each layer, by name.
    rates : list of array or None
        The fixed rates of each layer.
    losses : list of dict
        Fields of `Loss`.
    rng : dict or None
        The state of a numpy random generator.
    """

    kind: tuple[str, str]
    entries: list[dict[str, Any]]
    values: list[dict[str, Array]]
    rates: list[Array | None]
    losses: list[dict[str, Any]]
    rng: dict[str, Any] | None

    @property
    def num_values(self) -> int:
        """Number of learnable values."""
        return sum(array.size for layer in self.values for array in layer.values())


def read(content: bytes) -> Records:
    """Return the `Records` in the bytes of a pickle, gzipped or not.

    Raises
    ------
    FileError
        If the file has another format, is damaged, or names other objects. Nothing in it is run.
    """
    record = safe_unpickler.read(content)
    kind = getattr(record, 'kind', type(record).__name__).split('.')
    if len(kind) < 3 or kind[0] != 'theanets' or kind[1] == 'layers':
        raise FileError(
            f'the file holds a {".".join(kind)}, expected a network of theanets. '
            'Choose another file.'
        )
    try:
        layers, losses = _parts(record)
        rates = [layer.get('_rates') if layer.name != 'BCRNN' else None for layer in layers]
        return Records(
            kind=(kind[-2], CLASSES.get(kind[-1], kind[-1])),
            entries=[_entry(layer) for layer in layers],
            values=[_values(layer) for layer in layers],
            rates=[rate and _value(rate) for rate in rates],
            losses=losses,
            rng=next((_rng(layer) for layer in reversed(layers) if _rng(layer)), None),
        )
    except FileError:
        raise
    except Exception as error:  # a damaged file may cause any error
        raise damaged(f'the network of theanets cannot be read: {error}') from error


def _parts(record: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Return the records of the layers and the fields of the losses, for any release."""
    if isinstance(record.state, dict):
        form = EARLY_LOSSES.get(record.name, 'mse')
        return record.get('layers'), [{'form': form, 'weighted': bool(record.get('weighted'))}]
    layers, losses = record.state
    return layers, [_loss(loss, layers) for loss in losses]


def _entry(layer: Any) -> dict[str, Any]:
    """Return the entry of the language of layers for the record of a layer."""
    form = layer.name.lower()
    if form == 'input':
        shape, size = _said(layer, 'shape'), _said(layer, 'size')
        sized = {'size': size} if shape is None else {'shape': tuple(shape)}
        return {'form': 'input', 'name': layer.get('name'), **sized}
    inputs = _said(layer, 'inputs') or ()
    entry = {
        'form': FORM_NAMES.get(form, form),
        'name': layer.get('name'),
        'inputs': [inputs] if isinstance(inputs, str) else list(inputs),
    }
    if form not in ('flatten', 'reshape', 'product', 'concatenate', 'pool1', 'pool2'):
        entry |= {'size': _said(layer, 'size'), 'activation': _activation(layer)}
    if form == 'reshape':
        entry['shape'] = tuple(_said(layer, 'shape'))
    options = {key: _said(layer, key) for key in OPTIONS}
    entry |= {OPTIONS[k]: _plain(value) for k, value in options.items() if value is not None}
    if form in ('conv1', 'pool1'):  # theanets had them as images of one row
        entry |= {
            k: entry[k][-1]
            for k in ('filter_size', 'pool_size', 'stride')
            if k in entry and isinstance(entry[k], (tuple, list))
        }
    if entry['inputs'] == ['out']:  # a tied layer up to 0.7 reads the previous layer
        del entry['inputs']
    if form == 'tied':
        partner = layer.get('partner')
        entry['partner'] = partner if isinstance(partner, str) else partner.get('name')
    return _recurrent(layer, entry)


def _recurrent(layer: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """Add the keywords of recurrent forms to an entry, from the layer or its halves."""
    form = str(entry.get('worker') or layer.name).lower()
    inner = layer.get('forward') or layer
    if form in FORM_NAMES and 'worker' in entry:
        entry['worker'] = FORM_NAMES[form]
    if form in ('rrnn', 'scrn', *RATES):
        entry['rate'] = RATES.get(form) or _said(inner, '_rate') or _said(inner, 'rate')
    if form == 'scrn' and 'xs' in _own(inner):  # up to 0.7
        entry |= {'output_activation': entry['activation'], 'activation': 'logistic'}
    if form == 'mrnn':
        entry['factors'] = _said(inner, 'factors') or _said(inner, '_factors')
    if form == 'clockwork':
        entry['periods'] = _plain(_said(inner, 'periods'))
        entry['slow_first'] = entry['periods'] != sorted(entry['periods'])
    if form == 'lstm':
        entry['peepholes'] = True
    if form in ('lstm', 'mut1'):
        del entry['activation']  # theanets always used tanh
    if form == 'mut1' and _is_old(layer) and 'rng' not in layer.get('kwargs'):  # before 0.7.1
        entry['outer_bias'] = True
    direction = _said(layer, 'direction')
    if direction and 'worker' not in entry:
        entry['direction'] = direction
    return entry


def _said(layer: Any, key: str) -> Any:
    """Return an attribute of a layer, or a keyword it was built with."""
    value = layer.get(key)
    return (layer.get('kwargs') or {}).get(key) if value is None else value


def _is_old(layer: Any) -> bool:
    """Return True if a layer is of theanets up to 0.7."""
    return 'size' in layer.state


def _activation(layer: Any) -> Any:
    name = _said(layer, 'activation')
    return SLOPES.get(name, name) if _is_old(layer) else name


def _own(layer: Any) -> list[str]:
    """Return the last parts of the names of a layer's own parameters."""
    return [variable.get('name').rpartition('.')[2] for variable in layer.get('_params') or ()]


def _plain(value: Any) -> Any:
    """Return the value of a keyword; an array as a list."""
    if isinstance(value, safe_unpickler.Record) and value.kind.startswith('numpy'):
        return safe_unpickler.array(value).tolist()
    return value


def _loss(loss: Any, layers: Any) -> dict[str, Any]:
    """Return the fields of a loss from its record."""
    if loss.name not in LOSSES:
        raise damaged(f'theanets has no loss {loss.name!r}')
    target = loss.get('_target')
    source = next(
        (n for n in layers if n.get('input') is not None and n.get('input') is target), None
    )
    return {
        'form': LOSSES[loss.name],
        'weight': float(loss.get('weight', 1.0)),
        'weighted': loss.get('_weights') is not None,
        'output_name': loss.get('output_name'),
        'target': source and f'{source.get("name")}:out',
    }


def _values(layer: Any) -> dict[str, Array]:
    """Return all parameters in the record of a layer and of its halves, by name."""
    values = {}
    for half in ('forward', 'backward'):
        if layer.get(half) is not None:
            values.update(_values(layer.get(half)))
    inside = getattr(layer.get('activate'), 'state', None)
    learned = [v for v in (inside.values() if isinstance(inside, dict) else ()) if _is_variable(v)]
    for variable in [*(layer.get('_params') or ()), *learned]:
        values[variable.get('name')] = _value(variable)
    return _renamed(values, layer)


def _renamed(values: dict[str, Array], layer: Any) -> dict[str, Array]:
    """Return the parameters of a layer under the names of 0.8, for any release."""
    form, own = layer.name.lower(), f'{layer.get("name")}.{{}}'.format
    joined: Any = {
        'gru': {'w': ('xh', 'xr', 'xz'), 'b': ('bh', 'br', 'bz')},
        'scrn': {'w': ('xh', 'xs')},
    }
    for whole, names in joined.get(form, {}).items():
        if own(names[0]) in values:
            thirds = [values.pop(own(name)) for name in names]
            values[own(whole)] = np.concatenate(thirds, axis=-1)
    if form in RATES and 'nrng' in layer.state:  # 0.6: the rate of the old state
        values |= {own(k): -values[own(k)] for k in ('r', 'xr') if own(k) in values}
    if form == 'clockwork' and own('hh') not in values:  # 0.6.0: a matrix for each module
        modules = [values.pop(own(f'hh{period}')) for period in _plain(layer.get('periods'))]
        size = layer.get('size')
        padded = [np.pad(m, ((0, size - len(m)), (0, 0))) for m in modules]
        values[own('hh')] = np.concatenate(padded, axis=-1)
    return values


def _rng(layer: Any) -> dict[str, Any] | None:
    """Return the state of a layer's random generator; None if it has none."""
    record = layer.get('rng') or layer.get('nrng')
    state = getattr(record, 'state', None)
    if isinstance(state, tuple):  # of numpy before 1.17
        key, position = state[1:3]
    elif isinstance(state, dict) and state.get('bit_generator') == 'MT19937':
        key, position = state['state']['key'], state['state']['pos']
    else:
        return None
    return {
        'bit_generator': 'MT19937',
        'state': {'key': safe_unpickler.array(key), 'pos': position},
    }


def _is_variable(value: Any) -> bool:
    return isinstance(value, safe_unpickler.Record) and value.name.endswith('SharedVariable')


def _value(variable: Any) -> Array:
    """Return the array in the record of a shared variable."""
    storage = variable.get('container').get('storage')
    return safe_unpickler.array(storage[0] if isinstance(storage, list) else storage)
