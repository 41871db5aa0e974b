"""Files of a few kilobytes whose layers would take much memory or time are refused unread."""

import io
import json
import pathlib
import re
import resource
import tempfile
import zipfile

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets import recurrent
from kerasnets.errors import FileError

L = keras.layers
TIME, IMAGE, FREE = (None, 4), (8, 8, 1), (None, None, 1)
HUGE = 10**9


def changed(model, edit, member='config.json'):
    """The file of a model, or of a network, whose description was changed."""
    made = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        model.save(f'{folder}/net.keras')
        whole = io.BytesIO(pathlib.Path(folder, 'net.keras').read_bytes())
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(made, 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            if name == member:
                about = json.loads(content)
                edit(about)
                content = json.dumps(about)
            target.writestr(name, content)
    made.seek(0)
    return made


def described(value):
    """All dicts in a description."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from described(inner)


def with_settings(layers, settings, shape=(4,), **about):
    """A Sequential whose last layer has other settings."""

    def edit(config):
        for one in described(config):
            one.pop('build_config', None)
            one.pop('build_input_shape', None)
        config['config']['layers'][-1]['config'].update(settings)

    model = keras.Sequential([keras.Input(shape, **about), *layers])
    return changed(model, edit)


def in_a_row(layer, count):
    """A Sequential, or stacked cells, with one layer many times."""

    def edit(config):
        config['config'].pop('build_input_shape', None)
        (*_, last) = config['config']['layers']
        many = [{**last, 'config': {**last['config'], 'name': f'l{i}'}} for i in range(count)]
        config['config']['layers'] += many

    return changed(keras.Sequential([keras.Input((4,)), layer]), edit)


def stacked(count):
    def edit(config):
        cell = config['config']['layers'][-1]['config']['cell']
        cells = {'cells': [cell] * count, 'name': 's'}
        stack = dict(cell, class_name='StackedRNNCells', config=cells)
        config['config']['layers'][-1]['config']['cell'] = stack

    return changed(keras.Sequential([keras.Input(TIME), L.RNN(L.SimpleRNNCell(2))]), edit)


def nested(depth):
    """Each model calls the one inside it twice."""
    source = keras.Input((4,))
    model = keras.Model(source, L.ReLU()(source))
    for _ in range(depth):
        source = keras.Input((4,))
        model = keras.Model(source, model(model(source)))
    return changed(model, lambda config: None)


def attending(make):
    """Attention over steps that the file alone makes."""
    source = keras.Input((4,))
    y = L.RepeatVector(5)(source)
    model = keras.Model(source, L.GlobalAveragePooling1D()(make(y)))

    def edit(config):
        for one in described(config):
            one.pop('build_config', None)
            if one.get('class_name') == 'RepeatVector':
                one['config']['n'] = 10**6

    return changed(model, edit)


def written(settings=None, about=None, **options):
    """A network of labels, with other settings of its layers or another description."""
    net = recurrent.Classifier([5, dict(size=8, **options), 5], text=recurrent.Text('abcd' * 3))
    if about is not None:
        return changed(net, lambda config: config.update(about(config)), 'kerasnets.json')

    def edit(config):
        for one in described(config):
            one.pop('build_config', None)
            one.update({k: v for k, v in settings.items() if k in one})

    return changed(net, edit)


def inner(layer):
    """A layer in a model in a model, which reads any number of steps."""
    model = keras.Sequential([keras.Input(TIME), layer, L.GlobalMaxPooling1D()])
    return keras.Sequential([keras.Input(TIME), model])


REFUSED = {
    'dilated causal': lambda: with_settings(
        [L.Conv1D(1, 2, padding='causal')], {'dilation_rate': [HUGE]}, TIME
    ),
    'dilated same': lambda: with_settings(
        [L.Conv1D(1, 2, padding='same')], {'dilation_rate': [HUGE]}, TIME
    ),
    'dilated image': lambda: with_settings(
        [L.Conv2D(1, 2, padding='same')], {'dilation_rate': [10**6, 10**6]}, IMAGE
    ),
    'dilated depthwise': lambda: with_settings(
        [L.DepthwiseConv1D(2, padding='same')], {'dilation_rate': [HUGE]}, TIME
    ),
    'dilated separable': lambda: with_settings(
        [L.SeparableConv1D(1, 2, padding='same')], {'dilation_rate': [HUGE]}, TIME
    ),
    'dilated transposed': lambda: with_settings(
        [L.Conv1DTranspose(1, 2)], {'dilation_rate': [HUGE]}, TIME
    ),
    'dilated sampling': lambda: written(
        {'dilation_rate': [HUGE]}, form='conv1', filter_size=2, padding='causal'
    ),
    'strides': lambda: with_settings([L.Conv1DTranspose(1, 1)], {'strides': [HUGE]}, TIME),
    'strides of an image': lambda: with_settings(
        [L.Conv2DTranspose(1, 1)], {'strides': [10**5, 10**5]}, FREE
    ),
    'kernel': lambda: with_settings([L.Conv1D(1, 2)], {'kernel_size': [HUGE]}, TIME),
    'upsampled steps': lambda: with_settings([L.UpSampling1D(2)], {'size': HUGE}, TIME),
    'upsampled image': lambda: with_settings([L.UpSampling2D(2)], {'size': [10**5] * 2}, FREE),
    'padded steps': lambda: with_settings([L.ZeroPadding1D(2)], {'padding': [HUGE, 0]}, TIME),
    'padded image': lambda: with_settings(
        [L.ZeroPadding2D(2)], {'padding': [[10**5, 0], [10**5, 0]]}, FREE
    ),
    'upsampled inside': lambda: changed(inner(L.UpSampling1D(HUGE)), lambda config: None),
    'resized': lambda: with_settings(
        [L.Resizing(2, 2)], {'height': 10**6, 'width': 10**6}, IMAGE
    ),
    'cropped': lambda: with_settings(
        [L.CenterCrop(2, 2)], {'height': 10**6, 'width': 10**6}, IMAGE
    ),
    'categories': lambda: with_settings(
        [L.CategoryEncoding(3)], {'num_tokens': 10**10}, dtype='int32'
    ),
    'hashed': lambda: with_settings([L.Hashing(3)], {'num_bins': 10**10}, dtype='int32'),
    'mel': lambda: with_settings(
        [L.MelSpectrogram(16, 8, num_mel_bins=4)],
        {'fft_length': 60_000, 'num_mel_bins': 60_000},
        (64,),
    ),
    'fourier': lambda: with_settings(
        [L.STFTSpectrogram(frame_length=4, frame_step=2, fft_length=4, padding='same')],
        {'fft_length': 2**16, 'frame_length': 2**16},
        (64, 1),
    ),
    'scores of heads': lambda: attending(lambda y: L.MultiHeadAttention(2, 1)(y, y)),
    'scores of groups': lambda: attending(lambda y: L.GroupQueryAttention(2, 2, 1)(y, y)),
    'scores': lambda: attending(lambda y: L.Attention()([y, y])),
    'scores that add': lambda: attending(lambda y: L.AdditiveAttention()([y, y])),
    'rank of a change': lambda: with_settings([L.Dense(2)], {'lora_rank': HUGE}),
    'many axes': lambda: with_settings(
        [L.EinsumDense('ab,bc->ac', output_shape=3)],
        {'equation': 'ab,bcdefgh->acdefgh', 'output_shape': [100] * 6},
    ),
    'batch': lambda: changed(
        keras.Sequential([keras.Input((4,)), L.Dense(2)]),
        lambda config: config['config']['layers'][0]['config'].update(batch_shape=[HUGE, 4]),
    ),
    'states of a batch': lambda: changed(
        keras.Sequential([keras.Input(TIME, batch_size=3), L.LSTM(2, stateful=True)]),
        lambda config: config['config']['layers'][0]['config'].update(
            batch_shape=[HUGE, None, 4]
        ),
    ),
    'layers in a row': lambda: in_a_row(L.ReLU(), 3000),
    'cells in a row': lambda: stacked(5000),
    'models in models': lambda: nested(18),
    'name': lambda: with_settings([L.Dense(2)], {'name': 'a' * 10**6}),
    'list': lambda: with_settings(
        [L.Normalization(mean=[0.0] * 4, variance=[1.0] * 4)], {'mean': [0.0] * 10**5}
    ),
    'seed': lambda: with_settings([L.Dropout(0.5)], {'seed': 10**4000}),
    'no rate': lambda: with_settings([L.Dropout(0.5)], {'rate': float('nan')}),
    'infinite units': lambda: with_settings([L.Dense(2)], {'units': float('inf')}),
    'negative filters': lambda: with_settings([L.Conv1D(1, 2)], {'filters': -1}, TIME),
    'negative steps': lambda: with_settings([L.RepeatVector(2)], {'n': -5}),
    'losses': lambda: written(
        about=lambda config: {'losses': config['losses'] * 10**5}, form='rnn'
    ),
    'names that are none': lambda: written(about=lambda config: {'class_names': 5}, form='rnn'),
    'more layers': lambda: written(
        about=lambda config: {'layers': config['layers'] * 100}, form='rnn'
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', REFUSED)
def test_sizes_that_are_refused(name):
    file = REFUSED[name]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileError) as refused:
        kerasnets.load(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17  # kilobytes
    assert len(str(refused.value)) < 1200
    raw = {'seed', 'names that are none', 'more layers'}  # what Keras or Python says of them
    assert name in raw or not re.search(r'\w(Error|Iteration): ', str(refused.value))


def test_a_larger_limit_opens_what_was_refused():
    file = REFUSED['upsampled steps']()
    assert kerasnets.load(file, max_values=2**53).num_params == 0


def test_models_of_unusual_sizes_open(tmp_path):
    """Many steps before the first output, inner models of any length, 40 layers in a row."""
    image = [L.Conv2D(8, 3, strides=2), L.MaxPooling2D(2), L.Conv2D(8, 3), L.MaxPooling2D(2)]
    models = {
        'steps': ([L.Conv1D(3, 2000), L.GlobalMaxPooling1D()], TIME, (1, 2500, 4)),
        'image': (image, FREE, (1, 90, 90, 1)),
        'inside': ([inner(L.UpSampling1D(3))], TIME, (1, 7, 4)),
        'dilated': ([L.Conv1D(3, 2, padding='causal', dilation_rate=512)], TIME, (1, 7, 4)),
        'deep': ([L.ReLU() for _ in range(40)], (4,), (1, 4)),
    }
    for name, (layers, shape, given) in models.items():
        model = keras.Sequential([keras.Input(shape), *layers])
        model.save(tmp_path / f'{name}.keras')
        x = np.random.default_rng(1).normal(size=given).astype('f')
        net = kerasnets.load(tmp_path / f'{name}.keras')
        want = model.predict(x, verbose=0)
        np.testing.assert_allclose(net.predict(x), want, rtol=1e-4, atol=1e-5)


def test_a_model_may_have_more_layers_than_python_lets_calls_go_deep():
    x = source = keras.Input((4,))
    for _ in range(260):
        x = L.ReLU()(x)
    net = kerasnets.Regressor.from_keras(keras.Model(source, x))
    np.testing.assert_array_equal(net.predict([[1, -2, 0, 3]]), [[1, 0, 0, 3]])
