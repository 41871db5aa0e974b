"""Embeddings: a vector for each of a number of labels, learned.

y = w[x] for labels x, (examples, …) of int. The input that an embedding reads holds integers: in
a list such as ``[64, (20, 'embedding'), …]`` its size is the number of labels.
"""

import keras

from kerasnets.layers.form import Anatomy, Form, Layout

FORMS = {
    'embedding': Form(
        choose=lambda options: keras.layers.Embedding, activation=None, of_labels=True
    )
}
ANATOMIES = {keras.layers.Embedding: Anatomy(params={'w': Layout('embeddings')})}
