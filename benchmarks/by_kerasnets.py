"""The works as kerasnets does them, by its defaults."""

import subprocess
import sys
import tempfile

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


def short_32():
    return _dense(32, 30_000)


def short_256():
    return _dense(256, 30_000)


def _small(x, y, layers, epochs):
    """A new network for each run; the import of Keras is done before."""
    import kerasnets

    kerasnets.Classifier([2, 2])

    def run():
        net = kerasnets.Classifier(layers)
        net.train([x, y], algo='adam', learning_rate=1e-3, batch_size=32, epochs=epochs)

    return run


def small():
    return _small(*work.few(), [13, 100, 3], 200)


def small_first():
    return small()


def small_cached():
    """As `small`, after a process of its own that trained the same with the same cache."""
    import kerasnets

    if len(sys.argv) == 2:
        folder = tempfile.mkdtemp()
        subprocess.run([sys.executable, __file__, 'small_cached', folder], check=True, stdout=2)
    else:
        folder = sys.argv[2]
    kerasnets.enable_compilation_cache(folder)
    return small()


def digits():
    return _small(*work.digits(), [64, 100, 10], 30)


def search():
    from sklearn.model_selection import GridSearchCV

    from kerasnets.estimators import NetClassifier

    x, y = work.digits()
    grid = {'learning_rate': [1e-3, 3e-3, 1e-2], 'weight_l2': [1e-4, 1e-3]}
    return lambda: GridSearchCV(NetClassifier(), grid, cv=5).fit(x, y)


def folds():
    from sklearn.model_selection import cross_val_score

    from kerasnets.estimators import NetClassifier

    x, y = work.cancer()
    return lambda: print(cross_val_score(NetClassifier(), x, y, cv=5).mean(), file=sys.stderr)


def predict_1():
    import kerasnets

    x, _ = work.rows(1)
    net = kerasnets.Classifier([work.VARIABLES, work.HIDDEN, work.CLASSES])
    return lambda: [net.predict_proba(x) for _ in range(1000)]


def short_lstm():
    return _recurrent('lstm', 30 * work.BATCH)


def short_gru():
    return _recurrent('gru', 30 * work.BATCH)


def short_rnn():
    return _recurrent('rnn', 30 * work.BATCH)


def wide_lstm():
    return _recurrent('lstm', 30 * work.BATCH, work.WIDE, work.SHORT)


def wide_gru():
    return _recurrent('gru', 30 * work.BATCH, work.WIDE, work.SHORT)


def _recurrent(form, count=work.SEQUENCES, units=work.UNITS, steps=work.STEPS):
    import kerasnets

    data = list(work.letters(count, steps))
    net = kerasnets.recurrent.Classifier([work.LETTERS, (units, form), work.LETTERS])
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
