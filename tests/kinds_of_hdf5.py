"""What an HDF5 file can hold that no file of a model does: name -> a change to a file."""

import h5py
import numpy as np

WHERE = 'model_weights/x'


def unknown_filter(file):
    """Values that a library which is not there would have to unfold."""
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((100,))
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    group = file.require_group('model_weights').id
    h5py.h5d.create(group, b'x', h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((100,)), made)


def of(dtype):
    return lambda file: file.create_dataset(WHERE, (3,), dtype)


def attribute(value):
    return lambda file: file.attrs.update(model_config=value)


#: Those to refuse.
REFUSED = {
    'unknown filter': unknown_filter,
    'references to objects': of(h5py.ref_dtype),
    'references to regions': of(h5py.regionref_dtype),
    'arrays in arrays': of(h5py.vlen_dtype('f4')),
    'records': of(np.dtype([('a', 'f4'), ('b', 'i8')])),
    'arrays as items': lambda file: file.create_dataset(
        WHERE, (3,), np.dtype(('f4', (1000, 1000, 100))), chunks=(1,)
    ),
    'a type': lambda file: file.update({WHERE: np.dtype('f8')}),
    'deep': lambda file: file['model_weights'].create_group('/'.join('a' * 1000)),
    'name that is no text': lambda file: file.create_group(b'model_weights/\xed\xa0\x80'),
    'description is a reference': lambda file: attribute(file['model_weights'].ref)(file),
    'description of nothing': attribute(h5py.Empty('S10')),
    'description is an array': attribute(np.arange(5)),
    'description is a number': attribute(5),
}

#: Those that change nothing: numbers, stored in some way that h5py knows.
HARMLESS = {
    'lzf': lambda file: file.create_dataset(WHERE, data=np.zeros(9999), compression='lzf'),
    'deflated and shuffled': lambda file: file.create_dataset(
        WHERE, data=np.zeros(9999), compression='gzip', shuffle=True, fletcher32=True
    ),
    'complex': of('c16'),
    'long double': of(np.longdouble),
    'growing': lambda file: file.create_dataset(WHERE, (2,), 'f4', maxshape=(None,)),
    'rows of nothing': lambda file: file.create_dataset(WHERE, (0, 2**40), 'f4'),
    'many attributes': lambda file: file['model_weights'].attrs.update(
        {f'a{i}': 'x' for i in range(2000)}
    ),
}
