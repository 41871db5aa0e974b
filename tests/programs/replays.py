"""Operations on networks, replayed in processes in which nothing has been compiled.

A process that has imported kerasnets, and done nothing, is forked for each replay.
"""

import copy
import os
import pickle

import keras
import numpy as np
from fresh import SERVER

RNG = np.random.default_rng(5)
X = RNG.normal(size=(37, 5)).astype('f')
Y = X[:, :3].argmax(1)
LABELS = RNG.integers(5, size=(11, 6))

PENALTIES = {
    'none': {},
    'weights': {'weight_l2': 0.1},
    'other weights': {'weight_l2': 0.7},
    'dropout': {'hidden_dropout': 0.5},
    'noise': {'input_noise': 0.2},
}


class Twice(keras.layers.Layer):
    """A user's layer."""

    def call(self, x):
        return 2 * x


class Fails(keras.callbacks.Callback):
    """Raises at the begin or the end of an epoch."""

    def __init__(self, method, epoch):
        super().__init__()
        self.at = method, epoch

    def on_epoch_begin(self, epoch, logs=None):
        if self.at == ('begin', epoch):
            raise RuntimeError('begin')

    def on_epoch_end(self, epoch, logs=None):
        if self.at == ('end', epoch):
            raise RuntimeError('end')


def make(structure, rng):
    """Return a network."""
    import kerasnets

    if structure == 'recurrent':
        return kerasnets.recurrent.Classifier([5, (4, 'rnn'), 5], rng=rng)
    hidden = {
        'dense': [(6, 'tanh')],
        'wide': [(7, 'tanh')],
        'dropout': [(6, 'tanh'), dict(form='Dropout', rate=0.3)],
        'unit': [dict(size=6, activation='tanh', kernel_constraint=keras.constraints.UnitNorm())],
        'own': [Twice(), (6, 'tanh')],
    }[structure]
    return kerasnets.Classifier([5, *hidden, 3], rng=rng)


def data(net):
    """Return the data of a network."""
    recurrent = len(net.model.input_shape) == 3
    return [LABELS[:, :-1], LABELS[:, 1:]] if recurrent else [X, Y]


class Replayed:
    """A network, and what was seen of it."""

    def __init__(self, net):
        self.net = net
        self.seen = []
        self.steps = None  # of a training that is not over

    def do(self, name, *args):
        """Carry out an operation."""
        getattr(self, name)(*args)

    def train(self, algo, jit, penalty, epochs):
        self.leave()
        options = dict(algo=algo, learning_rate=0.02, batch_size=16, epochs=epochs, jit=jit)
        self.seen += self.net.train(data(self.net), **options, **PENALTIES[penalty])

    def validate(self, algo, jit):
        self.leave()
        x, y = data(self.net)
        options = dict(algo=algo, learning_rate=0.5, batch_size=8, epochs=3, validate_every=1)
        self.seen += self.net.train([x, y], [x[:9], y[:9]], jit=jit, **options)

    def fail(self, method, epoch, jit):
        self.leave()
        options = dict(algo='adam', learning_rate=0.02, batch_size=16, epochs=3, jit=jit)
        try:
            self.net.train(data(self.net), callbacks=[Fails(method, epoch)], **options)
        except RuntimeError as error:
            self.seen.append(str(error))

    def step(self):
        """Train for one epoch, and stand still."""
        if self.steps is None:
            options = dict(algo='sgd', momentum=0.9, learning_rate=0.05, jit=False)
            self.steps = self.net.itertrain(data(self.net), batch_size=16, epochs=4, **options)
        self.seen.extend(next(self.steps, ()))

    def leave(self):
        """Leave a training that is not over."""
        if self.steps is not None:
            self.steps.close()
            self.steps = None

    def predict(self):
        x, _ = data(self.net)
        self.seen.append(self.net.predict_proba(x))

    def evaluate(self):
        self.seen.append(self.net.evaluate(data(self.net)))

    def sample(self):
        if len(self.net.model.input_shape) == 3:
            self.seen.append(list(self.net.predict_sequence([0, 1], 6, rng=3)))

    def freeze(self, frozen):
        self.leave()
        self.net.model.layers[-1].trainable = not frozen

    def set(self, value):
        self.leave()
        param = self.net.params[0]
        param.set_value(param.get_value() * 0 + value)

    def result(self):
        """Return all values, what was seen, and the history."""
        self.leave()
        history = [{**row, 'seconds': 0} for row in self.net.history]
        values = [np.array(v) for v in self.net.model.get_weights()]
        x, _ = data(self.net)
        return values, self.seen, history, self.net.predict_proba(x)


def replay(structures, operations):
    """Carry out operations; return what became of each network.

    Each operation is (place of a network, epsilon or None, name, *arguments); a 'copy' is another
    network, whose place is the next one; 'clear' is about none.
    """
    import kerasnets

    nets = [Replayed(make(structure, rng)) for structure, rng in structures]
    for place, epsilon, name, *args in operations:
        usual = keras.config.epsilon()
        if epsilon is not None:
            keras.config.set_epsilon(epsilon)
        try:
            if name == 'clear':
                kerasnets.clear_cache()
            elif name == 'copy':
                nets[place].leave()
                nets.append(Replayed(copy.deepcopy(nets[place].net)))
            else:
                nets[place].do(name, *args)
        finally:
            keras.config.set_epsilon(usual)
    return [net.result() for net in nets]


def alone(structures, operations, place):
    """Return the structure and the operations of one network, and those of what it is a copy of.

    The network is the last that comes of them.
    """
    copies = [i for i, operation in enumerate(operations) if operation[2] == 'copy']
    if place < len(structures):
        own = [op for op in operations if op[0] == place and op[2] not in ('clear', 'copy')]
        return [structures[place]], [(0, *op[1:]) for op in own]
    made = copies[place - len(structures)]
    origin = operations[made][0]
    found, before = alone(structures, operations[:made], origin)
    last = len([op for op in before if op[2] == 'copy'])
    own = [op for op in operations[made:] if op[0] == place and op[2] not in ('clear', 'copy')]
    copied = (last, *operations[made][1:])
    return found, [*before, copied, *((last + 1, *op[1:]) for op in own)]


class Processes:
    """Replays, each in a process of its own."""

    def __init__(self):
        self.here, there = SERVER.Pipe()
        self.process = SERVER.Process(target=_serve, args=(there,), daemon=True)
        self.process.start()
        self.known = {}

    def replay(self, structures, operations):
        """Return what `replay` returns in a fresh process; equal replays are run once."""
        key = repr((structures, operations))
        if key not in self.known:
            self.here.send((structures, operations))
            self.known[key] = self.here.recv()
        found = self.known[key]
        assert not isinstance(found, str), found
        return found

    def close(self):
        self.here.close()
        self.process.join()


def _serve(connection):
    """Import kerasnets; fork a process for each replay."""
    import kerasnets

    for name in ('Classifier', 'recurrent'):
        getattr(kerasnets, name)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        read, write = os.pipe()
        if not os.fork():
            os.close(read)
            with os.fdopen(write, 'wb') as file:
                file.write(pickle.dumps(_tried(*job)))
            os._exit(0)
        os.close(write)
        with os.fdopen(read, 'rb') as file:
            content = file.read()
        os.wait()
        connection.send(pickle.loads(content) if content else 'the process died')


def _tried(structures, operations):
    """Return what `replay` returns, or how it failed."""
    import traceback

    try:
        return replay(structures, operations)
    except BaseException:
        return traceback.format_exc()
