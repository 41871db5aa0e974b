"""Images for the examples: MNIST and CIFAR-10 from files, or what scikit-learn ships.

MNIST is read from ``mnist.npz``, as ``keras.datasets.mnist.load_data()`` leaves it in
``~/.keras/datasets``, or from a folder with the four files of http://yann.lecun.com/exdb/mnist,
gzipped or not. CIFAR-10 is read from a folder with the files of its binary version,
https://www.cs.toronto.edu/~kriz/cifar.html. Nothing is fetched.
"""

import gzip
import pathlib

import numpy as np

MNIST = pathlib.Path('~/.keras/datasets/mnist.npz').expanduser()
PIXELS = {'images': 3, 'labels': 1}  # axes of MNIST's arrays


def mnist(path=None):
    """Handwritten digits: for training, and some that are held out.

    Parameters
    ----------
    path : str, optional
        File or folder of MNIST. Default: ``~/.keras/datasets/mnist.npz`` if that is there, else
        the digits of scikit-learn, 8×8 pixels, of which a fifth is held out.

    Returns
    -------
    two lists [images, labels]
        Images (examples, height, width) of values from 0 to 1, and labels (examples,).
    """
    if path is None and not MNIST.exists():
        return digits()
    path = pathlib.Path(path or MNIST)
    if path.is_dir():
        read = [[_idx(path, part, kind) for kind in PIXELS] for part in ('train', 't10k')]
    else:
        with np.load(path) as file:  # no pickles: numpy refuses them
            read = [[file[f'x_{part}'], file[f'y_{part}']] for part in ('train', 'test')]
    return [[(images / 255).astype('f'), labels.astype(int)] for images, labels in read]


def digits(seed=0):
    """scikit-learn's digits, as `mnist` gives them."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    images, labels = (images[order] / 16).astype('f').reshape(-1, 8, 8), labels[order]
    held = len(images) // 5
    return [images[held:], labels[held:]], [images[:held], labels[:held]]


def vectors(data):
    """The same with images as vectors (examples, pixels)."""
    return [[images.reshape(len(images), -1), labels] for images, labels in data]


def cifar(path=None, size=12, count=6000, seed=0):
    """Natural images in colour, (examples, height, width, 3) of values from 0 to 1.

    Parameters
    ----------
    path : str, optional
        Folder of CIFAR-10. Default: patches of scikit-learn's two photographs.
    size, count : int
        Of the patches.
    """
    if path is not None:
        files = sorted(pathlib.Path(path).glob('data_batch_*.bin'))
        if not files:
            raise FileNotFoundError(f'{path} has no data_batch_1.bin of CIFAR-10')
        rows = np.concatenate([np.fromfile(file, 'u1').reshape(-1, 3073) for file in files])
        return (rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) / 255).astype('f')
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(seed)
    patches = []
    for photograph in load_sample_images().images:
        halved = photograph[::2, ::2]
        tops, lefts = (rng.integers(side - size, size=count // 2) for side in halved.shape[:2])
        patches += [halved[t : t + size, s : s + size] for t, s in zip(tops, lefts)]
    return (np.stack(patches) / 255).astype('f')


def _idx(folder, part, kind):
    """An array of one of MNIST's own files: a header of big-endian ints, then bytes."""
    axes = PIXELS[kind]
    path = folder / f'{part}-{kind}-idx{axes}-ubyte'
    zipped = path.with_name(f'{path.name}.gz')
    data = gzip.decompress(zipped.read_bytes()) if zipped.exists() else path.read_bytes()
    header = np.frombuffer(data, '>i4', count=1 + axes)
    return np.frombuffer(data, 'u1', offset=header.nbytes).reshape(header[1:])
