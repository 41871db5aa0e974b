"""Files that are broken or mean harm, made anew: name -> their bytes.

What would run touches a canary.
"""

import functools
import io
import json
import pathlib
import tempfile
import warnings
import zipfile

import h5py
import keras
import kinds_of_hdf5
import numpy as np

import kerasnets

ZEROS = b'\0' * (2**20)


@functools.cache
def honest(suffix):
    """The bytes of a trained network's file."""
    net = kerasnets.Classifier([4, (5, 'tanh'), 3])
    x = np.random.default_rng(1).normal(size=(8, 4))
    net.train([x, np.arange(8) % 3], epochs=1, algo='adam')
    with tempfile.TemporaryDirectory() as folder:
        net.save(f'{folder}/net{suffix}')
        return pathlib.Path(folder, f'net{suffix}').read_bytes()


# .keras


def archive(change, method=zipfile.ZIP_STORED):
    """A .keras file whose members, bytes by name, were changed."""
    with zipfile.ZipFile(io.BytesIO(honest('.keras'))) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    handle = io.BytesIO()
    with zipfile.ZipFile(handle, 'w', method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return handle.getvalue()


def described(change, member='config.json'):
    """A .keras file whose description was changed."""

    def edit(members):
        about = json.loads(members[member])
        change(about)
        members[member] = json.dumps(about)

    return archive(edit)


def layer(**fields):
    """A .keras file whose second layer is described otherwise."""
    return described(lambda about: about['config']['layers'][1].update(fields))


def option(**options):
    """A .keras file whose second layer has other options."""
    return layers({}, options)


def layers(*options):
    """A .keras file whose layers have other options, and are made accordingly."""

    def edit(about):
        about.pop('build_config')
        about['config'].pop('build_input_shape')
        for layer in about['config']['layers']:
            layer.pop('build_config', None)
        for layer, changed in zip(about['config']['layers'], options):
            layer['config'].update(changed)

    return described(edit)


def lambda_model(canary, suffix):
    """What Keras itself saves of a layer that runs Python."""
    canary = str(canary)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Lambda(
                lambda x: (__import__('pathlib').Path(canary).touch(), x)[1], output_shape=(4,)
            ),
        ]
    )
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        model.save(f'{folder}/net{suffix}')
        content = pathlib.Path(folder, f'net{suffix}').read_bytes()
    pathlib.Path(canary).unlink(missing_ok=True)  # building the model ran it
    return content


def special(info, content):
    """The honest archive with one member more, of a `ZipInfo`."""
    handle = io.BytesIO(honest('.keras'))
    with zipfile.ZipFile(handle, 'a') as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # two members of one name
        file.writestr(info, content)
    return handle.getvalue()


def link_member():
    info = zipfile.ZipInfo('assets/link')
    info.external_attr = 0o120777 << 16
    return special(info, '/etc/passwd')


def encrypted():
    content = bytearray(honest('.keras'))
    for start, at in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
        content[content.index(start) + at] |= 1
    return bytes(content)


def unfolding():
    def add(members):
        members['assets/zeros'] = ZEROS * 100

    return archive(add, zipfile.ZIP_DEFLATED)


def lambda_of(canary):
    """A function as Keras describes one that has no name."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return keras.saving.serialize_keras_object(
            lambda x: __import__('pathlib').Path(canary).touch()
        )


def archives(canary):
    away = '../' * 12 + str(canary).lstrip('/')
    lookup = {'module': 'keras.layers', 'class_name': 'StringLookup', 'registered_name': None}
    function = {'class_name': 'function', 'registered_name': 'function'}
    bomb = {'class_name': '__numpy__', 'config': {'value': ['a'], 'dtype': 'S1000000000'}}
    metric = {'module': 'keras.metrics', 'registered_name': None}
    whole = honest('.keras')
    return {
        'empty': b'',
        'magic alone': whole[:4],
        'half': whole[: len(whole) // 2],
        'all but the end': whole[:-10],
        'noise': b'PK\x03\x04' + np.random.default_rng(1).bytes(5000),
        'no config': archive(lambda m: m.pop('config.json')),
        'no weights': archive(lambda m: m.pop('model.weights.h5')),
        'weights that are none': archive(lambda m: m.update({'model.weights.h5': b'hello'})),
        'config that is none': archive(lambda m: m.update({'config.json': b'{"a":'})),
        'config that is a list': archive(lambda m: m.update({'config.json': b'[]'})),
        'config without end': archive(lambda m: m.update({'config.json': b'[' * 10**6})),
        'config of a number': archive(
            lambda m: m.update({'config.json': b'{"class_name": ' + b'9' * 10**6 + b'}'})
        ),
        'traversal': archive(lambda m: m.update({away: b'x'})),
        'traversal on Windows': archive(lambda m: m.update({away.replace('/', '\\'): b'x'})),
        'absolute': archive(lambda m: m.update({str(canary): b'x'})),
        'link member': link_member(),
        'twice': special(zipfile.ZipInfo('config.json'), '{}'),
        'encrypted': encrypted(),
        'unfolding': unfolding(),
        'many members': archive(lambda m: m.update({f'assets/{i}': b'' for i in range(60_000)})),
        'lambda': lambda_model(canary, '.keras'),
        'lambda activation': option(activation=lambda_of(str(canary))),
        'lambda loss': described(
            lambda about: about['compile_config'].update(loss=lambda_of(str(canary)))
        ),
        'lambda in our description': described(
            lambda about: about['losses'][0].update(form={'keras': lambda_of(str(canary))}),
            'kerasnets.json',
        ),
        'import': layer(module='os', class_name='system', registered_name=None),
        'import of a process': layer(module='subprocess', class_name='Popen', registered_name=None),
        'import of Keras': layer(
            module='keras.src.utils.file_utils', class_name='get_file', registered_name=None
        ),
        'function that fetches': option(
            activation={'module': 'keras.utils', 'config': 'get_file', **function}
        ),
        'function that imports': option(
            activation={'module': 'os', 'config': 'system', **function}
        ),
        'saved program': layer(class_name='TFSMLayer', config={'filepath': str(canary)}),
        'torch': layer(class_name='TorchModuleWrapper', config={'module': 'gASVAA=='}),
        'vocabulary': layer(**lookup, config={'vocabulary': '/etc/passwd'}),
        'frequencies': layer(
            **lookup, config={'vocabulary': ['a'], 'idf_weights': '/etc/passwd'}
        ),
        'wide': option(units=20_000_000),
        'wide and wider': layers({}, {'units': 60_000}, {'units': 60_000}),
        'negative': option(units=-3),
        'wide table': layer(
            class_name='Embedding', config={'input_dim': 2 * 10**9, 'output_dim': 64}
        ),
        'wide input': layers({'batch_shape': [None, 10**12]}),
        'thresholds': described(
            lambda about: about['compile_config'].update(
                metrics=[{**metric, 'class_name': 'AUC', 'config': {'num_thresholds': 10**9}}]
            )
        ),
        'classes': described(
            lambda about: about['compile_config'].update(
                metrics=[{**metric, 'class_name': 'MeanIoU', 'config': {'num_classes': 10**5}}]
            )
        ),
        'unrolled': described(
            lambda about: about['config'].update(
                layers=[
                    {**about['config']['layers'][0], 'config': {'batch_shape': [None, 10**8, 4]}},
                    {
                        'module': 'keras.layers',
                        'class_name': 'SimpleRNN',
                        'config': {'units': 2, 'unroll': True},
                    },
                ]
            )
        ),
        'text array': option(extra=bomb),
        'type': option(extra={'class_name': '__typespec__', 'spec_name': 'x', 'config': []}),
        'unknown class': layer(module='mine', class_name='Mine', registered_name='mine>Mine'),
        'unknown model': described(lambda about: about.update(class_name='Mine', module='mine')),
        'other weights': option(units=7),
        'other table': layers({'batch_shape': [None, 6]}),
        'class of ours that is none': described(
            lambda about: about.update({'class': 'recurrent.Transformer'}), 'kerasnets.json'
        ),
        'newer': described(lambda about: about.update(version=99), 'kerasnets.json'),
        'layer too few': described(lambda about: about['layers'].pop(), 'kerasnets.json'),
        'description of nothing': archive(lambda m: m.update({'kerasnets.json': b'{}'})),
        'weights elsewhere': archive(lambda m: m.update({'model.weights.h5': external()})),
        'weights that are not there': archive(lambda m: m.update({'model.weights.h5': hollow()})),
    }  # fmt: skip


# .h5


def hdf5(change, start='.h5'):
    """An HDF5 file, by default the honest one, after a change."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'net.h5')
        if start:
            path.write_bytes(honest(start))
        with h5py.File(path, 'a') as file:
            change(file)
        return path.read_bytes()


def external():
    return hdf5(lambda file: file.update({'layers': h5py.ExternalLink('/etc/passwd', 'x')}), None)


def hollow():
    """Arrays that are declared, and filled with nothing."""

    def make(file):
        file.create_dataset('layers/dense/vars/0', (10**6, 10**6), 'f4', chunks=(1000, 1000))

    return hdf5(make, None)


def legacy(change):
    """An .h5 file whose description of the model was changed."""

    def edit(file):
        about = json.loads(file.attrs['model_config'])
        change(about)
        file.attrs['model_config'] = json.dumps(about)

    return hdf5(edit)


def elsewhere(file):
    file.create_dataset('model_weights/x', (5,), 'u1', external=[('/etc/passwd', 0, 5)])


def virtual(file):
    layout = h5py.VirtualLayout((5,), 'u1')
    layout[:] = h5py.VirtualSource('/etc/passwd', 'x', (5,))
    file.create_virtual_dataset('model_weights/x', layout)


def folded(file):
    file.create_dataset(
        'model_weights/x', (10**8,), 'f4', chunks=(10**6,), compression='gzip', fillvalue=0
    )


def round_and_round(file):
    file['model_weights/again'] = file['model_weights']


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def hdf5s(canary):
    whole = honest('.h5')
    text = h5py.string_dtype()
    return {
        'h5 magic alone': whole[:8],
        'h5 half': whole[: len(whole) // 2],
        'h5 all but the end': whole[:-60],
        'h5 noise': whole[:8] + np.random.default_rng(1).bytes(5000),
        'h5 flipped in the weights': flipped(whole, len(whole) - 1000),
        'h5 flipped at the start': flipped(whole, 40),
        'h5 flipped seal': flipped(whole, len(whole) - 1),
        'h5 external link': hdf5(
            lambda file: file.update({'model_weights/x': h5py.ExternalLink('/etc/passwd', 'x')})
        ),
        'h5 soft link': hdf5(lambda file: file.update({'model_weights/x': h5py.SoftLink('/x')})),
        'h5 values elsewhere': hdf5(elsewhere),
        'h5 virtual': hdf5(virtual),
        'h5 hollow': hdf5(
            lambda file: file.create_dataset('model_weights/x', (10**12,), 'f4', chunks=(10**6,))
        ),
        'h5 folded': hdf5(folded),
        'h5 round': hdf5(round_and_round),
        'h5 texts': hdf5(lambda file: file.create_dataset('model_weights/x', (5,), text)),
        'h5 of nothing': hdf5(lambda file: None, None),
        'h5 weights alone': hdf5(lambda file: file.attrs.pop('model_config')),
        'h5 lambda': lambda_model(canary, '.h5'),
        'h5 wide': legacy(
            lambda about: about['config']['layers'][1]['config'].update(units=20_000_000)
        ),
        'h5 other weights': legacy(
            lambda about: about['config']['layers'][1]['config'].update(units=7)
        ),
        'h5 import': legacy(lambda about: about['config']['layers'][1].update(class_name='system')),
        **{f'h5 {name}': hdf5(change) for name, change in kinds_of_hdf5.REFUSED.items()},
        'h5 optimizer': hdf5(
            lambda file: file.attrs.update(
                training_config=json.dumps({'loss': lambda_of(str(canary)), 'optimizer_config': {}})
            )
        ),
    }  # fmt: skip


def corpus(canary):
    """Name -> bytes of all files that are to be refused."""
    return archives(canary) | hdf5s(canary)
