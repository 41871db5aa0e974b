"""The carbon dioxide over Mauna Loa, two years ahead, next to a seasonal naive forecast.

python examples/forecast_co2.py

Monthly means of 1958 to 2001, which statsmodels ships. The forecaster learns all months up to some
date and forecasts the 24 that follow, at several dates. It is not told that a season has 12 months.
The naive forecast repeats the last year.
"""

import numpy as np
from pictures import canvas, command, save
from statsmodels.datasets import co2

from kerasnets import plots
from kerasnets.estimators import SequenceForecaster

STEPS, SEASON = 24, 12


def main(epochs=60, folder='runs', dates=8):
    """Forecast; returns the mean absolute errors of both, in parts per million."""
    series = co2.load_pandas().data['co2'].resample('MS').mean().interpolate().to_numpy()
    errors = []
    for end in range(len(series) - dates * STEPS, len(series), STEPS):
        past, actual = series[:end], series[end : end + STEPS]
        model = SequenceForecaster(horizon=STEPS, epochs=epochs).fit(past)
        low, predicted, high = model.predict_quantiles()
        naive = np.resize(past[-SEASON:], STEPS)
        errors.append([np.abs(p - actual).mean() for p in (predicted, naive)])
    ours, theirs = np.mean(errors, axis=0)
    print(f'mean absolute error {ours:.2f} ppm, of the seasonal naive forecast {theirs:.2f} ppm')

    figure, (axes,) = canvas(1, size=5)
    plots.forecast(past[-96:], predicted, quantiles=[low, high], actual=actual, axes=axes)
    axes.set(xlabel='month', ylabel='CO₂ in ppm')
    save(figure, folder, 'forecast_co2')
    return ours, theirs


if __name__ == '__main__':
    command(main)()
