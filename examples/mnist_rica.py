"""Sparse parts of handwritten digits, by reconstruction independent component analysis.

Q. Le, A. Karpenko, J. Ngiam, A. Ng (2011), "ICA with reconstruction cost for efficient
overcomplete feature learning", NIPS: an autoencoder with tied weights over whitened data, whose
codes are penalized by a smooth absolute value.

    python examples/mnist_rica.py [--mnist-file FILE]
"""

import numpy as np
from images import mnist, vectors
from keras import ops
from pictures import canvas, command, save

import kerasnets


class Smooth(kerasnets.regularizers.Regularizer):
    """The mean of √(h² + ε) over outputs: |h|, without its corner."""

    def penalty(self, values, mask=None):
        return kerasnets.regularizers.mean(ops.sqrt(ops.square(values) + 1e-2), mask)


def whitening(x, kept=0.99):
    """The mean of x, and what takes x - mean to uncorrelated variables and back."""
    mean = x.mean(axis=0)
    _, deviations, axes = np.linalg.svd(x - mean, full_matrices=False)
    share = np.cumsum(deviations**2) / np.sum(deviations**2)
    count = np.searchsorted(share, kept) + 1
    deviations = deviations[:count] / np.sqrt(len(x))
    return mean, axes[:count].T / deviations, axes[:count] * deviations[:, None]


def kurtosis(h):
    """How much heavier than normal the tails of codes are, the mean over units; 0 if normal.

    Units that came to say nothing are left out.
    """
    h = h[:, h.std(axis=0) > 1e-2]
    h = h - h.mean(axis=0)
    return float((np.mean(h**4, axis=0) / np.mean(h**2, axis=0) ** 2 - 3).mean())


def main(epochs=60, folder='runs', mnist_file=None):
    """Find sparse parts; returns the kurtosis of the codes, and R² of the whitened data."""
    (train, _), _ = vectors(mnist(mnist_file))
    mean, there, back = whitening(train)
    x = (train - mean) @ there
    variables = x.shape[1]
    net = kerasnets.Autoencoder([variables, (64, 'linear'), (variables, 'tied', 'linear')])
    penalty = Smooth(0.5, pattern='hid1:out')
    net.train([x], algo='adam', learning_rate=3e-3, epochs=epochs, regularizers=[penalty])
    tails, r2 = kurtosis(net.encode(x)), net.score(x)
    print(f'kurtosis {tails:.2f} of the codes, {kurtosis(x):.2f} of the data; R² {r2:.3f}')

    figure, (curve, parts, histogram) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    kerasnets.plots.plot_weights(back.T @ net.find('hid1', 'w').get_value(), axes=parts)
    parts.set_title('parts of digits')
    histogram.hist(net.encode(x)[:, 0], bins=60, log=True)
    histogram.set(title='values of one code', xlabel='value', ylabel='examples')
    save(figure, folder, 'mnist_rica')
    return tails, r2


if __name__ == '__main__':
    command(main)()
