"""The addition task: the sum of two marked numbers among many that are not.

S. Hochreiter, J. Schmidhuber (1997), "Long short-term memory", experiment 4.

    python examples/recurrent_addition.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

STEPS = 20
RNG = np.random.default_rng(1)


def batch(size=64):
    """Sequences of a number and a mark at each step, (size, STEPS, 2), and sums (size, 1)."""
    values, marks = RNG.random((size, STEPS)), np.zeros((size, STEPS))
    half = STEPS // 2
    rows = np.arange(size)
    marks[rows, RNG.integers(half, size=size)] = 1
    marks[rows, half + RNG.integers(half, size=size)] = 1
    return [np.stack([values, marks], axis=-1), (values * marks).sum(axis=1, keepdims=True)]


def main(epochs=20, folder='runs'):
    """Learn to add; returns the mean squared error. That of always saying 1 is 1/6."""
    net = kerasnets.recurrent.Regressor([2, dict(form='lstm', size=32, return_sequences=False), 1])
    net.train(batch, algo='adam', learning_rate=0.01, epochs=epochs, max_gradient_norm=1)
    inputs, sums = batch(1000)
    error = net.evaluate([inputs, sums])['loss']
    print(f'mean squared error {error:.2g}')

    figure, (curve, scatter) = canvas(2)
    kerasnets.plots.learning_curves(net, axes=curve)
    scatter.plot(sums, net.predict(inputs), '.', markersize=2)
    scatter.set(xlabel='sum', ylabel='prediction')
    save(figure, folder, 'recurrent_addition')
    return error


if __name__ == '__main__':
    command(main)()
