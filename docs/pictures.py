"""Make the pictures of the documentation: ``python docs/pictures.py overview terminal …``.

Without names, all of them. Pages and TensorBoard are drawn by a headless Chromium, terminals by
pyte (``pip install pexpect pyte``). Look at each picture before it is committed.
"""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import asyncio
import base64
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

import click

DOCS = pathlib.Path(__file__).parent
ROOT, IMAGES = DOCS.parent, DOCS / 'images'
CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome') or 'chromium'

#: Of the browser's debugger.
PORT = 19222

#: The command `kerasnets` of this folder.
COMMAND = [sys.executable, '-m', 'kerasnets']


def overview():
    """Draw what the README shows: a learning curve and a forecast, with the code of each."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from statsmodels.datasets import co2

    import kerasnets
    from kerasnets import plots
    from kerasnets.estimators import SequenceForecaster

    x, y = load_digits(return_X_y=True)
    x, held, y, answers = train_test_split(x / 16, y, test_size=0.25, random_state=1)
    net = kerasnets.Classifier([64, (100, 'relu'), 10])
    net.train(
        [x, y],
        [held, answers],
        algo='adam',
        learning_rate=1e-3,
        epochs=40,
        validate_every=1,
    )
    score = net.score(held, answers)

    series = co2.load_pandas().data['co2'].resample('MS').mean().interpolate()
    past, actual = series[:-24], series[-24:].to_numpy()
    model = SequenceForecaster(horizon=24).fit(past)
    low, predicted, high = (np.ravel(one) for one in model.predict_quantiles())

    figure = plots.Figure(figsize=(10, 3.9), layout='constrained')
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    for name, label in (('acc', 'training'), ('val_acc', 'held-out digits')):
        left.plot(range(1, 41), [100 * row[name] for row in net.history], label=label)
    left.set(xlabel='epoch', ylabel='accuracy in %', ylim=(60, 101))
    left.annotate(
        f'{100 * score:.1f}%',
        (40, 100 * score),
        (32, 90),
        arrowprops={'arrowstyle': '-'},
    )
    left.legend(loc='lower right')
    quantiles = [low, high]
    dates = series.index[-96:]
    plots.forecast(past[-72:], predicted, quantiles, actual, dates=dates, axes=right)
    right.set(ylabel='carbon dioxide in the air, ppm', xlabel='year')
    for axes, code in (
        (
            left,
            "net = Classifier([64, 100, 10])\nnet.train([x, y], valid, algo='adam', epochs=40)",
        ),
        (
            right,
            'model = SequenceForecaster(horizon=24)\nmodel.fit(past).predict_quantiles()',
        ),
    ):
        axes.set_title(code, family='monospace', fontsize=10, loc='left')
        axes.spines[['top', 'right']].set_visible(False)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.savefig(IMAGES / 'overview.png', dpi=120)
    error, naive = (
        np.abs(actual - f).mean() for f in (predicted, np.resize(past[-12:], 24))
    )
    print(
        f'mean absolute error {error:.2f} ppm, of the last year repeated {naive:.2f} ppm'
    )


def browse(address, name, width, height):
    """Have a headless browser draw a page as one of the images."""
    with tempfile.TemporaryDirectory() as folder:
        flags = (
            'headless no-sandbox disable-gpu hide-scrollbars no-first-run disable-sync '
            'disable-background-networking disable-component-update virtual-time-budget=30000 '
            f'user-data-dir={folder} window-size={width},{height} screenshot={IMAGES / name}'
        )
        command = [CHROMIUM, *(f'--{flag}' for flag in flags.split()), address]
        subprocess.run(command, check=True, timeout=120, capture_output=True)


async def watch(address, path, width, height, seconds):
    """Have a headless browser draw a page as it is after some seconds."""
    from tornado.websocket import websocket_connect

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        flags = (
            'headless no-sandbox disable-gpu hide-scrollbars no-first-run '
            f'remote-debugging-port={PORT} user-data-dir={folder} window-size={width},{height}'
        )
        command = [CHROMIUM, *(f'--{flag}' for flag in flags.split()), 'about:blank']
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as browser:
            try:
                await asyncio.sleep(5)
                with urllib.request.urlopen(f'http://127.0.0.1:{PORT}/json') as answer:
                    tab = next(
                        tab for tab in json.load(answer) if tab['type'] == 'page'
                    )
                socket = await websocket_connect(
                    tab['webSocketDebuggerUrl'], max_message_size=2**27
                )

                async def call(number, method, **params):
                    message = dict(id=number, method=method, params=params)
                    await socket.write_message(json.dumps(message))
                    while (answer := json.loads(await socket.read_message())).get(
                        'id'
                    ) != number:
                        pass
                    return answer['result']

                await call(1, 'Page.navigate', url=address)
                await asyncio.sleep(seconds)
                picture = await call(2, 'Page.captureScreenshot')
                path.write_bytes(base64.b64decode(picture['data']))
            finally:
                browser.kill()


def tensorboard():
    """Train two networks and show their logs: scalars, histograms and images."""
    import numpy as np
    from tensorboard import program

    import kerasnets

    x = np.random.default_rng(1).normal(size=(600, 6)).astype('f')
    y = x[:, :3].argmax(axis=1)
    with tempfile.TemporaryDirectory() as logs:
        for units in (4, 32):
            net = kerasnets.Classifier([6, (units, 'tanh'), 3])
            net.train(
                [x[:400], y[:400]],
                [x[400:], y[400:]],
                algo='adam',
                learning_rate=0.01,
                epochs=30,
                validate_every=1,
                tensorboard=dict(path=logs, histograms=True, images=True),
                verbose=0,
            )
        board = program.TensorBoard()
        board.configure(
            argv=['', '--logdir', logs, '--port', '0', '--load_fast', 'false']
        )
        shown = 'darkMode=false&smoothing=0&tagFilter=%5E(loss%7Cacc%7Chid1.w.*)%24'
        address = f'{board.launch()}?{shown}#timeseries'
        # charts are drawn late, and empty in the virtual time of a screenshot
        asyncio.run(watch(address, IMAGES / 'tensorboard.png', 1500, 1490, seconds=25))


def notebook():
    """Run a notebook in a kernel of its own and draw it."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter
    from PIL import Image, ImageChops

    page = (DOCS / 'recipes/notebooks.md').read_text('utf-8')
    (code,) = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    start = code.index('net.train(')
    cells = [
        code[:start] + 'net',
        code[start:],
        'net.history',
        'net.history.plot("loss")',
        'kerasnets.Classifier([4, 8, 3]).find_learning_rate([x, y], algo="adam")',
        'net.save("net.keras")\nkerasnets.inspect("net.keras")',
        'net.train([x[:, :3], y])',
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    with tempfile.TemporaryDirectory() as folder:
        resources = {'metadata': {'path': folder}}
        client = NotebookClient(
            book, timeout=300, resources=resources, allow_errors=True
        )
        html, _ = HTMLExporter().from_notebook_node(client.execute())
        path = pathlib.Path(folder, 'notebook.html')
        path.write_text(html, encoding='utf-8')
        browse(path.as_uri(), 'notebook.png', 1000, 4000)
    picture = Image.open(IMAGES / 'notebook.png').convert('RGB')
    _, _, _, bottom = ImageChops.invert(picture).getbbox()
    picture.crop((0, 0, 1000, bottom + 20)).save(IMAGES / 'notebook.png')


def explained():
    """Write the text that the recipe explains, as HTML."""
    page = (DOCS / 'recipes/text.md').read_text('utf-8')
    blocks = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    names = {}
    exec(blocks[0], names)
    html = names['net'].explain_text('to be or not to be, that is the question;').html()
    (IMAGES / 'explained.html').write_text(html + '\n', encoding='utf-8')


def terminal():
    """Draw commands in terminals of 60, 80 and 120 columns: while they run, and at their end."""
    import pexpect
    import pyte
    from rich.console import Console
    from sklearn.datasets import load_iris

    frame = load_iris(as_frame=True).frame.rename(columns={'target': 'kind'})
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(f'{folder}/iris.csv', index=False)
        text = 'she sells sea shells by the sea shore; the shells are sea shells.\n'
        pathlib.Path(folder, 'corpus.txt').write_text(text * 3000)
        for columns in (60, 80, 120):
            console = Console(record=True, width=columns, file=io.StringIO())
            for command, still in (
                ('text train corpus.txt -o writer.keras --epochs 3 --layers 64', True),
                ('train iris.csv --target kind -o iris.keras --epochs 200', False),
                ('train iris.csv --targt kind -o iris.keras', False),
            ):
                console.print(f'$ kerasnets {command}', style='bold', highlight=False)
                screen = pyte.Screen(columns, 60)
                stream = pyte.ByteStream(screen)
                shell = ' '.join(['stty cols', str(columns), ';', *COMMAND, command])
                child = pexpect.spawn(
                    'sh', ['-c', shell], cwd=folder, dimensions=(60, columns), timeout=300,
                    env=dict(os.environ, TERM='xterm-256color', COLUMNS=str(columns)),
                )  # fmt: skip
                while child.isalive() or still is None:
                    try:
                        stream.feed(child.read_nonblocking(4096, timeout=0.5))
                    except pexpect.TIMEOUT:
                        pass
                    except pexpect.EOF:
                        break
                    lines = screen.display
                    if still and any(
                        'epoch 2' in line and 'loss' in line for line in lines
                    ):
                        _print_screen(console, screen)
                        console.print('… and at the end:', style='dim')
                        still = False
                _print_screen(console, screen)
                console.print()
            console.save_svg(
                str(IMAGES / f'terminal-{columns}.svg'), title=f'{columns} columns'
            )


def _print_screen(console, screen):
    lines = [line.rstrip() for line in screen.display]
    while lines and not lines[-1]:
        lines.pop()
    for line in lines:
        console.print(
            line, highlight=False, markup=False, no_wrap=True, overflow='crop'
        )


def pages():
    """Draw the README, the start page and a page of the API, after ``tox -e docs``."""
    from markdown_it import MarkdownIt

    body = MarkdownIt('gfm-like', {'html': True, 'linkify': False})
    html = body.render((ROOT / 'README.md').read_text('utf-8'))
    style = (
        'body{font:16px/1.5 sans-serif;max-width:980px;margin:24px auto;color:#1f2328}'
        'pre{background:#f6f8fa;padding:12px;font-size:12px;line-height:1.45;overflow:auto}'
        'code{font-family:monospace}table{border-collapse:collapse}img{max-width:100%}'
        'td,th{border:1px solid #d1d9e0;padding:5px 12px;font-size:14px}'
        'h2{border-bottom:1px solid #ddd}'
    )
    page = f'<meta charset="utf-8"><base href="{ROOT.as_uri()}/"><style>{style}</style>{html}'
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'readme.html')
        path.write_text(page, encoding='utf-8')
        browse(path.as_uri(), 'readme.png', 1060, 1750)
    for source, name, height in (
        ('index', 'start', 1650),
        ('api/recurrent', 'api', 1500),
    ):
        browse((DOCS / f'_build/{source}.html').as_uri(), f'{name}.png', 1320, height)


PICTURES = {
    f.__name__: f for f in (overview, explained, terminal, notebook, tensorboard, pages)
}


@click.command(help=__doc__)
@click.argument('names', nargs=-1, type=click.Choice(list(PICTURES)))
def main(names):
    for name in names or PICTURES:
        PICTURES[name]()


if __name__ == '__main__':
    main()
