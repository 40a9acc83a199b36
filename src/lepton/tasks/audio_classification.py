"""The class of a recording, with the probability of every class."""

from lepton.tasks import _classification

MODALITY = "audio"
METRICS = _classification.METRICS

classes = _classification.classes
answer = _classification.answer
brief = _classification.brief
finish = _classification.finish
