import contextlib
import io
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import keras
import numpy as np
import pytest
import rich.console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasnets
from kerasnets.callbacks import Lines, Progress, TensorBoard, progress
from kerasnets.errors import ConfigurationError, FileError

X = np.random.default_rng(3).normal(size=(50, 4)).astype('f')
Y = X[:, :3].argmax(1)


def read(run):
    events = EventAccumulator(str(run), size_guidance={'tensors': 0})
    events.Reload()
    return events


def scalars(events, tag):
    import tensorflow as tf

    return [float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]


def test_event_files_hold_the_scalars_that_training_returned(tmp_path):
    net = kerasnets.Classifier([4, 5, 3])
    pairs = list(
        net.itertrain(
            [X, Y], [X[:9], Y[:9]], epochs=3, validate_every=1, tensorboard=tmp_path / 'logs'
        )
    )
    (run,) = (tmp_path / 'logs').iterdir()
    for i, (part, more) in enumerate([('train', {'learning_rate'}), ('valid', set())]):
        events = read(run / part)
        assert {*events.Tags()['tensors']} == {'loss', 'err', 'acc', *more}
        assert [e.step for e in events.Tensors('loss')] == [1, 2, 3]
        for name in ('loss', 'err', 'acc'):
            want = [pair[i][name] for pair in pairs]
            np.testing.assert_allclose(scalars(events, name), want, rtol=1e-6)
    rates = scalars(read(run / 'train'), 'learning_rate')
    np.testing.assert_allclose(rates, [1e-4] * 3, rtol=1e-6)


def test_runs_are_named_after_what_differs(tmp_path):
    for layers, options in [
        ([4, 5, 3], {}),
        ([4, 5, 3], dict(weight_l2=0.1)),
        ([4, (6, 'tanh'), 3], dict(algo='adam', learning_rate=0.01)),
        ([4, 5, 3], {}),
        ([4, 5, 3], dict(dropout={'hid1:out': 0.2})),
    ]:
        kerasnets.Classifier(layers).train([X, Y], epochs=1, tensorboard=tmp_path, **options)
    assert {path.name for path in tmp_path.iterdir()} == {
        '4-5-3,rmsprop',
        '4-5-3,rmsprop,weight_l2=0.1',
        '4-6tanh-3,adam,learning_rate=0.01',
        '4-5-3,rmsprop,2',
        '4-5-3,rmsprop,dropout=_hid1_out_0.2_',
    }


def test_histograms_when_asked(tmp_path):
    net = kerasnets.Classifier([4, 5, 3])
    board = TensorBoard(tmp_path, histograms=True)
    net.train([X, Y], epochs=2, tensorboard=board)
    tags = set(read(board.run / 'train').Tags()['tensors'])
    assert {f'{name}/histogram' for name in ('hid1.w', 'hid1.b', 'out.w', 'out.b')} <= tags


def test_hyperparameters_of_training_and_of_regularizers(tmp_path):
    from tensorboard.plugins.hparams import metadata

    net = kerasnets.Classifier([4, 5, 3])
    options = dict(algo='sgd', momentum=0.5, weight_l2=0.1, dropout={'hid1:out': 0.2})
    net.train([X, Y], epochs=2, batch_size=8, tensorboard=tmp_path, **options)
    (run,) = tmp_path.iterdir()
    said = read(run).SummaryMetadata('_hparams_/session_start_info').plugin_data.content
    found = metadata.parse_session_start_info_plugin_data(said).hparams
    assert found['algo'].string_value == 'sgd'
    assert found['momentum'].number_value == 0.5
    assert found['batch_size'].number_value == 8
    assert found['weight_l2'].number_value == 0.1
    assert found['dropout'].string_value == "{'hid1:out': 0.2}"
    assert found['network'].string_value == 'feedforward.Classifier([4, 5, 3])'


def test_images_of_weights(tmp_path):
    import tensorflow as tf

    net = kerasnets.Classifier([4, 5, 3])
    board = TensorBoard(tmp_path, images=True)
    net.train([X, Y], epochs=1, tensorboard=board)
    events = read(board.run / 'train')
    width, height, png = tf.make_ndarray(events.Tensors('hid1.w/image')[0].tensor_proto)
    assert (width, height) == (b'5', b'4')
    image = tf.io.decode_png(png).numpy()[:, :, 0] / 255
    w = net.find('hid1', 'w').get_value()
    np.testing.assert_allclose(image, 0.5 + w / (2 * abs(w).max()), atol=0.005)
    assert 'hid1.b/image' not in events.Tags()['tensors']


def test_the_graph_of_the_model(tmp_path):
    net = kerasnets.Classifier([4, (5, 'tanh'), 3])
    net.train([X, Y], epochs=1, tensorboard=dict(path=tmp_path, graph=True))
    (run,) = tmp_path.iterdir()
    if keras.backend.backend() == 'tensorflow':
        assert {'Tanh', 'Softmax', 'MatMul'} <= {node.op for node in read(run).Graph().node}


@pytest.mark.slow
def test_a_server_shows_what_was_written(tmp_path):
    net = kerasnets.Classifier([4, 5, 3])
    training, _ = net.train([X, Y], epochs=2, tensorboard=dict(path=tmp_path, histograms=True))
    options = ['--logdir', str(tmp_path), '--port', '0', '--load_fast', 'false']
    command = [sys.executable, '-m', 'tensorboard.main', *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = next(filter(None, (re.search(r'http://\S+', line) for line in server.stderr)))[0]
            check_server(url, tmp_path, training)
        finally:
            server.kill()


def check_server(url, folder, training):
    """Ask a server of TensorBoard for what a training of two epochs wrote."""
    (run,) = (path.name for path in folder.iterdir())

    def ask(plugin, **query):
        address = f'{url}data/plugin/{plugin}?{urllib.parse.urlencode(query)}'
        with urllib.request.urlopen(address) as answer:
            return json.load(answer)

    assert {'loss'} <= {*ask('scalars/tags')[f'{run}/train']}
    shown = ask('scalars/scalars', run=f'{run}/train', tag='loss')
    assert [step for _, step, _ in shown] == [1, 2]
    assert shown[-1][2] == pytest.approx(training['loss'], rel=1e-5)
    assert 'hid1.w/histogram' in ask('histograms/tags')[f'{run}/train']


def test_a_sample_of_text_each_epoch(tmp_path):
    text = kerasnets.recurrent.Text('abcdefgh' * 20)
    net = kerasnets.recurrent.Classifier([text.classes, (6, 'lstm'), text.classes], text=text)
    batches = text.classifier_batches(10, 4, rng=1)
    net.train(batches, epochs=2, train_batches=2, tensorboard=dict(path=tmp_path))
    (run,) = tmp_path.iterdir()
    import tensorflow as tf

    samples = [
        tf.make_ndarray(e.tensor_proto).item().decode()
        for e in read(run / 'train').Tensors('sample')
    ]
    assert len(samples) == 2
    assert all(s.startswith('abcdefgh' * 5 + '|') and len(s) == 241 for s in samples)


def test_logs_are_closed_when_training_is_left(tmp_path):
    net = kerasnets.Classifier([4, 5, 3])
    board = TensorBoard(tmp_path)
    steps = net.itertrain([X, Y], epochs=5, tensorboard=board)
    next(steps)
    steps.close()
    assert len(scalars(read(board.run / 'train'), 'loss')) == 1


@pytest.mark.parametrize(
    ('asked', 'says'),
    [
        (3, 'as a path, a dict or a TensorBoard'),
        (dict(path='x', histogram=True), "Did you mean 'histograms'"),
        (dict(histograms=True), "expected a 'path'"),
    ],
)
def test_invalid_tensorboard_arguments(asked, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = kerasnets.Classifier([4, 5, 3])
    with pytest.raises(ConfigurationError, match=says):
        net.train([X, Y], epochs=1, tensorboard=asked)
    assert not list(tmp_path.iterdir())


def test_monitors_are_logged_too(tmp_path):
    net = kerasnets.Classifier([4, 5, 3])
    asked = dict(monitors={'hid1:out': 0.1}, monitor_gradients=True)
    training, validation = net.train([X, Y], [X, Y], epochs=1, tensorboard=tmp_path, **asked)
    (run,) = tmp_path.iterdir()
    for name, part, monitors in (
        ('hid1:out<0.1', 'train', training),
        ('hid1:out<0.1', 'valid', validation),
        ('grad(out.w)', 'train', training),
    ):
        np.testing.assert_allclose(scalars(read(run / part), name), monitors[name], rtol=1e-5)


def test_the_progress_bar_shows_loss_accuracy_and_time():
    screen = io.StringIO()
    console = rich.console.Console(file=screen, force_terminal=True, width=160)
    net = kerasnets.Classifier([4, 5, 3])
    monitors = net.train(
        [X, Y], [X, Y], epochs=2, validate_every=1, callbacks=[Progress(console)], verbose=0
    )
    shown = screen.getvalue()
    assert 'epoch 1/2' in shown
    assert 'epoch 2/2' in shown
    assert '2/2' in shown
    for i, prefix in enumerate(('', 'val_')):
        for name in ('loss', 'acc'):
            assert f'{prefix}{name} {monitors[i][name]:.4f}' in shown
    assert '0:0' in shown
    assert 'batches/s' in shown


def test_progress_is_for_terminals(monkeypatch, capsys):
    assert not progress(0)
    assert [type(c) for v in (1, 2) for c in progress(v)] == [Progress, Lines]
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    assert progress('auto')
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: False, raising=False)
    assert not progress('auto')
    kerasnets.Classifier([4, 5, 3]).train([X, Y], epochs=1)
    assert capsys.readouterr().err == ''


@pytest.mark.skipif(keras.backend.backend() == 'torch', reason='there Keras trains each epoch')
@pytest.mark.parametrize('shown', [Lines, Progress])
def test_showing_epochs_costs_no_call_of_fit_for_each(shown, monkeypatch):
    """Many epochs are run in one computation; all of them are shown, in order."""
    console = rich.console.Console(file=io.StringIO(), width=120, force_terminal=False)
    calls, heard = [], []
    fit = keras.Model.fit
    monkeypatch.setattr(
        keras.Model, 'fit', lambda self, *a, **k: (calls.append(1), fit(self, *a, **k))[1]
    )

    class Heard(shown):
        def on_epoch_begin(self, epoch, logs=None):
            heard.append(('begin', epoch))
            super().on_epoch_begin(epoch, logs)

        def on_epoch_end(self, epoch, logs=None):
            heard.append(('end', epoch, round(logs['loss'], 6), 'val_loss' in logs))
            super().on_epoch_end(epoch, logs)

    net = kerasnets.Classifier([4, 5, 3])
    net.train(
        [X, Y],
        [X, Y],
        epochs=25,
        validate_every=10,
        patience=9,
        callbacks=[Heard(console)],
        jit=False,
    )
    rows = [round(row['loss'], 6) for row in net.history]
    want = [(('begin', i), ('end', i, rows[i], i in (9, 19, 24))) for i in range(25)]
    assert heard == [event for pair in want for event in pair]
    assert len(calls) == 1
    if shown is Lines:
        lines = console.file.getvalue().splitlines()
        assert [line.split()[1] for line in lines] == [f'{i + 1}/25' for i in range(25)]
        assert [i for i, line in enumerate(lines) if 'val_loss' in line] == [9, 19, 24]


@pytest.mark.parametrize('monitor', ['val_acc', 'acc', 'val_err'])
def test_callbacks_know_the_direction_of_a_monitor(monitor, tmp_path):
    """They do what Keras' callbacks do where the direction is given by hand."""
    x = np.random.default_rng(0).normal(size=(60, 4)).astype('f')
    y = x[:, :3].argmax(1)
    mode = 'min' if monitor.endswith('err') else 'max'
    histories = []
    for more in ({}, {'mode': mode}):
        net = kerasnets.Classifier([4, 5, 3])
        path = str(tmp_path / f'{len(more)}.weights.h5')
        callbacks = [
            keras.callbacks.EarlyStopping(monitor=monitor, patience=1, **more),
            keras.callbacks.ModelCheckpoint(
                path, monitor=monitor, save_best_only=True, save_weights_only=True, **more
            ),
        ]
        options = dict(epochs=12, algo='sgd', learning_rate=0.3, callbacks=callbacks, jit=False)
        net.train([x, y], [x[:20], y[:20]], **options)
        best = [row[monitor] for row in net.history]
        assert callbacks[1].best == (min(best) if mode == 'min' else max(best))
        histories.append([row['loss'] for row in net.history])
    assert histories[0] == histories[1]


@pytest.mark.parametrize('width', [60, 80, 100, 120, 140, 160])
def test_the_bar_fits_the_terminal(width):
    written = io.StringIO()
    console = rich.console.Console(file=written, width=width, force_terminal=True)
    bar = Progress(console)
    bar.set_params({'epochs': 1000, 'steps': 200})
    logs = dict.fromkeys(('loss', 'acc', 'val_loss', 'val_acc'), 0.123456)
    bar.on_train_begin()
    for epoch in (0, 998):
        bar.on_epoch_begin(epoch)
        bar.start -= 1
        bar.on_train_batch_end(99, logs)
        bar.on_epoch_end(epoch, logs)
        bar.bars.refresh()
        lines = console.render_lines(bar.bars.get_renderable(), pad=False)
        assert len(lines) == 1
        text = ''.join(segment.text for segment in lines[0])
        assert 'loss 0.1235' in text
        assert '…' not in text
        assert ('val_acc' in text) == (width >= 120)
    assert bar.bars.tasks[0].fields['left'] < 60  # of one more epoch of a thousand
    bar.on_train_end()


def test_runs_are_named_by_the_numbers_of_a_schedule(tmp_path):
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.9)
    kerasnets.Classifier([4, 3]).train([X, Y], epochs=1, learning_rate=rate, tensorboard=tmp_path)
    (run,) = tmp_path.iterdir()
    assert run.name == '4-3,rmsprop,learning_rate=ExponentialDecay_0.01,100,0.9_'


def test_logs_that_cannot_be_written_are_an_error(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(FileError, match=r'cannot write the logs of TensorBoard.* another folder'):
        kerasnets.Classifier([4, 3]).train([X, Y], epochs=1, tensorboard=tmp_path / 'file')


def heard(train, fails):
    """Return what a callback hears at the end of each epoch, and at the end of the training."""
    calls = []

    def on_epoch_end(epoch, logs):
        calls.append(('epoch', sorted(logs)))
        if fails and epoch == 1:
            raise RuntimeError('of the callback')

    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=on_epoch_end, on_train_end=lambda logs: calls.append(('end', sorted(logs)))
    )
    with (
        pytest.raises(RuntimeError, match='of the callback') if fails else contextlib.nullcontext()
    ):
        train(callback)
    return calls


@pytest.mark.parametrize('fails', [True, False])
def test_callbacks_hear_of_the_end_as_in_keras(fails):
    net = kerasnets.Regressor([4, 3])
    x, y = np.eye(4, dtype='f'), np.eye(4, 3, dtype='f')
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile('sgd', 'mse')
    options = dict(epochs=3, verbose=0)
    got = heard(lambda one: net.train([x, y], callbacks=[one], **options), fails)
    want = heard(lambda one: model.fit(x, y, callbacks=[one], **options), fails)
    got, want = ([(what, 'loss' in logs) for what, logs in calls] for calls in (got, want))
    assert got == want


def test_a_checkpoint_named_by_a_validation_has_one_each_epoch(tmp_path):
    net, data = kerasnets.Classifier([4, 3]), [np.eye(4, dtype='f'), [0, 1, 2, 0]]
    one = keras.callbacks.ModelCheckpoint(tmp_path / '{epoch}-{val_acc:.3f}.keras')
    net.train(data, data, epochs=3, callbacks=[one])
    want = {f'{row["epoch"]}-{row["val_acc"]:.3f}.keras' for row in net.history}
    assert set(os.listdir(tmp_path)) == want
    wrong = keras.callbacks.ModelCheckpoint(tmp_path / '{epoch}-{val_accuracy:.3f}.keras')
    with pytest.raises(kerasnets.ConfigurationError, match="Watch 'val_acc'"):
        net.train(data, data, callbacks=[wrong])
    with pytest.raises(kerasnets.ConfigurationError, match='Pass valid='):
        net.train(data, callbacks=[one])


def test_a_callback_that_resumes_is_refused(tmp_path):
    net = kerasnets.Classifier([4, 3])
    with pytest.raises(kerasnets.ConfigurationError, match='save_progress='):
        net.train([np.eye(4), [0, 1, 2, 0]], callbacks=[keras.callbacks.BackupAndRestore(tmp_path)])


def test_a_bar_ends_when_a_callback_ends_the_process(monkeypatch):
    ended = []
    monkeypatch.setattr(Progress, 'on_train_end', lambda self, logs=None: ended.append(True))

    def leave(epoch, logs):
        raise SystemExit

    net = kerasnets.Classifier([4, 3])
    one = keras.callbacks.LambdaCallback(on_epoch_end=leave)
    with pytest.raises(SystemExit):
        net.train([np.eye(4), [0, 1, 2, 0]], verbose=1, callbacks=[one])
    assert ended
