"""How many replicas there may be."""

from lepton.core.errors import UserError


def check(replicas: int, max_replicas: int) -> None:
    """Raise UserError where the least is more than the most."""
    if replicas > max_replicas:
        rule = "There are at least `replicas` and at most `max_replicas`"
        raise UserError(
            "The replicas do not fit",
            rule=rule,
            received=f"{replicas} and {max_replicas}",
            remedy="Raise --max-replicas",
        )
