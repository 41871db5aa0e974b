"""One process of a training that several share; `test_distribution` starts them.

    python tests/worker.py FOLDER EPOCHS [--address A --processes N --process I] [--die EPOCH]

Prints what came of it as a line of JSON.
"""

import argparse
import json
import os
import pathlib
import signal

import keras
import numpy as np

import kerasnets
from kerasnets import devices


class Killed(keras.callbacks.Callback):
    """Kills the process at the fourth batch of an epoch."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == (self.at, 3):
            os.kill(os.getpid(), signal.SIGKILL)


def shards(x):
    """The rows that each device of this process has in prediction."""
    rows = []

    def look(part):
        rows.extend(len(shard.data) for shard in part.addressable_shards)
        return part

    np.testing.assert_array_equal(devices.run_shared(look, [x]), x)
    return rows


def main():
    # 251 rows in batches of 37: neither they nor the last batch of 29 go round among 2 or 3 devices
    parser = argparse.ArgumentParser()
    parser.add_argument('folder')
    parser.add_argument('epochs', type=int)
    parser.add_argument('--address')
    parser.add_argument('--processes', type=int)
    parser.add_argument('--process', type=int)
    parser.add_argument('--alone', action='store_true')
    parser.add_argument('--die', type=int)
    asked = parser.parse_args()
    if not asked.alone:
        kerasnets.distribute(asked.address, asked.processes, asked.process, timeout=10)
    folder = pathlib.Path(asked.folder)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(251, 10)).astype('f')
    y = x[:, :5].argmax(axis=1)
    weights = rng.random(251)
    net = kerasnets.Classifier([10, (16, 'tanh'), 5], weighted=True)
    rounds = net.itertrain(
        [x, y, weights],
        [x[:97], y[:97], weights[:97]],
        algo='adam',
        learning_rate=0.01,
        epochs=asked.epochs,
        batch_size=37,
        validate_every=1,
        hidden_dropout=0.2,
        hidden_l1=0.01,
        weight_l2=0.01,
        save_progress=folder / 'run.keras',
        save_every=1,
        resume=True,
        tensorboard=folder / 'logs',
        callbacks=[Killed(asked.die)] if asked.die is not None else [],
    )
    losses = []
    for training, validation in rounds:
        losses.append([training['loss'], validation['loss'], training['acc']])
    net.save(folder / 'net.keras')
    again = kerasnets.load(folder / 'net.keras')
    p = net.predict_proba(x)
    sequences = rng.normal(size=(13, 5, 3)).astype('f')
    recurrent = kerasnets.recurrent.Classifier([3, (4, 'lstm'), 3])
    recurrent.train([sequences, rng.integers(3, size=(13, 5))], epochs=1, batch_size=6)
    found = {
        'losses': losses,
        'history': len(net.history),
        'p': p[::50].tolist(),
        'shards': [] if asked.alone else shards(x),
        'apart': float(abs(again.predict_proba(x) - p).max()),
        'sequences': recurrent.predict_proba(sequences)[0].tolist(),
        'written': list(recurrent.predict_sequence([0], 20, rng=1)),
    }
    print(json.dumps(found), flush=True)


if __name__ == '__main__':
    main()
