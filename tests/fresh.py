"""Code run in a process of its own, where Keras is imported already and kerasnets is not.

Importing TensorFlow takes seconds; a server imports it once, and each process is forked off it.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile

from paths import ROOT

SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(['keras'])

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'kerasnets':
            raise ImportError('kerasnets is not installed here')
sys.meta_path.insert(0, Block())
"""


def start(code, *args, out, folder='.', **environment):
    """A process that runs Python code, with a file for what it writes."""
    process = SERVER.Process(
        target=_execute, args=(code, [*map(str, args)], out, folder, environment)
    )
    process.start()
    return process


def run(code, *args, kerasnets=True, **options):
    """Standard output of Python code in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, 'out')
        process = start(('' if kerasnets else BLOCK) + code, *args, out=out, **options)
        process.join()
        with open(out, encoding='utf-8') as said, open(f'{out}.err', encoding='utf-8') as error:
            assert process.exitcode == 0, error.read()
            return said.read()


def bare(code, *args):
    """Standard output of Python code in an interpreter of its own, with nothing imported."""
    command = [sys.executable, '-c', code, *map(str, args)]
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _execute(code, args, out, folder, environment):
    """In the child: redirect what is written, then run the code as a script is run."""
    for stream, path in ((sys.stdout, out), (sys.stderr, f'{out}.err')):
        with open(path, 'wb', buffering=0) as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ['-c', *args]
    exec(compile(code, '<fresh>', 'exec'), {'__name__': '__main__'})
    sys.stdout.flush()
