"""The policy of what a Keras file may contain, checked before Keras reads it.

A file names classes, functions and sizes. The allowed classes are a closed list, independent of
Keras' settings, and the sizes must be those of the arrays in the file.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterator
from concurrent import futures
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras

from kerasnets import keras_facts
from kerasnets.errors import FileError, named
from kerasnets.files.atomic import damaged, refused
from kerasnets.layers.abilities import BY_NAME, NONE
from kerasnets.typing import Config

if TYPE_CHECKING:
    from kerasnets.typing import KerasLayer, KerasModel

#: Classes of Keras that a file may name: subclasses of these that the table of abilities allows.
BASES = (
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

#: Modules whose functions a file may name.
FUNCTIONS = ('activations', 'losses', 'metrics', 'initializers', 'regularizers', 'constraints')

#: Elementwise functions of keras.ops that a file may name as an activation.
ELEMENTWISE = frozenset(
    'abs absolute arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh deg2rad erf exp '
    'exp2 expm1 floor log log10 log1p log2 negative rad2deg reciprocal round rsqrt sign sin sinc '
    'sinh sqrt square tan tanh trunc'.split()
)

#: Objects other than classes and functions that a description may hold.
VALUES = {'__keras_tensor__', '__tensor__', '__numpy__', '__bytes__', '__ellipsis__', '__slice__'}

#: Keywords for the size of what a class allocates -> the power of the size.
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
    'members': 1,
    'hidden': 1,
    'binned': 1,
    'bins': 1,
}

#: Maximum number of values in the output of a layer for one example: half a gigabyte.
WIDEST = 2**27

#: Maximum number of calls of layers, and of layers in a Sequential, which take time to build.
CALLS, DEEPEST = 2**12, 2**8

#: Keywords for the shape of a model's input, with the examples of a batch first.
SHAPES = ('batch_shape', 'batch_input_shape')

#: Maximum number of examples in a batch of a fixed size, and of characters of a name.
BATCH, NAMED = 2**10, 1000

#: Steps that stand for axes of any length: the fewest that the layers can read.
STEPS = 2**10, 2**14, 2**18

#: Layers that make a score for each two steps.
ATTENTION = (
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
    keras.layers.Attention,
)

#: Number of values that is always allowed, and maximum number of steps of an unrolled loop.
FREE = 2**16
UNROLLED = 2**12


def check_names(contents: Any, limit: int = sys.maxsize) -> dict[str, Any]:
    """Refuse a file with an unknown function or class, or a size of a layer above the limit.

    Returns the objects that are registered with Keras or part of keras.ops, by name.
    """
    objects: dict[str, Any] = {}
    for part in (contents.config, contents.training, contents.about):
        objects |= _check_part(part, limit)
    return objects


def check(
    contents: Any, max_params: int | None = None, max_values: int | None = None
) -> dict[str, Any]:
    """Refuse a file that violates the policy.

    Returns the objects that are registered with Keras or part of keras.ops, by name.

    Parameters
    ----------
    contents : Contents
    max_params : int, optional
        Maximum number of parameters of its layers. Default: as many as it holds.
    max_values : int, optional
        Maximum number of values of an output for one example. Default: `WIDEST`.

    Raises
    ------
    FileError
        If a layer is too large, or names an object that is not allowed.
    """
    held = contents.num_values
    if max_params is not None and held > max_params:
        raise FileError(
            f'the file holds {held:,} parameters, more than the maximum of {max_params:,}. '
            f'If this is intended, pass a larger {named("max_params")}.'
        )
    objects = check_names(contents, max(FREE, held if max_params is None else max_params))
    model = skeleton(contents.config, objects)
    built = sum(math.prod(weight.shape) for weight in model.weights)  # without seeds
    if built > (2 * held + FREE if max_params is None else max_params):
        raise FileError(
            f'the layers of the file have {built:,} parameters, and it holds {held:,}. If this is '
            f'intended, pass a larger {named("max_params")}.'
        )
    compare(model, contents.weights)
    for one in (model, *_of_known_lengths(contents.config, objects)):
        _check_calls(one)
        _check_values(one, WIDEST if max_values is None else max_values)
    return objects


def _check_calls(model: KerasModel) -> None:
    """Refuse models that call layers more often than `CALLS`, inner models unfolded."""
    unfolded: dict[int, int] = {}

    def count(model: KerasModel) -> int:
        if id(model) not in unfolded:
            inner = [_inner(layer) for layer, *_ in keras_facts.calls(model)]
            unfolded[id(model)] = sum(sum(map(count, models)) or 1 for models in inner)
        return unfolded[id(model)]

    if count(model) > CALLS:
        raise refused(f'the model calls {count(model):,} layers, expected at most {CALLS:,}')


def _parts(layer: KerasLayer) -> list[Any]:
    return keras_facts.parts(layer) if isinstance(layer, keras.Layer) else []


def _inner(layer: KerasLayer) -> list[Any]:
    """Return a layer if it is a model, else the models that it wraps."""
    models = [one for one in _parts(layer) if isinstance(one, keras.Model)]
    return models[:1] if isinstance(layer, keras.Model) else models


def _check_values(model: KerasModel, limit: int) -> None:
    """Refuse layers that make more than `limit` values of one example, within or as output."""
    for layer, inputs, outputs in keras_facts.calls(model):
        for inner in _inner(layer):
            _check_values(inner, limit)
        shapes = [[n or 1 for n in tensor.shape[1:]] for tensor in (*inputs, *outputs)]
        values = max(map(math.prod, shapes), default=0)
        values = max([values, *(_within(part, shapes) for part in _parts(layer))])
        if values > limit:
            raise FileError(
                f'the layer {layer.name!r} makes {values:,} values of one example, more than '
                f'{limit:,}. If this is intended, pass a larger {named("max_values")}.'
            )


def _within(layer: KerasLayer, shapes: list[list[int]]) -> int:
    """Return the number of values that a layer makes on the way to its output.

    `shapes` are those of its inputs and outputs, or of the layer around it, without examples.
    """
    widest = max(shapes, key=math.prod)
    if hasattr(layer, 'dilation_rate') and hasattr(layer, 'kernel_size'):  # padded by its reach
        reach = [(k - 1) * d for k, d in zip(layer.kernel_size, layer.dilation_rate)]
        steps = widest[-1 - len(reach) : -1] or [1]
        return math.prod([n + r for n, r in zip(steps, reach)]) * widest[-1]
    if isinstance(layer, keras.layers.MelSpectrogram):
        return int(layer.fft_length) * int(layer.num_mel_bins)
    if isinstance(layer, ATTENTION):  # a score for each two steps
        heads = getattr(layer, 'num_heads', getattr(layer, 'num_query_heads', 1))
        wide = widest[-1] if isinstance(layer, keras.layers.AdditiveAttention) else heads
        return max(math.prod(shape[:-1]) for shape in shapes) ** 2 * int(wide)
    return 0


def _of_known_lengths(config: Config, objects: Any) -> Iterator[Any]:
    """Yield the models of a description that have axes of any length, with a length for each.

    A layer may make any number of values of an axis whose length is not known.
    """
    stack: list[Any] = [config]
    while stack:
        value = stack.pop()
        stack += value.values() if isinstance(value, dict) else value if _is_list(value) else []
        if isinstance(value, dict) and value.get('class_name') in ('Sequential', 'Functional'):
            sized = [known for steps in STEPS if (known := _sized(value, steps)) is not None]
            for i, known in enumerate(sized):
                try:
                    yield skeleton(known, objects)
                    break
                except FileError:  # a layer needs more steps
                    if i == len(sized) - 1:
                        raise


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _sized(config: Config, steps: int) -> Config | None:
    """Return a description with `steps` for the axes of any length; None if there are none."""
    known: Any = copy.deepcopy(config)
    changed = False
    for layer in known['config'].get('layers', []):
        inner: Any = layer.get('config') if isinstance(layer, dict) else None
        for key in SHAPES:
            shape: Any = inner.get(key) if isinstance(inner, dict) else None
            if _is_list(shape) and None in shape[1:]:
                side = round(steps ** (1 / shape[1:].count(None)))
                inner[key] = [shape[0], *(side if n is None else n for n in shape[1:])]
                changed = True
    known.pop('build_config', None)
    known['config'].pop('build_input_shape', None)
    return known if changed else None


def skeleton(config: Config, objects: Any = MappingProxyType({})) -> Any:
    """Return the model that a file describes, with shapes but without values.

    Keras lists variables that are made in a stateless scope for later initialization, in a list for
    each thread. Here they are never initialized, and the list ends with a separate thread.

    Parameters
    ----------
    config : dict
    objects : dict of str to class or function
        Objects that the file may name in addition to Keras' own.

    Raises
    ------
    FileError
        If Keras cannot build it.
    """
    try:
        with keras_facts.seeded(), futures.ThreadPoolExecutor(1) as threads:
            return threads.submit(_without_values, copy.deepcopy(config), objects).result()
    except Exception as error:  # an invalid description may cause any error
        cause = ' '.join(str(error).split())[:500].rstrip('.')
        raise damaged(f'the model of the file cannot be built: {cause}') from None


def _without_values(config: Config, objects: Any) -> Any:
    known = {'Sequential': keras.Sequential, 'Functional': keras.Model, 'Model': keras.Model}
    name = config.get('class_name')
    with (
        keras.saving.custom_object_scope(dict(objects)),
        keras.StatelessScope(initialize_variables=False),
    ):
        cls: Any = known.get(str(name), objects.get(config.get('registered_name')))
        # the legacy format knows only the objects that are passed
        return cls.from_config(config['config'], custom_objects=dict(objects))


def _check_part(part: Any, limit: int) -> Any:
    """Check all objects in a description: dicts that name a class.

    Returns the objects that are registered with Keras, by name.
    """
    objects: Any
    stack, unrolled, longest, objects = [('the file', part)], None, 0.0, {}
    while stack:
        owner, value = stack.pop()
        if isinstance(value, (list, tuple)):
            stack += [(owner, inner) for inner in value]
            if len(value) > limit and 'class_name' in part:  # our description holds vocabularies
                raise refused(f'{owner} has a list of {len(value):,} values')
            continue
        if not isinstance(value, dict):
            continue
        owner = _name(value) or owner
        if isinstance(value.get('activation'), dict) and 'class_name' not in value['activation']:
            raise refused(f'{owner} has a lambda as its activation, which is code in the file')
        if value.get('class_name') in ('Sequential', 'StackedRNNCells'):
            count = max([len(v) for v in _values(value.get('config')) if _is_list(v)], default=0)
            if count > DEEPEST:
                raise refused(f'{owner} has {count:,} layers in a row, expected at most {DEEPEST}')
        if isinstance(value.get('class_name'), str):
            objects |= _registered(value, owner)
        for key, inner in value.items():
            _check_value(key, inner, owner, limit)
            unrolled = owner if key == 'unroll' and inner else unrolled
            if key.endswith(('shape', 'size', 'padding', 'n')):
                longest = max([longest, *_numbers(inner)])
            stack.append((owner, inner))
    if unrolled and longest > UNROLLED:
        raise refused(
            f'{unrolled} is unrolled over {longest:,} steps, expected at most {UNROLLED:,}'
        )
    return objects


def _values(config: Any) -> list[Any]:
    return list(config.values()) if isinstance(config, dict) else [config]


def _name(value: Config) -> str | None:
    inner = value.get('config')
    name = inner.get('name') if isinstance(inner, dict) else None
    return f'the layer {name!r}' if isinstance(name, str) else None


def _registered(value: Any, owner: Any) -> Any:
    """Return the registered classes and functions that a description names, by name.

    Classes of Keras itself need none. Raise FileError for an unknown object, and for one that can
    do more than compute.
    """
    name, module = value['class_name'], value.get('module')
    registered = value.get('registered_name')
    if reason := BY_NAME.get(name, NONE).refused:
        raise refused(f'{owner} is a {name}, which {reason}')
    if name.startswith('__'):
        dtype = (value.get('config') or {}).get('dtype') if name == '__numpy__' else 'float32'
        if name not in VALUES or str(dtype).startswith(('S', 'U', 'V', 'O', 'o', 's', '<', '|')):
            raise refused(f'{owner} holds a {name}, which no model needs')
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
    usable = {word: keras.saving.get_registered_object(word) for word in words}
    usable = {word: known for word, known in usable.items() if known is not None}
    if not usable:
        raise FileError(
            f'{owner} names {module or "no module"}: {name!r}, which is unknown here. If it is '
            'yours, import the module that defines it with '
            '@keras.saving.register_keras_serializable(), and load again.'
        )
    return usable


def _is_known(module: str, name: str) -> bool:
    """Return True if a file may name this class of Keras. The check imports nothing."""
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
    cls = next((vars(place)[name] for place in places if name in vars(place)), None)
    return isinstance(cls, type) and issubclass(cls, BASES)


def _check_value(key: Any, value: Any, owner: Any, limit: int) -> None:
    sizes = _numbers(value) if key in SIZES else []
    if len(sizes) > UNROLLED or any(number ** SIZES[key] > limit for number in sizes):
        raise FileError(
            f'{owner} has {key}={str(value)[:60]}, which needs more than {limit:,} values. '
            f'If this is intended, pass a larger {named("max_params")}.'
        )
    batch = value[0] if key in SHAPES and _is_list(value) and value else None
    if any(number > BATCH for number in _numbers(batch)):
        raise refused(f'{owner} has batches of {batch:,} examples, expected at most {BATCH:,}')
    if key == 'name' and isinstance(value, str) and len(value) > NAMED:
        raise refused(f'{owner[:60]} has a name of {len(value):,} characters')
    if key == 'losses' and _is_list(value) and len(value) > NAMED:
        raise refused(f'the file has {len(value):,} losses, expected at most {NAMED:,}')
    if key in ('vocabulary', 'idf_weights') and isinstance(value, str):
        raise refused(f'{owner} would read the file {value!r}')


def _numbers(value: Any) -> list[float]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return [abs(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]


def compare(model: KerasModel, weights: Any) -> None:
    """Refuse arrays whose shapes differ from those of the layer with the same name.

    Parameters
    ----------
    model : keras.Model
    weights : dict of str to dict
        The shapes of `Contents.weights`.
    """
    for layer in model.layers:
        held = list(weights.get(layer.name, {}).values())
        if len(held) != len(layer.weights):
            continue  # another layer holds shared weights
        for weight in layer.weights:
            shape = tuple(weight.shape)
            if shape not in held:
                other = [s for s in held if len(s) == len(shape)] or held
                raise FileError(
                    f"the weight '{layer.name}/{weight.name}' is of shape {shape} in the network, "
                    f'and of shape {other[0]} in the file. Build the network with the sizes of '
                    'the file.'
                )
            held.remove(shape)
