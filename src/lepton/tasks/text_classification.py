"""The class of a text, with the probability of every class."""

from lepton.tasks import _classification

MODALITY = "text"
METRICS = _classification.METRICS

classes = _classification.classes
answer = _classification.answer
brief = _classification.brief
finish = _classification.finish
