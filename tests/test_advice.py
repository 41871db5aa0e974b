"""Advice that names code is right when it is followed: the next call works."""

import re

import keras
import numpy as np
import pandas
import pytest

import kerasnets
from kerasnets import recurrent
from kerasnets.errors import KerasnetsError
from kerasnets.estimators import NetClassifier, SequenceClassifier

X = np.random.default_rng(1).normal(size=(12, 4)).astype('f')
Y = X[:, :3].argmax(1)
STEPS = np.random.default_rng(2).normal(size=(6, 5, 3)).astype('f')
LABELS = STEPS.argmax(2)
IMAGES = np.random.default_rng(3).normal(size=(6, 6, 6)).astype('f')
FAST = dict(epochs=1, verbose=0)


def classifier(*layers, **keywords):
    return kerasnets.Classifier(list(layers) or [4, (5, 'tanh'), 3], **keywords)


def image(*rest):
    conv = dict(form='conv2', size=2, filter_size=(3, 3))
    return kerasnets.Classifier([(6, 6, 1), conv, *rest, 3])


def stop(monitor):
    return keras.callbacks.EarlyStopping(monitor=monitor)


#: Mistake -> (call that fails, advice in its message, call that follows the advice).
ADVICE = {
    'a row': (
        lambda: classifier().predict(X[0]),
        'array[None]',
        lambda: classifier().predict(X[0][None]),
    ),
    'one-hot labels': (
        lambda: classifier().train([X, np.eye(3)[Y]], **FAST),
        'array.argmax(axis=-1)',
        lambda: classifier().train([X, np.eye(3)[Y].argmax(axis=-1)], **FAST),
    ),
    'probabilities of classes': (
        lambda: classifier().train([X, np.full((len(X), 3), 1 / 3)], **FAST),
        "loss='kl'",
        lambda: kerasnets.Classifier([X.shape[1], 3], loss='kl').train(
            [X, np.full((len(X), 3), 1 / 3)], **FAST
        ),
    ),
    'several labels': (
        lambda: classifier().train([X, np.ones((len(X), 3), int)], **FAST),
        "a Regressor with the last layer (3, 'logistic') and loss='binary_crossentropy'",
        lambda: kerasnets.Regressor(
            [X.shape[1], (3, 'logistic')], loss='binary_crossentropy'
        ).train([X, np.ones((len(X), 3), int)], **FAST),
    ),
    'values for labels': (
        lambda: classifier().train([X, np.full((len(X), 3), 2.5)], **FAST),
        'use a Regressor',
        lambda: kerasnets.Regressor([X.shape[1], 3]).train([X, np.full((len(X), 3), 2.5)], **FAST),
    ),
    'labels from 1': (
        lambda: classifier().train([X, Y + 1], **FAST),
        'labels, names = kerasnets.util.encode_labels(labels)',
        lambda: classifier().train([X, kerasnets.util.encode_labels(Y + 1)[0]], **FAST),
    ),
    'words': (
        lambda: classifier().train([X, np.array(['a', 'b', 'c'])[Y]], **FAST),
        'labels, names = kerasnets.util.encode_labels(labels)',
        lambda: classifier().train(
            [X, kerasnets.util.encode_labels(np.array(['a', 'b', 'c'])[Y])[0]], **FAST
        ),
    ),
    'more classes': (
        lambda: classifier().train([X, np.arange(12) % 4], **FAST),
        'Make the last layer of size 4',
        lambda: classifier(4, 4).train([X, np.arange(12) % 4], **FAST),
    ),
    'separate arrays': (
        lambda: classifier().train([X], **FAST),
        '[inputs, targets]',
        lambda: classifier().train([X, Y], **FAST),
    ),
    'weights': (
        lambda: classifier().train([X, Y, np.ones(12)], **FAST),
        'weighted=True',
        lambda: classifier(weighted=True).train([X, Y, np.ones(12)], **FAST),
    ),
    'masked': (
        lambda: classifier().predict(np.ma.masked_greater(X, 0)),
        'array.filled(0)',
        lambda: classifier().predict(np.ma.masked_greater(X, 0).filled(0)),
    ),
    'one label for a sequence': (
        lambda: recurrent.Classifier([3, (4, 'rnn'), 3]).train([STEPS, LABELS[:, 0]], **FAST),
        "dict(form='rnn', size=20, return_sequences=False)",
        lambda: recurrent.Classifier(
            [3, dict(form='rnn', size=20, return_sequences=False), 3]
        ).train([STEPS, LABELS[:, 0]], **FAST),
    ),
    'time first': (
        lambda: recurrent.Classifier([3, (4, 'rnn'), 3]).train(
            [STEPS, np.swapaxes(LABELS, 0, 1)], **FAST
        ),
        'time_major=True',
        lambda: recurrent.Classifier([3, (4, 'rnn'), 3], time_major=True).train(
            [np.swapaxes(STEPS, 0, 1), np.swapaxes(LABELS, 0, 1)], **FAST
        ),
    ),
    'flat': (
        lambda: image().train([IMAGES, Y[:6]], **FAST),
        "'flat'",
        lambda: image('flat').train([IMAGES, Y[:6]], **FAST),
    ),
    'filters': (
        lambda: kerasnets.Classifier([(6, 6, 1), (2, 'conv2', 'relu'), 'flat', 3]),
        "dict(form='conv2', size=2, filter_size=(3, 3))",
        lambda: image('flat'),
    ),
    'autoencoder': (
        lambda: kerasnets.Autoencoder([4, 2]),
        '[4, 2, 4]',
        lambda: kerasnets.Autoencoder([4, 2, 4]),
    ),
    'one layer': (
        lambda: kerasnets.Classifier([4]).predict(X),
        '[10, 20, 3]',
        lambda: kerasnets.Classifier([10, 20, 3]),
    ),
    'a number of layers': (
        lambda: kerasnets.Classifier(4),
        '[10, 20, 3]',
        lambda: kerasnets.Classifier([10, 20, 3]),
    ),
    'no loss': (
        lambda: kerasnets.Network([4, 3]).train([X, Y], **FAST),
        "set_loss('xe')",
        lambda: (net := classifier(), net.set_loss('xe'), net.train([X, Y], **FAST)),
    ),
    'rate': (
        lambda: classifier().train([X, Y], lr=0.1, **FAST),
        'learning_rate=',
        lambda: classifier().train([X, Y], learning_rate=0.1, **FAST),
    ),
    'optimizer': (
        lambda: classifier().train([X, Y], optimizer='adam', **FAST),
        'algo=',
        lambda: classifier().train([X, Y], algo='adam', **FAST),
    ),
    'fit': (
        lambda: classifier().fit(X, Y),
        'train([inputs, targets])',
        lambda: classifier().train([X, Y], **FAST),
    ),
    'stateful': (
        lambda: recurrent.Regressor([3, keras.layers.LSTM(2, stateful=True), 2]),
        'net.stream()',
        lambda: recurrent.Regressor([3, (2, 'lstm'), 2]).stream().predict(STEPS),
    ),
    'convolution in a stream': (
        lambda: recurrent.Regressor([3, dict(form='conv1', size=2, filter_size=2), 2]).stream(),
        "padding='causal'",
        lambda: recurrent.Regressor(
            [3, dict(form='conv1', size=2, filter_size=2, padding='causal'), 2]
        ).stream(),
    ),
    'other sequences in a stream': (
        lambda: (s := recurrent.Regressor([3, 2]).stream(), s.predict(STEPS), s.predict(STEPS[:2])),
        'reset()',
        lambda: (
            s := recurrent.Regressor([3, 2]).stream(),
            s.predict(STEPS),
            s.reset(),
            s.predict(STEPS[:2]),
        ),
    ),
    'names without names': (
        lambda: classifier().predict(X, names=True),
        'class_names=',
        lambda: classifier(class_names=kerasnets.util.encode_labels(Y)[1]).predict(X, names=True),
    ),
    'halves': (
        lambda: recurrent.Regressor([3, dict(form='bidirectional', size=5), 2]),
        'Use 6',
        lambda: recurrent.Regressor([3, dict(form='bidirectional', size=6), 2]),
    ),
    'feedback': (
        lambda: recurrent.Regressor([3, (4, 'rnn'), 1]).predict_sequence(STEPS[0], 2),
        'feedback=',
        lambda: recurrent.Regressor([3, (4, 'rnn'), 1], feedback=[0]).predict_sequence(STEPS[0], 1),
    ),
    'a stop that is a text': (
        lambda: recurrent.Classifier([3, (4, 'rnn'), 3]).predict_sequence([0], 2, stop='a'),
        'text=Text(...)',
        lambda: list(
            recurrent.Classifier(
                [3, (4, 'rnn'), 3], text=recurrent.Text('abab')
            ).predict_sequence([0], 2, stop='a')
        ),
    ),
    'a callable as tensorboard': (
        lambda: classifier().train([X, Y], tensorboard=5, **FAST),
        "tensorboard='logs'",
        lambda: classifier().train([X, Y], tensorboard='logs', **FAST),
    ),
    'verbose': (
        lambda: classifier().train([X, Y], epochs=1, verbose='yes'),
        "'auto', 0, 1 or 2",
        lambda: classifier().train([X, Y], epochs=1, verbose=2),
    ),
    'patience': (
        lambda: classifier().train([X, Y], patience=0.5, **FAST),
        'Write for example 10',
        lambda: classifier().train([X, Y], patience=10, **FAST),
    ),
    'a column of words': (
        lambda: classifier().predict(pandas.DataFrame(X[:, :3]).assign(c='w')),
        'Convert them to numbers first',
        lambda: classifier().predict(pandas.DataFrame(X[:, :3]).assign(c=0)),
    ),
    'one array in a list': (
        lambda: classifier().predict([X]),
        'without a list around it',
        lambda: classifier().predict(X),
    ),
    'swapped axes': (lambda: classifier().predict(X.T), 'array.T', lambda: classifier().predict(X)),
    'images for dense layers': (
        lambda: kerasnets.Classifier([36, 3]).predict(IMAGES),
        'array.reshape(-1, 36)',
        lambda: kerasnets.Classifier([36, 3]).predict(IMAGES.reshape(-1, 36)),
    ),
    'channels first': (
        lambda: kerasnets.Classifier([(6, 6, 2), 'flat', 3]).predict(np.zeros((4, 2, 6, 6))),
        'numpy.moveaxis(array, 1, -1)',
        lambda: kerasnets.Classifier([(6, 6, 2), 'flat', 3]).predict(
            np.moveaxis(np.zeros((4, 2, 6, 6)), 1, -1)
        ),
    ),
    'one value for a sequence': (
        lambda: recurrent.Regressor([3, (4, 'rnn'), 1]).train([STEPS, STEPS[:, 0, 0]], **FAST),
        "dict(form='rnn', size=20, return_sequences=False)",
        lambda: recurrent.Regressor(
            [3, dict(form='rnn', size=20, return_sequences=False), 1]
        ).train([STEPS, STEPS[:, 0, 0]], **FAST),
    ),
    'labels of steps for one label': (
        lambda: recurrent.Classifier(
            [3, dict(form='rnn', size=4, return_sequences=False), 3]
        ).train([STEPS, LABELS], **FAST),
        'Recurrent networks without return_sequences=False take one for each time step',
        lambda: recurrent.Classifier([3, (4, 'rnn'), 3]).train([STEPS, LABELS], **FAST),
    ),
    'halves as labels': (
        lambda: classifier().train([X, Y / 2], **FAST),
        'use a Regressor for values',
        lambda: kerasnets.Regressor([4, 1]).train([X, Y / 2], **FAST),
    ),
    'a dict': (
        lambda: classifier().train({'x': X, 'y': Y}, **FAST),
        '[inputs, targets]',
        lambda: classifier().train([X, Y], **FAST),
    ),
    'targets of an autoencoder': (
        lambda: kerasnets.Autoencoder([4, 2, 4]).train([X, X], **FAST),
        'pass them once, as [inputs]',
        lambda: kerasnets.Autoencoder([4, 2, 4]).train([X], **FAST),
    ),
    'weights left out': (
        lambda: classifier(weighted=True).train([X, Y], **FAST),
        '[inputs, targets, weights]',
        lambda: classifier(weighted=True).train([X, Y, np.ones(12)], **FAST),
    ),
    'evaluate as in Keras': (
        lambda: classifier().evaluate(X, Y),
        '[inputs, targets]',
        lambda: classifier().evaluate([X, Y]),
    ),
    'a monitor that is a word': (
        lambda: classifier().train([X, Y], monitors='accuracy', **FAST),
        "monitors=['accuracy']",
        lambda: classifier().train([X, Y], monitors=['accuracy'], **FAST),
    ),
    'accuracy as Keras names it': (
        lambda: classifier().train([X, Y], [X, Y], callbacks=[stop('val_accuracy')], **FAST),
        "Watch 'val_acc'",
        lambda: classifier().train([X, Y], [X, Y], callbacks=[stop('val_acc')], **FAST),
    ),
    'early stopping without validation': (
        lambda: classifier().train([X, Y], callbacks=[stop('val_loss')], **FAST),
        "Pass valid=[inputs, targets], or watch 'loss'",
        lambda: classifier().train([X, Y], callbacks=[stop('loss')], **FAST),
    ),
    'an activation of numpy': (
        lambda: classifier(4, (5, lambda x: np.maximum(x, 0)), 3),
        'keras.ops',
        lambda: classifier(4, (5, lambda x: keras.ops.maximum(x, 0)), 3).predict(X),
    ),
    'a class as an activation': (
        lambda: classifier(4, (5, keras.layers.ReLU), 3),
        'ReLU()',
        lambda: classifier(4, (5, keras.layers.ReLU()), 3).predict(X),
    ),
    'a class as a layer': (
        lambda: classifier(4, keras.layers.BatchNormalization, 3),
        'BatchNormalization(...)',
        lambda: classifier(4, keras.layers.BatchNormalization(), 3).predict(X),
    ),
    'a misspelt keyword of a network': (
        lambda: classifier(rg=1), "'rng'", lambda: classifier(rng=1)
    ),
    'validation as in XGBoost': (
        lambda: classifier().train([X, Y], eval_set=[X, Y], **FAST),
        'valid=[inputs, targets]',
        lambda: classifier().train([X, Y], valid=[X, Y], **FAST),
    ),
    'activation of all layers': (
        lambda: classifier().train([X, Y], activation='relu', **FAST),
        "Classifier([inputs, (100, 'tanh'), classes])",
        lambda: classifier(4, (100, 'tanh'), 3).train([X, Y], **FAST),
    ),
    'probabilities of values': (
        lambda: kerasnets.Regressor([4, 3]).predict_proba(X),
        'Build a Classifier',
        lambda: classifier().predict_proba(X),
    ),
    'a network without layers': (
        lambda: kerasnets.Classifier([]).predict(X),
        '[10, 20, 3]',
        lambda: kerasnets.Classifier([10, 20, 3]),
    ),
    'an estimator as of scikit-learn': (
        lambda: NetClassifier(hidden_layer_sizes=(5,)),
        'layers=[100]',
        lambda: NetClassifier(layers=[100], epochs=1).fit(X, Y),
    ),
    'a misspelt keyword of an estimator': (
        lambda: NetClassifier(learning_rat=0.1),
        "keyword of NetClassifier 'learning_rat'. Did you mean 'learning_rate'?",
        lambda: NetClassifier(learning_rate=0.1),
    ),
    'one class of sequences': (
        lambda: SequenceClassifier([4]).fit(list(STEPS), [0] * 6),
        'Add examples of another',
        lambda: SequenceClassifier([4], epochs=1).fit(list(STEPS), [0, 1] * 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize('mistake', ADVICE)
def test_advice_that_is_followed_works(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong, advice, right = ADVICE[mistake]
    with pytest.raises((KerasnetsError, AttributeError)) as raised:
        wrong()
    assert advice in re.sub(r'\s+', ' ', str(raised.value))
    right()
