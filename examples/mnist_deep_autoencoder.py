"""Handwritten digits compressed to two numbers, by a deep autoencoder.

G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks",
Science 313.

    python examples/mnist_deep_autoencoder.py [--mnist-file FILE]
"""

import numpy as np
from images import mnist, vectors
from pictures import canvas, command, save

import kerasnets

CODE = 'hid3'  # the layer of two units


def share(x, given):
    """Return the share of the variance of x that the reconstruction explains."""
    return float(1 - np.mean((x - given) ** 2) / np.mean((x - x.mean(axis=0)) ** 2))


def main(epochs=80, folder='runs', mnist_file=None):
    """Give digits back; returns the share of the variance of those held out that is explained."""
    (train, _), (held, labels) = vectors(mnist(mnist_file))
    net = kerasnets.Autoencoder(
        [
            train.shape[1],
            (128, 'elu'),
            (64, 'elu'),
            (2, 'linear'),
            (64, 'elu'),
            (128, 'elu'),
            train.shape[1],
        ]
    )
    net.train([train], algo='adam', learning_rate=2e-3, epochs=epochs, max_gradient_norm=1)
    explained = share(held, net.predict(held))
    mean = train.mean(axis=0)
    axes = np.linalg.svd(train - mean, full_matrices=False)[2][:2]
    linear = share(held, mean + (held - mean) @ axes.T @ axes)
    print(f'{explained:.0%} of the variance from two numbers, by principal components {linear:.0%}')

    figure, (curve, plane, after) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    codes = net.encode(held, CODE)
    plane.scatter(*codes.T, c=labels, cmap='tab10', s=4)
    plane.set(title='codes, colored by digit', xlabel='first unit', ylabel='second unit')
    kerasnets.plots.plot_weights(net.decode(codes[:25], CODE).T, axes=after)
    after.set_title('reconstructed')
    save(figure, folder, 'mnist_deep_autoencoder')
    return explained


if __name__ == '__main__':
    command(main)()
