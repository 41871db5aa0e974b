"""``kerasnets text``: train on a text and generate more of it; ``kerasnets demo``."""

from __future__ import annotations

import json
import pydoc_data.topics
from collections.abc import Iterable, Iterator
from typing import Any

import click

import kerasnets
from kerasnets.cli import common
from kerasnets.errors import DataError

HELD_OUT = 0.1  # of the text, to validate with

#: Forms that learn at lower rates than recurrent layers.
ATTENTION = 'attention', 'transformer'


@click.group()
def text() -> None:
    """Train on a text, generate text, and measure how well a text is predicted."""


@text.command()
@click.argument('corpus', nargs=-1, required=True, type=common.INPUT)
@click.option('--layers', type=common.Layers(), default='128', show_default=True)
@click.option(
    '--form', default='lstm', show_default=True, help='Of the layers: lstm, gru, transformer, …'
)
@click.option('--time', default=50, show_default=True, help='Characters, or tokens, in a sequence.')
@click.option('--alphabet', help='Characters to learn. Default: those that occur often enough.')
@click.option(
    '--tokens',
    type=click.Choice(['char', 'word', 'bpe']),
    default='char',
    show_default=True,
    help='What a label stands for; bpe learns pieces of words.',
)
@click.option('--size', type=int, help='Words or pieces to learn. Default: 10000, or 1000 pieces.')
@click.option('--min-count', type=int, help='What is often enough. Default: 10, of tokens 2.')
@click.option('--encoding', default='utf-8', show_default=True)
@common.training(epochs=10, rate=None, batch=64, rates='Default: 0.02, of a transformer 0.003.')
def train(corpus: Any, **options: Any) -> None:
    """Train a text model on CORPUS, text files, or - for standard input.

    Several files are several documents, and the model learns where each ends. Training ends after
    `--epochs`, or when `--patience` with the last tenth of the text runs out.
    """
    from kerasnets.data.tables import decoded

    read = [decoded(path, options['encoding']) for path in corpus]
    _net, found = _learn(read if read[1:] else read[0], options)
    common.tell(found, options['as_json'])


@text.command()
@click.argument('model', type=click.Path(exists=True, dir_okay=False))
@click.option('--seed', default='The ', show_default=True, help='What to write on from.')
@click.option('--length', default=500, show_default=True, help='Characters to write.')
@click.option('--temperature', default=0.8, show_default=True, help='0 takes the most probable.')
@click.option('--top-k', type=int, help='Choose among so many.')
@click.option('--top-p', type=float, help='Choose among the fewest with so much probability.')
@click.option('--stop', help='Text at which to end; it is not written.')
@click.option('--streams', default=1, show_default=True, help='Texts to write.')
@click.option('--rng', type=int, help='Seed of what is drawn. Default: another each time.')
@click.option('--json', 'as_json', is_flag=True, help='A list of texts as JSON.')
def sample(
    model: Any,
    seed: Any,
    length: Any,
    temperature: Any,
    top_k: Any,
    top_p: Any,
    stop: Any,
    streams: Any,
    rng: Any,
    as_json: Any,
) -> None:
    """Generate text with a MODEL from `kerasnets text train`."""
    net = _load(model)
    alphabet = net.text
    settings = {'rng': rng, 'temperature': temperature, 'top_k': top_k, 'top_p': top_p}
    settings['stop'] = alphabet.end  # of a document
    drawn = net.predict_sequence(alphabet.encode(seed), length, streams=streams, **settings)
    if streams == 1 and not as_json:
        click.echo(seed, nl=False)
        for piece in _until(stop, alphabet.stream(drawn)):
            click.echo(piece, nl=False)  # as it is written
        click.echo()
        return
    drawn = [[label] for label in drawn] if streams == 1 else drawn
    texts = [alphabet.decode([n for n in labels if n is not None]) for labels in zip(*drawn)]
    written = [seed + ''.join(_until(stop, one)) for one in texts]
    if as_json:
        click.echo(json.dumps(written))
    for i, one in enumerate([] if as_json else written):
        click.secho(f'── {i + 1} of {streams}', dim=True)
        click.echo(one)


@text.command()
@click.argument('model', type=click.Path(exists=True, dir_okay=False))
@click.argument('corpus', nargs=-1, required=True, type=common.INPUT)
@click.option('--encoding', default='utf-8', show_default=True)
@click.option('--json', 'as_json', is_flag=True, help='A line of JSON for each file.')
def score(model: Any, corpus: Any, encoding: Any, as_json: Any) -> None:
    """Measure how well a MODEL predicts CORPUS, text files, or - for standard input.

    Gives bits per character, by which models with different tokens compare, and the share of tokens
    that were predicted.
    """
    from kerasnets.data.tables import decoded

    net = _load(model)
    for path in corpus:
        found = net.score_text(decoded(path, encoding))
        found |= {'bits': round(found['bits'], 4), 'acc': round(found['acc'], 4)}
        common.tell({'file': str(path), **found}, as_json)


def _load(model: Any) -> Any:
    """The network of a file, if it has an alphabet."""
    common.import_keras()
    net: Any = kerasnets.load(model)
    if getattr(net, 'text', None) is None:
        raise DataError(f'{model} has no alphabet. Make it with `kerasnets text train`.')
    return net


def _until(stop: str | None, pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of a text, up to where `stop` begins."""
    held, stop = '', stop or ''
    for piece in pieces:
        held += piece
        if stop and held.endswith(stop):
            yield held.removesuffix(stop)
            return
        keep = next((n for n in range(len(stop), 0, -1) if held.endswith(stop[:n])), 0)
        yield held[: len(held) - keep]
        held = held[len(held) - keep :]
    yield held


@click.command()
@click.option('-o', '--output', default='demo.keras', show_default=True, type=click.Path())
@click.option('--epochs', default=4, show_default=True)
def demo(output: Any, epochs: Any) -> None:
    """Train on Python's language reference and generate text, in about a minute."""
    corpus = '\n'.join(pydoc_data.topics.topics.values())
    click.echo(f'Learning from {len(corpus):,} characters of the Python language reference.')
    typed = [pydoc_data.topics.__file__, '--output', output, '--epochs', str(epochs)]
    net, found = _learn(corpus, train.make_context('train', typed).params)
    common.tell(found, as_json=False)
    drawn = net.predict_sequence(net.text.encode('The '), 400, rng=1, temperature=0.7)
    click.echo(f'\nThe {net.text.decode(drawn)}\n')
    click.echo(f'Write more:  kerasnets text sample {output} --seed "Python is "')


def _learn(corpus: Any, options: Any) -> Any:
    """A network trained on a text, and what came of it."""
    common.check_output(options['output'])
    common.import_keras()
    from keras.optimizers.schedules import CosineDecay

    chosen = {'tokens': options['tokens'], 'size': options['size']}
    least = options['min_count']
    if least is None:
        least = 10 if options['tokens'] == 'char' else 2
    whole = kerasnets.recurrent.Text(corpus, options['alphabet'], least, **chosen)
    learnt, held = whole.split(HELD_OUT)
    entries = [
        dict(form=options['form'], size=size)
        | ({'activation': options['activation']} if options['activation'] else {})
        for size in options['layers']
    ]
    net = kerasnets.recurrent.Classifier(
        [whole.classes, *entries, whole.classes], rng=options['rng'], text=learnt
    )
    steps, batch = options['time'], options['batch']
    batches = max(1, len(learnt.labels) // (steps * batch))
    start = options['learning_rate'] or (0.003 if options['form'] in ATTENTION else 0.02)
    rate = CosineDecay(start, batches * options['epochs'], alpha=0.05)
    data = learnt.classifier_batches(steps, batch, rng=options['rng'])
    valid = held.sequences(steps)
    found = common.fit(net, data, valid, options, learning_rate=rate, train_batches=batches)
    characters = sum(map(len, [corpus] if isinstance(corpus, str) else corpus))
    found['held out: bits per character'] = round(net.evaluate(valid)['bits'], 4)
    return net, {'characters': characters, 'classes': whole.classes, **found}
