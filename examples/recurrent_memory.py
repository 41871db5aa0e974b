"""The memory task: three symbols are shown, and must be repeated ten steps later.

python examples/recurrent_memory.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

SYMBOLS, SHOWN, WAIT = 8, 3, 10
NOTHING, NOW = SYMBOLS, SYMBOLS + 1
RNG = np.random.default_rng(1)


def batch(size=64):
    """Labels as inputs and as targets, both (size, SHOWN + WAIT + SHOWN)."""
    symbols = RNG.integers(SYMBOLS, size=(size, SHOWN))
    inputs = np.full((size, SHOWN + WAIT + SHOWN), NOTHING)
    inputs[:, :SHOWN], inputs[:, SHOWN + WAIT :] = symbols, NOW
    targets = np.full_like(inputs, NOTHING)
    targets[:, SHOWN + WAIT :] = symbols
    return [inputs, targets]


def main(epochs=30, folder='runs'):
    """Learn to remember; returns the fraction of symbols that were."""
    net = kerasnets.recurrent.Classifier([SYMBOLS + 2, (64, 'gru', 'tanh'), SYMBOLS + 1])
    net.train(batch, algo='adam', learning_rate=0.01, epochs=epochs, max_gradient_norm=1)
    inputs, targets = batch(500)
    asked = inputs == NOW
    remembered = (net.predict(inputs) == targets)[asked].mean()
    print(f'{remembered:.1%} of the symbols remembered; by chance it is {1 / SYMBOLS:.1%}')

    figure, (curve, certainty) = canvas(2)
    kerasnets.plots.learning_curves(net, axes=curve)
    certainty.imshow(net.predict_proba(inputs[:1])[0].T, aspect='auto')
    certainty.set(xlabel='step', ylabel='symbol', title='probabilities')
    save(figure, folder, 'recurrent_memory')
    return remembered


if __name__ == '__main__':
    command(main)()
