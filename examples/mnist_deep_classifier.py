"""Handwritten digits, by a deep network that is first trained layer by layer.

Y. Bengio, P. Lamblin, D. Popovici, H. Larochelle (2006), "Greedy layer-wise training of deep
networks", NIPS.

    python examples/mnist_deep_classifier.py [--mnist-file FILE]
"""

from images import mnist, vectors
from pictures import canvas, command, save

import kerasnets


def main(epochs=30, folder='runs', mnist_file=None):
    """Classify digits; returns the accuracy on those that were held out."""
    train, held = vectors(mnist(mnist_file))
    net = kerasnets.Classifier([train[0].shape[1], 256, 128, 64, 10])
    net.train(
        train, algo='layerwise', subalgo='adam', learning_rate=1e-3, epochs=max(1, epochs // 6)
    )
    greedy = net.score(*held)
    net.train(train, algo='adam', learning_rate=1e-3, epochs=epochs, hidden_dropout=0.2)
    accuracy = net.score(*held)
    print(f'{greedy:.2%} after a layer at a time, {accuracy:.2%} after all of them')

    figure, (curve, *layers) = canvas(4)
    kerasnets.plots.learning_curves(net, axes=curve)
    for axes, name in zip(layers, ('hid1', 'hid2', 'hid3')):
        kerasnets.plots.plot_weights(net.find(name, 'w'), axes=axes)
    save(figure, folder, 'mnist_deep_classifier')
    return accuracy


if __name__ == '__main__':
    command(main)()
