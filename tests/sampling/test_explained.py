"""Texts explained: the probability of each character, in colours."""

import numpy as np
import pytest
from rich.console import Console

import kerasnets
from kerasnets.errors import DataError


@pytest.fixture(scope='module')
def net():
    text = kerasnets.recurrent.Text('abc' * 40)
    net = kerasnets.recurrent.Classifier([4, (8, 'rnn', 'tanh'), 4], text=text)
    net.train(text.sequences(6), algo='adam', learning_rate=0.05, epochs=60)
    return net


def test_probabilities_are_those_of_the_network(net):
    found = net.explain_text('abca')
    p = net.predict_proba(np.array([net.text.encode('abc')]))[0]
    want = [p[i, label] for i, label in enumerate(net.text.encode('bca'))]
    np.testing.assert_allclose(found.probabilities[1:], want)
    assert np.isnan(found.probabilities[0])
    assert found.bits == pytest.approx(-np.mean(np.log2(want)))
    assert str(found) == f'4 characters, {found.bits:.2f} bits each, perplexity {2**found.bits:.1f}'


def test_colours_by_probability(net):
    html = net.explain_text('abca<').html()
    spans = html.split('<span')[1:]
    assert ' style' not in spans[0]
    assert '#1a9850' in spans[3]
    assert '&lt;' in spans[4]
    assert '#1a9850' not in spans[4].split('</span>')[0]
    assert all('color:#000' in span for span in spans[1:])
    assert 'bits a character' in html
    assert net.explain_text('ab')._repr_html_().startswith('<pre')
    console = Console(record=True, width=80, force_terminal=True)
    net.explain_text('abcacb').show(console)
    shown = console.export_text(clear=False)
    assert shown.startswith('abcacb\n')
    assert 'bits a character' in shown
    assert '#1a9850' in console.export_html()


def test_invalid_texts_to_explain(net):
    with pytest.raises(DataError, match='two labels or more'):
        net.explain_text('a')
    with pytest.raises(DataError, match='has no alphabet'):
        kerasnets.recurrent.Classifier([4, (3, 'rnn'), 4]).explain_text('ab')
