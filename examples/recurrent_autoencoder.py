"""Sequences of six variables, reconstructed from two recurrent units.

The six are mixtures of two waves with noise; what passes the narrow layer is the waves.

    python examples/recurrent_autoencoder.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

STEPS, VARIABLES = 40, 6
MIX = np.random.default_rng(2).normal(size=(2, VARIABLES))


def batch(size=64, rng=np.random.default_rng(1)):  # noqa: B008  one stream of batches
    """Noisy mixtures, and the same without noise, both (size, STEPS, VARIABLES)."""
    phase, pace = rng.uniform(0, 2 * np.pi, (2, size, 1, 2)) * [[[[1]]], [[[0.08]]]]
    waves = np.sin(phase + pace * np.arange(STEPS)[:, None])
    clean = waves @ MIX
    return clean + rng.normal(0, 0.3, clean.shape), clean


def main(epochs=30, folder='runs'):
    """Give sequences back; returns how much of the noise's power is left in them."""
    net = kerasnets.recurrent.Autoencoder(
        [
            VARIABLES,
            dict(form='bidirectional', worker='rnn', size=16, activation='tanh'),
            (2, 'linear'),
            (VARIABLES, 'linear'),
        ]
    )
    net.train(
        lambda: [batch()[0]], algo='adam', learning_rate=5e-3, epochs=epochs, max_gradient_norm=1
    )
    noisy, clean = batch(500)
    given = net.predict(noisy)
    left = float(np.mean((given - clean) ** 2) / np.mean((noisy - clean) ** 2))
    print(f'{left:.0%} of the noise is left')

    figure, (curve, codes, waves) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    codes.plot(net.encode(noisy[:1], 'hid2')[0])
    codes.set(title='the two codes', xlabel='step', ylabel='value')
    waves.plot(noisy[0, :, 0], '.', label='noisy')
    kerasnets.plots.sequence(clean[0, :, 0], given[0, :, 0], axes=waves)
    save(figure, folder, 'recurrent_autoencoder')
    return left


if __name__ == '__main__':
    command(main)()
