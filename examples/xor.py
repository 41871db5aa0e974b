"""XOR, the smallest thing that needs a hidden layer.

python examples/xor.py
"""

import numpy as np
from pictures import canvas, learning_curve, save

import kerasnets

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], 'f')
Y = np.array([[0], [1], [1], [0]], 'f')


def main(epochs=10, folder='runs'):
    """Learn XOR; returns the mean squared error."""
    net = kerasnets.Regressor([2, (4, 'tanh'), 1], rng=3)
    net.train(lambda: [X, Y], algo='rprop', learning_rate=0.05, epochs=epochs)
    error = net.evaluate([X, Y])['loss']
    print(f'mean squared error {error:.2g}, outputs {net.predict(X).ravel().round(3)}')

    figure, (curve, plane) = canvas(2)
    learning_curve(curve, net.history)
    side = np.linspace(-0.5, 1.5, 60)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    plane.contourf(side, side, net.predict(grid).reshape(60, 60), levels=20)
    plane.scatter(*X.T, c=Y.ravel(), edgecolors='white')
    save(figure, folder, 'xor')
    return error


if __name__ == '__main__':
    main()
