"""What a second process brings, on JAX: ``python benchmarks/machines.py``.

    python benchmarks/machines.py [--batch 512] [--json FILE]

One and two processes, each held to a core of its own, share each batch of a dense network of
growing width. An update takes a share of the computation, and an exchange of as many gradients as
there are weights: the time that two take beyond half of what one takes. The processes talk over
the loopback device, which is faster than a network.
"""

import json
import os
import socket
import subprocess
import sys
import time

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from work import keep

WIDTHS = [128, 256, 512, 1024, 2048]
UPDATES, RUNS = 20, 4  # of the runs, an epoch each, the first warms up


def train(width, batch, address, count, process):
    """One of the processes: print the seconds of an update, and the weights there are."""
    os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[process]])
    import kerasnets

    kerasnets.distribute(address, count, process) if count > 1 else None
    rng = np.random.default_rng(1)
    rows = UPDATES * batch
    x, y = rng.random((rows, 784), dtype='f'), rng.integers(10, size=rows)
    net = kerasnets.Classifier([784, width, width, 10])
    times = []
    for _ in net.itertrain([x, y], epochs=RUNS, batch_size=batch, validate_every=RUNS + 1):
        times.append(time.perf_counter())
    seconds = min(np.diff(times)) / UPDATES
    print(json.dumps([float(seconds), sum(int(np.prod(p.shape)) for p in net.params)]))


def together(width, batch, count):
    """Start so many processes; what the first of them printed."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = f'127.0.0.1:{free.getsockname()[1]}'
    env = {**os.environ, 'KERAS_BACKEND': 'jax'}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, '--worker', json.dumps([width, batch, address, count, i])],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for i in range(count)
    ]
    first, *_ = [process.communicate()[0] for process in processes]
    return json.loads(first.splitlines()[-1])


@click.command(help=__doc__.split('\n')[0])
@click.option('--worker', hidden=True)
@click.option('--batch', default=512, show_default=True, help='Rows that an update is of.')
@click.option('--json', 'as_json', type=click.Path(), help='Write the times here.')
def main(worker, batch, as_json):
    """Time all widths by one and by two processes, and print a table."""
    if worker:
        train(*json.loads(worker))
        return
    found = {}
    for width in track(WIDTHS, 'timing'):
        (one, weights), (two, _) = (together(width, batch, count) for count in (1, 2))
        found[weights] = {'one': one, 'two': two, 'exchange': two - one / 2}
    table = Table('weights', 'one process, ms', 'two', 'speed-up', 'exchange, ms')
    for weights, times in found.items():
        one, two, exchange = (1e3 * t for t in times.values())
        table.add_row(
            f'{weights:,}', f'{one:.2f}', f'{two:.2f}', f'{one / two:.2f}', f'{exchange:.2f}'
        )
    Console().print(table)
    fixed, each = np.polynomial.polynomial.polyfit(
        list(found), [t['exchange'] for t in found.values()], 1
    )
    Console().print(f'exchange: {1e3 * fixed:.1f} ms, and {1e9 * each:.2f} ms a million weights')
    keep(found, as_json)


if __name__ == '__main__':
    main()
