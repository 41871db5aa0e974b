"""The works in plain Keras on TensorFlow, as its guides write them."""

import numpy as np
import work


def _compiled(model):
    model.compile(optimizer='rmsprop', loss='sparse_categorical_crossentropy', metrics=['accuracy'])
    return model


def _dense_model():
    import keras

    return keras.Sequential(
        [
            keras.Input((work.VARIABLES,)),
            keras.layers.Dense(work.HIDDEN, activation='relu'),
            keras.layers.Dense(work.CLASSES, activation='softmax'),
        ]
    )


def _dense(batch_size, rows=work.ROWS):
    x, y = work.rows(rows)
    model = _compiled(_dense_model())
    return lambda: model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0)


def dense_32():
    return _dense(32)


def dense_256():
    return _dense(256)


def short_32():
    return _dense(32, 30_000)


def short_256():
    return _dense(256, 30_000)


def predict_1():
    """The model called as a function."""
    x, _ = work.rows(1)
    model = _dense_model()
    return lambda: [np.asarray(model(x)) for _ in range(1000)]


def short_lstm():
    return _recurrent('LSTM', 30 * work.BATCH)


def short_gru():
    return _recurrent('GRU', 30 * work.BATCH)


def short_rnn():
    return _recurrent('SimpleRNN', 30 * work.BATCH)


def wide_lstm():
    return _recurrent('LSTM', 30 * work.BATCH, work.WIDE, work.SHORT)


def wide_gru():
    return _recurrent('GRU', 30 * work.BATCH, work.WIDE, work.SHORT)


def _recurrent(layer, count=work.SEQUENCES, units=work.UNITS, steps=work.STEPS):
    import keras

    x, y = work.letters(count, steps)
    x = work.one_hot(x)
    model = _compiled(
        keras.Sequential(
            [
                keras.Input((None, work.LETTERS)),
                getattr(keras.layers, layer)(units, return_sequences=True),
                keras.layers.Dense(work.LETTERS, activation='softmax'),
            ]
        )
    )
    return lambda: model.fit(x, y, batch_size=work.BATCH, epochs=1, verbose=0)


def lstm():
    return _recurrent('LSTM')


def gru():
    return _recurrent('GRU')


def rnn():
    return _recurrent('SimpleRNN')


def predict():
    x, _ = work.rows(100_000)
    model = _dense_model()
    return lambda: model.predict(x, verbose=0)


def sample_1():
    """A stateful model that is called with one step at a time."""
    import keras

    model = keras.Sequential(
        [
            keras.Input(batch_shape=(1, 1, work.LETTERS)),
            keras.layers.LSTM(work.UNITS, stateful=True),
            keras.layers.Dense(work.LETTERS, activation='softmax'),
        ]
    )
    eye, rng = np.eye(work.LETTERS, dtype='f'), np.random.default_rng(1)

    def run():
        label, found = 0, []
        model.layers[0].reset_states()
        for _ in range(work.SAMPLED):
            p = np.asarray(model.predict_on_batch(eye[[[label]]])[0], dtype='d')
            label = int(rng.choice(work.LETTERS, p=p / p.sum()))
            found.append(label)
        return found

    return run


def first():
    return _recurrent('LSTM')


def memory():
    return _dense(256, 2**30 // (4 * work.VARIABLES))


if __name__ == '__main__':
    work.main(globals())
