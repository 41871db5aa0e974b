"""Scripts in the manner of each release of theanets, and each spelling that they used."""

import re
import warnings

import keras
import numpy as np
import pytest
import scipy.sparse
from paths import ROOT
from warned import warned

import kerasnets as theanets
from kerasnets.compat import words
from kerasnets.errors import ConfigurationError

RNG = np.random.default_rng(6)
X, Y = RNG.normal(size=(60, 6)).astype('f'), RNG.normal(size=(60, 2)).astype('f')
LABELS = X[:, :3].argmax(1).astype('i')
PLAIN = dict(algo='sgd', learning_rate=0.1, epochs=2, batch_size=20)


@pytest.fixture(autouse=True)
def as_in_a_new_process(monkeypatch):
    monkeypatch.setattr(words, '_warned', set())


@pytest.fixture
def silent():
    """Old spellings warn; these tests are about what they do."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        yield


def values(net):
    return [param.get_value() for param in net.params]


def assert_same(one, other):
    for a, b in zip(values(one), values(other), strict=True):
        np.testing.assert_array_equal(a, b)


# A script for each release


@pytest.mark.usefixtures('silent')
def test_0_4_an_mnist_classifier_with_pretraining(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.repeat(np.eye(10, 49, dtype='f'), 6, axis=0)
    digits = np.repeat(np.arange(10), 6).astype('i')
    exp = theanets.Experiment(
        theanets.Classifier,
        layers=(49, 32, 16, 10),
        hidden_activation='tanh',
        train_batches=10,
        batch_size=6,
        input_noise=0.01,
        cg_batches=5,
    )
    exp.run((images,), optimize='pretrain', patience=1, num_updates=30)
    before = values(exp.network)
    exp.run(
        (images, digits),
        (images, digits),
        optimize='nag',
        learning_rate=0.1,
        momentum=0.9,
        num_updates=300,
    )
    assert exp.network.classify(images).tolist() == digits.tolist()
    assert all(abs(a - b).max() > 0 for a, b in zip(before, values(exp.network)))
    with warned(r'\.keras archive', UserWarning):
        exp.save('mnist.pkl.gz')
    again = theanets.Experiment('mnist.pkl.gz')
    np.testing.assert_array_equal(again.network.predict(images), digits)


@pytest.mark.usefixtures('silent')
def test_0_5_a_weighted_recurrent_regressor_with_time_first():
    steps, batch = 9, 8
    weight = np.zeros((steps, batch, 1), 'f')
    weight[-1:] = 1

    def examples():
        x, z = np.random.uniform(0, 1, size=(2, steps, batch, 1))
        z[-1] = x[0]
        return [np.concatenate([x, x], axis=2).astype('f'), z.astype('f'), weight]

    exp = theanets.Experiment(
        theanets.recurrent.Regressor,
        layers=(2, dict(form='rnn', activation='relu', size=10, radius=1), 1),
        weighted=True,
        time_major=True,
    )
    training, _ = exp.train(examples, optimize='rmsprop', train_batches=5, epochs=3)
    src, tgt, _ = examples()
    found = exp.network.transform(src)
    assert found.shape == tgt.shape
    want = np.mean((found[-1] - tgt[-1]) ** 2)
    assert exp.network.evaluate([src, tgt, weight])['err'] == pytest.approx(want, rel=1e-4)
    assert training['loss'] > 0


@pytest.mark.usefixtures('silent')
def test_0_6_an_autoencoder_with_tied_weights():
    net = theanets.Autoencoder(
        layers=(6, 4, ('tanh', 3), 4, 6), tied_weights=True, output_activation='linear'
    )
    assert [layer.name for layer in net.layers] == ['in', 'hid1', 'hid2', 'hid3', 'out']
    assert net.layers[4].partner is net.layers[1]
    net.train([X], algorithm=('layerwise', 'rmsprop'), hidden_dropouts=0.1, epochs=1)
    w, v = net.find('hid1', 'w').get_value(), net.find('hid2', 'w').get_value()
    bias = {name: net.find(name, 'b').get_value() for name in ('hid1', 'hid2', 'hid3', 'out')}
    h = np.maximum(X @ w + bias['hid1'], 0)
    h = np.tanh(h @ v + bias['hid2'])
    h = np.maximum(h @ v.T + bias['hid3'], 0)
    np.testing.assert_allclose(net.predict(X), h @ w.T + bias['out'], atol=1e-5)


@pytest.mark.usefixtures('silent')
def test_0_7_a_sparse_regression_with_a_loss_of_its_own(tmp_path):
    class Cubed(theanets.losses.Loss):
        __extra_registration_keys__ = ('CUBE',)

        def __call__(self, outputs):
            return keras.ops.mean(keras.ops.abs(outputs[self.output_name] - self._target) ** 3)

    sparse = scipy.sparse.csr_matrix(X * (X > 0))
    nets = [
        theanets.Regressor(
            [
                theanets.layers.base.Input(size=6, sparse='csr', name='in'),
                theanets.layers.Feedforward(size=5, inputs='in', name='h', activation='sigmoid'),
                theanets.layers.Feedforward(size=2, inputs={'h': 5}, activation='linear'),
            ],
            loss=loss,
            rng=4,
        )
        for loss in ('cube', 'cubed', Cubed, Cubed(target=2))
    ]
    for net in nets:
        net.train([sparse, Y], **PLAIN)
        assert_same(net, nets[0])
    want = np.mean(abs(nets[0].predict(sparse) - Y) ** 3)
    assert nets[0].evaluate([sparse, Y])['loss'] == pytest.approx(want, rel=1e-5)
    nets[0].save(tmp_path / 'net.keras')
    again = theanets.load(tmp_path / 'net.keras')
    assert again.evaluate([sparse, Y])['loss'] == pytest.approx(want, rel=1e-5)


def test_0_8_a_layer_of_its_own(tmp_path):
    class NoBias(theanets.Layer):
        def setup(self):
            self.add_weights('w', nin=self.input_size, nout=self.size, std=0.5)

        def transform(self, inputs):
            return self.activate(keras.ops.dot(inputs, self.find('w')))

    class Gated(theanets.layers.Layer):
        def setup(self):
            self.add_weights('g', nin=6)
            self.add_bias('b', self.size, mean=1, std=0)

        def transform(self, inputs):
            pre = keras.ops.matmul(inputs['in:out'], self.find('g')) + self.find('b')
            return {'pre': pre, 'out': pre * inputs['hid1:out']}, []

    net = theanets.Autoencoder([6, (4, 'nobias', 'tanh'), (6, 'tied', 'linear')], rng=2)
    net.train([X], **PLAIN)
    w, b = net.find(1, 0).get_value(), net.find('out', 'b').get_value()
    np.testing.assert_allclose(net.predict(X), np.tanh(X @ w) @ w.T + b, atol=1e-5)
    net.save(tmp_path / 'net.keras')
    np.testing.assert_array_equal(theanets.load(tmp_path / 'net.keras').predict(X), net.predict(X))

    graph = theanets.Regressor(
        [6, 4, dict(form='gated', size=4, inputs=('in', 'hid1'), name='gate'), 2], rng=2
    )
    out = graph.feed_forward(X)
    g = graph.find('gate', 'g').get_value()
    np.testing.assert_array_equal(graph.find('gate', 'b').get_value(), np.ones(4))
    np.testing.assert_allclose(out['gate:out'], (X @ g + 1) * out['hid1:out'], atol=1e-5)
    np.testing.assert_allclose(out['gate:pre'], X @ g + 1, atol=1e-5)


def test_a_layer_with_a_constructor_of_its_own(tmp_path):
    class Scaled(theanets.Layer):
        def __init__(self, size, inputs=(), name=None, factor=2, **kwargs):
            super().__init__(size=size, inputs=inputs, name=name, **kwargs)
            self.factor = factor

        def setup(self):
            self.add_weights('w')

        def transform(self, inputs):
            return self.factor * keras.ops.dot(self._only_input(inputs), self.find('w'))

    net = theanets.Regressor([6, dict(form='scaled', size=5, factor=3), (2, 'linear')])
    w = net.find('hid1', 'w').get_value()
    np.testing.assert_allclose(net.feed_forward(X)['hid1:out'], 3 * X @ w, atol=1e-4)
    net.save(tmp_path / 'net.keras')
    np.testing.assert_array_equal(theanets.load(tmp_path / 'net.keras').predict(X), net.predict(X))


# Every spelling, and the one of today


@pytest.mark.parametrize(
    ('old', 'today'),
    [
        (dict(optimize='adam'), dict(algo='adam')),
        (dict(algorithm='adam'), dict(algo='adam')),
        (dict(num_updates=3), dict(max_updates=3)),
        (dict(gradient_clip=0.01), dict(max_gradient_elem=0.01)),
        (dict(contractive_l2=0.1), dict(contractive=0.1)),
        (dict(input_dropouts=0.4), dict(input_dropout=0.4)),
        (dict(hidden_dropouts=0.4), dict(hidden_dropout=0.4)),
        (dict(weight_decay=0.5), dict(weight_l2=0.5)),
        (dict(l1=0.5), dict(weight_l1=0.5)),
        (dict(l2=0.5), dict(weight_l2=0.5)),
        (dict(cg_batches=3), {}),
        (dict(preconditioner=True), {}),
        (dict(recurrent_error_start=0), {}),
        (dict(input_noise=0.2), dict(input_noise=0.2)),
        (dict(hidden_noise=0.2), dict(hidden_noise=0.2)),
    ],
)
def test_keywords_of_training(old, today):
    nets = [theanets.Regressor([6, 5, 2], rng=3) for _ in range(3)]
    common = {k: v for k, v in PLAIN.items() if k != 'algo' or 'algo' not in today}
    nets[0].train([X, Y], **{**common, **today})
    former = [key for key in old if key not in today]
    if former:
        with warned(f'{former[0]!r} is a former name'):
            nets[1].train([X, Y], **{**common, **old})
    else:
        nets[1].train([X, Y], **{**common, **old})
    assert_same(nets[0], nets[1])
    exp = theanets.Experiment(nets[2], **{**common, **old})  # warns no more
    exp.train([X, Y])
    assert_same(nets[0], nets[2])


def test_keywords_may_be_given_to_the_network_and_a_call_comes_before_them():
    net = theanets.Regressor([6, 5, 2], rng=3, **PLAIN)
    other = theanets.Regressor([6, 5, 2], rng=3)
    net.train([X, Y], epochs=3)
    other.train([X, Y], **{**PLAIN, 'epochs': 3})
    assert_same(net, other)
    assert len(net.history) == 3


@pytest.mark.parametrize(
    ('keywords', 'says'),
    [
        (dict(optimize='sgd', algo='sgd'), "expected 'algo' or 'optimize', got both"),
        (dict(lerning_rate=1), "unknown keyword of training 'lerning_rate'.*'learning_rate'"),
        (dict(recurrent_error_start=3), 'expected 0, as the loss counts'),
        (dict(compat='keras'), "expected compat as 'theanets'"),
        (dict(decode_from=2), r'decode_from: expected at most 1, the number of hidden layers'),
        (dict(tied_weights=True), r'sizes are the same from both ends, got \[6, 5, 2\]'),
        (dict(time_major=True), 'time_major is for the networks of kerasnets.recurrent'),
        (dict(hidden_activation='tanj'), "'tanj'.*'tanh'"),
    ],
)
@pytest.mark.usefixtures('silent')
def test_wrong_values_are_refused(keywords, says):
    with pytest.raises(theanets.ConfigurationError, match=says):
        theanets.Regressor([6, 5, 2], **keywords).train([X, Y], epochs=1)


def test_a_warning_points_at_the_script_and_comes_once():
    net = theanets.Regressor([6, 2])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always', DeprecationWarning)
        for _ in range(2):
            net.train([X, Y], optimize='sgd', epochs=1)
    (warning,) = (w for w in seen if 'former name' in str(w.message))
    assert warning.filename == __file__
    assert "write 'algo'" in str(warning.message)


@pytest.mark.parametrize(
    ('old', 'today'),
    [
        (dict(layers=[6, 5, 2], hidden_activation='tanh'), [6, (5, 'tanh'), 2]),
        (dict(layers=[6, 5, 2], output_activation='tanh'), [6, 5, (2, 'tanh')]),
        (
            dict(layers=[6, 5, 4, 2], decode_from=2),
            [6, 5, 4, dict(size=2, inputs=('hid1', 'hid2'))],
        ),
        (dict(layers=[dict(input_dim=6), 5, 2]), [6, 5, 2]),
        (dict(layers=[6, dict(nout=5, cls='ff'), 2]), [6, 5, 2]),
        (dict(layers=[6, ('Feedforward', 5), 2]), [6, 5, 2]),
        (dict(layers=[6, (5, theanets.layers.Feedforward), 2]), [6, 5, 2]),
        (dict(layers=[6, dict(size=5, inputs=6), 2]), [6, 5, 2]),
        (dict(layers=[6, dict(size=5, inputs={'in:out': 6}), 2]), [6, 5, 2]),
        (dict(layers=[6, (5, 'trel'), 2]), [6, (5, 'rect:minmax'), 2]),
        (dict(layers=[6, (5, 'norm:dc'), 2]), [6, (5, 'norm:mean'), 2]),
        (dict(layers=[6, 5, ('flat', 5), 2]), [6, 5, 'flat', 2]),
        (dict(layers=[6, 5, 2], rng=np.random.RandomState(4)), None),
    ],
)
@pytest.mark.usefixtures('silent')
def test_spellings_of_networks(old, today):
    rng = old.get('rng', 5)
    net = theanets.Regressor(**{'rng': rng, **old})
    if today is None:
        today, rng = old['layers'], np.random.RandomState(4)
    other = theanets.Regressor(today, rng=rng)
    assert_same(net, other)
    np.testing.assert_array_equal(net.predict(X), other.predict(X))


def test_recurrent_forms_given_once():
    net = theanets.recurrent.Classifier(
        layers=(3, 7, (6, 'tanh'), 5), recurrent_form='LSTM', hidden_activation='sigmoid'
    )
    kinds = theanets.layers.Input, theanets.layers.LSTM, theanets.layers.Feedforward
    assert [type(layer) for layer in net.layers[:3]] == [*kinds]
    assert net.layers[2].activation == 'tanh'


@pytest.mark.parametrize(
    ('entry', 'says'),
    [
        (dict(size=5, inputs=4), "expected an input 'in:out' of size 4, as inputs says, got 6"),
        (('flat', 5), 'expected the size that follows from its inputs, 6, got 5'),
        (dict(form='concat', inputs=('in', 'in'), size=6), 'from its inputs, 12, got 6'),
    ],
)
def test_sizes_that_do_not_agree(entry, says):
    with pytest.raises(theanets.util.ConfigurationError, match=f'layer 1 .*{says}'):
        theanets.Regressor([6, entry, 2])


def test_images_of_any_size_are_flattened_to_a_size_that_is_given():
    net = theanets.convolution.Regressor(
        [3, dict(form='conv2', size=4, filter_size=(3, 3)), ('flat', 4 * 5 * 6), 2]
    )
    assert net.predict(np.zeros((2, 7, 8, 3))).shape == (2, 2)


def test_an_input_with_fewer_axes():
    net = theanets.recurrent.Regressor(
        [
            dict(size=4, form='input', name='h0', ndim=2),
            dict(size=3, form='input', name='in'),
            dict(size=4, form='rnn', name='rnn', h_0='h0'),
            dict(size=2, form='ff', name='out'),
        ]
    )
    assert net.predict([np.zeros((5, 4)), np.zeros((5, 7, 3))]).shape == (5, 7, 2)


# What layers are asked


def test_what_a_layer_tells():
    net = theanets.recurrent.Regressor([6, dict(size=5, form='rnn', activation='relu'), 2])
    layer = net.layers[1]
    assert isinstance(layer, theanets.layers.recurrent.RNN)
    assert isinstance(layer.keras, keras.layers.SimpleRNN)
    assert (layer.name, layer.size, layer.output_size, layer.input_size) == ('hid1', 5, 5, 6)
    assert (layer.inputs, layer.activation) == (('in:out',), 'relu')
    assert layer.kwargs == {'activation': 'relu'}
    assert layer.num_params == 6 * 5 + 5 * 5 + 5
    assert [param.name for param in layer.params] == ['hid1.xh', 'hid1.hh', 'hid1.b']
    assert layer.find('hh').shape == layer.find(1).shape == layer.find('hid1.hh').shape == (5, 5)
    assert layer.activate.name == 'relu'
    assert layer.to_spec() == dict(
        form='rnn', name='hid1', size=5, inputs=('in:out',), activation='relu'
    )
    assert net.find(1, 0).name == 'hid1.xh'
    assert net.find('hid1', 'hh').get_value().shape == (5, 5)
    for find in (lambda: layer.find('w'), lambda: net.find('hid4', 'w'), lambda: net.find(0, 0)):
        with pytest.raises(KeyError):
            find()


def test_a_layer_logs_a_line(caplog):
    net = theanets.Regressor([6, (5, 'tanh'), 2])
    with caplog.at_level('INFO', logger='kerasnets'):
        net.layers[1].log()
        theanets.log('{} layers', len(net.layers))
    assert caplog.messages == [
        'layer Feedforward "hid1": (in:out) -> 5, tanh, 35 parameters', '3 layers',
    ]  # fmt: skip


def test_layers_are_made_by_name_and_bound():
    for form, name in [('ff', 'Feedforward'), ('flat', 'Flatten'), ('LSTM', 'LSTM')]:
        assert type(theanets.layers.Layer.build(form, size=3)).__name__ == name
    layer = theanets.Layer.build('rnn', size=4, name='l', inputs='in')
    with pytest.raises(theanets.ConfigurationError, match='is in no network yet'):
        layer.find('xh')
    layer.bind(theanets.Network([dict(size=3, ndim=3)]))
    assert [param.name for param in layer.params] == ['l.xh', 'l.hh', 'l.b']
    x = RNG.normal(size=(2, 5, 3)).astype('f')
    with pytest.raises(theanets.ConfigurationError, match='reads, got an empty one'):
        theanets.Layer.build('rnn', size=4).bind(theanets.Network())
    outputs, updates = layer.connect({'in:out': x})
    assert (sorted(outputs), updates) == (['l:out', 'l:pre'], [])
    found = keras.ops.convert_to_numpy(outputs['l:out'])
    h = np.zeros((2, 4))
    xh, hh, b = (param.get_value() for param in layer.params)
    for t in range(5):
        h = np.maximum(x[:, t] @ xh + h @ hh + b, 0)
        np.testing.assert_allclose(found[:, t], h, atol=1e-5)
    with pytest.raises(theanets.ConfigurationError, match=r"unknown layer form 'rmn'.*'rnn'"):
        theanets.layers.build('rmn')


def test_layers_are_used_for_several_networks():
    layers = theanets.layers
    source = layers.Input(6, name='source')
    hidden = layers.Feedforward(5, inputs=source.size, activation='sigmoid', name='hidden')
    last = layers.Feedforward(2, inputs=hidden.size, activation='linear')
    one, two = (theanets.Regressor([source, hidden, last], rng=seed) for seed in (1, 2))
    assert one.layers[1] is hidden
    assert abs(two.layers[1].find('w').get_value() - hidden.find('w').get_value()).max() > 0.1
    assert one.model.get_layer('hidden').activation is keras.activations.sigmoid


def test_activations_and_regularizers_are_built():
    layer = theanets.layers.Feedforward(size=3, activation='relu+norm:z', name='l')
    assert (layer.activate.name, layer.activate.params) == ('norm:z(relu)', [])
    for activation, names in [('prelu', ['l.leak']), ('maxout:4', ['l.intercept', 'l.slope'])]:
        built = theanets.activations.build(activation, layer)
        assert sorted(param.name for param in built.params) == names
    probe = np.array([-10, -1, 0.5, 3], 'f')
    found = keras.ops.convert_to_numpy(theanets.activations.build('tlin')(probe))
    np.testing.assert_array_equal(found, [-10, 0, 0, 3])

    net = theanets.Regressor([6, 5, 2])
    (noise,) = theanets.regularizers.from_kwargs(net, regularizers=dict(input_noise=0.01))
    assert isinstance(noise, theanets.regularizers.GaussianNoise)
    penalty = theanets.regularizers.Regularizer.build('weight_l2', weight=0.5, pattern='hid1.w')
    (again,) = theanets.regularizers.from_kwargs(net, regularizers=[penalty])
    assert again is penalty
    outputs, updates = net.build_graph([noise])
    assert 'hid1:out' in outputs
    assert updates == []
    plain, more = net.evaluate([X, Y]), net.evaluate([X, Y], regularizers=[penalty])
    want = 0.5 * np.mean(net.find('hid1', 'w').get_value() ** 2)
    assert more['loss'] - plain['loss'] == pytest.approx(want, rel=1e-3)
    squares = net.evaluate([X, Y], hidden_l2=0.1)['loss'] - plain['loss']
    hidden = net.feed_forward(X)['hid1:out']
    assert squares == pytest.approx(0.1 * np.mean(hidden**2), rel=1e-3)


def test_losses_by_their_classes():
    for kind, form in [
        (theanets.losses.MeanAbsoluteError, 'mae'),
        (theanets.losses.MeanSquaredError, 'MSE'),
    ]:
        one, other = (theanets.Regressor([6, 2], loss=loss) for loss in (kind(target=2), form))
        assert one.evaluate([X, Y]) == other.evaluate([X, Y])
        assert len(kind(target=2, weighted=True).variables) == 2

    class Halved(theanets.losses.CrossEntropy):
        def __call__(self, outputs):
            return super().__call__(outputs) / 2

    one, other = (theanets.Classifier([6, 3], loss=loss) for loss in ('halved', 'xe'))
    found, want = one.evaluate([X, LABELS]), other.evaluate([X, LABELS])
    assert found['loss'] == pytest.approx(want['loss'] / 2, rel=1e-5)
    assert found['acc'] == want['acc']


def test_a_loss_of_its_own_has_weights():
    class Step(theanets.Loss):
        def __call__(self, outputs):
            step = keras.ops.cast(self.diff(outputs) > 0, 'float32')
            if self._weights is None:
                return keras.ops.mean(step)
            return keras.ops.sum(self._weights * step) / keras.ops.sum(self._weights)

    net = theanets.Regressor([6, 2], loss='step', weighted=True)
    w = RNG.random(Y.shape).astype('f')
    want = np.sum(w * (net.predict(X) > Y)) / np.sum(w)
    assert net.evaluate([X, Y, w])['loss'] == pytest.approx(want, rel=1e-5)
    w[:20] *= 9  # of a batch by themselves, so that batches weigh differently
    want = np.sum(w * (net.predict(X) > Y)) / np.sum(w)
    assert net.evaluate([X, Y, w], batch_size=20)['loss'] == pytest.approx(want, rel=1e-5)


# Files


@pytest.mark.parametrize('name', ['model', 'model.pkl', 'model.pkl.gz', 'model.bin', '0.7'])
def test_a_network_is_saved_under_any_name(name, tmp_path):
    net = theanets.Regressor([6, 5, 2], rng=8)
    exp = theanets.Experiment(net)
    with warned(r'written as a \.keras archive', UserWarning):
        exp.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(theanets.load(tmp_path / name).predict(X), net.predict(X))
    other = theanets.Regressor([6, 5, 2], rng=9)
    assert other.load(tmp_path / name) is other
    assert_same(other, net)
    with pytest.raises(theanets.FileError, match='expected the parameters of this network'):
        theanets.Regressor([6, 4, 2]).load(tmp_path / name)


def test_progress_is_saved_under_any_name(tmp_path):
    net = theanets.Regressor([6, 5, 2], rng=8)
    with warned(r'\.keras archive', UserWarning):
        net.train([X, Y], save_progress=str(tmp_path / 'at-{}.pkl'), **PLAIN)
    (path,) = tmp_path.glob('at-*.pkl')
    whole, other = (theanets.Regressor([6, 5, 2], rng=8) for _ in range(2))
    whole.train([X, Y], **{**PLAIN, 'epochs': 4})
    other.train([X, Y], resume=path, **{**PLAIN, 'epochs': 4})
    assert_same(whole, other)


# Validation, text, time, random matrices


def test_validation_with_the_training_data():
    net, other = (theanets.Regressor([6, 5, 2], rng=1) for _ in range(2))
    options = {**PLAIN, 'epochs': 5, 'validate_every': 2}
    found = list(net.itertrain([X, Y], compat='theanets', **options))
    assert found == list(other.itertrain([X, Y], [X, Y], **options))
    losses = [valid['loss'] for _, valid in found]
    assert losses[0] != losses[1] == losses[2] != losses[3]


def test_text_gives_one_hot_rows():
    text = theanets.recurrent.Text('hello world, how are you!', alpha='helo wrd,!', unknown='_')
    x, y = text.classifier_batches(8, 5, rng=2, one_hot=True)()
    labels, targets = text.classifier_batches(8, 5, rng=2)()
    assert x.shape == (5, 8, text.classes)
    np.testing.assert_array_equal(x.argmax(-1), labels)
    np.testing.assert_array_equal(y, targets)


def test_batches_of_samples_and_labels():
    samples, labels = RNG.normal(size=(60, 3)), RNG.normal(size=(60, 2))
    with warned('batches'):
        x, y = theanets.recurrent.batches(samples, labels, steps=9, batch_size=4, rng=1)()
    a, b = theanets.recurrent.batches([samples, labels], steps=9, batch_size=4, rng=1)()
    np.testing.assert_array_equal(x, a)
    np.testing.assert_array_equal(y, b)


@pytest.mark.parametrize('model', ['Regressor', 'Classifier', 'Autoencoder'])
def test_time_first(model, tmp_path):
    cls = getattr(theanets.recurrent, model)
    layers = [3, (4, 'rnn'), 3]
    one, other = cls(layers, weighted=True, time_major=True), cls(layers, weighted=True)
    x = RNG.normal(size=(7, 5, 3)).astype('f')
    targets = {'Regressor': [x[..., ::-1].copy()], 'Classifier': [x.argmax(-1)], 'Autoencoder': []}
    shape = (7, 5) if model == 'Classifier' else (7, 5, 3)
    data = [x, *targets[model], RNG.random(shape).astype('f')]
    turned = [np.swapaxes(array, 0, 1) for array in data]
    assert one.train(data, **PLAIN) == other.train(turned, **PLAIN)
    assert_same(one, other)
    np.testing.assert_array_equal(one.predict(x), np.swapaxes(other.predict(turned[0]), 0, 1))
    assert one.score(*data) == pytest.approx(other.score(*turned), rel=1e-6)
    assert one.predict(np.zeros((7, 0, 3))).shape[:2] == (7, 0)
    if model == 'Autoencoder':
        code = one.encode(x)
        assert code.shape == (7, 5, 4)
        np.testing.assert_allclose(one.decode(code), one.predict(x), atol=1e-6)
    one.save(tmp_path / 'net.keras')
    np.testing.assert_array_equal(theanets.load(tmp_path / 'net.keras').predict(x), one.predict(x))
    with pytest.raises(theanets.DataError, match=r'Time seems to be its first axis.*time_major'):
        other.train([*turned[:-1], data[-1]], epochs=1)


def test_random_matrices_of_any_shape_have_a_radius():
    found = theanets.util.random_matrix(100, 20, radius=2, rng=4)
    assert np.linalg.svd(found)[1][0] == pytest.approx(2, rel=1e-5)
    square = theanets.util.random_matrix(20, 20, radius=2, rng=4)
    assert abs(np.linalg.eigvals(square)).max() == pytest.approx(2, rel=1e-5)


# The table of all names

PAGE = (ROOT / 'docs/coming-from-theanets.md').read_text(encoding='utf-8')
STATES = 'works', 'works differently', 'not supported'


def table():
    """(module, name, state, note) of every row."""
    for section in PAGE.split('\n### ')[1:]:
        module = re.match(r'`([\w.]+)`', section)
        for name, state, note in re.findall(
            r'^\| `([\w.]+)` \| ([\w ]+) \| (.*)\|$', section, re.M
        ):
            yield module[1], name, state, note.strip()


#: The public names of theanets 0.8, module by module.
PUBLIC = """
    theanets: Activation Autoencoder Classifier Experiment Layer Loss Network Regressor Regularizer
    theanets: convolution feedforward layers log recurrent
    theanets.feedforward: Autoencoder Classifier Regressor
    theanets.recurrent: Autoencoder Classifier Regressor Text batches
    theanets.convolution: Classifier Regressor
    theanets.Network: add_layer add_loss build_graph feed_forward find inputs itertrain load loss
    theanets.Network: monitors num_params params predict save set_loss train updates variables
    theanets.layers: Bidirectional Classifier Clockwork Concatenate Conv1 Conv2 Feedforward Flatten
    theanets.layers: GRU Input LSTM Layer MRNN MUT1 Pool1 Pool2 Product RNN RRNN Reshape SCRN Tied
    theanets.layers.Layer: add_bias add_weights bind connect find full_name log params setup to_spec
    theanets.layers.Layer: transform input_size output_size kwargs activate name inputs
    theanets.losses: CrossEntropy GaussianLogLikelihood Hinge KullbackLeiblerDivergence Loss
    theanets.losses: MaximumMeanDiscrepancy MeanAbsoluteError MeanSquaredError
    theanets.activations: Activation Elu LGrelu Maxout Prelu build
    theanets.regularizers: BernoulliDropout Contractive GaussianNoise HiddenL1 RecurrentNorm
    theanets.regularizers: RecurrentState Regularizer WeightL1 WeightL2 from_kwargs
    theanets.util: ConfigurationError Registrar log outputs_matching params_matching random_matrix
    theanets.util: random_vector
"""


def test_the_table_has_every_public_name():
    rows = {(module, name) for module, name, _, _ in table()}
    for line in PUBLIC.strip().splitlines():
        module, names = line.strip().split(': ')
        for name in names.split():
            assert (module, name) in rows, (module, name)


@pytest.mark.parametrize(('module', 'name', 'state', 'note'), list(table()))
def test_the_table_is_true(module, name, state, note):
    assert state in STATES
    assert note or state == 'works', 'says neither how nor why'
    if module == 'theanets.layers.Layer' and name in ('add_weights', 'add_bias', 'resolve'):
        return  # the helpers of setup, which the layers above use
    found = theanets
    if module == 'theanets.Network' and name in ('losses',):
        found, name = theanets.Network(), name
    elif module == 'theanets.Experiment' and name == 'network':
        found = theanets.Experiment(theanets.Network([3, 2]))
    elif module in ('theanets.layers.Layer',) and name == 'kwargs':
        found = theanets.layers.Layer()
    else:
        for part in module.split('.')[1:]:
            found = getattr(found, part)
    parts = name.split('.')
    for part in parts[:-1]:
        found = getattr(found, part)
    assert hasattr(found, parts[-1]) == (state != 'not supported'), (module, name)


def test_a_layer_computes_by_itself():
    net = theanets.Regressor([3, (4, 'tanh'), 2])
    x = np.random.default_rng(1).normal(size=(5, 3)).astype('f')
    hidden, out = net.layers[1], net.layers[2]
    want = net.feed_forward(x)
    tensor = keras.ops.convert_to_tensor(x)
    np.testing.assert_allclose(hidden(tensor), want['hid1:out'], atol=1e-6)
    outputs, updates = hidden.connect({'in:out': tensor})
    np.testing.assert_allclose(outputs['hid1:out'], want['hid1:out'], atol=1e-6)
    np.testing.assert_allclose(outputs['hid1:pre'], want['hid1:pre'], atol=1e-6)
    found, more = out.transform({'hid1:out': outputs['hid1:out']})
    np.testing.assert_allclose(found, want['out:out'], atol=1e-6)
    assert updates == more == []
    assert (hidden.input_size, hidden.output_name) == (3, 'hid1:out')
    assert hidden.full_name('pre') == 'hid1:pre'


def test_layers_that_lack_something_say_so():
    net = theanets.Regressor([3, 4, dict(form='concat', inputs=('in', 'hid1')), 2])
    with pytest.raises(ConfigurationError, match='one input, got 2: in:out, hid1:out'):
        net.layers[2].input_size  # noqa: B018
    with pytest.raises(AttributeError, match='partner'):
        net.layers[1].partner  # noqa: B018
    assert theanets.Layer.is_registered('RNN')
    assert not theanets.Layer.is_registered('rnnn')
    with pytest.raises(ConfigurationError, match='a layer with a form'):
        theanets.Layer(size=3).as_entry()


def test_the_one_input_of_a_layer_of_its_own_is_a_tensor():
    """theanets handed a dict to `transform`; with one input it may be computed with, too."""

    class Shifted(theanets.Layer):
        def setup(self):
            self.add_bias('b', self.size, mean=0.5)

        def transform(self, inputs):
            x = -inputs
            return [('pre', x), ('out', keras.ops.tanh(inputs[:, ::-1] * 2 + self.find('b')))], []

    net = theanets.Regressor([3, dict(form='shifted', size=3, name='s'), 2])
    x = np.random.default_rng(1).normal(size=(5, 3)).astype('f')
    bias = net.find('s', 'b').get_value()
    found = net.feed_forward(x)
    np.testing.assert_allclose(found['s:pre'], -x, atol=1e-6)
    np.testing.assert_allclose(found['s:out'], np.tanh(x[:, ::-1] * 2 + bias), atol=1e-6)


def test_momentum_of_any_algorithm_warns_once_and_changes_nothing():
    """theanets' trainer took both keywords for all algorithms."""
    x, y = np.eye(4, dtype='f'), np.array([0, 1, 2, 0])
    options = {'algo': 'adam', 'epochs': 2, 'jit': False}
    plain = theanets.Classifier([4, 5, 3]).train([x, y], **options)
    words._warned.discard('momentum')
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        for _ in range(2):
            net = theanets.Classifier([4, 5, 3])
            assert net.train([x, y], momentum=0.9, nesterov=True, **options) == plain
    assert sum("'momentum' changes nothing" in str(one.message) for one in seen) == 1


def test_experiment_of_the_module_main():
    assert theanets.main.Experiment is theanets.Experiment


def test_sizes_that_are_arrays_without_axes():
    layers = [np.array(4), (np.array(5), 'tanh'), {'size': np.array(3)}]
    net = theanets.Classifier(layers)
    assert [layer.output.shape[-1] for layer in net.model.layers] == [5, 3]
    assert net.predict(np.eye(4)).shape == (4,)


def test_a_classifier_with_a_linear_output_trains():
    """theanets' cross-entropy takes the logarithm of outputs clipped to 1e-8 and 1."""
    x, y = np.eye(4, dtype='f'), np.array([0, 1, 2, 0])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        net = theanets.Classifier([4, 5, 3], output_activation='linear')
    assert any("activation 'linear', so its outputs are no prob" in str(w.message) for w in seen)
    outputs = np.clip(net.predict_proba(x), 1e-8, 1)
    expected = -np.log(outputs[range(4), y]).mean()
    assert net.evaluate([x, y])['loss'] == pytest.approx(expected, rel=1e-5)


def test_a_layer_that_was_built_alone():
    layer = theanets.Layer.build('rnn', size=4)
    assert (layer.output_shape, layer.activation, layer.size) == ((4,), 'relu', 4)
