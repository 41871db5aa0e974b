"""theanets' classes of losses: `Loss` with the form fixed."""

from __future__ import annotations

from typing import Any

from kerasnets.losses import Loss


def _class(name: str, form: str) -> type:
    """Build theanets' class of a loss."""

    def init(
        self: Any,
        target: Any = None,
        weighted: bool = False,
        weight: float = 1.0,
        output_name: Any = None,
        **more: Any,
    ) -> None:
        more = {'target': target, 'weighted': weighted, 'weight': weight, **more}
        Loss.__init__(self, **{'form': form, **more, 'output_name': output_name})

    text = f'The loss {form!r}, with the keywords of `Loss`.'
    return type(name, (Loss,), {'__init__': init, '__doc__': text, '__module__': __name__})


CrossEntropy = _class('CrossEntropy', 'xe')
GaussianLogLikelihood = _class('GaussianLogLikelihood', 'gll')
Hinge = _class('Hinge', 'hinge')
KullbackLeiblerDivergence = _class('KullbackLeiblerDivergence', 'kl')
MaximumMeanDiscrepancy = _class('MaximumMeanDiscrepancy', 'mmd')
MeanAbsoluteError = _class('MeanAbsoluteError', 'mae')
MeanSquaredError = _class('MeanSquaredError', 'mse')
build = Loss.build
