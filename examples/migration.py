"""A network of theanets: its pickle is opened, compared, trained further, and saved for Keras.

``old/digits.theanets.pkl.gz`` is a classifier of scikit-learn's digits that theanets 0.7.3 trained
and pickled; ``old/digits.theanets.npy`` is what it said of the first fifty that were held out.
Neither theanets nor Theano is needed, and nothing in the pickle is run.

    python examples/migration.py
"""

import pathlib

import keras
import numpy as np
from images import digits, vectors
from pictures import canvas, command, save

import kerasnets

OLD = pathlib.Path(__file__).parent / 'old'


def main(epochs=20, folder='runs'):
    """Open, compare, train on and save; returns the largest difference from theanets' numbers."""
    train, (images, labels) = vectors(digits())
    net = kerasnets.load(OLD / 'digits.theanets.pkl.gz')
    net.summary()
    theirs = np.load(OLD / 'digits.theanets.npy')
    apart = float(abs(net.predict_proba(images[: len(theirs)]) - theirs).max())
    print(f'{net.score(images, labels):.2%} of the digits; {apart:.1g} from what theanets said')

    net.train(train, algo='adam', learning_rate=1e-3, epochs=epochs, input_noise=0.2)
    path = pathlib.Path(folder, 'migration.keras')
    path.parent.mkdir(parents=True, exist_ok=True)
    net.save(path)
    model = keras.saving.load_model(path)  # plain Keras
    found = model.predict(images, verbose=0).argmax(axis=1)
    print(f'{(found == labels).mean():.2%} after training on, as plain Keras has it: {path}')

    figure, (curve, weights, confused) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    kerasnets.plots.plot_weights(net.find('hid1', 'w'), axes=weights)
    kerasnets.plots.confusion(net, images, labels, axes=confused)
    save(figure, folder, 'migration')
    return apart


if __name__ == '__main__':
    command(main)()
