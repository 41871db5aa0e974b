"""The works in a plain PyTorch loop, as its tutorials write it."""

import torch
import work
from torch import nn
from torch.nn import functional


def _loop(model, x, y, batch_size):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

    def run():
        for at in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            logits = model(x[at])
            loss = functional.cross_entropy(logits.flatten(0, -2), y[at].flatten())
            loss.backward()
            optimizer.step()

    return run


def _dense_model():
    return nn.Sequential(
        nn.Linear(work.VARIABLES, work.HIDDEN), nn.ReLU(), nn.Linear(work.HIDDEN, work.CLASSES)
    )


def _dense(batch_size, rows=work.ROWS):
    x, y = map(torch.from_numpy, work.rows(rows))
    return _loop(_dense_model(), x, y, batch_size)


def dense_32():
    return _dense(32)


def dense_256():
    return _dense(256)


def short_32():
    return _dense(32, 30_000)


def short_256():
    return _dense(256, 30_000)


class Letters(nn.Module):
    """A recurrent layer and a dense one."""

    def __init__(self, layer, units=work.UNITS):
        super().__init__()
        self.recurrent = layer(work.LETTERS, units, batch_first=True)
        self.dense = nn.Linear(units, work.LETTERS)

    def forward(self, x, state=None):
        y, state = self.recurrent(x, state)
        return self.dense(y) if self.training else (self.dense(y), state)


def short_lstm():
    return _recurrent(nn.LSTM, 30 * work.BATCH)


def short_gru():
    return _recurrent(nn.GRU, 30 * work.BATCH)


def short_rnn():
    return _recurrent(nn.RNN, 30 * work.BATCH)


def wide_lstm():
    return _recurrent(nn.LSTM, 30 * work.BATCH, work.WIDE, work.SHORT)


def wide_gru():
    return _recurrent(nn.GRU, 30 * work.BATCH, work.WIDE, work.SHORT)


def _recurrent(layer, count=work.SEQUENCES, units=work.UNITS, steps=work.STEPS):
    x, y = work.letters(count, steps)
    x = torch.from_numpy(work.one_hot(x))
    return _loop(Letters(layer, units), x, torch.from_numpy(y), work.BATCH)


def lstm():
    return _recurrent(nn.LSTM)


def gru():
    return _recurrent(nn.GRU)


def rnn():
    return _recurrent(nn.RNN)


def predict():
    x = torch.from_numpy(work.rows(100_000)[0])
    model = _dense_model()

    @torch.no_grad()
    def run():
        return torch.softmax(model(x), dim=-1).numpy()

    return run


def _sample(streams):
    model = Letters(nn.LSTM).eval()
    eye = torch.eye(work.LETTERS)

    @torch.no_grad()
    def run():
        label, state, found = torch.zeros(streams, dtype=int), None, []
        for _ in range(work.SAMPLED):
            logits, state = model(eye[label][:, None], state)
            label = torch.multinomial(torch.softmax(logits[:, 0], dim=-1), 1)[:, 0]
            found.append(label.tolist())
        return found

    return run


def sample_1():
    return _sample(1)


def sample_64():
    return _sample(64)


if __name__ == '__main__':
    work.main(globals())
