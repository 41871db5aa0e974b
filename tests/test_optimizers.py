import keras
import numpy as np
import pytest

from kerasnets import optimizers
from kerasnets.errors import ConfigurationError


def descend(optimizer, steps=20):
    """Steps of an optimizer on Σ a x² / 2 from (1, -2); gradients are a x."""
    a, x = np.array([1.0, 10.0], 'f'), keras.Variable(np.array([1.0, -2.0], 'f'))
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(a * x.numpy())], [x])
    return x.numpy()


def sgd(x, a, lr, momentum=0.0, nesterov=False, clip=None):
    v = np.zeros(2)
    for _ in range(20):
        g = a * x
        if clip:
            g = g * min(1, clip / np.sqrt((g * g).sum()))
        v = momentum * v - lr * g
        x = x + (momentum * v - lr * g if nesterov else v)
    return x


def rmsprop(x, a, lr, momentum=0.0, halflife=14, regularizer=1e-8):
    keep, v = np.exp(-np.log(2) / halflife), np.zeros(2)
    g1 = g2 = np.zeros(2)
    for _ in range(20):
        g = a * x
        g1, g2 = keep * g1 + (1 - keep) * g, keep * g2 + (1 - keep) * g * g
        v = momentum * v - lr * g / np.sqrt(g2 - g1 * g1 + regularizer)
        x = x + v
    return x


def adam(x, a, lr, b1=0.9, b2=0.999):
    m = v = np.zeros(2)
    for t in range(1, 21):
        g = a * x
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        x = x - lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + 1e-7)
    return x


def adagrad(x, a, lr, regularizer=1e-8):
    g2 = np.zeros(2)
    for _ in range(20):
        g = a * x
        g2 = g2 + g * g
        x = x - lr * g / np.sqrt(g2 + regularizer)
    return x


def adadelta(x, a, lr, halflife=14, regularizer=1e-8):
    keep, g2, d2 = np.exp(-np.log(2) / halflife), np.zeros(2), np.zeros(2)
    for _ in range(20):
        g = a * x
        g2 = keep * g2 + (1 - keep) * g * g
        d = g * np.sqrt(d2 + regularizer) / np.sqrt(g2 + regularizer)
        d2 = keep * d2 + (1 - keep) * d * d
        x = x - lr * d
    return x


def rprop(x, a, lr, up=1.01, down=0.99, low=0.0, high=100.0):
    step, last = np.full(2, lr), np.zeros(2)
    for _ in range(20):
        g = a * x
        turn = np.sign(g * last)
        step = np.clip(step * np.where(turn > 0, up, np.where(turn < 0, down, 1)), low, high)
        g = np.where(turn < 0, 0, g)
        x, last = x - np.sign(g) * step, g
    return x


@pytest.mark.parametrize(
    ('algo', 'options', 'reference'),
    [
        ('sgd', {}, sgd),
        ('nag', {}, lambda *s: sgd(*s, momentum=0.9, nesterov=True)),
        ('nag', dict(momentum=0.5), lambda *s, momentum: sgd(*s, momentum=0.5, nesterov=True)),
        ('adagrad', {}, adagrad),
        ('adadelta', {}, adadelta),
        (
            'adadelta',
            dict(rms_halflife=5, rms_regularizer=1e-3),
            lambda *s, rms_halflife, rms_regularizer: adadelta(*s, 5, 1e-3),
        ),
        ('rprop', {}, rprop),
        (
            'rprop',
            dict(rprop_increase=2, rprop_decrease=0.5, rprop_min_step=0.02, rprop_max_step=0.3),
            lambda *s, **kw: rprop(*s, 2, 0.5, 0.02, 0.3),
        ),
        ('SGD', dict(momentum=0.9), sgd),
        ('sgd', dict(momentum=0.9, nesterov=True), sgd),
        ('sgd', dict(max_gradient_norm=0.5), lambda *s, max_gradient_norm: sgd(*s, clip=0.5)),
        ('rmsprop', {}, rmsprop),
        ('rmsprop', dict(momentum=0.5), rmsprop),
        (
            'rmsprop',
            dict(rms_halflife=5, rms_regularizer=1e-3),
            lambda *s, rms_halflife, rms_regularizer: rmsprop(*s, 0, rms_halflife, rms_regularizer),
        ),
        ('adam', {}, adam),
    ],
)
def test_against_numpy(algo, options, reference):
    got = descend(optimizers.build(algo, 0.03, **options))
    want = reference(np.array([1.0, -2.0]), np.array([1.0, 10.0]), 0.03, **options)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


def test_optimizers_of_keras():
    assert isinstance(optimizers.build('lion'), keras.optimizers.Lion)
    adamw = optimizers.build('AdamW', 0.1, beta_1=0.5, weight_decay_rate=0.01)
    assert (adamw.beta_1, adamw.weight_decay) == (0.5, 0.01)
    own = keras.optimizers.Adam(0.5)
    assert optimizers.build(own) is own
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    sgd = optimizers.build('sgd', schedule)
    descend(sgd, steps=10)
    np.testing.assert_allclose(float(sgd.learning_rate), 0.05, rtol=1e-5)
    assert float(optimizers.build('adadelta').learning_rate) == 1
    np.testing.assert_allclose(float(optimizers.build('rprop').learning_rate), 1e-4)


@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='of TensorFlow')
def test_esgd_steps_by_what_it_was_told_of_the_curvature():
    optimizer, keep = optimizers.build('esgd', 0.1, rms_halflife=3), np.exp(-np.log(2) / 3)
    x, d = keras.Variable(np.array([1.0, -2.0], 'f')), np.zeros(2)
    want, a = np.array([1.0, -2.0]), np.array([1.0, 10.0])
    optimizer.build([x])
    for t in range(20):
        product = a * np.array([1.0, -0.5]) * (t + 1)
        optimizer.notice([x], [keras.ops.convert_to_tensor(product.astype('f'))])
        optimizer.apply([keras.ops.convert_to_tensor((a * x.numpy()).astype('f'))], [x])
        d = keep * d + (1 - keep) * product**2
        want = want - 0.1 * a * want / (np.sqrt(d) + 1e-8)
    np.testing.assert_allclose(x.numpy(), want, rtol=1e-4)


@pytest.mark.skipif(keras.backend.backend() == 'tensorflow', reason='TensorFlow has it')
def test_esgd_is_refused_where_there_are_no_second_derivatives():
    with pytest.raises(ConfigurationError, match=r"'esgd' needs .*Use 'rmsprop'"):
        optimizers.build('esgd', 0.1)


@pytest.mark.skipif(keras.backend.backend() != 'tensorflow', reason='of TensorFlow')
def test_esgd_is_told_the_curvature():
    """The running mean of (H r)² is the sum of the squares in each row of the Hessian."""
    import kerasnets

    x = np.random.default_rng(3).normal(size=(32, 4)).astype('f')
    net = kerasnets.Regressor([4, 2])
    net.train(lambda: [x, x[:, :2]], algo='esgd', learning_rate=0.0, rms_halflife=300, epochs=15)
    other = kerasnets.Regressor([4, 2])  # which was not trained, as no rate was
    for a, b in zip(net.params, other.params):
        np.testing.assert_array_equal(a.get_value(), b.get_value())
    rows = np.hstack([x, np.ones((32, 1))])  # the bias reads ones
    hessian = rows.T @ rows / 32  # of each of two outputs, in the mean over both
    want = (hessian**2).sum(1)
    kernel, bias = map(keras.ops.convert_to_numpy, net.model.optimizer.diagonals)
    np.testing.assert_allclose(kernel.mean(1), want[:4], rtol=0.3)
    np.testing.assert_allclose(bias.mean(), want[4], rtol=0.3)


def test_rprop_is_saved_and_goes_on(tmp_path):
    import kerasnets

    x, y = np.eye(4, dtype='f'), np.array([0, 1, 2, 0])
    net = kerasnets.Classifier([4, 5, 3])
    net.train([x, y], algo='rprop', learning_rate=0.01, epochs=5)
    net.save(tmp_path / 'net.keras')
    optimizer = keras.saving.load_model(tmp_path / 'net.keras').optimizer
    assert type(optimizer) is optimizers.Rprop
    for a, b in zip(optimizer.variables, net.model.optimizer.variables):
        np.testing.assert_array_equal(a, b)


def test_elements_are_clipped():
    got = descend(optimizers.build('sgd', 0.1, max_gradient_elem=0.5), steps=1)
    np.testing.assert_allclose(got, [0.95, -1.95], rtol=1e-6)


@pytest.mark.parametrize(
    ('algo', 'options', 'says'),
    [
        ('rmsprob', {}, "Did you mean 'rmsprop'"),
        (None, {}, 'unknown algorithm None'),
        ('sgd', dict(momentun=1), "Did you mean 'momentum'"),
        ('adam', dict(momentum=1), "unknown keyword of 'adam' 'momentum'"),
        ('sgd', dict(momentum='a'), 'momentum as a number'),
        ('sgd', dict(max_gradient_norm=-1), 'max_gradient_norm as a number of 0 or more'),
    ],
)
def test_invalid_arguments(algo, options, says):
    with pytest.raises(ConfigurationError, match=says):
        optimizers.build(algo, **options)
