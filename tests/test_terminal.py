"""What files say is printed as it is: it neither acts on the terminal nor counts as markup."""

import io
import json
import pathlib
import textwrap

import hostile
import pytest
from click.testing import CliRunner
from rich.console import Console

import kerasnets
from kerasnets import cli, terminal

EVIL = ['[/red]', '[bold]x', ':smile:', '\x1b[2J', '\x1b]0;title\x07', '\u202edesrever', '\r']


def changed(old, new):
    """The bytes of a model file with a text replaced in its JSON."""

    def edit(members):
        for name in members:
            if name.endswith('.json'):
                members[name] = members[name].replace(old.encode(), json.dumps(new)[1:-1].encode())

    return hostile.archive(edit)


@pytest.mark.parametrize('text', EVIL)
@pytest.mark.parametrize('old', ['hid1', 'tanh', 'Classifier'])
@pytest.mark.parametrize('command', ['inspect', 'convert'])
def test_a_file_cannot_act_on_the_terminal(command, old, text, tmp_path):
    path = tmp_path / 'net.keras'
    path.write_bytes(changed(old, text))
    more = [str(tmp_path / 'new.h5')] if command == 'convert' else []
    result = CliRunner().invoke(cli.main, [command, str(path), *more])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert not set(result.output) & {'\x1b', '\x07', '\u202e', '\r'}
    if command == 'inspect':
        assert terminal.plain(text) in ''.join(result.output.split())


@pytest.mark.parametrize('text', EVIL[:-1])
def test_a_column_cannot_act_on_the_terminal(text, tmp_path):
    path = tmp_path / 'table.csv'
    path.write_text(f'{text},y\n' + '1,a\n2,b\n' * 20, encoding='utf-8', newline='')
    result = CliRunner().invoke(cli.main, ['train', str(path), '--target', 'y', '--dry-run'])
    assert result.exit_code == 0, result.output
    assert not set(result.output) & {'\x1b', '\x07', '\u202e'}
    assert terminal.plain(text) in result.output


@pytest.mark.parametrize('tty', [True, False])
@pytest.mark.parametrize('more', [[], ['--proba']], ids=str)
def test_a_predicted_word_cannot_act_on_the_terminal(more, tty, tmp_path, monkeypatch):
    table, model = str(tmp_path / 'table.csv'), str(tmp_path / 'net.keras')
    pathlib.Path(table).write_text('x,y\n' + '1,\x1b[2J\n2,b\n' * 20, encoding='utf-8')
    options = ['--target', 'y', '-o', model, '--epochs', '1']
    trained = CliRunner().invoke(cli.main, ['train', table, *options])
    assert trained.exit_code == 0, trained.output
    monkeypatch.setattr('click.testing._NamedTextIOWrapper.isatty', lambda self: tty, raising=False)
    result = CliRunner().invoke(cli.main, ['predict', model, table, *more])
    assert result.exit_code == 0, result.output
    assert ('\x1b' in result.stdout) != tty
    assert ('\\x1b' in result.stdout) == tty


@pytest.mark.parametrize('tty', [True, False])
@pytest.mark.parametrize('more', [[], ['--streams', '2']], ids=str)
def test_a_sampled_text_cannot_act_on_the_terminal(more, tty, tmp_path, monkeypatch):
    text = kerasnets.recurrent.Text('\x1bab' * 20)
    net = kerasnets.recurrent.Classifier([len(text.alpha) + 1, (4, 'rnn'), len(text.alpha) + 1])
    net.text = text
    net.save(tmp_path / 'net.keras')
    monkeypatch.setattr('click.testing._NamedTextIOWrapper.isatty', lambda self: tty, raising=False)
    path = str(tmp_path / 'net.keras')
    result = CliRunner().invoke(cli.main, ['text', 'sample', path, '--seed', 'a', *more])
    assert result.exit_code == 0, result.output
    assert ('\x1b' in result.output) != tty
    assert ('\\x1b' in result.output) == tty


@pytest.mark.parametrize('tty', [True, False])
def test_a_terminal_wraps_a_line_between_words(tty):
    file = io.StringIO()
    text = 'No column of red in a table of many columns.'
    terminal.line(text, Console(file=file, width=20, force_terminal=tty, highlight=False))
    shown = [line.rstrip() for line in file.getvalue().splitlines()]
    assert shown == (textwrap.wrap(text, 20) if tty else [text])
