"""``kerasnets text``: train on a text and generate more of it; ``kerasnets demo``."""

from __future__ import annotations

import json
import pydoc_data.topics
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

import kerasnets
from kerasnets import terminal
from kerasnets.cli import common
from kerasnets.errors import DataError

HELD_OUT = 0.1  # fraction of the text for validation

#: Forms that learn at lower rates than recurrent layers.
ATTENTION = 'attention', 'transformer'


ENCODING = click.option(
    '--encoding', default='utf-8', show_default=True, help='Encoding of the files.'
)


@click.group()
def text() -> None:
    """Train on a text, generate text, and measure how well a text is predicted."""


@text.command(cls=common.Command)
@click.argument('corpus', nargs=-1, required=True, type=common.INPUT)
@common.hidden_layers('128')
@common.form_of('lstm')
@click.option(
    '--time',
    'steps',
    type=common.FROM_1,
    default=50,
    show_default=True,
    help='Number of characters, or tokens, in a training sequence.',
)
@click.option(
    '--alphabet',
    'alpha',
    help='Characters to learn. Default: those that occur at least --min-count times.',
)
@click.option(
    '--tokens',
    type=click.Choice(['char', 'word', 'bpe']),
    default='char',
    show_default=True,
    help='Unit of a label: a character, a word, or a piece of a word (bpe).',
)
@click.option(
    '--size',
    type=common.FROM_1,
    help='Maximum number of characters, words or pieces to learn. Default: all characters, '
    '10000 words, or 1000 pieces.',
)
@click.option(
    '--min-count',
    type=common.FROM_0,
    help='Number of occurrences from which a character or token is learned. Default: 10 for '
    'characters, 2 for others.',
)
@ENCODING
@common.training(
    {'learning_rate': '0.02; 0.003 for attention and transformers.'}, epochs=10, batch_size=64
)
def train(corpus: tuple[str, ...], **options: Any) -> None:
    """Train a text model on CORPUS, text files, or - for standard input.

    Several files are several documents, and the model learns where each ends. Training stops after
    `--epochs`, or when the last tenth of the text shows no improvement for `--patience` epochs.
    """
    read = [_read(path, options['encoding']) for path in corpus]
    _net, found = _learn(read if read[1:] else read[0], options)
    common.tell(found, options['as_json'])


@text.command(cls=common.Command)
@click.argument('model', type=click.Path(exists=True, dir_okay=False))
@click.option('--seed', default='The ', show_default=True, help='Text to continue.')
@click.option(
    '--length',
    'steps',
    type=common.FROM_0,
    default=500,
    show_default=True,
    help='Number of characters, or tokens, to write.',
)
@click.option(
    '--temperature',
    type=common.Number(0),
    default=0.8,
    show_default=True,
    help='Randomness of the text: 0 always writes the most probable label.',
)
@click.option(
    '--top-k',
    type=common.FROM_1,
    help='Draw only from this number of most probable labels. Default: all.',
)
@click.option(
    '--top-p',
    type=common.Number(0, 1, min_open=True),
    help='Draw only from the fewest labels with this total probability. Default: all.',
)
@click.option('--stop', help='End before this text, which is not written. Default: no such text.')
@click.option(
    '--streams',
    type=common.FROM_1,
    default=1,
    show_default=True,
    help='Number of texts to write.',
)
@click.option(
    '--rng',
    type=common.FROM_0,
    help='Seed of the random numbers. Default: another one for each run.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print a list of the texts as JSON.')
def sample(
    model: str,
    seed: str,
    steps: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    stop: str | None,
    streams: int,
    rng: int | None,
    as_json: bool,
) -> None:
    """Generate text with a MODEL from `kerasnets text train`."""
    if not seed:
        raise click.BadParameter('expected one character or more.', param_hint="'--seed'")
    net = _load(model)
    alphabet = net.text
    settings: dict[str, Any] = {
        'rng': rng,
        'temperature': temperature,
        'top_k': top_k,
        'top_p': top_p,
    }
    settings['stop'] = alphabet.end  # of a document
    drawn = net.predict_sequence(alphabet.encode(seed), steps, streams=streams, **settings)
    shown = terminal.plain if sys.stdout.isatty() else str  # the alphabet of a file may hold any
    if streams == 1 and not as_json:
        click.echo(seed, nl=False)
        for piece in _until(stop, alphabet.stream(drawn)):
            click.echo(shown(_readable(piece)), nl=False)  # as it is written
        click.echo()
        return
    drawn = [[label] for label in drawn] if streams == 1 else drawn
    texts = [alphabet.decode([n for n in labels if n is not None]) for labels in zip(*drawn)]
    written = [seed + _readable(''.join(_until(stop, one))) for one in texts]
    if as_json:
        click.echo(json.dumps(written))
    for i, one in enumerate([] if as_json else written):
        click.secho(f'── {i + 1} of {streams}', dim=True)
        click.echo(shown(one))


def _readable(text: str) -> str:
    """Replace the character that stands for unknown ones, a NUL."""
    return text.replace('\0', '\ufffd')


@text.command(cls=common.Command)
@click.argument('model', type=click.Path(exists=True, dir_okay=False))
@click.argument('corpus', nargs=-1, required=True, type=common.INPUT)
@ENCODING
@click.option('--json', 'as_json', is_flag=True, help='Print a line of JSON for each file.')
def score(model: str, corpus: tuple[str, ...], encoding: str, as_json: bool) -> None:
    """Measure how well a MODEL predicts CORPUS, text files, or - for standard input.

    Prints the bits per character, which are comparable between models with different tokens, and
    the fraction of correctly predicted tokens.
    """
    net = _load(model)
    for path in corpus:
        found = net.score_text(_read(path, encoding))
        found |= {'bits': round(found['bits'], 4), 'acc': round(found['acc'], 4)}
        common.tell({'file': str(path), **found}, as_json)


def _read(path: str, encoding: str) -> str:
    """Return the text of a file, or of standard input for '-'; refuse an empty one."""
    from kerasnets.data.tables import decoded  # imports pandas

    read = decoded(path, encoding)
    if not read:
        raise DataError(f'{path}: the file is empty. Choose another file.')
    return read


def _load(model: str) -> Any:
    """Load a network and refuse one without an alphabet."""
    common.import_keras()
    net: Any = kerasnets.load(model)
    if getattr(net, 'text', None) is None:
        raise DataError(f'{model} has no alphabet. Train it with `kerasnets text train`.')
    return net


def _until(stop: str | None, pieces: Iterable[str]) -> Iterator[str]:
    """Yield the pieces of a text up to the first occurrence of `stop`."""
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


@click.command(cls=common.Command)
@click.option(
    '-o',
    '--output',
    default='demo.keras',
    show_default=True,
    type=click.Path(),
    help='Write the model to this file.',
)
@click.option(
    '--epochs', type=common.FROM_1, default=4, show_default=True, help='Number of epochs.'
)
def demo(output: str, epochs: int) -> None:
    """Train on Python's language reference and generate text, in about a minute."""
    corpus = '\n'.join(pydoc_data.topics.topics.values())
    click.echo(f'Learning from {len(corpus):,} characters of the Python language reference.')
    typed = [pydoc_data.topics.__file__, '--output', output, '--epochs', str(epochs)]
    net, found = _learn(corpus, train.make_context('train', typed).params)
    common.tell(found, as_json=False)
    drawn = net.predict_sequence(net.text.encode('The '), 400, rng=1, temperature=0.7)
    click.echo(f'\nThe {net.text.decode(drawn)}\n')
    click.echo(f'Write more:  kerasnets text sample {output} --seed "Python is "')


def _learn(corpus: str | list[str], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Train a network on a text; return the network and the results."""
    common.import_keras()
    from keras.optimizers.schedules import CosineDecay

    chosen = {'tokens': options['tokens'], 'size': options['size']}
    least = options['min_count']
    if least is None:
        least = 10 if options['tokens'] == 'char' else 2
    whole = kerasnets.recurrent.Text(corpus, options['alpha'], least, **chosen)
    learnt, held = whole.split(HELD_OUT)
    entries = [
        dict(form=options['form'], size=size)
        | ({'activation': options['activation']} if options['activation'] else {})
        for size in options['layers']
    ]
    net = kerasnets.recurrent.Classifier(
        [whole.classes, *entries, whole.classes], rng=options['rng'], text=learnt
    )
    steps, batch = options['steps'], options['batch_size']
    batches = max(1, len(learnt.labels) // (steps * batch))
    start = options['learning_rate'] or (0.003 if options['form'] in ATTENTION else 0.02)
    rate = CosineDecay(start, max(1, batches * options['epochs']), alpha=0.05)
    data = learnt.classifier_batches(steps, batch, rng=options['rng'])
    valid = held.sequences(steps)
    found = common.fit(net, data, valid, options, learning_rate=rate, train_batches=batches)
    characters = sum(map(len, [corpus] if isinstance(corpus, str) else corpus))
    found['held out: bits per character'] = round(net.evaluate(valid)['bits'], 4)
    return net, {'characters': characters, 'classes': whole.classes, **found}
