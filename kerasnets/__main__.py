"""``python -m kerasnets`` is the command ``kerasnets``."""

from kerasnets.cli import main

if __name__ == '__main__':
    main(prog_name='kerasnets')
