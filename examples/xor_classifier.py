"""XOR, the smallest task that needs a hidden layer.

python examples/xor_classifier.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], 'f')
Y = np.array([0, 1, 1, 0])


def main(epochs=10, folder='runs'):
    """Learn XOR; returns the mean probability of the right answers."""
    net = kerasnets.Classifier([2, (4, 'tanh'), 2], rng=3)
    net.train(lambda: [X, Y], algo='rprop', learning_rate=0.05, epochs=epochs)
    right = float(net.predict_proba(X)[range(4), Y].mean())
    print(f'the right answers have a probability of {right:.5f}')

    figure, (curve, plane) = canvas(2)
    kerasnets.plots.learning_curves(net, axes=curve)
    side = np.linspace(-0.5, 1.5, 60)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    plane.contourf(side, side, net.predict_proba(grid)[:, 1].reshape(60, 60), levels=20)
    plane.scatter(*X.T, c=Y, edgecolors='white')
    plane.set(xlabel='first input', ylabel='second input', title='probability of 1')
    save(figure, folder, 'xor_classifier')
    return right


if __name__ == '__main__':
    command(main)()
