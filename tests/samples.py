"""A sample of every layer of Keras: how it is made, and data that it reads."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import plain
from keras import layers as L  # noqa: N812

V, V2 = plain.values(4), plain.values(4, seed=1)  # vectors
S, S2 = plain.values(6, 4), plain.values(6, 4, seed=1)  # sequences
WAVES = plain.values(64)
IMAGES = np.random.default_rng(2).random((plain.ROWS, 8, 8, 3)).astype('float32')
BOXES = plain.values(4, 4, 4, 2)
LABELS = plain.labels(7, 6)
LABEL, LABEL2 = LABELS[:, :1], LABELS[:, 1:2]
MASKED = np.where(np.arange(6)[:, None] < np.arange(1, plain.ROWS + 1)[:, None, None] % 6, S, 0)
Y = plain.values(3, seed=2)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A layer and the data that it is tried on."""

    make: Callable[[], object]  # the layer, or a list of layers
    x: object = None  # an array, or a list of arrays of several inputs
    learns: bool = True  # whether gradients are to go through the layer to one before it
    apart: bool = False  # whether it is called with its inputs one by one, in a functional model
    only: tuple[str, ...] = ('tensorflow', 'jax', 'torch')  # the backends that have it


@keras.saving.register_keras_serializable('tests')
class Scaled(L.Layer):
    """A layer that a user writes: it has a weight, and adds a loss."""

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[-1:], initializer='ones', name='scale')

    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x * self.scale)))
        return x * self.scale


@keras.saving.register_keras_serializable('tests')
class Doubled(L.Wrapper):
    """A wrapper that a user writes."""

    def call(self, x):
        return 2 * self.layer(x)


def adapted(layer, x):
    """Return a layer of preprocessing that has seen data."""
    layer.adapt(x)
    return layer


def exported(folder):
    """Return the layer of a SavedModel that Keras exported."""
    if plain.BACKEND == 'tensorflow':
        model = keras.Sequential([keras.Input((4,)), L.Dense(3, 'tanh')])
        model.export(folder, verbose=False)
    return L.TFSMLayer(folder, call_endpoint='serve')


def jax_layer():
    """Return a function of JAX, with parameters, as a layer."""
    return L.JaxLayer(
        lambda params, inputs: inputs @ params['w'], params={'w': np.ones((4, 3), 'f')}
    )


def torch_layer():
    """Return a module of PyTorch as a layer."""
    import torch

    torch.manual_seed(1)
    return L.TorchModuleWrapper(torch.nn.Linear(4, 3), output_shape=(None, 3))


def image(make):
    """Return the sample of a layer that changes images, and is not differentiated."""
    return Sample(make, IMAGES, learns=False)


#: JAX traces what computes a loss, and these leave the backend for TensorFlow.
EAGERLY = ('tensorflow', 'torch')

ALL = (0, 1)  # the range of the values of images

SAMPLES = {
    'Activation': Sample(lambda: L.Activation('tanh'), V),
    'ActivityRegularization': Sample(lambda: L.ActivityRegularization(0.1, 0.2), V),
    'AdaptiveAveragePooling1D': Sample(lambda: L.AdaptiveAveragePooling1D(2), S),
    'AdaptiveAveragePooling2D': Sample(lambda: L.AdaptiveAveragePooling2D(2), IMAGES),
    'AdaptiveAveragePooling3D': Sample(lambda: L.AdaptiveAveragePooling3D(2), BOXES),
    'AdaptiveMaxPooling1D': Sample(lambda: L.AdaptiveMaxPooling1D(2), S),
    'AdaptiveMaxPooling2D': Sample(lambda: L.AdaptiveMaxPooling2D(2), IMAGES),
    'AdaptiveMaxPooling3D': Sample(lambda: L.AdaptiveMaxPooling3D(2), BOXES),
    'Add': Sample(L.Add, [V, V2]),
    'AdditiveAttention': Sample(L.AdditiveAttention, [S, S2]),
    'AlphaDropout': Sample(lambda: L.AlphaDropout(0.3), V),
    'Attention': Sample(lambda: L.Attention(use_scale=True), [S, S2]),
    'AugMix': image(lambda: L.AugMix(ALL)),
    'AutoContrast': image(lambda: L.AutoContrast(ALL)),
    'Average': Sample(L.Average, [V, V2]),
    'AveragePooling1D': Sample(lambda: L.AveragePooling1D(2), S),
    'AveragePooling2D': Sample(lambda: L.AveragePooling2D(2), IMAGES),
    'AveragePooling3D': Sample(lambda: L.AveragePooling3D(2), BOXES),
    'BatchNormalization': Sample(L.BatchNormalization, V),
    'Bidirectional': Sample(lambda: L.Bidirectional(L.LSTM(3)), S),
    'CategoryEncoding': Sample(lambda: L.CategoryEncoding(7, output_mode='multi_hot'), LABELS),
    'CenterCrop': image(lambda: L.CenterCrop(5, 5)),
    'Concatenate': Sample(L.Concatenate, [V, V2]),
    'ContrastLimitedAdaptiveHistogramEqualization': image(
        lambda: L.ContrastLimitedAdaptiveHistogramEqualization(ALL, tile_grid_size=(2, 2))
    ),
    'Conv1D': Sample(lambda: L.Conv1D(2, 3), S),
    'Conv1DTranspose': Sample(lambda: L.Conv1DTranspose(2, 3), S),
    'Conv2D': Sample(lambda: L.Conv2D(2, 3), IMAGES),
    'Conv2DTranspose': Sample(lambda: L.Conv2DTranspose(2, 3), IMAGES),
    'Conv3D': Sample(lambda: L.Conv3D(2, 2), BOXES),
    'Conv3DTranspose': Sample(lambda: L.Conv3DTranspose(2, 2), BOXES),
    'ConvLSTM1D': Sample(lambda: L.ConvLSTM1D(2, 2), plain.values(3, 4, 2)),
    'ConvLSTM2D': Sample(lambda: L.ConvLSTM2D(2, 2), plain.values(3, 4, 4, 2)),
    'ConvLSTM3D': Sample(lambda: L.ConvLSTM3D(2, 2), plain.values(2, 3, 3, 3, 2)),
    'Cropping1D': Sample(lambda: L.Cropping1D(1), S),
    'Cropping2D': Sample(lambda: L.Cropping2D(2), IMAGES),
    'Cropping3D': Sample(lambda: L.Cropping3D(1), BOXES),
    'CutMix': image(L.CutMix),
    'Dense': Sample(lambda: L.Dense(5, 'tanh'), V),
    'DepthwiseConv1D': Sample(lambda: L.DepthwiseConv1D(3), S),
    'DepthwiseConv2D': Sample(lambda: L.DepthwiseConv2D(3), IMAGES),
    'Discretization': Sample(lambda: L.Discretization([-0.5, 0, 0.5]), V, learns=False),
    'Dot': Sample(lambda: L.Dot(axes=1), [V, V2]),
    'Dropout': Sample(lambda: L.Dropout(0.5), V),
    'ELU': Sample(L.ELU, V),
    'EinsumDense': Sample(lambda: L.EinsumDense('abc,cd->abd', (6, 3), bias_axes='d'), S),
    'Embedding': Sample(lambda: L.Embedding(7, 3), LABELS),
    'Flatten': Sample(L.Flatten, S),
    'GRU': Sample(lambda: L.GRU(3), S),
    'GRUCell': Sample(lambda: L.RNN(L.GRUCell(3)), S),
    'GaussianDropout': Sample(lambda: L.GaussianDropout(0.3), V),
    'GaussianNoise': Sample(lambda: L.GaussianNoise(0.3), V),
    'GlobalAveragePooling1D': Sample(L.GlobalAveragePooling1D, S),
    'GlobalAveragePooling2D': Sample(L.GlobalAveragePooling2D, IMAGES),
    'GlobalAveragePooling3D': Sample(L.GlobalAveragePooling3D, BOXES),
    'GlobalMaxPooling1D': Sample(L.GlobalMaxPooling1D, S),
    'GlobalMaxPooling2D': Sample(L.GlobalMaxPooling2D, IMAGES),
    'GlobalMaxPooling3D': Sample(L.GlobalMaxPooling3D, BOXES),
    'GroupNormalization': Sample(lambda: L.GroupNormalization(2), S),
    'GroupQueryAttention': Sample(lambda: L.GroupQueryAttention(4, 2, 1), [S, S2], apart=True),
    'HashedCrossing': Sample(
        lambda: L.HashedCrossing(5, output_mode='one_hot'), [LABEL, LABEL2], only=EAGERLY
    ),
    'Hashing': Sample(lambda: L.Hashing(5), LABELS, only=EAGERLY),
    'Identity': Sample(L.Identity, V),
    'InputLayer': Sample(lambda: L.InputLayer((4,), dtype='float32'), V),
    'IntegerLookup': Sample(lambda: L.IntegerLookup(vocabulary=[0, 2, 4]), LABELS, only=EAGERLY),
    'JaxLayer': Sample(jax_layer, V, only=('jax', 'tensorflow')),
    'LSTM': Sample(lambda: L.LSTM(3), S),
    'LSTMCell': Sample(lambda: L.RNN(L.LSTMCell(3)), S),
    'Lambda': Sample(lambda: L.Lambda(lambda x: 2 * x + 1), V),
    'Layer': Sample(Scaled, V),
    'LayerNormalization': Sample(L.LayerNormalization, V),
    'LeakyReLU': Sample(L.LeakyReLU, V),
    'Masking': Sample(lambda: [L.Masking(), L.SimpleRNN(3)], MASKED),
    'MaxPooling1D': Sample(lambda: L.MaxPooling1D(2), S),
    'MaxPooling2D': Sample(lambda: L.MaxPooling2D(2), IMAGES),
    'MaxPooling3D': Sample(lambda: L.MaxPooling3D(2), BOXES),
    'MaxNumBoundingBoxes': image(lambda: L.MaxNumBoundingBoxes(2)),
    'Maximum': Sample(L.Maximum, [V, V2]),
    'MelSpectrogram': Sample(
        lambda: L.MelSpectrogram(16, 8, sampling_rate=100, num_mel_bins=4, min_freq=1), WAVES
    ),
    'Minimum': Sample(L.Minimum, [V, V2]),
    'MixUp': image(L.MixUp),
    'MultiHeadAttention': Sample(lambda: L.MultiHeadAttention(2, 3), [S, S2], apart=True),
    'Multiply': Sample(L.Multiply, [V, V2]),
    'Normalization': Sample(lambda: adapted(L.Normalization(), 3 * V + 1), V),
    'PReLU': Sample(L.PReLU, V),
    'Permute': Sample(lambda: L.Permute((2, 1)), S),
    'Pipeline': image(lambda: L.Pipeline([L.Rescaling(2.0), L.CenterCrop(4, 4)])),
    'RMSNormalization': Sample(L.RMSNormalization, V),
    'RNN': Sample(lambda: L.RNN([L.SimpleRNNCell(3), L.GRUCell(2)], return_sequences=True), S),
    'RandAugment': image(lambda: L.RandAugment(ALL)),
    'RandomBrightness': image(lambda: L.RandomBrightness(0.3, ALL)),
    'RandomColorDegeneration': image(lambda: L.RandomColorDegeneration(0.5, ALL)),
    'RandomColorJitter': image(
        lambda: L.RandomColorJitter(ALL, brightness_factor=0.3, contrast_factor=0.3)
    ),
    'RandomContrast': image(lambda: L.RandomContrast(0.3, ALL)),
    # it crops in training alone
    'RandomCrop': image(lambda: [L.RandomCrop(5, 5), L.GlobalAveragePooling2D()]),
    'RandomElasticTransform': image(lambda: L.RandomElasticTransform(value_range=ALL)),
    'RandomErasing': image(lambda: L.RandomErasing(value_range=ALL)),
    'RandomFlip': image(L.RandomFlip),
    'RandomGaussianBlur': image(lambda: L.RandomGaussianBlur(value_range=ALL)),
    'RandomGrayscale': image(L.RandomGrayscale),
    'RandomHue': image(lambda: L.RandomHue(0.3, ALL)),
    'RandomInvert': image(lambda: L.RandomInvert(value_range=ALL)),
    'RandomPerspective': image(L.RandomPerspective),
    'RandomPosterization': image(lambda: L.RandomPosterization(4, ALL)),
    'RandomRotation': image(lambda: L.RandomRotation(0.2)),
    'RandomSaturation': image(lambda: L.RandomSaturation(0.3, ALL)),
    'RandomSharpness': image(lambda: L.RandomSharpness(0.3, ALL)),
    'RandomShear': image(lambda: L.RandomShear(0.3, 0.3)),
    'RandomTranslation': image(lambda: L.RandomTranslation(0.3, 0.3)),
    'RandomZoom': image(lambda: L.RandomZoom(0.3)),
    'ReLU': Sample(L.ReLU, V),
    'RepeatVector': Sample(lambda: L.RepeatVector(2), V),
    'Rescaling': Sample(lambda: L.Rescaling(2.0, 1.0), V),
    'Reshape': Sample(lambda: L.Reshape((2, 2)), V),
    'Resizing': Sample(lambda: L.Resizing(4, 4), IMAGES),
    'ReversibleEmbedding': Sample(lambda: L.ReversibleEmbedding(7, 3), LABELS),
    'STFTSpectrogram': Sample(
        lambda: L.STFTSpectrogram('real', frame_length=16, frame_step=8, fft_length=16),
        WAVES[..., None],
    ),
    'SeparableConv1D': Sample(lambda: L.SeparableConv1D(2, 3), S),
    'SeparableConv2D': Sample(lambda: L.SeparableConv2D(2, 3), IMAGES),
    'SimpleRNN': Sample(lambda: L.SimpleRNN(3), S),
    'SimpleRNNCell': Sample(lambda: L.RNN(L.SimpleRNNCell(3)), S),
    'Softmax': Sample(L.Softmax, V),
    'Solarization': image(lambda: L.Solarization(value_range=ALL)),
    'SpatialDropout1D': Sample(lambda: L.SpatialDropout1D(0.3), S),
    'SpatialDropout2D': Sample(lambda: L.SpatialDropout2D(0.3), IMAGES),
    'SpatialDropout3D': Sample(lambda: L.SpatialDropout3D(0.3), BOXES),
    'SpectralNormalization': Sample(lambda: L.SpectralNormalization(L.Dense(3)), V),
    'StackedRNNCells': Sample(
        lambda: L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.SimpleRNNCell(2)])), S
    ),
    'Subtract': Sample(L.Subtract, [V, V2]),
    'TFSMLayer': Sample(exported, V, learns=False, only=('tensorflow',)),
    'TimeDistributed': Sample(lambda: L.TimeDistributed(L.Dense(3)), S),
    'TorchModuleWrapper': Sample(torch_layer, V, apart=True, only=('torch',)),
    'UnitNormalization': Sample(L.UnitNormalization, V),
    'UpSampling1D': Sample(lambda: L.UpSampling1D(2), S),
    'UpSampling2D': Sample(lambda: L.UpSampling2D(2), IMAGES),
    'UpSampling3D': Sample(lambda: L.UpSampling3D(2), BOXES),
    'Wrapper': Sample(lambda: Doubled(L.Dense(3)), V),
    'ZeroPadding1D': Sample(lambda: L.ZeroPadding1D(1), S),
    'ZeroPadding2D': Sample(lambda: L.ZeroPadding2D(1), IMAGES),
    'ZeroPadding3D': Sample(lambda: L.ZeroPadding3D(1), BOXES),
}


def model_of(sample, folder):
    """Return a model around the layer of a sample, whose output has three values a row."""
    made = sample.make(folder) if sample.make is exported else sample.make()
    made = made if isinstance(made, list) else [made]
    arrays = sample.x if isinstance(sample.x, list) else [sample.x]
    learns = sample.learns and arrays[0].dtype == 'float32'
    before = [L.PReLU(keras.initializers.Constant(0.5))] if learns else []
    after = [L.Flatten(), L.Dense(3)]
    if isinstance(made[0], L.InputLayer):
        return keras.Sequential([*made, *before, *after])
    inputs = [keras.Input(a.shape[1:], dtype=a.dtype.name) for a in arrays]
    if len(inputs) == 1 and not sample.apart:
        return keras.Sequential([*inputs, *before, *made, *after])
    read = [before[0](inputs[0]) if learns else inputs[0], *inputs[1:]]
    x = made[0](*read) if sample.apart else made[0](read)
    return keras.Model(inputs if inputs[1:] else inputs[0], after[1](after[0](x)))
