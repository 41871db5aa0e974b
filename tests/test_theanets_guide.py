"""What theanets' README and guide showed people to write, with the import changed."""

import numpy as np
import pytest

import kerasnets as theanets

RNG = np.random.default_rng(4)
X = RNG.normal(size=(100, 10)).astype('f')
Y = X[:, :2] ** 2
LABELS = X[:, :5].argmax(1)
TRAIN, VALID = [X[:80], LABELS[:80]], [X[80:], LABELS[80:]]


def test_a_regression_model():
    net = theanets.Regressor([10, 100, 2])
    net.add_loss('mae', weight=0.1)
    net.train([X[:80], Y[:80]], [X[80:], Y[80:]], algo='rmsprop', hidden_l1=0.01, epochs=2)
    assert net.predict(X).shape == (100, 2)


def test_a_classifier_and_its_confusion_matrix():
    net = theanets.Classifier(layers=[10, (30, 'tanh'), 5])
    net.train(TRAIN, VALID, algo='sgd', learning_rate=0.1, momentum=0.9, epochs=20)
    confused = np.zeros((5, 5), int)
    for want, got in zip(VALID[1], net.predict(VALID[0])):
        confused[want, got] += 1
    assert np.trace(confused) == round(20 * net.score(*VALID))


def test_ways_to_write_layers():
    for layers in (
        (10, 20, 5),
        [10, (20, 'tanh'), (15, 'relu'), 5],
        [dict(size=10), dict(size=20, activation='logistic', sparsity=0.9), 5],
        [10, dict(form='ff', name='hidden', size=20, std=0.1), (5, 'softmax')],
        [10, (20, 'relu+norm:z'), 5],
    ):
        net = theanets.Classifier(layers)
        assert net.predict_proba(X).shape == (100, 5)
    assert net.find('hid1', 'w').get_value().shape == (10, 20)
    assert net.find(1, 0).name == 'hid1.w'
    assert net.num_params == 10 * 20 + 20 + 20 * 5 + 5


def test_data_from_a_function():
    def draw():
        rows = RNG.integers(80, size=16)
        return [X[rows], LABELS[rows]]

    net = theanets.Classifier([10, 20, 5])
    rounds = list(net.itertrain(draw, draw, train_batches=5, valid_batches=2, epochs=3))
    assert len(rounds) == 3


@pytest.mark.slow
def test_sparse_and_denoising_autoencoders():
    for options in (
        dict(hidden_l1=0.1),
        dict(input_noise=0.1, hidden_noise=0.01),
        dict(input_dropout=0.3, hidden_dropout=0.5),
        dict(weight_l2=1e-4, contractive=0.1),
        dict(noise={'in:out': 0.1}, dropout={'hid?:out': 0.5}),
    ):
        net = theanets.Autoencoder([10, (20, 'logistic'), (10, 'tied')])
        net.train([X], epochs=1, **options)
        assert net.encode(X).shape == (100, 20)
        np.testing.assert_allclose(net.decode(net.encode(X)), net.predict(X), atol=1e-5)
        assert net.score(X) <= 1


def test_repeated_training_with_smaller_rates():
    net = theanets.Regressor([10, (20, 'tanh'), 2])
    losses = []
    for e in (-2, -3, -4):
        training, _ = net.train([X, Y], algo='adam', learning_rate=10**e, patience=1, epochs=10)
        losses.append(training['loss'])
    assert losses[2] < losses[0]


def test_one_iteration_at_a_time():
    net = theanets.Classifier([10, 20, 5])
    for i, (training, validation) in enumerate(net.itertrain(TRAIN, VALID)):
        assert training['loss'] > 0
        assert validation['acc'] >= 0
        if i == 2:
            break
    assert net.predict(X).shape == (100,)


def test_monitors():
    net = theanets.Classifier([10, 20, 5])
    levels = {'*:out': (0.1, 0.5), 'hid1.w': (-0.1, 0.1)}
    training, _ = net.train(TRAIN, monitors=levels, monitor_gradients=True, epochs=1)
    assert {'hid1:out<0.1', 'out:out<0.5', 'hid1.w<-0.1', 'grad(hid1.w)', 'acc'} <= set(training)


def test_weighted_errors():
    net = theanets.Classifier([10, 20, 5], weighted=True)
    w = RNG.random(100).astype('f')
    net.train([X, LABELS, w], epochs=1)
    assert 0 <= net.score(X, LABELS, w) <= 1


@pytest.mark.slow
def test_pretraining_before_training():
    net = theanets.Classifier([10, 20, 15, 5])
    net.train(TRAIN, algo='pretrain', subalgo='rmsprop', patience=1, epochs=1)
    net.train(TRAIN, algo='layerwise', patience=1, epochs=1)
    net.train(TRAIN, VALID, algo='nag', learning_rate=0.01, momentum=0.9, epochs=1)


def test_saving_and_loading(tmp_path):
    net = theanets.Classifier([10, 20, 5])
    net.train(TRAIN, epochs=2, save_progress=str(tmp_path / 'net-{}.keras'), save_every=1)
    net.save(str(tmp_path / 'net.keras'))
    again = theanets.Classifier.load(str(tmp_path / 'net.keras'))
    np.testing.assert_array_equal(net.predict(X), again.predict(X))
    assert len(list(tmp_path.glob('net-*.keras'))) >= 1


@pytest.mark.slow
def test_recurrent_models_and_text():
    text = theanets.recurrent.Text('abracadabra ' * 20)
    size = 1 + len(text.alpha)
    net = theanets.recurrent.Classifier([size, (10, 'rnn', 'tanh'), (10, 'rnn'), size])
    seed = text.encode(text.text[0:10])
    for i, (training, _) in enumerate(
        net.itertrain(text.classifier_batches(20, 8), train_batches=5, algo='rmsprop', momentum=0.9)
    ):
        written = text.decode(net.predict_sequence(seed, 20))
        assert len(written) == 20
        assert training['acc'] >= 0
        if i == 1:
            break
    x = RNG.normal(size=(8, 6, 3))
    for layers in ([3, (7, 'lstm'), 2], [3, dict(form='bidirectional', worker='gru', size=8), 2],
                   [3, dict(form='clockwork', size=6, periods=(1, 2, 4)), 2]):  # fmt: skip
        net = theanets.recurrent.Regressor(layers)
        net.train([x, x[:, :, :2]], epochs=1, recurrent_state=0.1)
        assert net.predict(x).shape == (8, 6, 2)


def test_a_custom_layer_and_penalty():
    import keras

    @theanets.register('guide_scaled')
    class Scaled(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), initializer='ones', name='scale')

        def call(self, x):
            return x * self.scale

    def far(outputs):
        return keras.ops.mean(keras.ops.square(outputs['hid1:out'] - 1))

    net = theanets.Regressor([10, 'guide_scaled', 2])
    net.train([X, Y], regularizers=[far], learning_rate=0.01, epochs=3)
    assert (net.find('hid1', 'scale').get_value() != 1).any()


def test_the_graph_as_symbols():
    import keras

    net = theanets.Regressor([10, (20, 'tanh'), 2])
    outputs, _ = net.build_graph()
    hidden = keras.Function(net.inputs, outputs['hid1:out'])
    np.testing.assert_allclose(
        hidden([X])[:, :3], net.feed_forward(X)['hid1:out'][:, :3], atol=1e-6
    )
    loss = keras.Function(net.variables, net.loss(weight_l2=0.1))
    np.testing.assert_allclose(
        float(loss([X, Y])), net.evaluate([X, Y], weight_l2=0.1)['loss'], rtol=1e-5
    )


def test_a_keyword_that_theanets_ignored_is_an_error():
    with pytest.raises(theanets.ConfigurationError, match="Did you mean 'momentum'"):
        theanets.Classifier([10, 20, 5]).train(TRAIN, algo='sgd', momentun=0.9)
