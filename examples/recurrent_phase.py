"""An oscillator: the input is the speed, the output is a wave of that speed.

The network has to add up the pace into a phase, and keep it, for as long as it runs.

D. Sussillo, O. Barak (2013), "Opening the black box", Neural Computation 25, has such a one.

    python examples/recurrent_phase.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

STEPS = 100
RNG = np.random.default_rng(1)


def batch(size=32):
    """Paces that change once (size, STEPS, 1); sine and cosine of their sum (size, STEPS, 2)."""
    paces = RNG.uniform(0.1, 0.5, (size, 2))
    change = RNG.integers(STEPS // 4, 3 * STEPS // 4, (size, 1))
    pace = np.where(np.arange(STEPS) < change, *(p[:, None] for p in paces.T))
    phase = np.cumsum(pace, axis=1)
    return [pace[..., None], np.stack([np.sin(phase), np.cos(phase)], axis=-1)]


def main(epochs=60, folder='runs'):
    """Learn to swing at a pace; returns the mean squared error. That of silence is 1/2."""
    net = kerasnets.recurrent.Regressor([1, (64, 'gru', 'tanh'), 2])
    net.train(batch, algo='adam', learning_rate=5e-3, epochs=epochs, max_gradient_norm=1)
    inputs, targets = batch(200)
    error = net.evaluate([inputs, targets])['loss']
    print(f'mean squared error {error:.2g}')

    figure, (curve, waves, circle) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    found = net.predict(inputs[:1])[0]
    kerasnets.plots.sequence(targets[0, :, 0], found[:, 0], axes=waves)
    waves.plot(inputs[0], ':', color='C2', label='pace')
    waves.legend(loc='lower left')
    circle.plot(*found.T)
    circle.set(xlabel='predicted sine', ylabel='predicted cosine', aspect='equal')
    save(figure, folder, 'recurrent_phase')
    return error


if __name__ == '__main__':
    command(main)()
