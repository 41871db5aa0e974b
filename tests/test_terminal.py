"""What files say is printed as it is: it neither acts on the terminal nor counts as markup."""

import zipfile

import pytest
from click.testing import CliRunner

import kerasnets
from kerasnets import cli, terminal

EVIL = ['[/red]', '[bold]x', ':smile:', '\x1b[2J', '\x1b]0;title\x07', '\u202edesrever', '\r']


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp('saved') / 'net.keras'
    kerasnets.Classifier([4, (5, 'relu'), 3]).save(path)
    return path


def changed(path, old, new):
    """A copy of a model file with a text replaced in its JSON."""
    copy = path.with_name('changed.keras')
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(copy, 'w') as after:
        for name in before.namelist():
            data = before.read(name)
            if name.endswith('.json'):
                data = data.replace(
                    old.encode(), new.encode('unicode_escape').replace(b'\\x', b'\\u00')
                )
            after.writestr(name, data)
    return copy


@pytest.mark.parametrize('text', EVIL)
@pytest.mark.parametrize('old', ['hid1', 'relu', 'Classifier'])
@pytest.mark.parametrize('command', ['inspect', 'convert'])
def test_a_file_cannot_act_on_the_terminal(saved, command, old, text, tmp_path):
    path = changed(saved, old, text)
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


def test_a_network_prints_names_as_they_are(capsys):
    net = kerasnets.Classifier([4, {'size': 5, 'name': '[red]hid'}, 3])
    net.summary()
    assert '[red]hid' in capsys.readouterr().out


@pytest.mark.parametrize('tty', [True, False])
@pytest.mark.parametrize('more', [[], ['--streams', '2']], ids=str)
def test_a_sampled_text_cannot_act_on_the_terminal(more, tty, tmp_path, monkeypatch):
    text = kerasnets.recurrent.Text('\x1bab' * 20)
    net = kerasnets.recurrent.Classifier([len(text.alpha) + 1, (4, 'rnn'), len(text.alpha) + 1])
    net.text = text
    net.save(tmp_path / 'net.keras')
    monkeypatch.setattr('click.testing._NamedTextIOWrapper.isatty', lambda self: tty, raising=False)
    command = [
        'text',
        'sample',
        str(tmp_path / 'net.keras'),
        '--seed',
        'a',
        '--length',
        '200',
        *more,
    ]
    result = CliRunner().invoke(cli.main, command)
    assert result.exit_code == 0, result.output
    assert ('\x1b' in result.output) != tty
    assert ('\\x1b' in result.output) == tty
