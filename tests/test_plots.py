"""Pictures hold what they are of."""

import re

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

import kerasnets
from kerasnets import plots
from kerasnets.errors import ConfigurationError, DataError

RNG = np.random.default_rng(6)
X, Y = RNG.normal(size=(40, 4)), RNG.integers(3, size=40)


@pytest.fixture(scope='module')
def net():
    net = kerasnets.Classifier([4, (6, 'tanh'), 3])
    net.train([X, Y], [X, Y], epochs=4, validate_every=2, patience=9)
    return net


def test_learning_curves(net):
    (axes,) = plots.learning_curves(net).axes
    training, validation = axes.lines
    np.testing.assert_allclose(training.get_ydata(), [row['loss'] for row in net.history])
    assert validation.get_xdata().tolist() == [2, 4]
    assert [text.get_text() for text in axes.get_legend().texts] == ['training', 'validation']
    assert axes.get_yscale() == 'log'
    assert plots.learning_curves(net.history, 'acc').axes[0].get_ylabel() == 'acc'
    with pytest.raises(ConfigurationError, match=r"no monitor 'los'\. Did you mean 'loss'"):
        plots.learning_curves(net, 'los')
    with pytest.raises(ConfigurationError, match='Train the network first'):
        plots.learning_curves(kerasnets.Classifier([4, 3]))


def test_weights_are_images_of_units():
    net = kerasnets.Classifier([9, 5, 3])
    w = net.find('hid1', 'w')
    image = plots.plot_weights(w).axes[0].images[0]
    grid = image.get_array()
    assert grid.shape == (2 * 4 - 1, 3 * 4 - 1)
    values = w.get_value()
    np.testing.assert_allclose(grid[:3, 4:7], values[:, 1].reshape(3, 3))  # the second unit
    np.testing.assert_allclose(grid[4:, :3], values[:, 3].reshape(3, 3))
    assert grid.mask[3].all()
    assert image.norm.vmax == -image.norm.vmin == pytest.approx(abs(values).max())
    whole = plots.plot_weights(net.find('out', 'w')).axes[0].images[0].get_array()
    np.testing.assert_allclose(whole, net.find('out', 'w').get_value())
    assert plots.plot_weights(np.ones((6, 2)), shape=(2, 3)).axes[0].images
    with pytest.raises(DataError, match=r'expected a shape for 9 inputs, got \(2, 3\)'):
        plots.plot_weights(w, shape=(2, 3))


def test_confusion(net):
    (axes,) = plots.confusion(net, X, Y, names='abc').axes
    shown = np.array([int(text.get_text()) for text in axes.texts]).reshape(3, 3)
    np.testing.assert_array_equal(shown, confusion_matrix(Y, net.predict(X), labels=range(3)))
    assert [label.get_text() for label in axes.get_xticklabels()] == ['a', 'b', 'c']


def test_confusion_of_steps():
    net = kerasnets.recurrent.Classifier([4, (3, 'rnn'), 2])
    x = [RNG.normal(size=(n, 4)).astype('f') for n in (3, 5)]
    y = [RNG.integers(2, size=n) for n in (3, 5)]
    (axes,) = plots.confusion(net, x, y).axes
    assert sum(int(text.get_text()) for text in axes.texts) == 8


def test_a_sequence_and_its_target():
    target, predicted = RNG.normal(size=(7, 2)), RNG.normal(size=(7, 2))
    (axes,) = plots.sequence(target, predicted).axes
    np.testing.assert_array_equal(axes.lines[3].get_ydata(), predicted[:, 1])
    with pytest.raises(DataError, match='two sequences of the same shape'):
        plots.sequence(target, predicted[:3])


def test_a_forecast_and_its_band():
    past, streams = RNG.normal(size=30), RNG.normal(size=(50, 6))
    (axes,) = plots.forecast(past, streams, actual=np.zeros(6)).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), past)
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), np.arange(30, 36))
    np.testing.assert_allclose(axes.lines[1].get_ydata(), np.median(streams, axis=0))
    (band,) = axes.collections
    low, high = np.quantile(streams, (0.1, 0.9), axis=0)
    corners = band.get_paths()[0].vertices
    assert np.isclose(corners[:, 1].max(), high.max())
    assert np.isclose(corners[:, 1].min(), low.min())
    (axes,) = plots.forecast(past, streams[0], quantiles=[low, high]).axes
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), streams[0])
    with pytest.raises(DataError, match=r'quantiles: expected shape \(2, 6\), got \(6,\)'):
        plots.forecast(past, streams[0], quantiles=low)
    with pytest.raises(DataError, match=r'actual: expected shape \(6,\), got \(5,\)'):
        plots.forecast(past, streams[0], actual=np.zeros(5))
    with pytest.raises(DataError, match='series of one value'):
        plots.forecast(np.zeros((5, 2)), streams[0])


def test_only_existing_axes(net):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert plots.learning_curves(net, axes=axes) is axes.figure


@pytest.mark.parametrize('classes', [True, False])
def test_a_report(classes, tmp_path):
    pandas = pytest.importorskip('pandas')
    from kerasnets.data.columns import Columns
    from kerasnets.data.tables import Table

    size = RNG.normal(size=60)
    y = np.where(size > 0, '<big>', 'small') if classes else 100 * size
    frame = pandas.DataFrame({'size': size, 'noise & co': RNG.normal(size=60), 'y': y})
    frame['id'] = range(60)
    table = Columns.of(Table.of(frame), 'y')
    kind = kerasnets.Classifier if classes else kerasnets.Regressor
    net = kind([table.sizes[0], (8, 'tanh'), table.sizes[1]])
    net.table = table
    data = [table.inputs(frame), table.targets(frame)]
    net.train(data, algo='adam', learning_rate=0.02, epochs=30)
    path = tmp_path / 'page.html'
    page = plots.report(net, frame, path=path)
    assert path.read_text(encoding='utf-8') == page
    assert not re.findall(r'<script|<link|src=|url\((?!#)|@import', page)  # of its own alone
    assert '<big>' not in page
    assert 'noise &amp; co' in page
    assert 'left out: it has a number for each row' in page
    assert f'{net.score(*data):.4g}' in page
    drops = dict(re.findall(r'<span>([^<]*)</span>.*?<em>([^<]*)</em>', page))
    assert float(drops['size']) > 0.2 > abs(float(drops['noise &amp; co']))
    if classes:
        counts = confusion_matrix(data[1], net.predict(data[0]))
        cells = re.findall(r'<td style="--v:[\d.]+">(\d+)</td>', page)
        assert list(map(int, cells)) == counts.ravel().tolist()
    else:
        found = table.readable(net.predict(data[0]))
        assert f'<b>{np.abs(found - y).mean():.4g}</b>' in page


def test_a_report_of_arrays(net):
    page = plots.report(net, X, Y)
    assert '<span>input 3</span>' in page
    with pytest.raises(DataError, match='Pass target'):
        plots.report(net, X)
    with pytest.raises(DataError, match=r'got 2\. Pass one at a time'):
        plots.report(kerasnets.Regressor([4, 2]), X, X[:, :2])
