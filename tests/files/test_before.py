"""Files that kerasnets wrote before its modules were moved still open, predict and resume."""

import pathlib

import joblib
import numpy as np
import pytest
from paths import arrays

import kerasnets

FOLDER = pathlib.Path(__file__).parent
EXPECTED = arrays(FOLDER / 'expected.npz')
NETS = sorted(path for path in FOLDER.glob('*.*') if path.suffix in ('.keras', '.h5'))


@pytest.mark.parametrize('path', [p for p in NETS if p.stem != 'checkpoint'], ids=lambda p: p.name)
def test_a_network_predicts_the_same(path):
    net = kerasnets.load(path)
    if path.stem == 'tied':
        found = net.predict(EXPECTED['x'][:, 0])
    else:
        found = net.predict_proba(EXPECTED['x'])
    np.testing.assert_allclose(found, EXPECTED[path.stem], atol=1e-6)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < '2.0.0', reason='written by numpy 2')
def test_an_estimator_predicts_the_same():
    estimator = joblib.load(FOLDER / 'classifier.joblib')
    found = estimator.predict_proba(EXPECTED['classifier_x'])
    np.testing.assert_allclose(found, EXPECTED['classifier'], atol=1e-6)
    assert set(estimator.predict(EXPECTED['classifier_x'])) <= {'no', 'yes'}


def test_a_checkpoint_resumes():
    """Three epochs before the move and three after give the parameters of six before it."""
    net = kerasnets.Classifier([4, 5, 2])
    x = EXPECTED['classifier_x'].astype('f')
    data = [x, (x[:, 0] > 0).astype(int)]
    net.train(
        data,
        valid=data,
        algo='adam',
        learning_rate=0.01,
        batch_size=16,
        validate_every=2,
        hidden_dropout=0.2,
        epochs=6,
        resume=FOLDER / 'checkpoint.keras',
    )
    np.testing.assert_allclose(net.predict_proba(x), EXPECTED['resumed'], atol=1e-5)
