"""The works as kerasnets does them, by its defaults."""

import work


def _dense(batch_size, rows=work.ROWS):
    import kerasnets

    data = list(work.rows(rows))
    net = kerasnets.Classifier([work.VARIABLES, work.HIDDEN, work.CLASSES])
    return lambda: net.train(data, epochs=1, batch_size=batch_size)


def dense_32():
    return _dense(32)


def dense_256():
    return _dense(256)


def _recurrent(form):
    import kerasnets

    data = list(work.letters())
    net = kerasnets.recurrent.Classifier([work.LETTERS, (work.UNITS, form), work.LETTERS])
    return lambda: net.train(data, epochs=1, batch_size=work.BATCH)


def lstm():
    return _recurrent('lstm')


def gru():
    return _recurrent('gru')


def rnn():
    return _recurrent('rnn')


def predict():
    import kerasnets

    x, _ = work.rows(100_000)
    net = kerasnets.Classifier([work.VARIABLES, work.HIDDEN, work.CLASSES])
    return lambda: net.predict_proba(x)


def _sample(streams):
    import kerasnets

    net = kerasnets.recurrent.Classifier([work.LETTERS, (work.UNITS, 'lstm'), work.LETTERS])
    return lambda: list(net.predict_sequence([0], work.SAMPLED, streams=streams))


def sample_1():
    return _sample(1)


def sample_64():
    return _sample(64)


def first():
    return _recurrent('lstm')


def memory():
    return _dense(256, 2**30 // (4 * work.VARIABLES))


if __name__ == '__main__':
    work.main(globals())
