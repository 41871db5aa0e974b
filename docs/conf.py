"""How Sphinx makes the documentation: ``tox -e docs``."""

import os
import pathlib
import re

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
ROOT = pathlib.Path(__file__).parents[1]

project = 'kerasnets'
copyright = 'the authors of kerasnets'
release = re.search(
    r"__version__ = '(.+)'", (ROOT / 'kerasnets/__init__.py').read_text()
)[1]
extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
myst_enable_extensions = ['colon_fence', 'dollarmath']
myst_heading_anchors = 3
autodoc_member_order = 'bysource'
autodoc_default_options = {
    'exclude-members': 'get_metadata_routing, get_params, set_params, set_output, '
    + ', '.join(
        f'set_{m}_request' for m in 'fit partial_fit predict score transform'.split()
    )
}  # of every scikit-learn estimator
autodoc_typehints_format = 'fully-qualified'  # of base classes
autodoc_typehints = 'none'  # types are in the docstrings, in words
default_role = 'code'  # `name` in a docstring
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False  # types are words, not names to be linked
napoleon_use_ivar = True
nitpicky = True
nitpick_ignore_regex = [
    (
        'py:.*',
        r'(collections|dataclasses|keras|numpy|pandas)\..*',
    )  # their documentation is not loaded
]
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = 'kerasnets'
html_static_path = ['_static']
html_css_files = ['pages.css']


ENTRY = re.compile(r'\*{0,2}[\w.]+(, \*{0,2}[\w.]+)*( : .*)?$')


def sections(app, what, name, obj, options, lines):
    """Prepare a docstring for napoleon.

    What follows the entries of a section gets a header of its own, as numpydoc wants it. Types are
    words, not names to be linked: those of attributes move into their descriptions, and a colon in
    the first line of a property does not end a type.
    """
    if what == 'property' and lines:
        lines[0] = lines[0].replace(': ', ' – ')
    done, section = [], None
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ''
        header = line and set(following) == {'-'}
        if section and i and not lines[i - 1] and line[:1].strip() and not header:
            wanted = 'Examples' if line.startswith('>>>') else 'Notes'
            if not ENTRY.match(line) and section != wanted:
                done += [wanted, '-' * len(wanted)]
                section = wanted
        section = line if header else section
        if section == 'Attributes' and ENTRY.match(line) and ' : ' in line:
            labels, kind = line.split(' : ', 1)
            for label in labels.split(', '):
                done += [label, f'    *{kind}.*']
        else:
            done.append(line)
    lines[:] = done


def setup(app):
    """Called by Sphinx."""
    app.connect('autodoc-process-docstring', sections, priority=100)  # before napoleon
