"""theanets' `layers.recurrent`."""

from kerasnets.layers import handles

BCRNN = handles.KINDS['bcrnn']
Bidirectional = handles.KINDS['bidirectional']
Clockwork = handles.KINDS['clockwork']
GRU = handles.KINDS['gru']
LSTM = handles.KINDS['lstm']
MRNN = handles.KINDS['mrnn']
MUT1 = handles.KINDS['mut1']
RNN = handles.KINDS['rnn']
RRNN = handles.KINDS['rrnn']
SCRN = handles.KINDS['scrn']

__all__ = [
    'BCRNN',
    'GRU',
    'LSTM',
    'MRNN',
    'MUT1',
    'RNN',
    'RRNN',
    'SCRN',
    'Bidirectional',
    'Clockwork',
]  # fmt: skip
