"""What a user's type checker sees of kerasnets; `mypy` reads this file, nothing runs it."""

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import kerasnets
from kerasnets.estimators import NetClassifier
from kerasnets.graph.parameters import Parameter
from kerasnets.regularizers import Regularizer


class Centred(Regularizer):
    """A penalty of a user's own."""

    def penalty(self, values: Any, mask: Any = None) -> Any:
        return values**2


net = kerasnets.recurrent.Classifier([10, (20, 'rnn'), 50], rng=np.random.default_rng(1))
assert_type(net, kerasnets.recurrent.Classifier)
inputs, labels = np.zeros((5, 7, 10)), np.zeros((5, 7), int)
training, validation = net.train([inputs, labels], epochs=1, regularizers=[Centred(0.1)])
assert_type(training, dict[str, float])
for training, _ in net.itertrain([inputs, labels], algo='adam', weight_l2=0.1):
    assert_type(training['loss'], float)
assert_type(net.score(inputs, labels), float)
assert_type(net.find('hid1', 'w'), Parameter)
assert_type(net.find('hid1', 'w').get_value(), npt.NDArray[Any])
assert_type(net.predict_sequence([1, 2], 10), Iterator[Any])
net.save('net.keras')
other: kerasnets.Network = kerasnets.load('net.keras')
again = kerasnets.feedforward.Classifier.load('net.keras')
assert_type(again, kerasnets.Classifier)
text = kerasnets.recurrent.Text('to be', min_count=1)
assert_type(text.encode('be'), list[int])
assert_type(text.split(0.5), tuple[kerasnets.recurrent.Text, kerasnets.recurrent.Text])
kerasnets.plots.learning_curves(net).savefig('loss.png')
kerasnets.inspect('net.keras').show()
estimator: NetClassifier = NetClassifier([8]).fit(inputs, labels)
error: type[ValueError] = kerasnets.DataError
net.itertrain([inputs, labels], epochs='many')  # type: ignore[arg-type]
kerasnets.Clasifier([1, 2])  # type: ignore[attr-defined]
