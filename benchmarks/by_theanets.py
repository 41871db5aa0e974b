"""The works as theanets 0.7.3 does them, in an interpreter that has it (Python 2.7 or 3.6)."""

import work


def _trained(net, data, batch_size, batches):
    epochs = net.itertrain(data, algo='rmsprop', batch_size=batch_size, train_batches=batches)
    return lambda: next(epochs)


def _dense(batch_size):
    import theanets

    x, y = work.rows()
    net = theanets.Classifier([work.VARIABLES, work.HIDDEN, work.CLASSES])
    return _trained(net, [x, y.astype('i')], batch_size, work.ROWS // batch_size)


def dense_32():
    return _dense(32)


def dense_256():
    return _dense(256)


def _recurrent(form):
    import theanets

    x, y = work.letters()
    net = theanets.recurrent.Classifier([work.LETTERS, (work.UNITS, form), work.LETTERS])
    data = [work.one_hot(x), y.astype('i')]
    return _trained(net, data, work.BATCH, work.SEQUENCES // work.BATCH)


def lstm():
    return _recurrent('lstm')


def gru():
    return _recurrent('gru')


def rnn():
    return _recurrent('rnn')


def sample_1():
    import theanets

    net = theanets.recurrent.Classifier([work.LETTERS, (work.UNITS, 'lstm'), work.LETTERS])
    return lambda: list(net.predict_sequence([0], work.SAMPLED))


def first():
    return _recurrent('lstm')


if __name__ == '__main__':
    work.main(globals())
