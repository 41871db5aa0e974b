"""What a notebook shows of networks, their history and their files."""

import os
import re
import traceback
import xml.etree.ElementTree

import keras
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import kerasnets
from kerasnets import callbacks, errors, quiet, recurrent

X, Y = np.eye(4, dtype='f'), np.array([0, 1, 2, 0])


def parse(text):
    return xml.etree.ElementTree.fromstring(f'<div>{text}</div>')


def cells(tree):
    return [[cell.text or '' for cell in row] for row in tree.iter('tr')]


def test_a_network_is_a_table_and_a_picture():
    layers = [4, (5, 'tanh'), 3, dict(name='a>b', size=3, inputs=('hid1', 'hid2'))]
    net = kerasnets.Regressor(layers)
    tree = parse(net._repr_html_())
    header, *rows = cells(tree)
    assert header == ['name', 'form', 'shape', 'activation', 'parameters']
    assert rows[1] == ['hid1', 'ff', '5', 'tanh', 'w 4×5  b 5']
    assert [row[0] for row in rows] == ['in', 'hid1', 'hid2', 'a>b']
    assert f'{net.num_params:,} parameters' in ''.join(tree.itertext())
    svg = '{http://www.w3.org/2000/svg}'
    assert len(list(tree.iter(f'{svg}rect'))) == 4
    assert len(list(tree.iter(f'{svg}path'))) == 4  # lines: one for each input of each layer


def test_the_history_is_a_table_and_is_drawn(tmp_path):
    net = kerasnets.Classifier([4, 3])
    net.train([X, Y], [X, Y], epochs=40, validate_every=10)
    header, *rows = cells(parse(net.history._repr_html_()))
    assert header[:3] == ['epoch', 'seconds', 'loss']
    assert [row[0] for row in rows[:2] + rows[-1:]] == ['1', '2', '40']
    assert len(rows) == 21
    assert rows[-1][header.index('loss')] == f'{net.history[-1]["loss"]:.4g}'
    pandas = pytest.importorskip('pandas')
    assert pandas.DataFrame(net.history)['loss'].iloc[-1] == net.history[-1]['loss']
    pytest.importorskip('matplotlib')
    net.history.plot('acc').savefig(tmp_path / 'acc.png')
    assert (tmp_path / 'acc.png').read_bytes().startswith(b'\x89PNG')


def test_a_file_is_a_table(tmp_path):
    net = kerasnets.Classifier([4, (5, 'tanh'), 3])
    net.save(tmp_path / 'net.keras')
    tree = parse(kerasnets.inspect(tmp_path / 'net.keras')._repr_html_())
    header, *rows = cells(tree)
    assert header == ['name', 'form', 'size', 'activation', 'arrays']
    assert ['hid1', 'ff', '5', 'tanh', '4×5  5'] in rows
    assert 'losses: xe' in ''.join(tree.itertext())


CELLS = [
    """\
import numpy as np, kerasnets
x = np.random.default_rng(1).normal(size=(64, 4)).astype('f')
y = x[:, :3].argmax(axis=1)
net = kerasnets.Classifier([4, (5, 'tanh'), 3])
net""",
    """\
monitors = net.train([x, y], [x, y], algo='adam', learning_rate=0.01, epochs=25)""",
    'net.train([x, y], algo="adam", learning_rate=0.01, epochs=2, verbose=0)\nnet.history',
    "net.history.plot('loss')",
    "net.save('net.keras')\nkerasnets.inspect('net.keras')",
    'net.train([x, y], algo="adam", learning_rate=0.01, epochs=2, verbose=0)',
    'net.find_learning_rate([x, y], steps=20)',
    'net.train([x, y[:5]])',
]


def test_a_text_and_its_vocabulary_are_tables():
    text = recurrent.Text('a<b>a ' * 100, min_count=1)
    tree = parse(text._repr_html_())
    assert '600 characters, 600 labels of 6.' in ''.join(tree.itertext())
    assert tree.find('.//pre').text == ('a<b>a ' * 50) + '…'
    header, first, *_ = cells(tree)
    assert (header, first) == (['label', 'stands for', 'count'], ['4', "'a'", '200'])
    _, *rows = cells(parse(text.vocabulary._repr_html_()))
    assert rows[1:4] == [['1', "' '"], ['2', "'<'"], ['3', "'>'"]]
    words = recurrent.Text('a b c ' * 3, tokens='word')
    assert len(cells(parse(words.vocabulary._repr_html_()))) == words.classes + 1
    letters = ''.join(map(chr, range(0x100, 0x200)))
    assert len(cells(parse(recurrent.Text('', alpha=letters)._repr_html_()))) == 11
    assert len(cells(parse(recurrent.Text('', alpha=letters).vocabulary._repr_html_()))) == 22


def test_an_error_shows_frames_of_the_user_and_one_of_ours():
    def callback(epoch, logs):
        net.predict(X[:, :2])

    net = kerasnets.Classifier([4, 3])
    with pytest.raises(kerasnets.DataError) as raised:
        net.train([X, Y], epochs=1, callbacks=[keras.callbacks.LambdaCallback(callback)])
    frames = traceback.extract_tb(errors._outside(raised.value.__traceback__))
    assert [frame.name for frame in frames] == [
        'test_an_error_shows_frames_of_the_user_and_one_of_ours',
        'train',
        'callback',
    ]


def test_only_log_lines_are_kept_from_standard_error(capfd):
    with quiet.filtered():
        os.write(2, b'WARNING: All log messages before absl::InitializeLog() is called are\n')
        os.write(2, b'I0000 00:00:1795878103.98   16037 cudart_stub.cc:31] Could not find cuda\n')
        os.write(2, b'2026-11-28 10:00:00.1: I tensorflow/core/cpu.cc:11] To enable\n')
        os.write(2, b'To enable the following instructions: AVX2 FMA, in other operations\n')
        os.write(2, b'Fatal Python error\n')
    assert capfd.readouterr().err == 'Fatal Python error\n'


@pytest.mark.slow
def test_a_real_kernel_shows_all_of_it(tmp_path, monkeypatch):
    monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL')
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = NotebookClient(book, timeout=300, resources={'metadata': {'path': str(tmp_path)}})
    client.allow_errors = True
    client.execute()
    assert not [o for cell in book.cells for o in cell.outputs if o.output_type == 'stream']

    def shown(cell, kind):
        outputs = [o for o in book.cells[cell].outputs if o.output_type != 'stream']
        assert len(outputs) == 1
        return outputs[0]['data'][kind]

    assert ['hid1', 'ff', '5', 'tanh', 'w 4×5  b 5'] in cells(parse(shown(0, 'text/html')))
    header, *rows = cells(parse(shown(5, 'text/html')))
    assert header == ['', 'loss', 'err', 'acc']
    assert [row[0] for row in rows] == ['training', 'validation']
    assert shown(6, 'image/png').startswith('iVBORw')
    (error,) = book.cells[7].outputs
    text = re.sub('\x1b[^m]*m', '', '\n'.join(error.traceback))
    assert re.findall('^(?:File|Cell) .*', text, re.M)[0].startswith('Cell In[8]')
    assert len(re.findall('^(?:File|Cell) ', text, re.M)) == 2  # the cell, and `train`
    assert text.splitlines()[-1].startswith('DataError: train: expected as many targets')
    # the bar: one line, that of the end, and its updates replaced it
    line = re.sub('<progress[^>]*></progress>', '', shown(1, 'text/html'))
    assert re.search(
        r'epoch 25/25  loss 0\.\d+  acc 0\.\d+  val_loss 0\.\d+  val_acc 0\.\d+  \d', line
    )
    assert 'value="1.000"' in shown(1, 'text/html')
    assert cells(parse(shown(2, 'text/html')))[0][:3] == ['epoch', 'seconds', 'loss']
    assert shown(3, 'image/png').startswith('iVBORw')  # a PNG, in base64
    assert 'losses: xe' in shown(4, 'text/html')


def test_the_bar_of_a_notebook_counts_epochs_and_steps(monkeypatch):
    contents = []

    class Handle:
        def display(self, content, raw):
            contents.append(content)

        update = display

    monkeypatch.setattr('IPython.display.DisplayHandle', Handle)
    monkeypatch.setattr(callbacks.NotebookProgress, 'EVERY', 0.0)
    net = kerasnets.Classifier([4, 3])
    net.train([X, Y], epochs=4, callbacks=[callbacks.NotebookProgress()])
    assert contents[0]['text/plain'].startswith('epoch 0/4')
    assert 'value="0.000"' in contents[0]['text/html']
    assert contents[-1]['text/plain'].startswith(f'epoch 4/4  loss {net.history[-1]["loss"]:.4f}')
    assert 'value="1.000"' in contents[-1]['text/html']
    contents.clear()
    net.train([X, Y], max_updates=3, callbacks=[callbacks.NotebookProgress()])
    assert 'value="1.000"' in contents[-1]['text/html']


def test_a_bar_of_its_own_for_notebooks(monkeypatch):
    shell = type('Shell', (), {'kernel': None})
    monkeypatch.setattr('IPython.get_ipython', lambda: shell)
    (bar,) = callbacks.progress('auto')
    assert type(bar) is callbacks.NotebookProgress
    monkeypatch.setattr('IPython.get_ipython', lambda: None)
    assert type(callbacks.progress(1)[0]) is callbacks.Progress
