"""Every optimizer of Keras moves a network's weights as it moves those of a plain model.

The classes are found in ``keras.optimizers``: one that Keras adds fails until it is made here.
"""

import inspect
import math

import keras
import plain
import pytest
from keras import layers as L  # noqa: N812
from keras import optimizers as O  # noqa: N812
from marks import quick

X, Y = plain.values(4), plain.values(3, seed=2)
RATE = 0.05


@keras.saving.register_keras_serializable('tests')
class Signs(O.Optimizer):
    """An optimizer that a user writes: steps by the signs of gradients."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * keras.ops.sign(gradient))


def several():
    """Return an optimizer that has one for biases and another for the rest."""
    chosen = O.OptimizerMap(O.SGD(RATE))
    chosen['.*bias'] = O.Adam(RATE)
    return O.MultiOptimizer(chosen)


#: Classes that take more than a learning rate.
MADE = {
    'LossScaleOptimizer': lambda: O.LossScaleOptimizer(O.SGD(RATE)),
    'MultiOptimizer': several,
    'Optimizer': lambda: Signs(RATE),
}

#: Classes that are no optimizers: name -> (why, whether that is still so).
LEFT_OUT = {
    'OptimizerMap': (
        'says which optimizer a MultiOptimizer takes',
        lambda: not issubclass(O.OptimizerMap, O.Optimizer),
    )
}

#: Names that theanets has too: the same algorithm with the settings of theanets.
KEPT = math.exp(-math.log(2) / 14)
THEANETS = {
    'adadelta': dict(rho=KEPT, epsilon=1e-8),
    'adagrad': dict(initial_accumulator_value=0.0, epsilon=1e-8),
    'rmsprop': dict(rho=KEPT, epsilon=1e-8, centered=True),
}


def classes():
    """Return the names of every class of ``keras.optimizers``."""
    return [name for name, _ in inspect.getmembers(O, inspect.isclass)]


OPTIMIZERS = [name for name in classes() if name not in LEFT_OUT]
NAMED = [name for name in OPTIMIZERS if name not in MADE]

#: Those of the default run.
FIRST = ('Adam', 'LossScaleOptimizer', 'MultiOptimizer', 'Muon', 'Optimizer', 'ScheduleFreeAdamW')


def made(name, **settings):
    """Return an optimizer of a class."""
    return MADE[name]() if name in MADE else getattr(O, name)(RATE, **settings)


def model():
    """Return a small model."""
    return keras.Sequential([keras.Input((4,)), L.Dense(5, 'tanh'), L.Dense(3)])


def embedded():
    """Return a model whose gradients TensorFlow has as rows of a table."""
    return keras.Sequential(
        [keras.Input((6,), dtype='int32'), L.Embedding(7, 3), L.Flatten(), L.Dense(3)]
    )


def assert_same_updates(make, x=X, of=model, **keywords):
    """Assert that three updates by an optimizer, made for a model, are those of plain Keras."""
    plainly, net = plain.pair(of)
    plain.compiled(plainly, optimizer=make(plainly))
    plain.steps(plainly, x, Y)
    plain.updates(net, x, Y, make(net.model), **keywords)
    plain.assert_same_weights(plainly, net)


def test_every_class_is_made_or_has_a_reason():
    assert {*MADE, *LEFT_OUT} <= set(classes())
    for name in OPTIMIZERS:
        assert isinstance(made(name), O.Optimizer)


@pytest.mark.parametrize('name', LEFT_OUT)
def test_the_reason_for_which_a_class_is_left_out_holds(name):
    why, holds = LEFT_OUT[name]
    assert holds(), f'{name} {why}: no longer so'


@pytest.mark.parametrize('name', quick(*FIRST, but=[n for n in OPTIMIZERS if n not in FIRST]))
def test_an_optimizer_moves_weights_as_in_keras(name):
    assert_same_updates(lambda _: made(name))


@pytest.mark.slow
@pytest.mark.parametrize('name', OPTIMIZERS)
def test_an_optimizer_moves_an_embedding_as_in_keras(name):
    assert_same_updates(lambda _: made(name), plain.labels(7, 6), embedded)


@pytest.mark.parametrize(
    'name', quick('AdamW', 'RMSprop', but=[n for n in NAMED if n not in ('AdamW', 'RMSprop')])
)
def test_an_optimizer_by_name_moves_weights_as_in_keras(name):
    plainly, net = plain.pair(model)
    plain.compiled(plainly, optimizer=made(name, **THEANETS.get(name.lower(), {})))
    plain.fit(plainly, X, Y)
    plain.updates(net, X, Y, name.lower(), learning_rate=RATE)
    plain.assert_same_weights(plainly, net)


def excluding(cls, **what):
    """Return an optimizer that spares some variables from the decay of weights."""
    optimizer = cls(RATE, weight_decay=2.0)
    optimizer.exclude_from_weight_decay(**what)
    return optimizer


def scheduled():
    """Return a learning rate that halves with each update."""
    return O.schedules.ExponentialDecay(RATE, 1, 0.5)


#: Settings that every optimizer takes: name -> a function of its class and the model.
SETTINGS = {
    'clipnorm': lambda cls, _: cls(RATE, clipnorm=0.1),
    'clipvalue': lambda cls, _: cls(RATE, clipvalue=0.05),
    'global_clipnorm': lambda cls, _: cls(RATE, global_clipnorm=0.1),
    'weight_decay': lambda cls, _: cls(RATE, weight_decay=2.0),
    'weight_decay but of kernels': lambda cls, _: excluding(cls, var_names=['kernel']),
    'weight_decay but of a variable': lambda cls, m: excluding(cls, var_list=[m.layers[0].kernel]),
    'gradient_accumulation_steps': lambda cls, _: cls(RATE, gradient_accumulation_steps=2),
    'loss_scale_factor': lambda cls, _: cls(RATE, loss_scale_factor=8.0),
    'a schedule': lambda cls, _: cls(scheduled()),
    'a function as rate': lambda cls, _: cls(lambda: 0.02),
    'averages': lambda cls, _: cls(RATE, use_ema=True, ema_momentum=0.5),
    'averages that overwrite': lambda cls, _: cls(
        RATE, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3
    ),
}


@pytest.mark.parametrize('name', quick('SGD', but=[name for name in NAMED if name != 'SGD']))
@pytest.mark.parametrize('setting', SETTINGS)
def test_a_setting_is_respected_as_in_keras(setting, name):
    assert_same_updates(lambda m: SETTINGS[setting](getattr(O, name), m))


@pytest.mark.slow
@pytest.mark.skipif(plain.BACKEND == 'torch', reason='PyTorch does not compile')
@pytest.mark.parametrize('setting', SETTINGS)
def test_a_setting_is_respected_where_xla_compiles(setting):
    assert_same_updates(lambda m: SETTINGS[setting](O.Adam, m), jit=True)


AVERAGED = {
    'averages': dict(ema_momentum=0.5),
    'averages that overwrite': dict(ema_momentum=0.5, ema_overwrite_frequency=2),
}


@pytest.mark.parametrize('setting', AVERAGED)
@pytest.mark.parametrize('name', quick('SGD', but=['Adam', 'RMSprop']))
def test_training_ends_with_averaged_weights_as_in_keras(name, setting):
    plainly, net = plain.pair(model)
    cls, settings = getattr(O, name), AVERAGED[setting]
    plain.compiled(plainly, optimizer=cls(RATE, use_ema=True, **settings))
    plain.fit(plainly, X, Y)
    plain.train(net, X, Y, cls(RATE, use_ema=True, **settings))
    plain.assert_same_weights(plainly, net)


def test_an_optimizer_goes_on_where_it_stopped_with_another_rate():
    plainly, net = plain.pair(model)
    one, other = O.Adam(RATE), O.Adam(RATE)
    plain.compiled(plainly, optimizer=one)
    for rate in (RATE, 0.5 * RATE):
        one.learning_rate = other.learning_rate = rate
        plain.fit(plainly, X, Y, epochs=2)
        plain.updates(net, X, Y, other, count=2)
    plain.assert_same_weights(plainly, net)


def frozen(model):
    """Freeze the first layer."""
    model.layers[0].trainable = False


def thawed(model):
    """Train the first layer again."""
    model.layers[0].trainable = True


def kernel_frozen(model):
    """Freeze the kernel of the first layer."""
    model.layers[0].kernel.trainable = False


def kernel_thawed(model):
    """Train the kernel of the first layer again."""
    model.layers[0].kernel.trainable = True


def constrained(model):
    """Let no weight of the first kernel be negative."""
    model.layers[0].kernel.constraint = keras.constraints.NonNeg()


def free(model):
    """Let weights of the first kernel be any number."""
    model.layers[0].kernel.constraint = None


def regularized(model):
    """Penalize the weights of the last kernel."""
    model.layers[-1].kernel.regularizer = keras.regularizers.L2(0.5)


CHANGES = {
    'a layer is frozen': [frozen],
    'a layer is frozen, then trained': [frozen, thawed],
    'a kernel is frozen, then trained': [kernel_frozen, kernel_thawed],
    'a constraint is set, then removed': [constrained, free],
    'a regularizer is set': [regularized],
}


@pytest.mark.parametrize(
    ('change', 'algo'),
    [
        *((change, 'adam') for change in CHANGES),
        *(pytest.param(change, 'sgd', marks=pytest.mark.slow) for change in CHANGES),
    ],
)
def test_what_changes_between_two_trainings_is_respected_as_in_keras(change, algo):
    plainly, net = plain.pair(model)
    for alter in [lambda model: None, *CHANGES[change]]:
        alter(plainly)
        alter(net.model)
        plain.compiled(plainly, optimizer=keras.optimizers.get(algo))
        plainly.optimizer.learning_rate = RATE
        plain.fit(plainly, X, Y, epochs=2)
        plain.updates(net, X, Y, algo, count=2, learning_rate=RATE)
        plain.assert_same_weights(plainly, net, alter.__name__)


@pytest.fixture
def epsilon():
    """Restore the epsilon of Keras."""
    before = keras.config.epsilon()
    yield
    keras.config.set_epsilon(before)


@pytest.mark.usefixtures('epsilon')
def test_an_epsilon_that_changes_between_two_trainings_is_respected_as_in_keras():
    plainly, net = plain.pair(
        lambda: keras.Sequential([keras.Input((4,)), L.Dense(3, 'softplus')]), 'poisson'
    )
    counts = abs(Y)
    for value in (1e-7, 0.5):
        keras.config.set_epsilon(value)
        plain.compiled(plainly, 'poisson', O.SGD(RATE))
        plain.assert_same_loss(plainly, net, X, counts)
        plain.fit(plainly, X, counts, epochs=2)
        plain.updates(net, X, counts, 'sgd', count=2, learning_rate=RATE)
        plain.assert_same_weights(plainly, net, f'epsilon {value}')
