"""Handwritten digits, by a network of two convolutions.

python examples/mnist_convolution.py [--mnist-file FILE]
"""

from images import mnist
from pictures import canvas, command, save

import kerasnets


def main(epochs=60, folder='runs', mnist_file=None):
    """Classify digits; returns the accuracy on those that were held out."""
    train, held = ([images[..., None], labels] for images, labels in mnist(mnist_file))
    net = kerasnets.convolution.Classifier(
        [
            train[0].shape[1:],
            dict(form='conv2', size=32, filter_size=(3, 3), padding='same'),
            dict(form='conv2', size=64, filter_size=(3, 3), padding='same'),
            'pool2',
            'flat',
            128,
            10,
        ]
    )
    net.train(
        train,
        algo='adam',
        learning_rate=1e-3,
        epochs=epochs,
        input_noise=0.05,
        dropout={'hid4:out': 0.25, 'hid5:out': 0.4},
    )
    accuracy = net.score(*held)
    print(f'{accuracy:.2%} of the digits that were held out')

    figure, (curve, filters, confused) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    kernels = net.find('hid1', 'w').variable.numpy().reshape(9, -1)
    kerasnets.plots.plot_weights(kernels, axes=filters)
    kerasnets.plots.confusion(net, *held, axes=confused)
    save(figure, folder, 'mnist_convolution')
    return accuracy


if __name__ == '__main__':
    command(main)()
