import itertools
import time

import keras
import numpy as np
import pytest
import scipy.stats
from marks import quick

import kerasnets
from kerasnets.errors import ConfigurationError, DataError
from kerasnets.sampling.sampler import Loop

Classifier = kerasnets.recurrent.Classifier


def spread(net, scale=3.0):
    """Make a network's distributions uneven, so that a wrong state shows."""
    rng = np.random.default_rng(5)
    for param in net.params:
        if len(param.shape) > 1:
            param.set_value(rng.normal(size=param.shape, scale=scale / np.sqrt(param.shape[0])))
    return net


CHAINS = {
    'rnn': [6, (7, 'rnn', 'tanh'), 6],
    'lstm': [6, (7, 'lstm'), 6],
    'gru': [6, (7, 'gru', 'tanh'), 6],
    'gru-after': [6, dict(form='gru', size=7, reset_after=True, activation='tanh'), 6],
    'peepholes': [6, dict(form='lstm', size=7, peepholes=True), 6],
    'rrnn': [6, (7, 'rrnn', 'tanh'), 6],
    'rrnn-log': [6, dict(form='rrnn', size=7, rate='log', activation='tanh'), 6],
    'mrnn': [6, (7, 'mrnn', 'tanh'), 6],
    'mut1': [6, (7, 'mut1'), 6],
    'scrn': [6, (7, 'scrn', 'tanh'), 6],
    'clockwork': [6, dict(form='clockwork', size=9, periods=[1, 2, 4], activation='tanh'), 6],
    'bcrnn': [6, dict(form='bcrnn', size=8, num_modules=4, activation='tanh'), 6],
    'deep': [6, (5, 'relu'), (7, 'lstm'), 'LayerNormalization', (8, 'gru', 'tanh'), (5, 'tanh'), 6],
    'embedding': [
        dict(shape=(None,)),
        dict(form='Embedding', size=4, input_dim=6),
        (7, 'lstm'),
        6,
    ],
    'activation': [6, (7, 'lstm'), (6, 'linear'), keras.layers.Activation('softmax')],
    'many-to-one': [6, dict(form='lstm', size=7, return_sequences=False), 6],
    'dropout': [6, (7, 'lstm'), dict(form='Dropout', rate=0.5), 6],
    'normed': [6, (7, 'rnn', 'norm:z'), (6, 'relu+softmax')],
    'no-softmax': [6, (7, 'rnn', 'tanh'), (6, 'sigmoid')],
    'attention': [6, (8, 'embedding'), dict(form='attention', heads=2, context=5), 6],
    'transformers': [
        6,
        (8, 'embedding'),
        dict(form='transformer', heads=2, context=7),
        dict(form='transformer', heads=4, hidden=5, positions=None, context=99),
        'norm',
        6,
    ],
    'learned': [
        6,
        (8, 'embedding'),
        dict(form='transformer', heads=2, context=60, positions='learned', dropout=0.3),
        6,
    ],
    'convolutions': [
        6,
        dict(form='conv1', size=5, filter_size=3, padding='causal', dilation_rate=2),
        dict(form='conv1', size=4, filter_size=2, padding='causal', activation='tanh'),
        dict(form='conv1', size=4, filter_size=2, padding='causal', groups=2),
        6,
    ],
    'residual': [
        6,
        dict(form='lstm', size=5, name='a'),
        dict(size=5, name='b', activation='tanh'),
        dict(form='add', inputs=('a', 'b'), name='c'),
        dict(form='concat', inputs=('c', 'in'), name='d'),
        dict(form='transformer', name='e', heads=1, positions=None, inputs='d', context=9),
        dict(size=6, inputs=('e', 'b')),
    ],
}


#: Chains much like others.
LIKE = ['gru-after', 'rrnn', 'activation', 'normed', 'no-softmax', 'learned', 'mut1']


@pytest.mark.parametrize('name', quick(*CHAINS, but=LIKE))
def test_steps_equal_the_whole_sequence(name):
    """What is drawn greedily is what the network finds most probable after all before it."""
    entries = [
        type(e).from_config(e.get_config()) if isinstance(e, keras.layers.Layer) else e
        for e in CHAINS[name]
    ]
    net = spread(Classifier(entries))
    labels = np.random.default_rng(2).integers(6, size=25)
    if name == 'many-to-one':
        p = np.stack([net.predict_proba(labels[None, : t + 1])[0] for t in range(25)])
    else:
        p = net.predict_proba(labels[None])[0]
    best = p.argmax(-1)
    assert len(set(best)) > 1
    for t in range(25):
        assert list(net.predict_sequence(labels[: t + 1], 1, temperature=0)) == [best[t]]
    # and when it reads what it wrote itself
    drawn = list(net.predict_sequence(labels, 30, temperature=0))
    whole = np.array([[*labels, *drawn]])
    if name != 'many-to-one':
        assert net.predict(whole)[0, 24:-1].tolist() == drawn


@pytest.mark.parametrize(
    'name', ['deep', 'attention', 'transformers', 'learned', 'convolutions', 'residual']
)
def test_logits_of_each_step_equal_the_whole_sequence(name, rng):
    """At every step: the loop's own numbers against predict_logit."""
    net = spread(Classifier(CHAINS[name]), 1.5)
    labels = rng.integers(6, size=(2, 20))
    sampler = net._sampler()
    states = sampler.network.start(2)
    want = net.predict_logit(labels)
    step = sampler.network.make_step()
    for t in range(20):  # the shortest context is 5
        (logits,), states = step(labels[:, t], states, keras.ops.convert_to_tensor(t))
        np.testing.assert_allclose(logits, want[:, t], atol=5e-5)


def test_frequencies_match_the_probabilities():
    net = spread(Classifier([6, (7, 'lstm'), 6]), 1.5)
    seed = [2, 5]
    (drawn,) = net.predict_sequence(seed, 1, streams=20_000, rng=11)
    counts = np.bincount(drawn, minlength=6)
    p = net.predict_proba(np.array([seed]))[0, -1].astype('d')
    assert scipy.stats.chisquare(counts, 20_000 * p / p.sum()).pvalue > 0.01

    # and along one stream, given the label before, for a network without memory
    net = spread(Classifier([4, 4]), 1.5)
    drawn = np.array(list(net.predict_sequence([0], 30_000, rng=12)))
    p = net.predict_proba(np.arange(4)[:, None])[:, 0].astype('d')
    for label in range(4):
        after = np.bincount(drawn[1:][drawn[:-1] == label], minlength=4)
        want = p[label] / p[label].sum() * after.sum()
        assert scipy.stats.chisquare(after, want).pvalue > 0.01


@pytest.mark.parametrize(
    ('kwargs', 'change'),
    [
        (dict(temperature=0.5), lambda p: p**2),
        (dict(temperature=2), lambda p: p**0.5),
        (dict(top_k=2), lambda p: p * (p >= np.sort(p)[-2])),
        (dict(top_k=99), lambda p: p),
        (dict(top_p=0.6), lambda p: p * _nucleus(p, 0.6)),
        (dict(top_p=1e-9), lambda p: p * (p == p.max())),
        (dict(top_k=3, top_p=0.9), lambda p: _renormed(p, 3) * _nucleus(_renormed(p, 3), 0.9)),
        (dict(temperature=0), lambda p: p == p.max()),
    ],
)
def test_temperature_top_k_and_top_p(kwargs, change):
    net = spread(Classifier([6, (7, 'lstm'), 6]), 1.5)
    (drawn,) = net.predict_sequence([2, 5], 1, streams=5000, rng=11, **kwargs)
    counts = np.bincount(drawn, minlength=6)
    p = change(net.predict_proba(np.array([[2, 5]]))[0, -1].astype('d')).astype('d')
    assert not counts[p == 0].any()
    if (p > 0).sum() > 1:
        want = 5000 * p[p > 0] / p.sum()
        assert scipy.stats.chisquare(counts[p > 0], want).pvalue > 0.01


def _nucleus(p, top_p):
    order = np.argsort(-p)
    ahead = np.cumsum(p[order]) - p[order]
    kept = np.zeros(len(p), bool)
    kept[order[ahead < top_p]] = True
    return kept


def _renormed(p, k):
    p = p * (p >= np.sort(p)[-k])
    return p / p.sum()


def test_one_seed_one_text_however_it_is_asked_for():
    net = spread(Classifier(CHAINS['lstm']))
    long = list(net.predict_sequence([1, 2], 700, rng=3))
    assert list(net.predict_sequence([1, 2], 700, rng=3)) == long
    assert list(net.predict_sequence([1, 2], 5, rng=3)) == long[:5]
    assert list(itertools.islice(net.predict_sequence([1, 2], 10**6, rng=3), 600)) == long[:600]
    assert list(net.predict_sequence([1, 2], 700, rng=4)) != long
    generator = np.random.default_rng(3)
    assert list(net.predict_sequence([1, 2], 700, rng=generator)) == long
    assert list(net.predict_sequence([1, 2], 700, rng=generator)) != long
    unseeded = [list(net.predict_sequence([1, 2], 50)) for _ in range(2)]
    assert unseeded[0] != unseeded[1]


def test_types_are_theanets_own():
    net = Classifier(CHAINS['rnn'])
    one = net.predict_sequence([0], 3)
    assert iter(one) is one
    assert all(type(label) is int for label in one)
    several = list(net.predict_sequence(np.array([0, 1]), 4, streams=3))
    assert [type(labels) for labels in several] == [list] * 4
    assert all(type(label) is int for labels in several for label in labels)
    assert np.shape(several) == (4, 3)


def test_streams_differ_and_each_carries_its_own_state():
    net = spread(Classifier(CHAINS['lstm']))
    drawn = np.array(list(net.predict_sequence([1, 2], 40, streams=3, rng=3))).T
    assert len({tuple(row) for row in drawn}) == 3
    # the next labels of each stream are as probable as the whole sequence says
    for row in drawn:
        p = net.predict_proba(np.array([[1, 2, *row]]))[0]
        assert p[np.arange(1, 41), row].min() > 1e-4


def test_a_long_seed_is_read_in_pieces():
    net = spread(Classifier(CHAINS['gru']))
    seed = np.random.default_rng(1).integers(6, size=1000)
    (drawn,) = net.predict_sequence(seed, 1, temperature=0)
    assert drawn == net.predict(seed[None])[0, -1]


@pytest.mark.skipif(keras.backend.backend() == 'torch', reason='it runs step by step, untraced')
def test_the_loop_is_traced_once(monkeypatch):
    kerasnets.clear_cache()
    net = Classifier(CHAINS['lstm'])
    traces = []
    compute = Loop.compute
    monkeypatch.setattr(Loop, 'compute', lambda *a: traces.append(1) or compute(*a))
    for steps, seed, temperature in [(1, [0], 1.0), (900, [1] * 300, 0.5), (7, [0], 0)]:
        list(net.predict_sequence(seed, steps, temperature=temperature))
    assert len(traces) == 1
    for k, p in [(3, None), (2, 0.5), (None, 0.9)]:
        list(net.predict_sequence([0], 5, top_k=k, top_p=p))
    assert len(traces) == 2
    other = Classifier(CHAINS['lstm'], rng=3)
    other.find('out', 'b').set_value(99 * np.eye(6)[4])
    assert list(other.predict_sequence([0], 9)) == [4] * 9
    assert len(traces) == 2  # networks of one structure share the loop


def test_a_step_costs_the_same_however_long_the_sequence():
    net = Classifier(CHAINS['lstm'])
    list(net.predict_sequence([0], 300))

    def seconds(steps):
        start = time.perf_counter()
        list(net.predict_sequence([0], steps))
        return (time.perf_counter() - start) / steps

    short, long = (min(seconds(n) for _ in range(5)) for n in (1000, 20_000))
    assert long < 3 * short  # a ratio; rerunning the sequence would make it 20


def test_the_newest_weights_are_used():
    net = spread(Classifier(CHAINS['lstm']))
    first = list(net.predict_sequence([0], 50, rng=1))
    net.find('out', 'w').set_value(-net.find('out', 'w').get_value())
    assert list(net.predict_sequence([0], 50, rng=1)) != first


def test_no_steps_no_labels():
    assert list(Classifier(CHAINS['rnn']).predict_sequence([0], 0)) == []


@pytest.mark.parametrize(
    ('kwargs', 'error', 'says'),
    [
        (dict(labels=[]), DataError, 'at least one label'),
        (dict(labels=[[1]]), DataError, 'at least one label'),
        (dict(labels=[6]), DataError, 'labels of 0 to 5, got 6'),
        (dict(labels=[0, -1]), DataError, 'got -1'),
        (dict(labels=[0.5]), DataError, 'dtype int'),
        (dict(labels='ab'), DataError, 'Encode characters with a Text'),
        (dict(steps=-1), ConfigurationError, 'steps as an int of 0 or more'),
        (dict(steps=1.5), ConfigurationError, 'steps as an int of 0 or more'),
        (dict(streams=0), ConfigurationError, 'streams as an int of 1 or more'),
        (dict(temperature=-1), ConfigurationError, 'temperature as a number of 0 or more'),
        (dict(temperature='hot'), ConfigurationError, 'temperature as a number of 0 or more'),
        (dict(top_k=0), ConfigurationError, 'top_k as an int of 1 or more'),
        (dict(top_p=0), ConfigurationError, 'top_p as a number above 0'),
        (dict(top_p='x'), ConfigurationError, 'top_p as a number above 0'),
        (dict(labels=3), DataError, 'at least one label'),
        (dict(labels=None), DataError, 'at least one label'),
        (dict(top_p=1.5), ConfigurationError, 'top_p as a number above 0'),
        (dict(rng='x'), ConfigurationError, 'numpy random generator'),
    ],
)
def test_wrong_arguments_are_refused_at_once(kwargs, error, says):
    net = Classifier(CHAINS['rnn'])
    with pytest.raises(error, match=says):
        net.predict_sequence(**{'labels': [0], 'steps': 3, **kwargs})


@pytest.mark.parametrize(
    ('entries', 'says'),
    [
        ([6, (7, 'rnn'), 5], 'as many outputs as inputs, got 5 and 6'),
        (
            [6, keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True)), 6],
            'bidirectional layers read the whole sequence',
        ),
        ([6, dict(form='rnn', size=3, go_backwards=True), 6], 'reads the sequence backwards'),
        ([6, dict(form='conv1', size=3, filter_size=2, padding='same'), 6], 'not causal'),
        ([6, dict(form='conv1', size=3, filter_size=1, stride=2), 6], 'not causal'),
        ([6, (5, 'tanh'), dict(size=6, inputs='hid1:pre')], "depends on 'hid1:pre'"),
        ([6, keras.layers.Activation(lambda x: keras.ops.cumsum(x, 1)), 6], 'a step from others'),
        ([6, (5, lambda x: keras.ops.softmax(x, axis=1)), 6], 'a step from others'),
        ([6, keras.layers.Activation(lambda x: x * np.ones((20, 1), 'f')), 6], 'from others'),
        (
            [6, keras.Sequential([keras.Input((None, 6)), keras.layers.Conv1D(3, 2)]), 6],
            'Sequential layers read the whole sequence',
        ),
    ],
)
def test_networks_that_cannot_be_sampled(entries, says):
    net = Classifier(entries)
    with pytest.raises(ConfigurationError, match=says):
        net.predict_sequence([0], 3)


def test_a_network_learns_a_string_and_writes_it_back():
    text = kerasnets.recurrent.Text('the cat sat on the mat. ' * 40, min_count=1)
    net = Classifier([text.classes, (32, 'lstm'), text.classes])
    net.train(
        text.classifier_batches(48, 16, rng=1),
        algo='adam',
        learning_rate=0.02,
        epochs=8,
        train_batches=20,
    )
    written = text.decode(net.predict_sequence(text.encode('the cat '), 64, rng=1))
    assert written == ('sat on the mat. the cat ' * 4)[:64]


GPT = [
    6,
    (8, 'embedding'),
    dict(form='transformer', heads=2, context=9),
    dict(form='conv1', size=8, filter_size=3, padding='causal'),
    'norm',
    6,
]


@pytest.mark.parametrize('length', [17, 300])
def test_a_seed_read_at_once_is_one_read_step_by_step(length, monkeypatch):
    """The states, and so all that is drawn after it, with rings that are full and that are not."""
    net = spread(Classifier(GPT))
    seed = np.random.default_rng(length).integers(6, size=length)
    network = net._sampler().network
    assert network.padded_length(length) >= length
    (best,) = net.predict_sequence(seed, 1, temperature=0)
    assert best == net.predict(seed[None])[0, -1]
    at_once = list(net.predict_sequence(seed, 30, streams=2, rng=1))
    monkeypatch.setattr(network, 'padded_length', lambda length: None)
    assert list(net.predict_sequence(seed, 30, streams=2, rng=1)) == at_once


def test_a_network_with_a_cell_reads_its_seed_step_by_step():
    net = Classifier([6, (8, 'embedding'), dict(form='transformer', heads=2), (5, 'gru'), 6])
    assert net._sampler().network.padded_length(100) is None


def test_streams_end_with_stop():
    net = spread(Classifier(CHAINS['lstm']), 1.0)
    free = list(net.predict_sequence([1, 2], 400, rng=3))
    label = free[50]
    until = free[: free.index(label) + 1]
    assert list(net.predict_sequence([1, 2], 400, rng=3, stop=label)) == until
    pair = free[300:302]
    at = next(i for i in range(400) if free[i : i + 2] == pair)
    assert list(net.predict_sequence([1, 2], 400, rng=3, stop=pair)) == free[: at + 2]
    free = np.array(list(net.predict_sequence([1], 200, streams=4, rng=3)))
    ended = list(net.predict_sequence([1], 200, streams=4, rng=3, stop=label))
    ends = [list(row).index(label) + 1 for row in free.T]
    assert len(ended) == max(ends)
    for stream, end in enumerate(ends):
        mine = [step[stream] for step in ended]
        assert mine == [*free[:end, stream], *[None] * (max(ends) - end)]


def test_stop_as_text():
    text = kerasnets.recurrent.Text('abcab', min_count=1)
    net = spread(Classifier([4, (5, 'rnn', 'tanh'), 4], text=text), 0.5)
    drawn = text.decode(net.predict_sequence([1], 500, rng=1, stop='ca'))
    assert drawn.endswith('ca')
    assert drawn.count('ca') == 1
    with pytest.raises(ConfigurationError, match='no alphabet'):
        Classifier(CHAINS['rnn']).predict_sequence([1], 5, stop='ca')


def test_logarithms_of_probabilities_are_those_of_the_network():
    net = spread(Classifier(CHAINS['gru']))
    pairs = list(
        net.predict_sequence([1, 2], 40, rng=1, temperature=0.5, top_k=3, return_log_probs=True)
    )
    labels = [label for label, _ in pairs]
    p = net.predict_proba(np.array([[1, 2, *labels]]))[0]
    np.testing.assert_allclose(
        [log for _, log in pairs], np.log(p[np.arange(1, 41), labels]), atol=1e-4
    )
    net = spread(Classifier(CHAINS['gru']), 1.0)
    several = list(net.predict_sequence([1, 2], 5, streams=3, rng=1, return_log_probs=True))
    assert [(len(labels), len(logs)) for labels, logs in several] == [(3, 3)] * 5
    label = several[0][0][0]
    ended = list(
        net.predict_sequence([1, 2], 9, streams=3, rng=1, return_log_probs=True, stop=label)
    )
    assert any(None in labels and None in logs for labels, logs in ended)


def test_a_penalty_for_repetition_against_numpy():
    net = spread(Classifier(CHAINS['lstm']))
    seed, drawn = [1, 2], []
    for _ in range(12):
        logits = net.predict_logit(np.array([seed + drawn]))[0, -1]
        there = np.isin(np.arange(6), seed + drawn)
        lowered = np.where(logits > 0, logits / 1.7, logits * 1.7)
        drawn.append(int(np.where(there, lowered, logits).argmax()))
    penalized = net.predict_sequence(seed, 12, temperature=0, repetition_penalty=1.7)
    assert list(penalized) == drawn
    assert list(net.predict_sequence(seed, 12, temperature=0)) != drawn


@pytest.mark.parametrize(
    ('kwargs', 'error', 'says'),
    [
        (dict(stop=6), DataError, 'labels of 0 to 5, got 6'),
        (dict(stop=[]), DataError, 'stop as a label'),
        (dict(stop=0.5), DataError, 'stop as a label'),
        (dict(stop=True), DataError, 'stop as a label'),
        (dict(stop=[[1], [2, 3]]), DataError, 'stop as a label'),
        (dict(repetition_penalty=0), ConfigurationError, 'repetition_penalty as a number above 0'),
    ],
)
def test_wrong_stops_and_penalties(kwargs, error, says):
    with pytest.raises(error, match=says):
        Classifier(CHAINS['rnn']).predict_sequence([0], 3, **kwargs)
