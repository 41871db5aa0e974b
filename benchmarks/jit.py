"""Whether ``jit='auto'`` chooses well: its time over the better of ``jit=True`` and ``False``.

    python benchmarks/jit.py [--works dense,lstm] [--runs 1]

Each work is a first training in a process of its own, with compilation. A cell has its processor
seconds and its wall seconds, or their ratios. `compiled` says what 'auto' chose.
"""

import json
import os
import subprocess
import sys
import time

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

#: Form -> (rows, batch size, epochs) of its works.
WORKS = {
    'dense': [(100, 8, 20), (100, 32, 200), (1000, 32, 5), (1000, 32, 100), (10_000, 32, 1),
              (10_000, 512, 20), (100_000, 32, 1), (100_000, 512, 5)],
    'rnn': [(100, 8, 5), (100, 32, 50), (1000, 32, 1), (1000, 128, 20), (10_000, 128, 2)],
    'lstm': [(100, 8, 5), (100, 32, 50), (1000, 32, 1), (1000, 32, 5), (1000, 128, 20),
             (10_000, 128, 2)],
    'gru': [(100, 8, 5), (100, 32, 50), (1000, 32, 1), (1000, 128, 20), (10_000, 128, 2)],
}  # fmt: skip
STEPS, VARIABLES, UNITS = 20, 16, 64


def train(form, rows, batch_size, epochs, jit):
    """Print the processor and wall seconds of a first training, and whether XLA compiled."""
    import numpy as np

    import kerasnets
    from kerasnets.programs import training

    steps = () if form == 'dense' else (STEPS,)
    x = np.random.default_rng(0).normal(size=(rows, *steps, VARIABLES)).astype('f')
    y = (x.sum(axis=-1) > 0).astype(int)
    module = kerasnets if form == 'dense' else kerasnets.recurrent
    hidden = UNITS if form == 'dense' else (UNITS, form)
    net = module.Classifier([VARIABLES, hidden, 2])
    start = time.process_time(), time.perf_counter()
    net.train([x, y], epochs=epochs, batch_size=batch_size, jit=jit)
    took = time.process_time() - start[0], time.perf_counter() - start[1]
    print(json.dumps([*took, bool(training.executables)]))


def measured(*work, jit, runs):
    """Return the least processor and wall seconds of some processes, and whether XLA compiled."""
    command = [sys.executable, __file__, '--one', json.dumps([*work, jit])]
    env = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3'}
    found = []
    for _ in range(runs):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return [min(part) for part in zip(*found)]


@click.command(help=__doc__.split('\n')[0])
@click.option('--works', default=','.join(WORKS), help='Forms, with commas between.')
@click.option('--runs', default=1, help='Processes for each training.', show_default=True)
@click.option('--one', hidden=True)
def main(works, runs, one):
    """Time each work in three ways and print the table."""
    if one:
        train(*json.loads(one))
        return
    table = Table('form', 'rows', 'batch', 'epochs', 'XLA', 'without', 'auto', 'compiled',
                  'auto over the better')  # fmt: skip
    works = [(form, *rest) for form in works.split(',') for rest in WORKS[form]]
    for work in track(works, 'timing'):
        *xla, _ = measured(*work, jit=True, runs=runs)
        *plain, _ = measured(*work, jit=False, runs=runs)
        *auto, compiled = measured(*work, jit='auto', runs=runs)
        ratios = [c / min(a, b) for a, b, c in zip(xla, plain, auto)]
        color = 'green' if max(ratios) <= 1.15 else 'red'
        cells = [f'{processor:.2f} · {wall:.2f}' for processor, wall in (xla, plain, auto, ratios)]
        table.add_row(*map(str, work), *cells[:3], 'yes' if compiled else 'no',
                      f'[{color}]{cells[3]}[/]')  # fmt: skip
    Console(width=110).print(table)


if __name__ == '__main__':
    main()
