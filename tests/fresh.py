"""Code run in a fresh process, with or without kerasnets to import."""

import os
import subprocess
import sys

from paths import ROOT, TESTS

#: A child finds the checkout, and what the tests share.
PATH = os.pathsep.join(map(str, (ROOT, TESTS)))

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'kerasnets':
            raise ImportError('kerasnets is not installed here')
sys.meta_path.insert(0, Block())
"""


def run(code, *args, kerasnets=True, **environment):
    """Standard output of Python code in a process of its own."""
    done = subprocess.run(
        [sys.executable, '-c', ('' if kerasnets else BLOCK) + code, *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': PATH, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
