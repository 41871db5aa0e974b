"""Networks on their way to other runtimes compute there what they compute here."""

import importlib.util
import os

import keras
import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError, FileError

RNG = np.random.default_rng(4)
BACKEND = keras.backend.backend()
not_torch = pytest.mark.skipif(BACKEND == 'torch', reason='Keras exports nothing right of PyTorch')
tensorflow_only = pytest.mark.skipif(BACKEND != 'tensorflow', reason='Keras has it of TensorFlow')

NETS = {
    'dense': lambda: kerasnets.Classifier([5, (4, 'relu+norm:z'), 3]),
    'recurrent': lambda: kerasnets.recurrent.Regressor([5, (6, 'lstm'), (4, 'scrn'), 2]),
    'graph': lambda: kerasnets.Regressor(
        [dict(form='input', size=5, name='a'), dict(size=4, name='class', inputs='a'),
         dict(size=3, inputs=('a', 'class'))]
    ),
}  # fmt: skip


def data(name):
    return RNG.normal(size=(2, 7, 5) if name == 'recurrent' else (2, 5)).astype('f')


def wanted(net, x):
    return net.predict_proba(x) if hasattr(net, 'predict_proba') else net.predict(x)


@not_torch
@pytest.mark.parametrize('name', NETS)
def test_saved_model(name, tmp_path):
    tf = pytest.importorskip('tensorflow')
    net, x = NETS[name](), data(name)
    for _ in range(2):  # the second takes the place of the first
        net.export(tmp_path / 'net')
    assert os.listdir(tmp_path) == ['net']
    loaded = tf.saved_model.load(str(tmp_path / 'net'))
    np.testing.assert_allclose(loaded.serve(x), wanted(net, x), atol=1e-6)


@tensorflow_only
@pytest.mark.parametrize('name', NETS)
@pytest.mark.filterwarnings('ignore:.*tf.lite.Interpreter is deprecated')
def test_litert(name, tmp_path):
    tf = pytest.importorskip('tensorflow')
    net, x = NETS[name](), data(name)
    net.export(tmp_path / 'net.tflite')
    if name == 'recurrent':  # runs with the Flex delegate, which is not here
        assert (tmp_path / 'net.tflite').read_bytes()[4:8] == b'TFL3'
        return
    interpreter = tf.lite.Interpreter(str(tmp_path / 'net.tflite'))
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given['index'], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given['index'], x)
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_tensor(made['index']), wanted(net, x), atol=1e-5)


@not_torch
@pytest.mark.parametrize('name', NETS)
@pytest.mark.filterwarnings('ignore')  # of tf2onnx with others, not ours to mend
def test_onnx(name, tmp_path):
    runtime = pytest.importorskip('onnxruntime')
    pytest.importorskip('tf2onnx' if BACKEND == 'tensorflow' else 'jax2onnx')
    net, x = NETS[name](), data(name)
    net.export(tmp_path / 'net.onnx')
    session = runtime.InferenceSession(str(tmp_path / 'net.onnx'))
    (given,) = session.get_inputs()
    np.testing.assert_allclose(session.run(None, {given.name: x})[0], wanted(net, x), atol=1e-5)


def test_invalid_arguments(tmp_path, monkeypatch):
    net = NETS['dense']()
    with pytest.raises(FileError, match=r"net.pb': expected a folder .* or .* .onnx or .tflite"):
        net.export(tmp_path / 'net.pb')
    with pytest.raises(FileError, match='is a URL'):
        net.export('gs://bucket/net')
    if BACKEND != 'torch':
        with pytest.raises(FileError, match='there is no folder'):
            net.export(tmp_path / 'none' / 'net')
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    if BACKEND in ('tensorflow', 'jax'):
        package = {'tensorflow': 'tf2onnx', 'jax': 'jax2onnx'}[BACKEND]
        with pytest.raises(ConfigurationError, match=f'needs the package {package}, .*pip install'):
            net.export(tmp_path / 'net.onnx')
    if BACKEND != 'tensorflow':
        with pytest.raises(ConfigurationError, match=f'litert cannot be made on {BACKEND}.*Save'):
            net.export(tmp_path / 'net.tflite')
    if BACKEND == 'torch':
        for name in ('net', 'net.onnx'):
            with pytest.raises(ConfigurationError, match=r'cannot be made on torch.*Save the'):
                net.export(tmp_path / name)
    assert os.listdir(tmp_path) == []


@not_torch
def test_a_folder_of_other_files_is_not_replaced(tmp_path, monkeypatch):
    net, path = NETS['dense'](), tmp_path / 'folder'
    path.mkdir()
    (path / 'notes').touch()
    with pytest.raises(FileError, match="other files, such as 'notes'"):
        net.export(path)
    monkeypatch.chdir(path)
    with pytest.raises(FileError, match="other files, such as 'notes'"):
        net.export('.')
    assert os.listdir(path) == ['notes']
    for _ in range(2):
        net.export(tmp_path / 'new')
    assert 'saved_model.pb' in os.listdir(tmp_path / 'new')


OTHERS = {
    'bidirectional': lambda: kerasnets.recurrent.Regressor(
        [5, dict(form='bidirectional', worker='gru', size=6), 2]
    ),
    'transformer': lambda: kerasnets.recurrent.Regressor(
        [5, dict(form='transformer', size=8, positions='learned', context=16), 2]
    ),
    'rotary': lambda: kerasnets.recurrent.Regressor([5, dict(form='transformer', size=8), 2]),
    'convolution': lambda: kerasnets.recurrent.Regressor(
        [5, dict(form='conv1', size=3, filter_size=2, padding='causal'), 2]
    ),
    'embedding': lambda: kerasnets.recurrent.Classifier(
        [5, dict(form='embedding', size=3), (4, 'gru'), 5]
    ),
    'image': lambda: kerasnets.Classifier(
        [(7, 5, 1), dict(form='conv2', size=2, filter_size=(3, 3)), 'pool2', 'flat', 3]
    ),
}


@not_torch
@pytest.mark.parametrize('name', OTHERS)
@pytest.mark.filterwarnings('ignore')
def test_onnx_of_any_layer_works_or_is_refused(name, tmp_path):
    runtime = pytest.importorskip('onnxruntime')
    pytest.importorskip('tf2onnx' if BACKEND == 'tensorflow' else 'jax2onnx')
    net, x = OTHERS[name](), RNG.normal(size=(2, 7, 5)).astype('f')
    x = RNG.integers(5, size=(2, 7)) if name == 'embedding' else x
    x = x[..., None] if name == 'image' else x
    refused = ''
    try:
        net.export(tmp_path / 'net.onnx')
    except ConfigurationError as error:
        refused = str(error)
    if refused:
        assert 'Export it as a SavedModel' in refused
        assert not (tmp_path / 'net.onnx').exists()
        return
    session = runtime.InferenceSession(str(tmp_path / 'net.onnx'))
    (given,) = session.get_inputs()
    made = session.run(None, {given.name: x.astype(net.inputs[0].dtype)})[0]
    np.testing.assert_allclose(made, wanted(net, x), atol=1e-5)
