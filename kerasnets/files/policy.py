"""The policy of what a Keras file may contain, checked before Keras reads it.

A file names classes, functions and sizes. Here the classes are a closed list, whatever Keras'
own settings say, and the sizes must be those of the arrays that the file holds.
"""

from __future__ import annotations

import copy
import math
import sys
from concurrent import futures
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras

from kerasnets import keras_facts
from kerasnets.errors import FileError
from kerasnets.typing import Config

if TYPE_CHECKING:
    from kerasnets.typing import KerasModel

#: Classes of Keras that a file may name: what these are, but for those that run or read others.
KINDS = (
    keras.Layer,
    keras.Operation,
    keras.Initializer,
    keras.Regularizer,
    keras.constraints.Constraint,
    keras.Loss,
    keras.Metric,
    keras.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.DTypePolicy,
    keras.Quantizer,
    keras.random.SeedGenerator,
)
REFUSED = {
    'Lambda': 'runs code that lies in the file',
    'TFSMLayer': 'runs a program that lies elsewhere',
    'TorchModuleWrapper': 'runs code that lies in the file',
    'JaxLayer': 'runs code that lies in the file',
    'FlaxLayer': 'runs code that lies in the file',
}

#: Modules whose functions a file may name.
FUNCTIONS = ('activations', 'losses', 'metrics', 'initializers', 'regularizers', 'constraints')

#: Functions of keras.ops that a file may name as an activation: one value for each value.
ELEMENTWISE = frozenset(
    'abs absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh deg2rad erf exp '
    'exp2 expm1 floor log log10 log1p log2 negative rad2deg reciprocal round rsqrt sign sin sinc '
    'sinh sqrt square tan tanh trunc'.split()
)

#: What a description may hold that is neither a class nor a function.
VALUES = {'__keras_tensor__', '__tensor__', '__numpy__', '__bytes__', '__ellipsis__', '__slice__'}

#: Keywords that say how much a class will make, and to which power.
SIZES = {
    'units': 1,
    'filters': 1,
    'input_dim': 1,
    'output_dim': 1,
    'num_heads': 1,
    'key_dim': 1,
    'value_dim': 1,
    'factors': 1,
    'num_modules': 1,
    'num_thresholds': 1,
    'num_classes': 2,
    'num_bins': 1,
    'num_mel_bins': 1,
    'fft_length': 1,
    'sequence_length': 1,
}

#: Values that one example may become on its way through the layers, at most: half a gigabyte.
WIDEST = 2**27

#: Values that anything may have, and steps that a loop may be written out for.
FREE = 2**16
UNROLLED = 2**12


def check_names(contents: Any) -> dict[str, Any]:
    """Refuse a file that names what `check` refuses, such as a function that is unknown here.

    Returns what it names that was registered with Keras, or stands in keras.ops, by name.
    """
    objects: dict[str, Any] = {}
    for part in (contents.config, contents.training, contents.about):
        objects |= _check_part(part, sys.maxsize)
    return objects


def check(
    contents: Any, max_params: int | None = None, max_values: int | None = None
) -> dict[str, Any]:
    """Refuse a file that violates the policy.

    Returns what it names that was registered with Keras, or stands in keras.ops, by name.

    Parameters
    ----------
    contents : Contents
    max_params : int, optional
        Learnable values that its layers may have. Default: as many as it holds.
    max_values : int, optional
        Values that an output may have for one example. Default: `WIDEST`.

    Raises
    ------
    FileError
        Naming the layer, and what it asks for.
    """
    held = contents.num_values
    if max_params is not None and held > max_params:
        raise FileError(f'the file holds {held:,} parameters, more than max_params={max_params:,}.')
    objects: Any = {}
    for part in (contents.config, contents.training, contents.about):
        objects |= _check_part(part, max(FREE, held if max_params is None else max_params))
    model = skeleton(contents.config, objects)
    made = sum(math.prod(weight.shape) for weight in model.weights)  # without seeds
    if made > (2 * held + FREE if max_params is None else max_params):
        raise FileError(
            f'the layers of the file have {made:,} parameters, and it holds {held:,}. If this is '
            'intended, pass max_params=.'
        )
    compare(model, contents.weights)
    _check_outputs(model, WIDEST if max_values is None else max_values)
    return objects


def _check_outputs(model: KerasModel, limit: int) -> None:
    """Refuse layers that make of one example more than so many values."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _check_outputs(layer, limit)
        for tensor in keras_facts.outputs_of_calls(layer):
            values = math.prod(n for n in tensor.shape[1:] if n is not None)
            if values > limit:
                raise FileError(
                    f'the layer {layer.name!r} makes {values:,} values of one example, more than '
                    f'{limit:,}. If this is intended, pass max_values=.'
                )


def skeleton(config: Config, objects: Any = MappingProxyType({})) -> Any:
    """The model that a file describes, with shapes but no values, so that it takes no room.

    Variables that are made in a stateless scope wait for their values in a list that Keras has
    for each thread. Here they never get any, and the list ends with a thread of its own.

    Parameters
    ----------
    config : dict
    objects : dict of str to class or function
        What the file may name beyond Keras' own.

    Raises
    ------
    FileError
        If there is none of that description.
    """
    try:
        with keras_facts.seeded(), futures.ThreadPoolExecutor(1) as threads:
            return threads.submit(_without_values, copy.deepcopy(config), objects).result()
    except Exception as error:  # what a file says may go wrong in any way
        raise FileError(
            f'the model of the file cannot be built: {" ".join(str(error).split())[:500]}'
        ) from None


def _without_values(config: Config, objects: Any) -> Any:
    known = {'Sequential': keras.Sequential, 'Functional': keras.Model, 'Model': keras.Model}
    name = config.get('class_name')
    with (
        keras.saving.custom_object_scope(dict(objects)),
        keras.StatelessScope(initialize_variables=False),
    ):
        found: Any = known.get(str(name), objects.get(config.get('registered_name')))
        return found.from_config(config['config'])


def _check_part(part: Any, limit: int) -> Any:
    """Walk through a description, in which dicts that name a class describe an object.

    Returns what it names that was registered with Keras, by name.
    """
    objects: Any
    stack, unrolled, longest, objects = [('the file', part)], None, 0, {}
    while stack:
        owner, value = stack.pop()
        if isinstance(value, (list, tuple)):
            stack += [(owner, inner) for inner in value]
            continue
        if not isinstance(value, dict):
            continue
        owner = _name(value) or owner
        if isinstance(value.get('activation'), dict) and 'class_name' not in value['activation']:
            raise FileError(f'{owner} has a lambda as its activation, which is code in the file.')
        if isinstance(value.get('class_name'), str):
            objects |= _registered(value, owner)
        for key, inner in value.items():
            _check_value(key, inner, owner, limit)
            unrolled = owner if key == 'unroll' and inner else unrolled
            if key.endswith(('shape', 'size', 'padding', 'n')):
                longest = max([longest, *_numbers(inner)])
            stack.append((owner, inner))
    if unrolled and longest > UNROLLED:
        raise FileError(f'{unrolled} is unrolled over {longest:,} steps.')
    return objects


def _name(value: Any) -> Any:
    inner = value.get('config')
    name = inner.get('name') if isinstance(inner, dict) else None
    return f'the layer {name!r}' if isinstance(name, str) else None


def _registered(value: Any, owner: Any) -> Any:
    """Return the registered names that an object refers to; nothing for Keras' own.

    Refuses what is not known, or known to do more than compute.
    """
    name, module = value['class_name'], value.get('module')
    registered = value.get('registered_name')
    if name in REFUSED:
        raise FileError(
            f'{owner} is a {name}, which {REFUSED[name]}. If you trust the file, open it with '
            'Keras and give the model to from_keras().'
        )
    if name.startswith('__'):
        dtype = (value.get('config') or {}).get('dtype') if name == '__numpy__' else 'float32'
        if name not in VALUES or str(dtype).startswith(('S', 'U', 'V', 'O', 'o', 's', '<', '|')):
            raise FileError(f'{owner} holds a {name}, which no model needs.')
        return {}
    if name == 'function':
        name = value.get('config')
        if any(hasattr(getattr(keras, where), str(name)) for where in FUNCTIONS):
            return {}
        if name in ELEMENTWISE and hasattr(keras.ops, name):
            return {name: getattr(keras.ops, name)}
        registered = name
    elif _is_known(module, name):
        return {}
    words = [word for word in (registered, name) if isinstance(word, str)]
    found = {word: keras.saving.get_registered_object(word) for word in words}
    found = {word: known for word, known in found.items() if known is not None}
    if not found:
        raise FileError(
            f'{owner} names {module or "no module"}: {name!r}, which is unknown here. If it is '
            'yours, import what defines it, with @keras.saving.register_keras_serializable(), '
            'and load again.'
        )
    return found


def _is_known(module: str, name: str) -> bool:
    """Whether a class of Keras is one that a file may name. Nothing is imported for it."""
    module = module or 'builtins'
    if module.partition('.')[0] not in ('keras', 'builtins') or not name.isidentifier():
        return False
    if name == 'Functional' and module == 'builtins':  # a model inside a model, in an HDF5 file
        return True
    if module in sys.modules and module != 'builtins':
        places = [sys.modules[module]]
    else:  # older files name the class alone
        places = [keras.layers, keras, keras.optimizers, *(getattr(keras, f) for f in FUNCTIONS)]
        places.append(keras.optimizers.schedules)
    found = next((vars(place)[name] for place in places if name in vars(place)), None)
    return isinstance(found, type) and issubclass(found, KINDS)


def _check_value(key: Any, value: Any, owner: Any, limit: int) -> None:
    if key in SIZES and any(number ** SIZES[key] > limit for number in _numbers(value)):
        raise FileError(
            f'{owner} has {key}={value}, for which the values that the file holds are too few. '
            'If this is intended, pass max_params=.'
        )
    if key in ('vocabulary', 'idf_weights') and isinstance(value, str):
        raise FileError(f'{owner} would read the file {value!r}.')


def _numbers(value: Any) -> Any:
    values = value if isinstance(value, (list, tuple)) else [value]
    return [abs(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]


def compare(model: KerasModel, weights: Any) -> None:
    """Refuse arrays that are not of the shapes that the layers have, by their names.

    Parameters
    ----------
    model : keras.Model
    weights : dict of str to dict
        As `Contents` has them.
    """
    for layer in model.layers:
        held = list(weights.get(layer.name, {}).values())
        if len(held) != len(layer.weights):
            continue  # weights that are shared lie with another layer
        for weight in layer.weights:
            shape = tuple(weight.shape)
            if shape not in held:
                other = [s for s in held if len(s) == len(shape)] or held
                raise FileError(
                    f"the weight '{layer.name}/{weight.name}' is of shape {shape} in the network, "
                    f'and of shape {other[0]} in the file.'
                )
            held.remove(shape)
