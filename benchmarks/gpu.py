"""Training and sampling on an accelerator, by kerasnets on JAX and by its peers.

    KERAS_BACKEND=jax python benchmarks/gpu.py [--small] [--peak 990] [--json FILE] [--chart FILE]

A character model of an LSTM (256 → 1024 → 256, 128 sequences of 128) and a dense network
(1024-4096-4096-10, batches of 1024), in float32 and with the dtype policy mixed_bfloat16; then
1,000 steps of sampling by one stream and by 256. The peers are of the same size, where they are
installed: plain loops of PyTorch, and flax with each step of training, or all of sampling, under
``jax.jit``. The best of the runs counts, after one that warms up. The share is of the card's peak
in teraflops for bfloat16, which ``--peak`` says. Last, kerasnets' own cells over the stock LSTM.
"""

import importlib.util
import itertools
import time

import cells
import click
import keras
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from work import keep

import kerasnets

RUNS = 3
SAMPLED = 1000
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
        return lambda: sum(1 for _ in net.predict_sequence([0], SAMPLED, streams=streams, rng=1))
    if name.startswith('lstm'):
        net, data, rows = kerasnets.recurrent.Classifier(writer), sequences(size), size['rows']
    else:
        layers = [1024, size['width'], size['width'], 10]
        net, data, rows = kerasnets.Classifier(layers), vectors(size), size['batch']
    return lambda: net.train(list(data), algo='adam', epochs=1, batch_size=rows, verbose=0)


def by_torch(name, size):
    """The same in a plain loop of PyTorch."""
    import torch
    from torch import nn

    device = 'cuda' if torch.cuda.is_available() else 'cpu'

    class Writer(nn.Module):
        def __init__(self):
            super().__init__()
            self.read = nn.Embedding(size['letters'], size['letters'])
            self.lstm = nn.LSTM(size['letters'], size['units'], batch_first=True)
            self.out = nn.Linear(size['units'], size['letters'])

        def forward(self, x, state=None):
            h, state = self.lstm(self.read(x), state)
            return self.out(h).transpose(1, 2), state

    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            width = size['width']
            layers = nn.Linear(1024, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
            self.layers = nn.Sequential(*layers, nn.Linear(width, 10))

        def forward(self, x):
            return self.layers(x), None

    recurrent = not name.startswith('dense')
    model = (Writer() if recurrent else Dense()).to(device)

    @torch.no_grad()
    def sample():
        label = torch.zeros(int(name.split()[-1]), 1, dtype=int, device=device)
        state, found = None, []
        for _ in range(SAMPLED):
            logits, state = model(label, state)
            label = torch.multinomial(torch.softmax(logits[:, :, 0], dim=-1), 1)
            found.append(label)
        return torch.cat(found, dim=1).tolist()

    if name.startswith('sample'):
        return sample
    rows = size['rows'] if recurrent else size['batch']
    x, y = (torch.tensor(a).to(device) for a in (sequences if recurrent else vectors)(size))
    optimizer = torch.optim.Adam(model.parameters())

    def epoch():
        for start in range(0, len(x), rows):
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled='bfloat16' in name):
                logits, _ = model(x[start : start + rows])
                loss = nn.functional.cross_entropy(logits, y[start : start + rows])
            loss.backward()
            optimizer.step()
        loss.item()  # waits for the device

    return epoch


def by_flax(name, size):
    """The same by flax and optax."""
    import jax
    import optax
    from flax import linen as nn

    recurrent = not name.startswith('dense')
    dtype = 'bfloat16' if 'bfloat16' in name else 'float32'

    class Writer(nn.Module):
        def setup(self):
            self.read = nn.Embed(size['letters'], size['letters'], dtype=dtype)
            self.cell = nn.OptimizedLSTMCell(size['units'], dtype=dtype)
            self.layer = nn.RNN(self.cell)
            self.out = nn.Dense(size['letters'], dtype=dtype)

        def __call__(self, x):
            return self.out(self.layer(self.read(x)))

        def step(self, state, x):
            state, h = self.cell(state, self.read(x))
            return state, self.out(h)

    class Dense(nn.Module):
        @nn.compact
        def __call__(self, x):
            for _ in range(2):
                x = nn.relu(nn.Dense(size['width'], dtype=dtype)(x))
            return nn.Dense(10, dtype=dtype)(x)

    model, optimizer = Writer() if recurrent else Dense(), optax.adam(1e-3)
    x, y = (sequences if recurrent else vectors)(size)
    rows = size['rows'] if recurrent else size['batch']
    params = model.init(jax.random.key(1), x[:1])

    @jax.jit
    def written(params, label, keys):
        def step(carry, key):
            state, logits = model.apply(params, *carry, method='step')
            label = jax.random.categorical(key, logits)
            return (state, label), label

        empty = jax.numpy.zeros((len(label), size['units']))
        return jax.lax.scan(step, ((empty, empty), label), keys)[1]

    if name.startswith('sample'):
        label = np.zeros(int(name.split()[-1]), int)
        keys = jax.random.split(jax.random.key(1), SAMPLED)
        return lambda: np.asarray(written(params, label, keys)).tolist()
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
    found = {name: {} for name in WORKS}
    for name, peer in track(list(itertools.product(WORKS, peers)), 'timing'):
        try:
            found[name][peer] = best(PEERS[peer](name, size))
        except RuntimeError as error:  # PyTorch has no LSTM of bfloat16 on some processors
            Console(stderr=True).print(f'{name} by {peer}: {error}')
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
    own = cells.measure(size['units'], size['steps'])
    cells.show(own)
    keep({**found, 'cells': own}, as_json)
    if chart:
        draw(found, chart)


if __name__ == '__main__':
    main()
