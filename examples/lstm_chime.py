"""Labels for each step of a noisy sentence: a bidirectional LSTM over sequences.

F. Weninger, J. Bergmann, B. Schuller (2015), "Introducing CURRENNT", JMLR 16, trains such a
network on the CHiME corpus: 39 features of sound at each step, 51 labels. With ``--chime-file``
this reads their NetCDF file (the classic format, by SciPy); without, it makes sentences of its
own: each label has a spectrum of its own, lasts for some steps, and is drowned in noise, so that
no step is enough to tell it by.

    python examples/lstm_chime.py [--chime-file FILE]
"""

import numpy as np
from pictures import canvas, command, save

import kerasnets

FEATURES, LABELS = 39, 12


def read(path):
    """Sentences (steps, features) and labels (steps,) of a NetCDF file of CURRENNT."""
    from scipy.io import netcdf_file

    with netcdf_file(path, mmap=False) as file:
        inputs, labels, lengths = (
            np.array(file.variables[name].data)
            for name in ('inputs', 'targetClasses', 'seqLengths')
        )
    ends = np.cumsum(lengths)[:-1]
    return np.split(inputs.astype('f'), ends), np.split(labels.astype(int), ends)


def made(count, rng, noise=2.5):
    """Sentences and labels as `read` gives them."""
    spectra = np.random.default_rng(0).normal(size=(LABELS, FEATURES))
    sentences, labels = [], []
    for _ in range(count):
        said = np.repeat(rng.integers(LABELS, size=8), rng.integers(3, 12, size=8))
        labels.append(said)
        sentences.append(
            (spectra[said] + noise * rng.normal(size=(len(said), FEATURES))).astype('f')
        )
    return sentences, labels


def main(epochs=20, folder='runs', chime_file=None):
    """Label sentences; returns the share of right steps of a sixth that is held out."""
    sentences, labels = read(chime_file) if chime_file else made(600, np.random.default_rng(1))
    held = len(sentences) // 6
    classes = 1 + max(each.max() for each in labels)
    net = kerasnets.recurrent.Classifier(
        [
            sentences[0].shape[1],
            dict(form='bidirectional', worker='lstm', size=64),
            (classes, 'softmax'),
        ]
    )
    net.train(
        [sentences[held:], labels[held:]],
        [sentences[:held], labels[:held]],
        algo='adam',
        learning_rate=3e-3,
        epochs=epochs,
        validate_every=1,
        input_noise=0.6,
        max_gradient_norm=1,
    )
    accuracy = net.score(sentences[:held], labels[:held])
    print(f'{accuracy:.1%} of the steps that were held out')

    figure, (curve, sound, said) = canvas(3)
    kerasnets.plots.learning_curves(net, axes=curve)
    sound.imshow(sentences[0].T, aspect='auto')
    sound.set(title='a sentence', xlabel='step', ylabel='feature')
    said.imshow(net.predict_proba(sentences[:1])[0].T, aspect='auto')
    said.plot(labels[0], 'r.', markersize=3)
    said.set(title='true labels (red), probabilities', xlabel='step', ylabel='label')
    save(figure, folder, 'lstm_chime')
    return accuracy


if __name__ == '__main__':
    command(main)()
