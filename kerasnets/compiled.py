"""Functions of tensors compiled by whichever backend Keras runs on."""

import keras


def compiled(function, variables, signature=None, xla=True):
    """Compile a function written in `keras.ops`.

    Parameters
    ----------
    function : callable
        Of arrays or tensors, nested in lists as need be.
    variables : list of keras.Variable
        All that the function reads. It sees their values at each call.
    signature : list of KerasTensor, optional
        Shapes and dtypes of the arguments, with None for any length. With it TensorFlow
        traces the function once for all lengths.
    xla : bool
        Whether TensorFlow compiles with XLA; JAX always does.

    Returns
    -------
    callable
    """
    backend = keras.backend.backend()
    if backend == 'tensorflow':
        import tensorflow as tf

        function = tf.function(function, jit_compile=xla, autograph=False)
        if signature is None:
            return function
        traced = function.get_concrete_function(
            *(tf.TensorSpec(tuple(t.shape), t.dtype) for t in signature)
        )
        return lambda *args: traced(*map(tf.convert_to_tensor, args))
    if backend == 'jax':
        import jax

        def pure(values, *args):
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return function(*args)

        pure = jax.jit(pure)
        return lambda *args: pure([v.value for v in variables], *args)
    return function
