"""Networks that read images: (examples, width, height, channels)."""

from kerasnets import feedforward

__all__ = ['Classifier', 'Regressor']


class Regressor(feedforward.Regressor):
    """A network that predicts values for each image.

    Parameters are those of `feedforward.Regressor`; the first entry is the shape of an image.

    >>> net = Regressor([(9, 8, 3), dict(form='conv2', size=4, filter_size=(3, 3)), 'flat', 2])
    >>> net.predict(np.zeros((5, 9, 8, 3))).shape
    (5, 2)
    """

    INPUT_NDIM = 4


class Classifier(feedforward.Classifier):
    """A network that predicts a distribution over labels for each image.

    Parameters are those of `feedforward.Classifier`; the first entry is the shape of an image.

    >>> net = Classifier([(9, 8, 3), dict(form='conv2', size=4, filter_size=(3, 3)), 'flat', 2])
    >>> net.predict(np.zeros((5, 9, 8, 3))).shape
    (5,)
    """

    INPUT_NDIM = 4
