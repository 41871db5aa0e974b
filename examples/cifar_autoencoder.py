"""Patches of photographs, reconstructed from sparse codes: the units learn edges and colors.

B. Olshausen, D. Field (1996), "Emergence of simple-cell receptive field properties by learning a
sparse code for natural images", Nature 381.

    python examples/cifar_autoencoder.py [--cifar-folder FOLDER]
"""

from images import cifar
from pictures import canvas, command, save

import kerasnets


def main(epochs=30, folder='runs', cifar_folder=None):
    """Give images back; returns R² on a tenth that was held out."""
    images = cifar(cifar_folder)
    shape = images.shape[1:]
    x = images.reshape(len(images), -1) - images.mean(axis=0).ravel()
    held = x[::10]
    x = x[[i for i in range(len(x)) if i % 10]]
    net = kerasnets.Autoencoder([x.shape[1], (100, 'logistic'), (x.shape[1], 'linear')])
    net.train([x], algo='adam', learning_rate=1e-3, epochs=epochs, hidden_l1=0.001)
    r2 = net.score(held)
    print(f'R² {r2:.3f} on the images that were held out')

    figure, (curve, *rest) = canvas(4)
    kerasnets.plots.learning_curves(net, axes=curve)
    shown = {'held out': held[:25], 'reconstructed': net.predict(held[:25])}
    shown = {title: part + images.mean(axis=0).ravel() for title, part in shown.items()}
    weights = net.find('out', 'w').get_value()[:64]
    shown['weights'] = 0.5 + 0.5 * weights / abs(weights).max(axis=1, keepdims=True)
    for axes, (title, rows) in zip(rest, shown.items()):
        axes.imshow(_grid(rows.reshape(-1, *shape)).clip(0, 1))
        axes.set_title(title)
        axes.set_axis_off()
    save(figure, folder, 'cifar_autoencoder')
    return r2


def _grid(images):
    """Square images (count, size, size, 3) as one, in a square of them."""
    side = round(len(images) ** 0.5)
    size = images.shape[1]
    grid = images.reshape(side, side, size, size, 3).swapaxes(1, 2)
    return grid.reshape(side * size, side * size, 3)


if __name__ == '__main__':
    command(main)()
