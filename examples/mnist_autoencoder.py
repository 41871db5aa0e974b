"""Noisy handwritten digits, reconstructed by an autoencoder of one hidden layer.

P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol (2008), "Extracting and composing robust
features with denoising autoencoders", ICML.

    python examples/mnist_autoencoder.py [--mnist-file FILE]
"""

from images import mnist, vectors
from pictures import canvas, command, save

import kerasnets


def main(epochs=40, folder='runs', mnist_file=None):
    """Give digits back; returns R² on those that were held out."""
    (train, _), (held, _) = vectors(mnist(mnist_file))
    net = kerasnets.Autoencoder([train.shape[1], (64, 'logistic'), (train.shape[1], 'tied')])
    net.train([train], algo='adam', learning_rate=3e-3, epochs=epochs, input_noise=0.2)
    r2 = net.score(held)
    print(f'R² {r2:.3f} on the digits that were held out')

    figure, (curve, weights, before, after) = canvas(4)
    kerasnets.plots.learning_curves(net, axes=curve)
    kerasnets.plots.plot_weights(net.find('hid1', 'w'), axes=weights)
    for axes, shown, title in (
        (before, held, 'held out'),
        (after, net.predict(held), 'reconstructed'),
    ):
        kerasnets.plots.plot_weights(shown[:25].T, axes=axes)
        axes.set_title(title)
    save(figure, folder, 'mnist_autoencoder')
    return r2


if __name__ == '__main__':
    command(main)()
