"""theanets' `layers.feedforward`."""

from kerasnets.layers import handles

Classifier = handles.KINDS['classifier']
Feedforward = handles.KINDS['feedforward']
Tied = handles.KINDS['tied']

__all__ = ['Classifier', 'Feedforward', 'Tied']
