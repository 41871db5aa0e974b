"""scikit-learn's handwritten digits, by a dense and by a convolutional network.

python examples/digits.py
"""

import numpy as np
from pictures import canvas, learning_curve, save
from sklearn.datasets import load_digits

import kerasnets


def data(seed=0):
    """Images (examples, 8, 8, 1) and labels: for training, and a fifth that is held out."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    images = (images[order] / 16).astype('f').reshape(-1, 8, 8, 1)
    held = len(images) // 5
    return [images[held:], labels[order][held:]], [images[:held], labels[order][:held]]


def dense(train, epochs):
    """A network of one hidden layer, and what it takes for an image."""
    net = kerasnets.Classifier([64, 256, 10])
    images, labels = train
    net.train(
        [images.reshape(-1, 64), labels],
        algo='adam',
        learning_rate=2e-3,
        epochs=epochs,
        input_noise=0.15,
        hidden_dropout=0.4,
    )
    return net, lambda images: images.reshape(-1, 64)


def convolutional(train, epochs):
    """A network of two convolutions, and what it takes for an image."""
    net = kerasnets.convolution.Classifier(
        [
            (8, 8, 1),
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
    return net, lambda images: images


def main(epochs=(60, 60), folder='runs', seed=0):
    """Train both networks; returns the accuracy of each on the digits that were held out."""
    train, held = data(seed)
    figure, axes = canvas(3)
    scores = []
    for make, count, curve in zip((dense, convolutional), epochs, axes):
        net, view = make(train, count)
        scores.append(net.score(view(held[0]), held[1]))
        print(f'{make.__name__}: {scores[-1]:.2%} of the digits that were held out')
        learning_curve(curve, net.history)
        curve.set_title(f'{make.__name__}, {scores[-1]:.2%}')
    confused = np.zeros((10, 10), int)
    np.add.at(confused, (held[1], net.predict(view(held[0]))), 1)
    axes[2].imshow(np.log1p(confused))
    axes[2].set(xlabel='predicted', ylabel='digit', title='confusion')
    save(figure, folder, 'digits')
    return tuple(scores)


if __name__ == '__main__':
    main()
