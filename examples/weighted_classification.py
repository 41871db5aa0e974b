"""A rare class, learned with a weight for each example.

Two clouds of points overlap, and one has twenty times as many points as the other. A network that
treats all examples alike predicts the common class nearly everywhere. With weights that make the
classes equal, the boundary is half way.

    python examples/weighted_classification.py
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

COMMON, RARE = 4000, 200


def data(seed=1):
    """Points (examples, 2), labels (examples,), and weights that make the classes equal."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(COMMON + RARE, 2))
    labels = np.repeat([0, 1], [COMMON, RARE])
    points[labels == 1] += 1.8
    order = rng.permutation(len(points))
    points, labels = points[order].astype('f'), labels[order]
    return points, labels, np.where(labels, COMMON / RARE, 1.0)


def main(epochs=30, folder='runs'):
    """Train with and without weights; returns the balanced accuracy of either, weighted first."""
    points, labels, weights = data()
    test_points, test_labels, test_weights = data(seed=2)
    figure, planes = canvas(2)
    found = []
    for weighted, plane in zip((True, False), planes):
        net = kerasnets.Classifier([2, (16, 'tanh'), 2], weighted=weighted)
        train = [points, labels, weights] if weighted else [points, labels]
        net.train(train, algo='adam', learning_rate=5e-3, epochs=epochs)
        found.append(net.score(test_points, test_labels, test_weights))
        side = np.linspace(-4, 5, 80)
        grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        plane.contourf(side, side, net.predict_proba(grid)[:, 1].reshape(80, 80), levels=20)
        plane.scatter(*test_points[:1000].T, c=test_labels[:1000], s=3, edgecolors='none')
        title = f'{"weighted" if weighted else "not weighted"}: {found[-1]:.1%}'
        plane.set(title=title, xlabel='first variable', ylabel='second variable')
    print(f'classes counted alike: {found[0]:.1%} with weights, {found[1]:.1%} without')
    save(figure, folder, 'weighted_classification')
    return tuple(found)


if __name__ == '__main__':
    command(main)()
