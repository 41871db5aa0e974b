"""Text models side by side, on the demo's corpus: quality after so many seconds, and speed.

    python benchmarks/text.py [--seconds 60 120]

Each runs in a process of its own: the demo's network, a transformer of 4 layers, 4 heads, 128 units
and a context of 64 in kerasnets, and the same in plain PyTorch (``pip install '.[torch]'``; left
out where it is not there). All are trained by Adam with half a cosine over the seconds, compilation
not counted; the bits per character are those of the last tenth of the text, from 32 characters or
more before each. Sampling draws 1,000 characters one by one, the context full.
"""

import argparse
import importlib.util
import json
import math
import pathlib
import subprocess
import sys
import time

import numpy as np

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / folder) for folder in ('', 'examples')]

LAYERS, HEADS, UNITS, CONTEXT, BATCH, RATE = 4, 4, 128, 64, 32, 2e-3
STEPS_TIMED, SAMPLED = 50, 1000


def cooled(rate, part):
    """A rate after this part of training."""
    return rate * (0.05 + 0.95 * (1 + math.cos(math.pi * min(1, part))) / 2)


def corpus():
    """The demo as a module, and its characters: what is learnt and what is held out."""
    import recurrent_text

    import kerasnets

    whole = kerasnets.recurrent.Text(recurrent_text.read(), min_count=10)
    return recurrent_text, *whole.split(recurrent_text.HELD_OUT)


def of_kerasnets(entries, text, held, steps, batch, rate, how, seconds):
    """Results of a network of kerasnets."""
    import keras

    import kerasnets

    def make():
        return kerasnets.recurrent.Classifier(
            [text.classes, *entries, text.classes], text=text, rng=13
        )

    def train(net, least, each):
        """Train for some seconds; returns the seconds of the last update."""
        start, took = time.perf_counter(), 0.0
        callback = keras.callbacks.LearningRateScheduler(
            lambda epoch: cooled(rate, (time.perf_counter() - start) / max(least, 1e-9))
        )
        how_long = {'epochs': 10**6, 'train_batches': each, 'callbacks': [callback]}
        data = text.classifier_batches(steps, batch, rng=13)
        before = start
        for _ in net.itertrain(data, algo='adam', learning_rate=rate, **how_long, **how):
            now = time.perf_counter()
            took, before = (now - before) / each, now
            if now - start >= least:
                break
        return took

    train(make(), 0, STEPS_TIMED)  # compiles
    found = {'step': train(make(), 3, STEPS_TIMED)}
    for limit in seconds:
        net = make()
        train(net, limit, STEPS_TIMED)
        score = net.score_text(held)
        found[f'bits {limit}'], found[f'acc {limit}'] = score['bits'], score['acc']
    seed = held.labels[:100]
    list(net.predict_sequence(seed, SAMPLED, rng=1))
    start = time.perf_counter()
    list(net.predict_sequence(seed, SAMPLED, rng=1))
    return {**found, 'sample': (time.perf_counter() - start) / SAMPLED}


def demo(seconds):
    """The network of the demo."""
    example, text, held = corpus()
    entries, how = [(example.SIZE, example.FORM, 'tanh')], {'hidden_dropout': example.DROPOUT}
    sizes = example.STEPS, example.BATCH, example.RATE
    return of_kerasnets(entries, text, held, *sizes, how, seconds)


def transformer(seconds):
    """A small GPT in kerasnets."""
    _, text, held = corpus()
    block = dict(form='transformer', heads=HEADS, context=CONTEXT)
    entries = [(UNITS, 'embedding'), *[block] * LAYERS, 'norm']
    return of_kerasnets(entries, text, held, CONTEXT, BATCH, RATE, {}, seconds)


def torch_transformer(seconds):
    """The same in plain PyTorch, with learned positions."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(UNITS), nn.LayerNorm(UNITS)
            self.qkv, self.back = nn.Linear(UNITS, 3 * UNITS), nn.Linear(UNITS, UNITS)
            self.wide, self.narrow = nn.Linear(UNITS, 4 * UNITS), nn.Linear(4 * UNITS, UNITS)

        def forward(self, x, cache=None):
            parts = self.qkv(self.norm1(x)).split(UNITS, dim=2)
            q, k, v = (p.view(*x.shape[:2], HEADS, -1).transpose(1, 2) for p in parts)
            if cache is not None and cache:
                k, v = (
                    torch.cat([old, new], 2)[:, :, -CONTEXT:] for old, new in zip(cache, (k, v))
                )
            if cache is not None:
                cache[:] = [k, v]
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=cache is None)
            x = x + self.back(y.transpose(1, 2).reshape(x.shape))
            return x + self.narrow(functional.gelu(self.wide(self.norm2(x))))

    class Gpt(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.labels, self.places = nn.Embedding(classes, UNITS), nn.Embedding(CONTEXT, UNITS)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm, self.out = nn.LayerNorm(UNITS), nn.Linear(UNITS, classes)

        def forward(self, labels, caches=None, first=0):
            places = (torch.arange(labels.shape[1]) + first).clamp(max=CONTEXT - 1)
            x = self.labels(labels) + self.places(places)
            for i, block in enumerate(self.blocks):
                x = block(x, None if caches is None else caches[i])
            return self.out(self.norm(x))

    _, text, held = corpus()
    torch.manual_seed(13)

    def train(model, least):
        draw = text.classifier_batches(CONTEXT, BATCH, rng=13)
        optimizer = torch.optim.Adam(model.parameters(), RATE)
        start, took = time.perf_counter(), []
        while time.perf_counter() - start < least:
            before = time.perf_counter()
            for group in optimizer.param_groups:
                group['lr'] = cooled(RATE, (before - start) / least)
            x, y = (torch.from_numpy(part).long() for part in draw())
            loss = functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            took.append(time.perf_counter() - before)
        return float(np.median(took))

    found = {'step': train(Gpt(text.classes), 6)}
    for limit in seconds:
        model = Gpt(text.classes)
        train(model, limit)
        labels, half = torch.from_numpy(held.labels).long(), CONTEXT // 2
        with torch.no_grad():
            bits, right, count = 0.0, 0, 0
            for rows in torch.arange(0, len(labels) - CONTEXT - 1, half).split(256):
                at = rows[:, None] + torch.arange(CONTEXT)
                logits, y = model(labels[at])[:, half:], labels[at + 1][:, half:]
                bits += float(
                    functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction='sum')
                )
                right, count = right + int((logits.argmax(-1) == y).sum()), count + y.numel()
        found[f'bits {limit}'] = bits / count / math.log(2)
        found[f'acc {limit}'] = right / count
    for _ in range(2):
        start, caches, label = time.perf_counter(), [[] for _ in range(LAYERS)], labels[:1, None]
        with torch.no_grad():
            for step in range(SAMPLED):
                p = model(label, caches, step)[:, -1].softmax(-1)
                label = torch.multinomial(p, 1)
        found['sample'] = (time.perf_counter() - start) / SAMPLED
    return found


MODELS = {'demo': demo, 'transformer': transformer, 'torch_transformer': torch_transformer}
NAMES = {
    'demo': "the demo's network",
    'transformer': 'a transformer in kerasnets',
    'torch_transformer': 'the same in PyTorch',
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--seconds', type=int, nargs='+', default=[60, 120])
    parser.add_argument('--only', choices=MODELS, help='the one to run, in this process')
    options = parser.parse_args()
    if options.only:
        print(json.dumps(MODELS[options.only](options.seconds)))
        return
    rows = {}
    for name in MODELS:
        if name.startswith('torch') and importlib.util.find_spec('torch') is None:
            print('PyTorch is not there: left out')
            continue
        command = [
            sys.executable,
            __file__,
            '--only',
            name,
            '--seconds',
            *map(str, options.seconds),
        ]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows[name] = json.loads(out.splitlines()[-1])
    heads = [f'bits, % after {s} s' for s in options.seconds]
    print('|', ' | '.join(['model', *heads, 'ms an update', 'µs a sampled character']), '|')
    print('|', ' | '.join(['---'] * (3 + len(heads))), '|')
    for name, row in rows.items():
        cells = [f'{row[f"bits {s}"]:.2f}, {100 * row[f"acc {s}"]:.1f}' for s in options.seconds]
        print(
            '|',
            ' | '.join(
                [NAMES[name], *cells, f'{1e3 * row["step"]:.0f}', f'{1e6 * row["sample"]:.0f}']
            ),
            '|',
        )


if __name__ == '__main__':
    main()
