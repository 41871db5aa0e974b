"""Two periods of a sinusoid, generated from a single impulse.

python examples/recurrent_sinusoid.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

STEPS = 64


def main(epochs=30, folder='runs'):
    """Learn to swing; returns the mean squared error. That of silence is 1/2."""
    inputs = np.zeros((1, STEPS, 1))
    inputs[0, 0] = 1
    targets = np.sin(np.linspace(0, 4 * np.pi, STEPS))[None, :, None]
    net = kerasnets.recurrent.Regressor([1, (32, 'rnn', 'tanh'), 1])
    net.train(
        lambda: [inputs, targets],
        algo='adam',
        learning_rate=2e-3,
        epochs=epochs,
        max_gradient_norm=1,
    )
    error = net.evaluate([inputs, targets])['loss']
    print(f'mean squared error {error:.2g}')

    figure, (curve, waves) = canvas(2)
    kerasnets.plots.learning_curves(net, axes=curve)
    waves.plot(targets[0], label='target')
    waves.plot(net.predict(inputs)[0], '--', label='network')
    waves.set(xlabel='step', ylabel='value')
    waves.legend()
    save(figure, folder, 'recurrent_sinusoid')
    return error


if __name__ == '__main__':
    command(main)()
