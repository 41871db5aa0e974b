"""Handwritten digits, by a network of one hidden layer.

python examples/mnist_classifier.py [--mnist-file FILE]
"""

from images import mnist, vectors
from pictures import canvas, command, save

import kerasnets


def main(epochs=60, folder='runs', mnist_file=None):
    """Classify digits; returns the accuracy on those that were held out."""
    train, held = vectors(mnist(mnist_file))
    net = kerasnets.Classifier([train[0].shape[1], 256, 10])
    net.train(
        train,
        algo='adam',
        learning_rate=2e-3,
        epochs=epochs,
        input_noise=0.15,
        hidden_dropout=0.4,
    )
    accuracy = net.score(*held)
    print(f'{accuracy:.2%} of the digits that were held out')

    figure, (curve, weights, confused) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    kerasnets.plots.plot_weights(net.find('hid1', 'w'), axes=weights)
    kerasnets.plots.confusion(net, *held, axes=confused)
    save(figure, folder, 'mnist_classifier')
    return accuracy


if __name__ == '__main__':
    command(main)()
