"""Each part that is trained is made of the network's own layers."""

import itertools

import numpy as np
import pytest

import kerasnets
from kerasnets.errors import ConfigurationError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 4)).astype('f')
Y = X[:, :3].argmax(1)
OPTIONS = dict(subalgo='sgd', learning_rate=0.1, epochs=2)


def values(net):
    return {p.name: p.get_value() for p in net.params}


def test_layerwise_trains_ever_more_of_the_layers():
    net = kerasnets.Classifier([4, (6, 'tanh'), (5, 'tanh'), 3])
    seen = [values(net)]
    for training, _ in net.itertrain([X, Y], algo='layerwise', **OPTIONS):
        seen.append(values(net))
        assert set(training) == {'loss', 'err', 'acc'}
        assert [layer.name for layer in net.model.layers] == ['hid1', 'hid2', 'out']
    moved = [{k for k in a if (a[k] != b[k]).any()} for a, b in itertools.pairwise(seen)]
    first, second = {'hid1.w', 'hid1.b'}, {'hid1.w', 'hid1.b', 'hid2.w', 'hid2.b'}
    assert moved == [first] * 2 + [second] * 2 + [second | {'out.w', 'out.b'}] * 2


def test_layerwise_on_tied_layers():
    net = kerasnets.Autoencoder(
        [4, (6, 'tanh'), (3, 'tanh'), (6, 'tied', 'tanh'), (4, 'tied', 'linear')]
    )
    seen = [values(net)]
    seen += [values(net) for _ in net.itertrain([X], algo='layerwise', **OPTIONS)]
    moved = [{k for k in a if (a[k] != b[k]).any()} for a, b in itertools.pairwise(seen)]
    assert moved[:2] == [{'hid1.w', 'hid1.b'}] * 2
    assert moved[-1] == set(values(net))


def test_pretraining_goes_through_an_autoencoder():
    net = kerasnets.Classifier([4, (6, 'tanh'), (5, 'tanh'), 3])
    before = values(net)
    losses = [t['loss'] for t, _ in net.itertrain([X, Y], algo='pretrain', **OPTIONS)]
    after = values(net)
    assert len(losses) == 4
    moved = {k for k in before if (before[k] != after[k]).any()}
    assert moved == {'hid1.w', 'hid1.b', 'hid2.w', 'hid2.b'}


def test_pretraining_on_unlabelled_data():
    nets = [kerasnets.Classifier([4, (6, 'tanh'), 3]) for _ in range(3)]
    other = RNG.normal(size=(60, 4))
    nets[0].train([X, Y], algo='pretrain', **OPTIONS)
    nets[1].train([other, Y], algo='pretrain', unlabelled=[X], **OPTIONS)
    nets[2].train(lambda: [X[:32], Y[:32]], algo='pretrain', train_batches=2, **OPTIONS)
    np.testing.assert_array_equal(values(nets[0])['hid1.w'], values(nets[1])['hid1.w'])
    assert (values(nets[2])['hid1.w'] != values(nets[0])['hid1.w']).any()


def test_leaving_pretraining_keeps_the_network_intact(tmp_path):
    for algo in ('layerwise', 'pretrain'):
        net = kerasnets.Classifier([4, (6, 'tanh'), (5, 'tanh'), 3])
        for _ in net.itertrain([X, Y], algo=algo, **OPTIONS):
            break
        assert [layer.name for layer in net.model.layers] == ['hid1', 'hid2', 'out']
        net.save(tmp_path / 'net.keras')
        again = kerasnets.load(tmp_path / 'net.keras')
        np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
        net.train([X, Y], epochs=1)


def test_sample_sets_weights_to_examples():
    net = kerasnets.Regressor([4, (6, 'tanh'), 2])
    t = RNG.normal(size=(60, 2)).astype('f')
    net.train([X, t], algo='sample')
    rows = net.find('hid1', 'w').get_value().T
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    for row in rows:
        assert abs(unit @ row - 1).min() < 1e-5
    assert len({tuple(row) for row in rows}) == 6
    unit = t / np.linalg.norm(t, axis=1, keepdims=True)
    for row in net.find('out', 'w').get_value():
        assert abs(unit @ row - 1).min() < 1e-5
    wide = kerasnets.Classifier([4, (100, 'tanh'), 3])  # wider than there are examples
    wide.train([X, Y], algo='sample')
    rows = wide.find('hid1', 'w').get_value().T
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert len({tuple(row) for row in rows}) == 100


@pytest.mark.parametrize(
    ('layers', 'keywords', 'says'),
    [
        ([4, 3], dict(algo='pretrain'), 'expected a hidden layer'),
        ([4, 5, 3], dict(algo='sample', unlabelled=[X]), "unlabelled: expected algo='pretrain'"),
        ([4, dict(size=5, name='a'), dict(size=5, inputs='in'),
          dict(form='concat', inputs=('a', 'hid2')), 3], dict(algo='layerwise'), 'a chain'),
        ([4, 5, 3], dict(algo='layerwise', subalgo='sdg'), "unknown algorithm 'sdg'"),
        ([4, 5, 3], dict(algo='layerwise', momentun=1), "Did you mean 'momentum'"),
    ],
)  # fmt: skip
def test_invalid_arguments(layers, keywords, says):
    with pytest.raises(ConfigurationError, match=says):
        kerasnets.Classifier(layers).train([X, Y], epochs=1, **keywords)


def test_only_dense_layers_are_tied():
    net = kerasnets.recurrent.Classifier([4, (6, 'rnn'), 3])
    with pytest.raises(ConfigurationError, match=r"layer 1 \('hid1'\).*only dense layers"):
        net.train([np.zeros((3, 5, 4)), np.zeros((3, 5), 'i')], algo='pretrain', epochs=1)
