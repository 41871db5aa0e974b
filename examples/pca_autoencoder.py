"""A linear autoencoder with tied weights finds the plane of the principal components.

P. Baldi, K. Hornik (1989), "Neural networks and principal component analysis", Neural Networks 2.

    python examples/pca_autoencoder.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets


def data(examples=1000, variables=10, components=3, seed=1):
    """Points near a subspace, (examples, variables), with a mean of 0."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(variables, components)))[0]
    x = (rng.normal(size=(examples, components)) * [3, 2, 1.5]) @ basis.T
    x += 0.1 * rng.normal(size=x.shape)
    return x - x.mean(axis=0)


def angles(a, b):
    """The principal angles between the spaces that columns span, in degrees, largest first."""
    a, b = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    cosines = np.linalg.svd(a.T @ b, compute_uv=False)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))[::-1]


def main(epochs=60, folder='runs'):
    """Train the autoencoder; returns the largest angle between its plane and that of PCA."""
    x = data()
    net = kerasnets.Autoencoder([10, (3, 'linear'), (10, 'tied', 'linear')])
    net.train([x], algo='adam', learning_rate=0.01, epochs=epochs)
    weights = net.find('hid1', 'w').get_value()
    components = np.linalg.svd(x, full_matrices=False)[2][:3].T
    apart = angles(weights, components)
    print(f'principal angles {apart.round(2)} degrees, R² {net.score(x):.4f}')

    figure, (curve, cloud) = canvas(2)
    kerasnets.plots.learning_curves(net, axes=curve)
    for points, name in ((x @ components, 'data'), (net.predict(x) @ components, 'reconstructed')):
        cloud.plot(*points.T[:2], '.', markersize=2, label=name)
    cloud.set(xlabel='first principal component', ylabel='second', aspect='equal')
    cloud.legend()
    save(figure, folder, 'pca_autoencoder')
    return apart[0]


if __name__ == '__main__':
    command(main)()
