"""Networks as Keras files: what Keras needs, and beside it what kerasnets needs.

A `.keras` file is a zip in which Keras reads the members that it knows; an `.h5` file is HDF5
in which Keras reads the group that it knows. The description of the network, a JSON text, is a
member (or dataset) of its own called ``kerasnets.json``.
"""

import contextlib
import dataclasses
import importlib
import json
import logging
import os
import pathlib
import tempfile
import zipfile
from types import MappingProxyType

import h5py
import keras
import numpy as np

from kerasnets import builder, interchange, registry
from kerasnets.errors import FileError, KerasnetsError
from kerasnets.losses import Loss
from kerasnets.nodes import shares_weights
from kerasnets.spec import LayerSpec
from kerasnets.text import Text

log = logging.getLogger(__name__)

MEMBER = 'kerasnets.json'
VERSION = 1

#: First bytes of a file -> its suffix.
MAGIC = {b'PK\x03\x04': '.keras', b'\x89HDF': '.h5'}


def save(net, target, members=MappingProxyType({})):
    """Write a network to a path ending in .keras or .h5, or to an open binary file (.keras).

    The file is written beside its target and then put in its place. `members` are further
    ones of a .keras file, as bytes by name.
    """
    if hasattr(target, 'write'):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'model.keras')
            _write(net, path, members)
            target.write(path.read_bytes())
        return
    target = _path(target)
    if target.suffix not in MAGIC.values():
        raise FileError(
            f'cannot write {str(target)!r}: networks are saved as .keras or .h5, not as '
            f'{target.suffix or "a file without suffix"}. '
            f'Try {str(target.with_suffix(".keras"))!r}.'
        )
    if not target.parent.is_dir():
        raise FileError(f'cannot write {str(target)!r}: there is no folder {str(target.parent)!r}.')
    if target.suffix == '.h5' and shares_weights(net.model):
        raise FileError(
            f'cannot write {str(target)!r}: layers of this network share weights, which an .h5 '
            f'file cannot say. Try {str(target.with_suffix(".keras"))!r}.'
        )
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix='.kerasnets-') as folder:
            path = pathlib.Path(folder, f'model{target.suffix}')
            _write(net, path, members)
            with open(path, 'rb') as handle:
                os.fsync(handle.fileno())
            os.replace(path, target)
    except OSError as error:
        raise FileError(f'cannot write {str(target)!r}: {error}') from error


def load(source, cls):
    """Read a network of class `cls`, or of one derived from it, from a path or a binary file."""
    if hasattr(source, 'read'):
        content = source.read()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'model')
            path.write_bytes(content)
            return _read(path, 'the open file', cls)
    path = _path(source)
    if not path.is_file():
        raise FileError(f'cannot read {str(path)!r}: there is no such file.')
    return _read(path, repr(str(path)), cls)


def _path(path):
    try:
        return pathlib.Path(path)
    except TypeError:
        raise FileError(f'expected a path or an open binary file, got {path!r}.') from None


def _write(net, path, members):
    about = json.dumps(describe(net))
    with _quiet():
        net.model.save(path)
    if path.suffix == '.keras':
        with zipfile.ZipFile(path, 'a') as archive:
            archive.writestr(MEMBER, about)
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with h5py.File(path, 'a') as file:
            file.create_dataset(MEMBER, data=np.frombuffer(about.encode(), dtype='uint8'))


def _read(path, name, cls):
    try:
        with open(path, 'rb') as handle:
            start = handle.read(4)
        suffix = MAGIC.get(start)
        reader = next((m for first, m in registry.READERS.items() if start.startswith(first)), None)
        if reader is not None:
            net = importlib.import_module(f'kerasnets.{reader}').load(path.read_bytes())
            return _of_class(net, cls)
        if suffix is None:
            raise FileError(
                f'cannot read {name}: it is no .keras or .h5 file, nor a pickle of theanets.'
            )
        about = _member(path, suffix)
        with tempfile.TemporaryDirectory() as folder:
            link = pathlib.Path(folder, f'model{suffix}')  # Keras tells formats by suffix
            os.symlink(path.resolve(), link)
            with _quiet():
                model = keras.saving.load_model(link)
        return restore(json.loads(about), model, cls) if about else _of_keras(model, cls)
    except FileError as error:
        raise FileError(str(error).replace('the file', name)) from error
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, KerasnetsError) as error:
        raise FileError(f'cannot read {name}: {error}') from error


def _of_class(net, cls):
    if not isinstance(net, cls):
        raise _other_class(type(net).__name__, cls)
    return net


def _other_class(held, cls):
    return FileError(
        f'the file holds a {held}, not a {cls.__name__}. Open it with kerasnets.load().'
    )


def _member(path, suffix):
    """The description of the network, as it lies in the file; None in a file of Keras."""
    try:
        if suffix == '.keras':
            with zipfile.ZipFile(path) as archive:
                return archive.read(MEMBER)
        with h5py.File(path, 'r') as file:
            return bytes(file[MEMBER][()])
    except KeyError:
        return None


def _of_keras(model, cls):
    """A network over a model that Keras itself saved: of the class, or what is nearest to it."""
    known = {_class_name(c): c for c in _classes(cls)}
    return known.get(interchange.class_name(model), cls).from_keras(model)


def _class_name(cls):
    return f'{cls.__module__.rpartition(".")[2]}.{cls.__name__}'


def describe(net):
    """What a network is beyond its Keras model, as plain data for JSON."""
    text = getattr(net, 'text', None)
    return {
        'version': VERSION,
        'class': _class_name(type(net)),
        'layers': [_spec(spec) for spec in net.specs],
        'losses': [_loss(loss) for loss in net.losses],
        'text': text and {'alpha': text.alpha, 'unknown': text.unknown},
    }


def restore(about, model, cls):
    """The network that `describe` described, over a model that Keras has loaded."""
    if about['version'] > VERSION:
        raise FileError(
            f'the file was written by a newer kerasnets (format {about["version"]}, this one '
            f'reads {VERSION}). Upgrade kerasnets.'
        )
    known = {_class_name(c): c for c in _classes(cls)}
    if about['class'] not in known:
        raise _other_class(about['class'], cls)
    net = known[about['class']](loss=None)
    net.losses = list(filter(None, map(_unloss, about['losses'])))
    specs = [_unspec(fields, model) for fields in about['layers']]
    net.adopt(builder.adopt(specs, model), model)
    if about['text']:
        net.text = Text('', alpha=about['text']['alpha'], unknown=about['text']['unknown'])
    return net


def _loss(loss):
    """A loss as plain data: one of Keras by its config, a function by its name alone."""
    fields = {f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)}
    if isinstance(loss.form, keras.losses.Loss):
        fields['form'] = {'keras': keras.losses.serialize(loss.form)}
    elif not isinstance(loss.form, str):
        fields['form'] = {'function': loss.name}
    return fields


def _unloss(fields):
    form = fields['form']
    if isinstance(form, dict) and 'function' in form:
        log.warning(
            'the loss %s is a function, which no file holds: set_loss() it.', *form.values()
        )
        return None
    if isinstance(form, dict):
        form = keras.losses.deserialize(form['keras'])
    return Loss.build(form, **{k: v for k, v in fields.items() if k != 'form'})


def _classes(cls):
    yield cls
    for derived in cls.__subclasses__():
        yield from _classes(derived)


def _spec(spec):
    """A spec as plain data. Activations and options that JSON cannot hold stay in the model."""
    fields = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
    fields.pop('layer')
    fields['options'] = {k: _plain(v) for k, v in spec.options.items()}
    fields['activation'] = _plain(spec.activation)
    fields['entry'] = _plain(spec.entry)
    return fields


def _plain(value):
    """The value if JSON holds it, else what it looks like."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return {'tuple': [_plain(v) for v in value]}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def _unplain(value):
    if isinstance(value, dict):
        if set(value) == {'tuple'}:
            return tuple(_unplain(v) for v in value['tuple'])
        return {k: _unplain(v) for k, v in value.items()}
    return [_unplain(v) for v in value] if isinstance(value, list) else value


def _unspec(fields, model):
    fields = dict(fields)
    for name in ('shape', 'inputs'):
        fields[name] = fields[name] and tuple(fields[name])
    fields['inputs'] = fields['inputs'] or ()
    fields['states'] = tuple(map(tuple, fields.get('states', ())))
    for name in ('entry', 'activation', 'options'):
        fields[name] = _unplain(fields[name])
    layer = None
    if fields['form'] == 'keras':
        layer = model.get_layer(fields['name'])
        fields['entry'] = layer
    return LayerSpec(layer=layer, **fields)


@contextlib.contextmanager
def _quiet():
    """Without Keras' advice against .h5, which the user chose."""
    logger = logging.getLogger('absl')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
