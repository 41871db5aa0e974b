"""Packaging of kerasnets."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (HERE / 'kerasnets/__init__.py').read_text())[1]

setup(
    name='kerasnets',
    version=VERSION,
    description='Neural networks as lists of layers, on Keras: theanets, alive again',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    packages=find_packages(include=['kerasnets', 'kerasnets.*']),
    package_data={'kerasnets': ['py.typed']},
    python_requires='>=3.11,<3.14',
    install_requires=[
        'keras>=3.15.1',
        'tensorflow>=2.21',
        'tensorboard',
        'numpy',
        'h5py',
        'rich',
        'click',
        'wrapt',
    ],
    entry_points={'console_scripts': ['kerasnets = kerasnets.cli:main']},
    extras_require={
        'cluster': ['dask', 'distributed'],
        'docs': ['sphinx', 'furo', 'myst-parser', 'matplotlib', 'scikit-learn'],
        'examples': ['matplotlib', 'scikit-learn', 'statsmodels'],
        'notebook': ['ipykernel', 'matplotlib', 'nbconvert', 'scikit-learn'],
        'onnx': ['tf2onnx'],
        'plots': ['matplotlib', 'scikit-learn'],
        'sklearn': ['scikit-learn'],
        'tokens': ['tokenizers'],
        'torch': ['torch'],
        'tracking': ['mlflow', 'optuna', 'wandb'],
        'test': [
            'pytest',
            'hypothesis',
            'ipykernel',
            'jax',
            'matplotlib',
            'mypy==2.4.1',
            'nbclient',
            'onnxruntime',
            'pandas',
            'pytest-xdist',
            'scipy',
            'scikit-learn',
            'statsmodels',
            'tf2onnx',
            'tokenizers',
        ],
        'lint': ['ruff==0.17.6', 'mypy==2.4.1'],
        'jax': ['jax'],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
