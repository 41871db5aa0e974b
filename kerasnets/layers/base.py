"""theanets' `layers.base`."""

from kerasnets.layers import handles
from kerasnets.layers.handles import Layer

Concatenate = handles.KINDS['concatenate']
Flatten = handles.KINDS['flatten']
Input = handles.KINDS['input']
Product = handles.KINDS['product']
Reshape = handles.KINDS['reshape']

__all__ = ['Concatenate', 'Flatten', 'Input', 'Layer', 'Product', 'Reshape']
