"""Training and sampling on an accelerator, by kerasnets on JAX and by its peers.

    KERAS_BACKEND=jax python benchmarks/gpu.py [--small] [--peak 990] [--json FILE] [--chart FILE]

A character model of an LSTM (256 → 1024 → 256, 128 sequences of 128) and a dense network
(1024-4096-4096-10, batches of 1024), in float32 and with the dtype policy mixed_bfloat16; then
1,000 steps of sampling by one stream and by 256. The peers are plain loops of PyTorch and of
flax, each of the same size, where they are installed. The best of the runs counts, after one
that warms up. The share is of the card's peak in teraflops for bfloat16, which ``--peak`` says.
"""

import importlib.util
import time

import click
import keras
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from work import keep

import kerasnets

RUNS = 3
LARGE = {'letters': 256, 'units': 1024, 'rows': 128, 'steps': 128, 'width': 4096, 'batch': 1024}
SMALL = {'letters': 32, 'units': 32, 'rows': 8, 'steps': 16, 'width': 64, 'batch': 32}
BATCHES = 20  # in what is timed


def best(run):
    """Seconds of the fastest of the runs, after one that warms up."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def sequences(size):
    """Labels to read and to write, (sequences, steps)."""
    shape = BATCHES * size['rows'], size['steps'] + 1
    labels = np.random.default_rng(1).integers(size['letters'], size=shape)
    return labels[:, :-1], labels[:, 1:]


def vectors(size):
    """Vectors and their classes."""
    rng = np.random.default_rng(1)
    count = BATCHES * size['batch']
    return rng.random((count, 1024), dtype='f'), rng.integers(10, size=count)


def work(name, size):
    """Operations of the products of an epoch: 2 ahead and 4 back for each weight and example."""
    if name.startswith('lstm'):
        weights = 4 * size['units'] * (size['letters'] + size['units'])
        weights += size['units'] * size['letters']
        return 6 * weights * BATCHES * size['rows'] * size['steps']
    width = size['width']
    return 6 * (1024 * width + width * width + width * 10) * BATCHES * size['batch']


def by_kerasnets(name, size):
    """A function that trains for an epoch, or samples."""
    keras.config.set_dtype_policy('mixed_bfloat16' if 'bfloat16' in name else 'float32')
    writer = [size['letters'], (size['units'], 'lstm'), size['letters']]
    if name.startswith('sample'):
        net = kerasnets.recurrent.Classifier(writer)
        streams = int(name.split()[-1])
        return lambda: sum(1 for _ in net.predict_sequence([0], 1000, streams=streams, rng=1))
    if name.startswith('lstm'):
        net, data, rows = kerasnets.recurrent.Classifier(writer), sequences(size), size['rows']
    else:
        layers = [1024, size['width'], size['width'], 10]
        net, data, rows = kerasnets.Classifier(layers), vectors(size), size['batch']
    return lambda: net.train(list(data), algo='adam', epochs=1, batch_size=rows, verbose=0)


def by_torch(name, size):
    """The same in a plain loop of PyTorch; None where there is none."""
    import torch
    from torch import nn

    device = 'cuda' if torch.cuda.is_available() else 'cpu'

    class Writer(nn.Module):
        def __init__(self):
            super().__init__()
            self.read = nn.Embedding(size['letters'], size['letters'])
            self.lstm = nn.LSTM(size['letters'], size['units'], batch_first=True)
            self.out = nn.Linear(size['units'], size['letters'])

        def forward(self, x):
            return self.out(self.lstm(self.read(x))[0]).transpose(1, 2)

    def dense():
        width = size['width']
        layers = nn.Linear(1024, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        return nn.Sequential(*layers, nn.Linear(width, 10))

    if name.startswith('sample'):
        return None
    recurrent = name.startswith('lstm')
    model = (Writer() if recurrent else dense()).to(device)
    rows = size['rows'] if recurrent else size['batch']
    x, y = (torch.tensor(a).to(device) for a in (sequences if recurrent else vectors)(size))
    optimizer = torch.optim.Adam(model.parameters())

    def epoch():
        for start in range(0, len(x), rows):
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled='bfloat16' in name):
                loss = nn.functional.cross_entropy(
                    model(x[start : start + rows]), y[start : start + rows]
                )
            loss.backward()
            optimizer.step()
        loss.item()  # waits for the device

    return epoch


def by_flax(name, size):
    """The same in a plain loop of flax and optax."""
    import jax
    import optax
    from flax import linen as nn

    if name.startswith('sample'):
        return None
    recurrent = name.startswith('lstm')
    dtype = 'bfloat16' if 'bfloat16' in name else 'float32'

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            if recurrent:
                x = nn.Embed(size['letters'], size['letters'], dtype=dtype)(x)
                x = nn.RNN(nn.OptimizedLSTMCell(size['units'], dtype=dtype))(x)
                return nn.Dense(size['letters'], dtype=dtype)(x)
            for _ in range(2):
                x = nn.relu(nn.Dense(size['width'], dtype=dtype)(x))
            return nn.Dense(10, dtype=dtype)(x)

    model, optimizer = Model(), optax.adam(1e-3)
    x, y = (sequences if recurrent else vectors)(size)
    rows = size['rows'] if recurrent else size['batch']
    params = model.init(jax.random.key(1), x[:1])
    state = optimizer.init(params)

    @jax.jit
    def step(params, state, x, y):
        def loss(params):
            logits = model.apply(params, x).astype('float32')
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        gradients = jax.grad(loss)(params)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state

    def epoch():
        nonlocal params, state
        for start in range(0, len(x), rows):
            params, state = step(params, state, x[start : start + rows], y[start : start + rows])
        jax.block_until_ready(params)

    return epoch


PEERS = {'kerasnets': by_kerasnets, 'torch': by_torch, 'flax': by_flax}
WORKS = ['lstm', 'lstm bfloat16', 'dense', 'dense bfloat16', 'sample 1', 'sample 256']


def draw(found, path):
    """A chart of the peers' times over ours."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout='constrained')
    for name in PEERS:
        times = {w: t['kerasnets'] / t[name] for w, t in found.items() if t.get(name)}
        axes.scatter(list(times.values()), list(times), label=f'over {name}')
    axes.set(xscale='log', xlabel="kerasnets' time over the peer's")
    axes.legend()
    figure.savefig(path)


@click.command(help=__doc__.split('\n')[0])
@click.option('--small', is_flag=True, help='Sizes for a processor, to see that it runs.')
@click.option('--peak', type=float, help='Teraflops of the card in bfloat16.')
@click.option('--json', 'as_json', type=click.Path(), help='Write the times here.')
@click.option('--chart', type=click.Path(), help='Draw the ratios here.')
def main(small, peak, as_json, chart):
    """Time all works by all peers that are there."""
    size = SMALL if small else LARGE
    peers = [n for n in PEERS if n == 'kerasnets' or importlib.util.find_spec(n)]
    found = {}
    for name in track(WORKS, 'timing'):
        runs = {peer: PEERS[peer](name, size) for peer in peers}
        found[name] = {peer: best(run) for peer, run in runs.items() if run}
    table = Table('work', 'kerasnets', 'teraflops', 'of the peak', *peers[1:])
    for name, times in found.items():
        ours = times['kerasnets']
        speed = None if name.startswith('sample') else work(name, size) / ours / 1e12
        share = f'{speed / peak:.1%}' if peak and speed else ''
        ratios = (f'{ours / times[p]:.2f}' if p in times else '' for p in peers[1:])
        table.add_row(
            name, f'{ours:.4g} s', '' if speed is None else f'{speed:.3g}', share, *ratios
        )
    Console().print(table)
    keep(found, as_json, draw, chart)


if __name__ == '__main__':
    main()
