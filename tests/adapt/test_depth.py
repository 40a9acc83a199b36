from lepton.adapt import _depth


def test_blocks_are_told_by_their_numbers_and_the_head_is_last() -> None:
    names = [
        "body.body.embeddings.words.weight",
        "body.body.embeddings.norm.bias",
        "body.body.encoder.layer.0.query.weight",
        "body.body.encoder.layer.0.output.0.weight",
        "body.body.encoder.layer.1.query.weight",
        "body.body.pooler.dense.weight",
        "body.head.weight",
    ]
    assert _depth.units(names, {"body.head.weight"}) == [names[:2], names[2:4], names[4:5], names[5:6], names[6:]]


def test_what_has_no_number_before_the_first_block_is_one_unit_and_behind_it_each_is_its_own() -> None:
    names = ["body.embed.weight", "body.place.weight", "body.blocks.0.weight", "body.recurrent.weight_ih_l0"]
    names += ["body.recurrent.bias_ih_l0", "body.weigh.weight", "body.head.bias"]
    found = _depth.units(names, {"body.head.bias"})
    assert found == [names[:2], names[2:3], names[3:5], names[5:6], names[6:]]


def test_a_network_without_blocks_is_its_body_and_its_head() -> None:
    assert _depth.units(["body.layer.weight", "body.head.weight"], {"body.head.weight"}) == [
        ["body.layer.weight"],
        ["body.head.weight"],
    ]
