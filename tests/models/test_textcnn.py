from text_families import TOKENS, count

from lepton.models import textcnn


def test_parameters_are_counted_by_hand():
    network = textcnn.build(TOKENS, width=10, filters=4, kernels=[2, 3])
    assert count(network) == 50 * 10 + (10 * 4 * 2 + 4) + (10 * 4 * 3 + 4) + (8 * 3 + 3)
