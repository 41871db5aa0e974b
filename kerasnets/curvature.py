"""Equilibrated gradient descent: steps scaled by the curvature of the loss in each direction.

    D_t = γ D_{t-1} + (1 - γ) (H r)²,   r ~ N(0, 1)
    p_t = p_{t-1} - α g / (√D_t + ε)

with the Hessian H of the loss of a batch, of which only the products H r are ever computed.

Y. Dauphin, H. de Vries, J. Chung, Y. Bengio (2015), "Equilibrated adaptive learning rates for
non-convex optimization", arXiv:1502.04390. The running mean in the place of the paper's mean is
theanets'.
"""

import keras
from keras import ops

from kerasnets.compiled import gradients


@keras.saving.register_keras_serializable('kerasnets')
class Esgd(keras.optimizers.Optimizer):
    """The optimizer. `notice` is to be called with H r before each step.

    Parameters
    ----------
    learning_rate : float
    rho : float
        γ, what is kept of the running mean at each step.
    epsilon : float
        ε.

    >>> Esgd(0.1).get_config()['rho']
    0.95
    """

    def __init__(self, learning_rate=1e-4, rho=0.95, epsilon=1e-8, name='esgd', **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.rho, self.epsilon = rho, epsilon

    def build(self, variables):
        """Make the running means."""
        if self.built:
            return
        super().build(variables)
        self.diagonals = self.add_optimizer_variables(variables, 'diagonal')

    def notice(self, variables, products):
        """Take H r, a tensor for each variable, into the running means."""
        for variable, product in zip(variables, products):
            diagonal = self.diagonals[self._get_variable_index(variable)]
            square = ops.cast(ops.square(product), diagonal.dtype)
            diagonal.assign(self.rho * diagonal + (1 - self.rho) * square)

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable."""
        scale = ops.sqrt(self.diagonals[self._get_variable_index(variable)]) + self.epsilon
        self.assign_sub(variable, ops.cast(learning_rate, gradient.dtype) * gradient / scale)

    def get_config(self):
        """What makes the optimizer again."""
        return {**super().get_config(), 'rho': self.rho, 'epsilon': self.epsilon}


class Curvature(keras.layers.Layer):
    """Products H r of the Hessian of a loss with normal noise, a tensor for each variable.

    Parameters
    ----------
    model : keras.Model
        From all that the data holds to the loss.
    variables : list of keras.Variable
    """

    def __init__(self, model, variables):
        super().__init__()
        self.model = model
        self.by = variables
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, data):
        noise = [keras.random.normal(v.shape, seed=self.seed_generator) for v in self.by]

        def along():
            found = gradients(lambda: self.model(data, training=False), self.by)
            return sum(ops.sum(g * r) for g, r in zip(found, noise))

        return gradients(along, self.by)

    def compute_output_spec(self, data):
        return [keras.KerasTensor(v.shape, dtype='float32') for v in self.by]
