"""The pages of the documentation: code and commands run, links lead somewhere."""

import pathlib
import pkgutil
import re
import types
import warnings

import demo
import keras
import pytest
from paths import ROOT

import kerasnets

DOCS = ROOT / 'docs'
PAGES = {
    str(path.relative_to(DOCS)): path.read_text(encoding='utf-8')
    for path in sorted(DOCS.rglob('*.md'))
    if '_build' not in path.parts
}

#: Page -> the package that it is about.
NEEDS = {f'recipes/{name}.md': name for name in ('mlflow', 'optuna', 'wandb')}
#: Characters of a line of code that a page of 1,200 pixels shows without scrolling.
WIDTH = 88

#: Modules whose public names the pages of the API must have.
MODULES = [
    f'kerasnets.{name}'
    for name in 'feedforward recurrent convolution estimators plots util'.split()
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    demo.write_files(tmp_path)
    return tmp_path


def blocks(page, language):
    """The blocks of code of a page, in their order."""
    return re.findall(rf'```{language}\n(.*?)```', PAGES[page], re.DOTALL)


def slow_recipes(language):
    """Pages with code; those that train for longer are for ``pytest -m slow``."""
    long = 'recipes/', 'guide/forecast', 'guide/transformers'
    return [
        pytest.param(page, marks=[pytest.mark.slow] if page.startswith(long) else [])
        for page in PAGES
        if blocks(page, language)
    ]


@pytest.mark.parametrize('page', slow_recipes('python'))
def test_the_code_of_a_page_runs_from_top_to_bottom(page, folder):
    if keras.backend.backend() == 'torch' and 'net.export(' in PAGES[page]:
        pytest.skip('Keras exports nothing right of PyTorch')
    if page in NEEDS:
        pytest.importorskip(NEEDS[page], reason='pip install .[tracking]')
        warnings.simplefilter('ignore')  # of libraries that are not ours, about each other
    # as the guide says, of gaps in its series
    warnings.filterwarnings('ignore', 'the series of')
    names = {}
    for block in blocks(page, 'python'):
        exec(compile(block, page, 'exec'), names)


@pytest.mark.parametrize('page', slow_recipes('sh'))
def test_the_commands_of_a_page_run(page, folder):
    lines = '\n'.join(blocks(page, 'sh')).splitlines()
    demo.run_commands([line for line in lines if not line.startswith('pip install ')])


def anchors(text):
    """Return the anchors of the headings of a page, as GitHub and Sphinx make them."""
    text = re.sub(r'```.*?```', '', text, flags=re.DOTALL)
    return {
        re.sub(r'[^\w -]', '', heading.lower()).strip().replace(' ', '-')
        for heading in re.findall(r'^#+ (.+)$', text, re.MULTILINE)
    }


def test_links_and_pictures_lead_somewhere():
    outside = {path.name: path.read_text(encoding='utf-8') for path in ROOT.glob('*.md')}
    for page, text in {**{f'docs/{page}': text for page, text in PAGES.items()}, **outside}.items():
        here = (ROOT / page).parent
        for target in re.findall(r'\{doc\}`(?:[^`<]*<)?([^`>]+)>?`', text):
            assert (here / f'{target}.md').exists(), (page, target)
        for target in re.findall(r'\]\(([^)\s]+)\)', re.sub(r'`[^`\n]*`', '', text)):
            if not target.startswith('http'):
                path, _, anchor = target.partition('#')
                file = (here / path if path else ROOT / page).resolve()
                assert file.exists(), (page, target)
                assert not anchor or anchor in anchors(file.read_text('utf-8')), (page, target)


def test_every_page_is_in_the_table_of_contents():
    listed = set()
    for page in ('index.md', 'api/index.md'):
        names = re.findall(r'^[\w/-]+$', PAGES[page], re.MULTILINE)
        listed |= {str(pathlib.Path(page).parent / f'{name}.md') for name in names}
    assert listed == {*PAGES} - {'index.md'}


def test_the_gallery_shows_every_example():
    for path in (DOCS.parent / 'examples').glob('*.py'):
        if path.stem not in ('pictures', 'images', 'recurrent_text'):
            assert f'### {path.stem}\n' in PAGES['gallery.md'], path.stem
            assert f'(../examples/{path.name})' in PAGES['gallery.md'], path.name


def test_every_form_and_algorithm_of_theanets_is_in_the_table():
    table = PAGES['coming-from-theanets.md']
    for name in (*kerasnets.feedforward.Classifier.__dict__, 'itertrain', 'find', 'add_layer'):
        if not name.startswith('_') and name.islower():
            assert re.search(rf'`(\w+\.)?{name}`', table), name
    for form in 'ff tied rnn lstm gru rrnn mrnn mut1 scrn clockwork bcrnn bidirectional'.split():
        assert f'`{form}`' in table


def test_every_public_name_is_on_a_page_of_the_api():
    text = '\n'.join(text for page, text in PAGES.items() if page.startswith('api/'))
    directives = re.findall(r'auto(class|function|module):: ([\w.]+)(\n +:members:\n)?', text)
    shown = set()
    for directive, name, members in directives:
        found = pkgutil.resolve_name(name)
        assert found.__doc__, name
        whole = directive == 'module' and members
        shown |= {id(getattr(found, n)) for n in found.__all__} if whole else {id(found)}
    for module in (kerasnets, *map(pkgutil.resolve_name, MODULES)):
        for name in module.__all__:
            found = getattr(module, name)
            if not isinstance(found, types.ModuleType):
                assert id(found) in shown, f'{module.__name__}.{name}'


def test_no_line_of_code_is_wider_than_a_page():
    for page, text in {**PAGES, 'README.md': (ROOT / 'README.md').read_text('utf-8')}.items():
        fenced = re.findall(r'^```([^\n]*)\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)
        for block in (block for language, block in fenced if not language.startswith('{')):
            for line in block.splitlines():
                assert len(line) <= WIDTH, (page, line)


def test_files_that_pages_name_exist():
    pages = {'docs/design.md': PAGES['design.md']}
    for name in ('CONTRIBUTING.md', 'SECURITY.md'):
        pages[name] = (ROOT / name).read_text('utf-8')
    for page, text in pages.items():
        for name in re.findall(r'`([\w./-]+(?:\.py|/))`', text):
            places = [ROOT / name, ROOT / 'kerasnets' / name, ROOT / 'kerasnets/files' / name]
            assert 'NAME' in name or any(path.exists() for path in places), (page, name)
