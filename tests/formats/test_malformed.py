"""Sources that are broken, each in its own way: a clear UserError or bad records, and never another exception."""

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from lepton.checks import _content
from lepton.core.errors import UserError
from lepton.formats._read import read

IMAGES = np.zeros((3, 4, 5), np.uint8)


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy_zip(data, name="train_images.npy"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, data)
        archive.writestr("train_labels.npy", data)
    return stream.getvalue()


def npy_header(text):
    header = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def zip_with(change):
    data = bytearray(npz(train_images=IMAGES, train_labels=np.zeros(3, int)))
    change(data)
    return bytes(data)


def flip(at):
    def change(data):
        data[at] ^= 0xFF

    return change


GOOD_IDX, GOOD_LABELS = idx(IMAGES), idx(np.zeros(3, np.uint8))
GOOD_NPZ = npz(train_images=IMAGES, train_labels=np.zeros(3, int))
TRAIN, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def mnist(images, labels=GOOD_LABELS, end=""):
    return {TRAIN + end: images, LABELS + end: labels}


REFUSED = {
    "idx: packed and cut off": mnist(gzip.compress(GOOD_IDX)[:-6], gzip.compress(GOOD_LABELS), ".gz"),
    "idx: cut inside the packed header": mnist(gzip.compress(GOOD_IDX)[:8], gzip.compress(GOOD_LABELS), ".gz"),
    "idx: named gz and not packed": mnist(GOOD_IDX, GOOD_LABELS, ".gz"),
    "idx: packed twice": mnist(gzip.compress(gzip.compress(GOOD_IDX)), gzip.compress(GOOD_LABELS), ".gz"),
    "idx: a wrong checksum": mnist(gzip.compress(GOOD_IDX)[:-8] + bytes(8), gzip.compress(GOOD_LABELS), ".gz"),
    "idx: cut off": mnist(GOOD_IDX[:-1]),
    "idx: too long": mnist(GOOD_IDX + b"\0"),
    "idx: only half a header": mnist(GOOD_IDX[:9]),
    "idx: empty": mnist(b""),
    "idx: a wrong magic number": mnist(b"\x89PNG" + GOOD_IDX),
    "idx: an unknown kind of number": mnist(b"\0\0\x07\x03" + GOOD_IDX[4:]),
    "idx: 200 dimensions": mnist(b"\0\0\x08\xc8" + GOOD_IDX[4:]),
    "idx: no dimensions": mnist(b"\0\0\x08\0"),
    "idx: huge dimensions": mnist(b"\0\0\x08\x03" + b"\xff" * 12 + b"x"),
    "idx: huge dimensions, packed": mnist(
        gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), gzip.compress(GOOD_LABELS), ".gz"
    ),
    "idx: images without area": mnist(idx(np.zeros((3, 0, 5), np.uint8))),
    "idx: vectors for images": mnist(idx(np.zeros((3, 4), np.uint8))),
    "idx: images for labels": mnist(GOOD_IDX, GOOD_IDX),
    "idx: too few labels": mnist(GOOD_IDX, idx(np.zeros(2, np.uint8))),
    "idx: no labels": {TRAIN: GOOD_IDX},
    "idx: a folder for labels": {TRAIN: GOOD_IDX, f"{LABELS}/x": b""},
    "idx: a folder for images": {f"{TRAIN}/x": GOOD_IDX, LABELS: GOOD_LABELS},
    "npz: empty": {"x.npz": b""},
    "npz: cut off": {"x.npz": GOOD_NPZ[:-30]},
    "npz: cut in the middle": {"x.npz": GOOD_NPZ[: len(GOOD_NPZ) // 2]},
    "npz: no zip": {"x.npz": b"PK\x03\x04 no zip at all"},
    "npz: a flipped byte in the data": {"x.npz": zip_with(flip(190))},
    "npz: a flipped byte in the array's header": {"x.npz": zip_with(flip(80))},
    "npz: pickled": {"x.npz": npz(train_images=np.array([{}, {}], object), train_labels=np.zeros(2, int))},
    "npz: a pickle": {"x.npz": pickle.dumps({"train_images": 1})},
    "npz: not arrays": {"x.npz": npy_zip(b"words")},
    "npz: empty members": {"x.npz": npy_zip(b"")},
    "npz: huge dimensions": {
        "x.npz": npy_zip(npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 9999, 9999), }"))
    },
    "npz: negative dimensions": {
        "x.npz": npy_zip(npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 4, 4), }"))
    },
    "npz: code in the header": {"x.npz": npy_zip(npy_header("__import__('os').system('true')"))},
    "npz: unknown version": {"x.npz": npy_zip(b"\x93NUMPY\x09\x00" + bytes(200))},
    "npz: no number of dimensions": {
        "x.npz": npy_zip(npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (), }") + b"x")
    },
    "npz: other arrays": {"x.npz": npz(a=IMAGES)},
    "npz: labels for another count": {"x.npz": npz(train_images=IMAGES, train_labels=np.zeros(2, int))},
    "csv: empty": {"x.csv": b""},
    "csv: white space": {"x.csv": b" \r\n \n"},
    "csv: only a header": {"x.csv": b"text,label\n"},
    "csv: one column": {"x.csv": b"text\nwords\nmore\n"},
    "csv: noise": {"x.csv": bytes(range(256)) * 4},
    "csv: NUL bytes": {"x.csv": bytes(5000)},
    "csv: a quote that swallows the file": {"x.csv": b'text,label\n"a,x\n' + b"b c,y\n" * 300},
    "csv: a picture": {"x.csv": b"\x89PNG\r\n\x1a\n" + zlib.compress(bytes(900))},
    "csv: no label in any row": {"x.csv": b"text,label\na b,\nc d,\n"},
    "csv: packed and cut off": {"x.csv.gz": gzip.compress(b"text,label\na,b\n" * 99)[:-12]},
    "csv: a folder of that name": {"x.csv/y/z.bin": b"\1\2"},
    "jsonl: cut off in its first line": {"x.jsonl": b'{"text": "a'},
    "jsonl: lists": {"x.jsonl": b"[1, 2]\n[3, 4]\n"},
    "jsonl: nested without end": {"x.jsonl": b"[" * 100_000},
    "jsonl: objects nested without end": {"x.jsonl": b'{"text":' * 100_000},
    "json: nested without end": {"x.json": b'[{"text":' + b"[" * 100_000},
    "json: an object": {"x.json": b'{"text": "a", "label": "b"}'},
    "json: cut off": {"x.json": b'[{"text": "a", "label": "b"}, {"te'},
    "parquet: empty": {"x.parquet": b""},
    "parquet: only its magic": {"x.parquet": b"PAR1"},
    "parquet: a wrong footer": {"x.parquet": b"PAR1" + bytes(40) + b"\xff\xff\xff\x7fPAR1"},
    "parquet: no Parquet": {"x.parquet": b"text,label\na,b\n"},
    "lines: one word a line": {"x.txt": b"one\ntwo\nthree\n"},
    "conll: no tags": {"x.conll": b"one\ttwo\nthree\tfour\n"},
    "conll: only outside": {"x.conll": b"one\tO\n\ntwo\tO\n"},
    "images: no classes": {"1.png": b"x", "2.png": b"y"},
    "images: all empty": {"cat/1.png": b"", "dog/2.png": b""},
    "recordings: all empty": {"yes/1.wav": b"", "no/2.wav": b""},
    "list: all outside": {"list.csv": b"file,label\n../../etc/passwd.wav,a\n/etc/passwd.wav,b\n"},
    "list: all missing": {"list.csv": b"file,label\na.png,a\nb.png,b\n"},
    "list: endless names": {"list.csv": b"file,label\n" + b"a" * 9000 + b".png,a\n" + b"b" * 9000 + b".png,b\n"},
}


def test_there_are_many():
    assert (len(REFUSED), len(PARTLY), len(UNDECODABLE)) == (70, 10, 20)


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_source_is_refused(put, tmp_path, name):
    for file, data in REFUSED[name].items():
        put(f"source/{file}", data)
    with pytest.raises(UserError) as caught:
        read("source", base=tmp_path)
    assert 20 < len(caught.value.message) < 2500


def test_devices_pipes_and_links_to_themselves_are_refused(tmp_path):
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop/again").symlink_to(tmp_path / "loop/again")
    os.mkfifo(tmp_path / "pipe")
    for source in ("loop", "loop/again", "pipe", "/dev/null", "/dev/zero", "~nobody-at-all/x"):
        with pytest.raises(UserError):
            read(source, base=tmp_path)


FORMAT = {"idx": "idx", "npz": "medmnist", "csv": "table", "jsonl": "table", "json": "table", "parquet": "table"}


@pytest.mark.parametrize("name", [name for name in REFUSED if name.split(":")[0] in FORMAT])
@pytest.mark.parametrize("whole", [True, False])
def test_naming_the_format_does_not_help_it(put, tmp_path, name, whole):
    files = [put(f"source/{file}", data) for file, data in REFUSED[name].items()]
    source = "source" if whole else files[0].relative_to(tmp_path).as_posix()
    with pytest.raises(UserError):
        read(source, base=tmp_path, format=FORMAT[name.split(":")[0]])


PARTLY = {
    "csv: too many columns": ({"x.csv": b"text,label\na b,x\nc, d,y\n"}, ["x.csv#1"]),
    "csv: too few columns": ({"x.csv": b"text,label\na b,x\nc\nd e,x\nf g,y\n"}, ["x.csv#1"]),
    "jsonl: cut off at its end": ({"x.jsonl": b'{"text": "a", "label": "b"}\n{"text": "c'}, ["x.jsonl#1"]),
    "jsonl: a nested label": (
        {"x.jsonl": json.dumps({"text": "a", "label": "b"}).encode() + b'\n{"text": "c", "label": {"d": 1}}\n'},
        ["x.jsonl#1"],
    ),
    "lines: a word alone": ({"x.all": b"0 a b\n1 c d\n0 e f\n1 g h\n" * 5 + b"0\n"}, ["x.all#20"]),
    "conll: a line without a tag": ({"x.conll": b"a\tB-X\nb\tO\n\nc\tO\nd\tO\n\ne\n"}, ["x.conll#2"]),
    "images: an empty one": ({"cat/1.png": b"x", "cat/2.png": b"", "dog/3.png": b"y"}, ["cat/2.png"]),
    "list: a path upwards": (
        {"list.csv": b"file,label\na.png,a\n../../../../etc/passwd.png,b\n", "a.png": b"x"},
        ["list.csv#1"],
    ),
    "list: an absolute path": ({"list.csv": b"file,label\na.png,a\n/etc/x.png,b\n", "a.png": b"x"}, ["list.csv#1"]),
    "list: a folder": (
        {"list.csv": b"file,label\na.png,a\nb.png,b\n", "a.png": b"x", "b.png/c.txt": b""},
        ["list.csv#1"],
    ),
}


@pytest.mark.parametrize("name", PARTLY)
def test_what_can_be_read_is_and_the_rest_is_named(put, tmp_path, name):
    files, bad = PARTLY[name]
    for file, data in files.items():
        put(f"source/{file}", data)
    reading = read("source", base=tmp_path)
    assert reading.records
    assert [item.id for item in reading.bad] == bad
    assert all(item.reason for item in reading.bad)


def chunk_of(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, colour=0):
    return b"\x89PNG\r\n\x1a\n" + chunk_of(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))


def jpeg():
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def wav(size, data=b"\0\0" * 40):
    body = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


UNDECODABLE = {
    "png: cut off": png_of(4, 4),
    "png: huge": png_of(2**31 - 1, 2**31 - 1),
    "png: large": png_of(60_000, 60_000),
    "png: no area": png_of(0, 0),
    "png: colours and no palette": png_of(4, 4, colour=3) + chunk_of(b"IDAT", zlib.compress(bytes(20))),
    "jpeg: cut off": jpeg()[:-200],
    "jpeg: only its mark": b"\xff\xd8\xff",
    "gif: cut off": b"GIF89a\x01",
    "bmp: huge": b"BM"
    + struct.pack("<IHHIIiiHHIIIIII", 100, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0),
    "tiff: an endless directory": b"II*\0\x08\0\0\0\xff\xff" + bytes(40),
    "webp: only a header": b"RIFF\x10\0\0\0WEBPVP8 \0\0\0\0",
    "wav: only its mark": b"RIFF",
    "wav: cut in its header": wav(80)[:30],
    "wav: a size beyond the file": wav(2**32 - 9),
    "wav: no samples": wav(0, b""),
    "flac: only its mark": b"fLaC" + bytes(30),
    "ogg: only its mark": b"OggS" + bytes(30),
    "a PostScript file": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "noise": bytes(range(256)) * 8,
    "nothing": b"",
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_contents_that_cannot_be_decoded_still_have_a_digest(put, tmp_path, name):
    put("source/a/1.png", UNDECODABLE[name] or b"x")
    put("source/b/2.png", UNDECODABLE[name] or b"x")
    one, two = read("source", base=tmp_path).records
    assert _content.digest(one) == _content.digest(two)
    assert len(_content.digest(one)) == 64
