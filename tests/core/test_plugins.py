import pytest

from lepton.core import plugins
from lepton.core.errors import ContractNotKept, Faults, UserError


def test_names_come_from_files() -> None:
    assert "accuracy" in plugins.names("metrics")
    assert not any(name.startswith("_") for name in plugins.names("metrics"))
    assert "image-classification" in plugins.names("tasks")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Known: .*accuracy.*Did you mean 'accuracy'"):
        plugins.load("metrics", "acuracy")


def test_a_message_has_four_parts() -> None:
    error = UserError("It broke", rule="It must hold", received=3, remedy="Mend it")
    assert error.message == "It broke. It must hold. Received: 3. Mend it."
    assert (error.exit_code, ContractNotKept("x").exit_code) == (2, 3)


def test_several_faults_are_one_error_with_a_line_each() -> None:
    error = Faults("recipe.toml", [UserError("a"), UserError("b")])
    assert error.message.splitlines() == ["recipe.toml has 2 faults:", "  - a.", "  - b."]
