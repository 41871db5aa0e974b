"""What kerasnets takes over what its peers take, a work a row: ``tox -e bench``.

    python benchmarks/table.py [--works lstm,gru] [--json FILE] [--chart FILE]

Each work is done by each peer in a process of its own, one at a time, and the best of five runs
after one that warms up counts. PyTorch takes part if it is there (``tox -e bench-torch``);
theanets 0.7.3 if KERASNETS_BENCH_THEANETS names an interpreter that has it.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table
from work import WORKS, keep

HERE = pathlib.Path(__file__).parent
FEW = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3', 'OMP_NUM_THREADS': '2'}

#: Those that kerasnets is compared with, in the order of the goals.
PEERS = ('keras', 'torch', 'sklearn', 'theanets')

#: Work -> the ratio to reach over plain Keras, PyTorch, scikit-learn and theanets.
GOALS = {
    'dense_32': (0.5, 1.0, None, 0.35),
    'dense_256': (0.8, 1.2, None, 0.45),
    'lstm': (0.8, 1.25, None, 0.3),
    'gru': (0.6, 1.0, None, 0.5),
    'rnn': (0.8, 1.0, None, 0.5),
    'predict': (0.3, 0.9, None, None),
    'sample_1': (0.05, 0.25, None, 0.002),
    'sample_64': (None, 0.5, None, None),
    'small': (None, None, 0.3, None),
    'small_first': (None, None, 3.0, None),
    'small_cached': (None, None, 1.5, None),
    'digits': (None, None, 0.5, None),
    'search': (None, None, 0.8, None),
    'folds': (None, None, 1.2, None),
    'short_32': (0.35, 0.7, None, None),
    'short_256': (0.6, 1.0, None, None),
    'short_lstm': (0.7, 1.1, None, None),
    'short_gru': (0.5, 0.55, None, None),
    'short_rnn': (0.6, 0.6, None, None),
    'wide_lstm': (0.45, 1.4, None, None),
    'wide_gru': (0.6, 0.8, None, None),
    'predict_1': (0.35, None, 4.0, None),
    'first': (1.1, None, None, 0.3),
    'memory': (1.0, None, None, None),
}


def peers():
    """Name -> interpreter; and a word on each that is not there."""
    found, absent = {'kerasnets': sys.executable, 'keras': sys.executable}, []
    if importlib.util.find_spec('torch'):
        found['torch'] = sys.executable
    else:
        absent.append('PyTorch is not installed: its column is empty.')
    if importlib.util.find_spec('sklearn'):
        found['sklearn'] = sys.executable
    else:
        absent.append('scikit-learn is not installed: its column is empty.')
    theanets = os.environ.get('KERASNETS_BENCH_THEANETS')
    if theanets:
        found['theanets'] = theanets
    else:
        absent.append('KERASNETS_BENCH_THEANETS names no interpreter: its column is empty.')
    return found, absent


def timed(interpreter, peer, work):
    """The best time of a peer at a work, in seconds (for memory: in KB); None if it has none."""
    code = (HERE / f'by_{peer}.py').read_text(encoding='utf-8')
    if f'def {work}(' not in code:
        return None
    command = [interpreter, str(HERE / f'by_{peer}.py'), work]
    done = subprocess.run(command, capture_output=True, text=True, env=FEW)
    if done.returncode:
        raise click.ClickException(f'{peer} failed at {work}:\n{done.stderr[-2000:]}')
    return min(json.loads(done.stdout.splitlines()[-1]))


def show(found, columns):
    """Print the table of ratios, with the goals beside them."""
    table = Table('work', 'kerasnets', *(f'over {name}' for name in columns))
    for work, times in found.items():
        ours = times['kerasnets']
        unit = f'{ours / 2**20:.2f} GB' if work == 'memory' else f'{ours:.4g} s'
        cells = []
        for name, goal in zip(PEERS, GOALS[work]):
            if name in columns:
                ratio = ours / times[name] if times.get(name) else None
                mark = '' if goal is None or ratio is None else f' (≤ {goal})'
                color = 'red' if ratio and goal and ratio > goal else 'green'
                cells.append('' if ratio is None else f'[{color}]{ratio:.3g}[/]{mark}')
        table.add_row(WORKS[work], unit, *cells)
    Console().print(table)


def draw(found, path):
    """A chart of the peers' times over ours."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout='constrained')
    names = sorted({name for times in found.values() for name in times} - {'kerasnets'})
    for i, name in enumerate(names):
        places = [p for p, times in enumerate(found.values()) if times.get(name)]
        ratios = [t['kerasnets'] / t[name] for t in found.values() if t.get(name)]
        axes.scatter(ratios, places, label=f'over {name}', marker='osDv'[i])
    axes.axvline(1, color='grey', linewidth=0.8)
    axes.set(xscale='log', xlabel="kerasnets' time over the peer's", yticks=range(len(found)))
    axes.set_yticklabels(list(found))
    axes.invert_yaxis()
    axes.legend()
    figure.savefig(path)


@click.command(help=__doc__.split('\n')[0])
@click.option('--works', default=','.join(WORKS), help='Names, with commas between.')
@click.option('--json', 'as_json', type=click.Path(), help='Write the times here.')
@click.option('--chart', type=click.Path(), help='Draw the ratios here.')
def main(works, as_json, chart):
    """Time the works, and print, keep and draw what was found."""
    names, absent = peers()
    found, works = {}, works.split(',')
    if unknown := set(works) - set(WORKS):
        raise click.UsageError(f'unknown: {", ".join(unknown)}. Choose of {", ".join(WORKS)}.')
    for work in track(works, 'timing'):
        times = {name: timed(python, name, work) for name, python in names.items()}
        found[work] = {name: time for name, time in times.items() if time is not None}
    show(found, [name for name in names if name != 'kerasnets'])
    for word in absent:
        click.echo(word)
    keep(found, as_json, draw, chart)


if __name__ == '__main__':
    main()
