"""The class of an image, with the probability of every class."""

from lepton.tasks import _classification

MODALITY = "image"
METRICS = _classification.METRICS

classes = _classification.classes
answer = _classification.answer
brief = _classification.brief
finish = _classification.finish
