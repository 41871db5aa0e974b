"""Learn to write: a recurrent classifier trained on the characters of a text.

    python examples/recurrent_text.py [--corpus FILE] [--epochs N] [--layer lstm] ...

Without a corpus it reads the language reference that every Python ships. It leaves a Keras
model and TensorBoard logs in --out, and says where.
"""

import math
import pathlib
import pydoc_data.topics
import re
import time

import click
import keras

import kerasnets

STEPS, BATCH = 64, 32  # characters in a sequence, sequences in a batch
FORM, SIZE, RATE, DROPOUT, EPOCHS = 'gru', 256, 0.008, 0.4, 8
SEED = 30  # characters that a sample starts from
HELD_OUT = 0.1  # of the text, its end


def read(corpus=None):
    """The text of a file, or of Python's own documentation, with runs of blanks made one."""
    if corpus is None:
        text = '\n'.join(pydoc_data.topics.topics.values())
    else:
        text = pathlib.Path(corpus).read_text(encoding='utf-8')
    return re.sub(r'[ \t]+', ' ', text)


def cooling(learning_rate, epochs):
    """A Keras callback that lowers the learning rate along half a cosine."""
    return keras.callbacks.LearningRateScheduler(
        lambda epoch: learning_rate * (0.05 + 0.95 * (1 + math.cos(math.pi * epoch / epochs)) / 2)
    )


def main(epochs=EPOCHS, corpus=None, form=FORM, size=SIZE, learning_rate=RATE, out='runs', rng=13):
    """Train, sample after each epoch, save, load again and write a paragraph.

    Returns
    -------
    path of the model, monitors of the held-out text, the paragraph
    """
    whole = kerasnets.recurrent.Text(read(corpus), min_count=10)
    train, valid = whole.split(HELD_OUT)
    click.echo(f'{len(whole.text):,} characters, {whole.classes} classes')
    net = kerasnets.recurrent.Classifier(
        [train.classes, (size, form, 'tanh'), train.classes], text=train, rng=rng
    )
    net.model.summary(print_fn=click.echo)

    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    seed = valid.labels[:SEED]
    start = time.perf_counter()
    for training, _ in net.itertrain(
        train.classifier_batches(STEPS, BATCH, rng=rng),
        algo='adam',
        learning_rate=learning_rate,
        hidden_dropout=DROPOUT,
        epochs=epochs,
        train_batches=max(1, len(train.labels) // (STEPS * BATCH)),
        callbacks=[cooling(learning_rate, epochs)],
        tensorboard=out / 'logs',
        verbose=1,
    ):
        sample = train.decode(net.predict_sequence(seed, 50, rng=rng))
        line = f'{valid.decode(seed)}|{sample} ({100 * training["acc"]:.1f}%)'
        click.echo(line.replace('\n', '⏎'))
    seconds = time.perf_counter() - start

    monitors = net.score_text(valid)
    click.echo(
        f'held out: {100 * monitors["acc"]:.1f}% of characters, {monitors["bits"]:.2f} bits each, '
        f'after {seconds:.0f} s'
    )
    path = out / 'recurrent_text.keras'
    net.save(path)
    again = kerasnets.load(path)
    text = again.text
    paragraph = text.decode(again.predict_sequence(seed, 500, rng=rng, temperature=0.7))
    click.echo(f'\n{text.decode(seed)}{paragraph}\n')
    click.echo(f'model:       {path.resolve()}')
    click.echo(f'TensorBoard: tensorboard --logdir {(out / "logs").resolve()}')
    return path, monitors, paragraph


@click.command(help=__doc__.split('\n')[0])
@click.option('--corpus', type=click.Path(exists=True, dir_okay=False), help='A text file, UTF-8.')
@click.option('--epochs', default=EPOCHS, show_default=True)
@click.option('--layer', 'form', default=FORM, show_default=True, help='rnn, lstm or gru.')
@click.option('--size', default=SIZE, show_default=True, help='Units of the layer.')
@click.option('--learning-rate', default=RATE, show_default=True)
@click.option('--out', default='runs', show_default=True, help='Folder for model and logs.')
@click.option('--rng', default=13, show_default=True, help='Seed of all that is drawn.')
def command(**options):
    main(**options)


if __name__ == '__main__':
    command()
