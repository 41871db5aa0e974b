"""theanets' own files: pickles of its releases 0.7 and 0.8, opened without theanets or Theano."""

import warnings

import numpy as np

from kerasnets import convolution, feedforward, inert, recurrent
from kerasnets.errors import FileError
from kerasnets.layers import parts
from kerasnets.losses import Loss

MODULES = {'feedforward': feedforward, 'recurrent': recurrent, 'convolution': convolution}

#: theanets' classes of layers -> our forms, where lower case does not do.
FORMS = {'feedforward': 'ff', 'pool': 'pool2'}

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

#: What a layer's record has -> the keyword of the form.
OPTIONS = {
    'periods': 'periods',
    'num_modules': 'num_modules',
    'worker': 'worker',
    'filter_size': 'filter_size',
    'pool_size': 'pool_size',
    'stride': 'stride',
    'border_mode': 'padding',
    'h_0': 'h_0',
    'c_0': 'c_0',
    's_0': 's_0',
}


def load(content):
    """The network that a pickle of theanets describes.

    Parameters
    ----------
    content : bytes
        Of the file, gzipped or not.

    Returns
    -------
    Network
        With the parameters, activations and losses of the old one; its predictions are the
        same, but for what a warning says.

    Raises
    ------
    FileError
        If it is no such file, is broken, or mentions what no model has. Nothing in it is run.
    """
    record = inert.read(content)
    kind = getattr(record, 'kind', type(record).__name__).split('.')
    module = MODULES.get(kind[-2]) if len(kind) > 2 and kind[0] == 'theanets' else None
    if module is None or kind[-1] not in module.__all__ or not isinstance(record.state, tuple):
        raise FileError(f'the file holds a {".".join(kind)}, not a network of theanets 0.7 or 0.8.')
    try:
        layers, losses = record.state
        net = _make(getattr(module, kind[-1]), layers, losses)
    except FileError:
        raise
    except Exception as error:  # what a broken file describes may be anything at all
        raise FileError(f'the network of theanets cannot be made again: {error}') from error
    if any(layer.name == 'Bidirectional' for layer in layers):
        warnings.warn(
            'theanets left the backward half of a bidirectional layer reversed in time: its '
            'output at the first step had read the last step alone. Here both halves are '
            'aligned, so predictions differ. Train the network on.',
            stacklevel=2,
        )
    return net


def _make(cls, layers, losses):
    entries = [_entry(layer) for layer in layers]
    values = [_values(layer) for layer in layers]
    _check_sizes(entries, sum(array.size for found in values for array in found.values()))
    net = cls(entries, loss=None)
    net.losses = [_loss(loss, layers) for loss in losses]
    for layer, found in zip(layers, values):
        for name, value in found.items():
            where, _, param = name.rpartition('.')
            net.find(where or layer.get('name'), param).set_value(value)
        if layer.get('_rates') is not None and layer.name != 'BCRNN':
            _cell(net, layer.get('name')).rates.assign(_value(layer.get('_rates')))
    return net


def _check_sizes(entries, count):
    """Refuse layers that need more parameters than the file has, before they are made."""
    sizes = {e['name']: e.get('size') or (e.get('shape') or (0,))[-1] for e in entries}
    for entry in entries:
        read = [sizes.get(name.split(':')[0]) or 0 for name in entry.get('inputs', ())]
        if max(1, sum(read)) * (sizes[entry['name']] or 0) > max(count, 2**16):
            raise FileError(
                f'the layer {entry["name"]!r} has {sizes[entry["name"]]} units, for which the '
                f"file's {count} parameters are too few."
            )


def _entry(layer):
    """An entry of the language of layers from the record of a layer."""
    form = layer.name.lower()
    keywords = layer.get('kwargs') or {}

    def said(key):
        found = layer.get(key)
        return keywords.get(key) if found is None else found

    if form == 'input':
        shape, size = said('shape'), said('size')
        given = {'size': size} if shape is None else {'shape': tuple(shape)}
        return {'form': 'input', 'name': layer.get('name'), **given}
    inputs = said('inputs') or ()
    entry = {
        'form': FORMS.get(form, form),
        'name': layer.get('name'),
        'inputs': [inputs] if isinstance(inputs, str) else list(inputs),
    }
    if form not in ('flatten', 'reshape', 'product', 'concatenate', 'pool1', 'pool2'):
        entry |= {'size': said('size'), 'activation': said('activation')}
    if form == 'reshape':
        entry['shape'] = tuple(said('shape'))
    entry |= {ours: _plain(said(key)) for key, ours in OPTIONS.items() if said(key) is not None}
    if form in ('conv1', 'pool1'):  # theanets had them as images of one row
        entry |= {
            k: entry[k][-1]
            for k in ('filter_size', 'pool_size', 'stride')
            if k in entry and isinstance(entry[k], (tuple, list))
        }
    if form in ('rrnn', 'scrn') and (rate := said('_rate') or said('rate')):
        entry['rate'] = rate
    if form == 'mrnn':
        entry['factors'] = said('factors') or said('_factors')
    if 'lstm' in (form, entry.get('worker')):
        entry['peepholes'] = True
    if {'lstm', 'mut1'} & {form, entry.get('worker')}:
        del entry['activation']  # whatever was said, theanets took tanh
    if form == 'clockwork':
        entry['slow_first'] = entry['periods'] != sorted(entry['periods'])
    if entry['inputs'] == ['out']:  # of a tied layer in 0.7: the one before it
        del entry['inputs']
    if form == 'tied':
        partner = layer.get('partner')
        entry['partner'] = partner if isinstance(partner, str) else partner.get('name')
    return entry


def _plain(value):
    """A keyword's value; an array as a list."""
    if isinstance(value, inert.Record) and value.kind.startswith('numpy'):
        return inert.array(value).tolist()
    return value


def _loss(loss, layers):
    """A Loss from its record."""
    if loss.name not in LOSSES:
        raise FileError(f'theanets has no loss {loss.name!r}.')
    target = loss.get('_target')
    source = next(
        (n for n in layers if n.get('input') is not None and n.get('input') is target), None
    )
    return Loss(
        LOSSES[loss.name],
        weight=float(loss.get('weight', 1.0)),
        weighted=loss.get('_weights') is not None,
        output_name=loss.get('output_name'),
        target=source and f'{source.get("name")}:out',
    )


def _values(layer):
    """Name -> array of all parameters in the record of a layer, and of its halves."""
    values = {}
    for half in ('forward', 'backward'):
        if layer.get(half) is not None:
            values.update(_values(layer.get(half)))
    inside = getattr(layer.get('activate'), 'state', None)
    learned = [v for v in (inside.values() if isinstance(inside, dict) else ()) if _is_variable(v)]
    for variable in [*(layer.get('_params') or ()), *learned]:
        values[variable.get('name')] = _value(variable)
    return _joined(values, layer.get('name')) if layer.name == 'GRU' else values


def _cell(net, name):
    """The cell of a layer, or of half of one, by its name."""
    found = {
        part: inner for node in net.nodes for part, inner in parts(node.layer, node.name).items()
    }
    return found[name].cell


def _joined(values, layer):
    """The parameters of a GRU under the names of 0.8, whichever release wrote them."""
    for whole, thirds in (('w', ('xh', 'xr', 'xz')), ('b', ('bh', 'br', 'bz'))):
        names = [f'{layer}.{third}' for third in thirds]
        if set(names) <= set(values):
            joined = np.concatenate([values.pop(name) for name in names], axis=-1)
            values[f'{layer}.{whole}'] = joined
    return values


def _is_variable(value):
    return isinstance(value, inert.Record) and value.name.endswith('SharedVariable')


def _value(variable):
    """The array in the record of a shared variable."""
    storage = variable.get('container').get('storage')
    return inert.array(storage[0] if isinstance(storage, list) else storage)
