"""Forecasts against numpy, against the network's own predictions, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from test_sampler import spread

import kerasnets
from kerasnets.errors import ConfigurationError, DataError

Regressor = kerasnets.recurrent.Regressor

CHAINS = {
    'lstm': [3, (7, 'lstm'), 3],
    'gru': [3, (7, 'gru', 'tanh'), 3],
    'rnn': [3, (7, 'rnn', 'tanh'), 3],
    'clockwork': [3, dict(form='clockwork', size=9, periods=[1, 2, 4], activation='tanh'), 3],
    'transformer': [3, 8, dict(form='transformer', heads=2, context=9), 'norm', 3],
    'convolution': [3, dict(form='conv1', size=6, filter_size=3, padding='causal'), (3, 'tanh')],
    'residual': [
        3,
        dict(form='gru', size=3, name='a', activation='tanh'),
        dict(form='add', inputs=('in', 'a'), name='b'),
        dict(size=3, inputs='b', activation='tanh'),
    ],
    'many-to-one': [3, dict(form='lstm', size=7, return_sequences=False), 3],
}


def rolled(net, seed, steps, future=None, fed=None):
    """The forecast of one series, by whole predictions of ever longer ones."""
    x, found = seed, []
    for step in range(steps):
        y = net.predict(x[None])[0]
        found.append(y[-1] if y.ndim > 1 else y)
        row = np.zeros(seed.shape[1])
        row[fed if fed is not None else slice(None)] = found[-1]
        if future is not None:
            row[[i for i in range(len(row)) if i not in fed]] = future[step]
        x = np.concatenate([x, row[None].astype('f')])
    return np.array(found)


@pytest.mark.parametrize('name', CHAINS)
def test_a_forecast_is_prediction_after_prediction(name, rng):
    """Of seeds that are read step by step, and at once."""
    net = spread(Regressor(CHAINS[name]), 0.7)
    for length in (1, 5, 20):
        seed = rng.normal(size=(length, 3)).astype('f')
        found = net.predict_sequence(seed, 11)
        assert found.shape == (11, 3)
        np.testing.assert_allclose(found, rolled(net, seed, 11), atol=1e-4)


def test_several_series_and_streams(rng):
    net = spread(Regressor(CHAINS['gru']), 0.7)
    seeds = rng.normal(size=(4, 6, 3)).astype('f')
    found = net.predict_sequence(seeds, 150)  # more than one call of the loop makes
    assert found.shape == (4, 150, 3)
    for seed, one in zip(seeds, found):
        np.testing.assert_allclose(one, net.predict_sequence(seed, 150), atol=1e-4)
    several = net.predict_sequence(seeds, 5, streams=2)
    assert several.shape == (4, 2, 5, 3)
    np.testing.assert_allclose(several[:, 1], found[:, :5], atol=1e-5)
    assert net.predict_sequence(seeds[0], 5, streams=2).shape == (2, 5, 3)
    assert net.predict_sequence(seeds, 0).shape == (4, 0, 3)


@pytest.mark.parametrize('kind', ['gru', 'transformer'])
def test_inputs_that_are_known_ahead(kind, rng, tmp_path):
    net = spread(Regressor([4, (8, kind), 2], feedback=[3, 1]), 0.7)
    seed, future = rng.normal(size=(20, 4)).astype('f'), rng.normal(size=(9, 2)).astype('f')
    want = rolled(net, seed, 9, future, [3, 1])
    np.testing.assert_allclose(net.predict_sequence(seed, 9, future=future), want, atol=1e-4)
    net.save(tmp_path / 'net.keras')
    again = kerasnets.load(tmp_path / 'net.keras')
    assert again.feedback == [3, 1]
    several = again.predict_sequence(np.stack([seed, seed]), 9, future=future)
    np.testing.assert_allclose(several, [want, want], atol=1e-4)
    long = np.concatenate([future, future])
    np.testing.assert_allclose(net.predict_sequence(seed, 9, future=long), want, atol=1e-4)


def test_columns_by_name(rng):
    net = spread(Regressor([3, (5, 'gru'), 1], feedback='sales'), 0.7)
    past = pd.DataFrame(rng.normal(size=(12, 3)), columns=['day', 'sales', 'price'])
    ahead = pd.DataFrame(rng.normal(size=(6, 2)), columns=['price', 'day'])
    want = rolled(net, past.to_numpy('f'), 6, ahead[['day', 'price']].to_numpy('f'), [1])
    np.testing.assert_allclose(net.predict_sequence(past, 6, future=ahead), want, atol=1e-4)
    with pytest.raises(DataError, match=r"expected the columns day, price, got \['price'\]"):
        net.predict_sequence(past, 6, future=ahead[['price']])
    with pytest.raises(DataError, match="the seed has no column 'sales', it has no names"):
        net.predict_sequence(past.to_numpy(), 6, future=ahead)


def gaussian():
    """A network that predicts 0.5 x + 1 with a variance of 0.04, whatever it reads."""
    layers = [
        1,
        dict(size=1, name='mean', activation='linear'),
        dict(size=1, name='covar', activation='softplus', inputs='in'),
    ]
    net = Regressor(layers, loss=dict(form='gll', mean_name='mean', covar_name='covar'))
    net.find('mean', 'w').set_value([[0.5]])
    net.find('mean', 'b').set_value([1.0])
    net.find('covar', 'w').set_value([[0.0]])
    net.find('covar', 'b').set_value([np.log(np.expm1(0.04))])
    return net


def test_streams_are_drawn_from_the_gaussian():
    """Of an autoregression of first order, whose means and variances are known."""
    net = gaussian()
    found = net.predict_sequence(np.array([[5.0], [4.0]]), 6, streams=20_000, rng=1)[..., 0]
    mean, variance = 4.0, 0.0
    for step in range(6):
        mean, variance = 0.5 * mean + 1, 0.25 * variance + 0.04
        assert np.isclose(found[:, step].mean(), mean, atol=0.01)
        assert np.isclose(found[:, step].var(), variance, rtol=0.05)
    quantile = np.quantile(found[:, 5], 0.9)
    assert np.isclose(quantile, mean + 1.2816 * variance**0.5, atol=0.01)


def test_one_seed_one_forecast():
    net = gaussian()
    seed = np.array([[4.0]])
    first = net.predict_sequence(seed, 200, rng=1)
    np.testing.assert_array_equal(net.predict_sequence(seed, 200, rng=1), first)
    np.testing.assert_allclose(net.predict_sequence(seed, 5, rng=1), first[:5])
    assert not np.allclose(net.predict_sequence(seed, 5, rng=2), first[:5])
    assert not np.allclose(net.predict_sequence(seed, 5), net.predict_sequence(seed, 5))
    cold = net.predict_sequence(seed, 3, temperature=0)
    np.testing.assert_allclose(cold[:, 0], [3.0, 2.5, 2.25], atol=1e-5)


def test_time_first(rng):
    net = spread(Regressor(CHAINS['gru'], time_major=True), 0.7)
    other = Regressor(CHAINS['gru'])
    for param, same in zip(net.params, other.params):
        same.set_value(param.get_value())
    seeds = rng.normal(size=(2, 6, 3)).astype('f')
    found = net.predict_sequence(np.swapaxes(seeds, 0, 1), 5)
    np.testing.assert_allclose(np.swapaxes(found, 0, 1), other.predict_sequence(seeds, 5))


@pytest.mark.parametrize(
    ('seed', 'kwargs', 'error', 'says'),
    [
        (np.zeros((5, 2)), {}, DataError, r'expected shape \(any, any, 3\)'),
        (np.zeros(5), {}, DataError, r'expected shape \(any, any, 3\)'),
        (np.zeros((0, 3)), {}, DataError, 'no axis of length 0'),
        (np.full((5, 3), np.nan), {}, DataError, 'finite numbers'),
        ([np.zeros((5, 3)), np.zeros((4, 3))], {}, DataError, 'series of different lengths'),
        (None, dict(steps=-1), ConfigurationError, 'steps as an int of 0 or more'),
        (None, dict(streams=0), ConfigurationError, 'streams as an int of 1 or more'),
        (None, dict(temperature=-1), ConfigurationError, 'temperature as a number of 0 or more'),
        (None, dict(future=np.zeros((4, 1))), DataError, 'since all are fed back'),
    ],
)
def test_wrong_seeds_and_settings(seed, kwargs, error, says):
    seed = np.zeros((5, 3)) if seed is None else seed
    with pytest.raises(error, match=says):
        Regressor(CHAINS['gru']).predict_sequence(seed, **{'steps': 4, **kwargs})


@pytest.mark.parametrize(
    ('future', 'says'),
    [
        (None, r'future values of the inputs 0, 2.*\(4, 2\)'),
        (np.zeros((3, 2)), 'a row for each of 4 steps, got 3'),
        (np.zeros((4, 3)), r'expected shape \(4, 2\).*got \(4, 3\)'),
        (np.zeros(4), r'expected shape \(4, 2\)'),
        (np.zeros((2, 4, 2)), r'expected shape \(4, 2\) or \(1, 4, 2\)'),
        (np.full((4, 2), np.inf), 'array of finite numbers'),
        ([['a', 'b']] * 4, 'array of finite numbers'),
        ([[1, 2], [3]], 'array of finite numbers'),
    ],
)
def test_wrong_futures(future, says):
    net = Regressor([3, (5, 'gru'), 1], feedback=1)
    with pytest.raises(DataError, match=says):
        net.predict_sequence(np.zeros((5, 3)), 4, future=future)


@pytest.mark.parametrize(
    ('feedback', 'says'),
    [
        ([0, 1], 'expected 1 different columns'),
        ([3], 'columns of 0 to 2, or their names, got 3'),
        ([0.5], 'columns of 0 to 2'),
        (0.5, 'columns of 0 to 2'),
        ([], 'expected 1 different columns'),
    ],
)
def test_wrong_feedback(feedback, says):
    with pytest.raises(ConfigurationError, match=says):
        Regressor([3, (5, 'gru'), 1], feedback=feedback)


@pytest.mark.parametrize(
    ('layers', 'says'),
    [
        ([3, (5, 'gru'), 1], 'as many outputs as inputs, got 1 and 3'),
        ([3, (6, 'bidirectional'), 3], 'bidirectional layers read the whole sequence'),
        ([3, dict(form='conv1', size=4, filter_size=3, padding='same'), 3], 'not causal'),
        ([5, (4, 'embedding'), 5], 'For labels, use a Classifier'),
    ],
)
def test_networks_that_cannot_forecast(layers, says):
    net = Regressor(layers)
    with pytest.raises(ConfigurationError, match=says):
        net.predict_sequence(np.zeros((5, layers[0])), 4)
