"""Images: every kind of file, sizes, limits, and files that are broken."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lepton.core.errors import BadInput, UserError
from lepton.transforms import image


def saved(picture, kind="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def grey(height=28, width=28):
    return (np.arange(height * width).reshape(height, width) % 251).astype(np.uint8)


def colour(height=40, width=40):
    return np.stack([grey(height, width), grey(height, width)[::-1], grey(height, width)[:, ::-1]], -1)


def encode(raw, **settings):
    chosen = {"size": 8, "channels": 3, "resize": "stretch", "max_pixels": image.MAX_PIXELS, **settings}
    return image.encoder(chosen, {})(raw)["image"]


def test_small_grey_images_keep_their_size_and_every_pixel():
    raw = saved(Image.fromarray(grey()))
    fitted = image.fit([raw] * 3)
    assert (fitted.settings["size"], fitted.settings["channels"]) == (28, 1)
    pixels = image.encoder(fitted.settings, fitted.files)(raw)["image"]
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, grey()[None])


def test_colour_pixels_come_channel_first():
    pixels = encode(saved(Image.fromarray(colour())), size=40)
    np.testing.assert_array_equal(pixels, colour().transpose(2, 0, 1))
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize(("sides", "expected"), [((28, 28), 28), ((64, 70), 64), ((80, 90), 80), ((400, 533), 96)])
def test_fit_chooses_the_side_from_the_median(sides, expected):
    assert image.fit([saved(Image.new("RGB", sides, (1, 90, 200)))] * 3).settings["size"] == expected


def test_fit_sees_grey_saved_as_colour_and_one_coloured_image_among_them():
    plain = saved(Image.fromarray(grey()).convert("RGB"), "JPEG")
    assert image.fit([plain] * 4).settings["channels"] == 1
    assert image.fit([plain] * 4 + [saved(Image.new("RGB", (28, 28), (250, 0, 0)))]).settings["channels"] == 3


def test_fit_passes_over_broken_images_unless_all_are():
    good = saved(Image.fromarray(grey()))
    assert image.fit([b"broken", good]).settings["size"] == 28
    with pytest.raises(UserError, match="None of the training images"):
        image.fit([b"broken"])
    with pytest.raises(UserError, match="no training input"):
        image.fit([])


def test_exif_orientation_turns_the_picture():
    upright = np.zeros((6, 4), np.uint8)
    upright[0, 0] = 200
    for orientation, turn in image._TURNS.items():
        # The file holds the picture as the camera saw it: the inverse of what a viewer does.
        inverse = {
            Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
            Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
        }
        stored = Image.fromarray(upright).transpose(inverse.get(turn, turn))
        exif = Image.Exif()
        exif[0x0112] = orientation
        np.testing.assert_array_equal(image.decode(saved(stored, exif=exif)), upright)


def test_a_damaged_exif_block_does_not_hide_sound_pixels():
    raw = saved(Image.fromarray(grey()), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    np.testing.assert_array_equal(image.decode(raw), grey())


def test_transparent_parts_lie_on_white():
    picture = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (encode(saved(picture)) == 255).all()
    half = encode(saved(Image.new("RGBA", (8, 8), (0, 0, 0, 128))))
    assert abs(int(half[0, 0, 0]) - 127) <= 1
    assert (encode(saved(Image.new("LA", (8, 8), (0, 0))), channels=1) == 255).all()


def test_palettes_one_bit_cmyk_and_gif_frames():
    assert encode(saved(Image.new("P", (8, 8), 0))).shape == (3, 8, 8)
    assert (encode(saved(Image.new("1", (8, 8), 1)), channels=1) == 255).all()
    red = encode(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))[:, 0, 0]
    assert red[0] > 200
    assert red[1:].max() < 60
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    first = encode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))[:, 0, 0]
    assert first.tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_divided_by_257(kind):
    values = np.array([[0, 257, 65_535], [128, 129, 40_000]], np.uint16)
    expected = np.round(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(image.decode(saved(Image.fromarray(values), kind)), expected)


def test_floating_point_pixels_are_refused():
    with pytest.raises(BadInput, match="cannot be decoded"):
        encode(saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


def test_resize_pad_keeps_proportions_and_crop_takes_the_centre():
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 200
    padded = encode(saved(Image.fromarray(wide)), size=30, channels=1, resize="pad")[0]
    np.testing.assert_array_equal(padded[10:20], wide)
    assert padded[:10].max() == padded[20:].max() == 0
    assert (encode(saved(Image.fromarray(wide)), size=10, channels=1, resize="crop") == 200).all()
    assert (encode(saved(Image.fromarray(wide.T)), size=10, channels=1, resize="crop") == 200).all()


def test_a_large_jpeg_read_at_a_smaller_scale_is_close_to_the_full_one():
    y, x = np.mgrid[:480, :640]
    picture = Image.fromarray(np.stack([x % 256, y % 256, (x + y) // 5], -1).astype(np.uint8)).resize((640, 480))
    smooth = picture.resize((20, 15)).resize((640, 480), Image.Resampling.BICUBIC)
    raw = saved(smooth, "JPEG", quality=95)
    full = Image.fromarray(image.decode(raw)).resize((48, 48), Image.Resampling.BILINEAR)
    quick = encode(raw, size=48)
    assert np.abs(quick.transpose(1, 2, 0).astype(int) - np.asarray(full)).mean() < 2
    np.testing.assert_array_equal(quick, encode(raw, size=48))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_claiming(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (9_000, 9_000), (66_000, 10), (1, 70_000)])
def test_sizes_are_checked_before_decoding(size):
    with pytest.raises(BadInput):
        encode(png_claiming(*size))


def chunks(count):
    """A PNG of a good picture behind `count` empty chunks."""
    raw = saved(Image.fromarray(grey()))
    return raw[:33] + chunk(b"tEXt", b"") * count + raw[33:]


def scans(count):
    """A progressive JPEG whose last scan is there `count` times."""
    raw = saved(Image.fromarray(grey()), "JPEG", progressive=True)
    last = raw.rindex(b"\xff\xda")
    return raw[:last] + raw[last:-2] * count + raw[-2:]


def test_files_of_endless_parts_are_refused_before_they_cost_seconds():
    assert encode(chunks(5_000)).shape == encode(scans(5)).shape == (3, 8, 8)
    with pytest.raises(BadInput, match="too many parts"):
        encode(chunks(50_000))
    with pytest.raises(BadInput, match="too many parts"):
        encode(b"\xff\xd8" + b"\xff\xe1\x00\x02" * 100_000)
    with pytest.raises(BadInput, match="too many scans"):
        encode(scans(100))


def test_what_pillow_decodes_in_python_must_be_small():
    assert encode(b"P5 8 8 100\n" + bytes(64)).shape == (3, 8, 8)
    with pytest.raises(BadInput, match="Save it as PNG"):
        encode(b"P5 1001 1000 100\n" + bytes(1_001_000))


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "I;16"])
def test_large_pictures_are_flattened_in_strips_with_the_same_pixels(mode, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (50, 30, 4), np.uint8)
    deep = Image.fromarray((noise[..., 0].astype(np.uint16) << 8) + noise[..., 1])
    clear = Image.fromarray(noise)
    picture = deep if mode == "I;16" else clear.convert("RGB").quantize(9) if mode == "P" else clear.convert(mode)
    raw = saved(picture, **({"transparency": bytes(range(0, 252, 28))} if mode == "P" else {}))
    whole = image.decode(raw)
    monkeypatch.setattr(image, "_STRIP", 100)
    np.testing.assert_array_equal(image.decode(raw), whole)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_truncated_files_are_bad_input(kind, cut):
    raw = saved(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), kind)
    with pytest.raises(BadInput, match=r"cannot be decoded|no pixels|too large"):
        encode(raw[: int(len(raw) * cut)])


@pytest.mark.parametrize(
    "raw", [b"", b"\x00", b"GIF89a", b"<svg/>", b"%PDF-1.4", "a text", b"RIFF\x00\x00\x00\x00WEBP"]
)
def test_what_is_no_image_is_bad_input(raw):
    with pytest.raises(BadInput):
        encode(raw)


def test_a_png_with_colours_and_no_palette_is_bad_input():
    raw = saved(Image.fromarray(grey()).convert("P"))
    start = raw.index(b"PLTE") - 4
    length = 12 + int.from_bytes(raw[start : start + 4])
    with pytest.raises(BadInput, match="cannot be decoded"):
        encode(raw[:start] + raw[start + length :])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP"]), st.data())
def test_damaged_bytes_give_pixels_or_bad_input(kind, data):
    raw = bytearray(saved(Image.fromarray(colour(16, 16)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = encode(bytes(raw))
    except BadInput:
        return
    assert pixels.shape == (3, 8, 8)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\x00", b"BM", b"P6 ", b"GIF89a"]),
)
def test_random_bytes_give_only_bad_input(tail, head):
    with suppress(BadInput):
        assert encode(head + tail).shape == (3, 8, 8)


def test_collate_stacks():
    sample = {"image": np.zeros((3, 8, 8), np.uint8)}
    assert image.collate([sample, sample])["image"].shape == (2, 3, 8, 8)
