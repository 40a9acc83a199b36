from collections import Counter

from lepton.formats import audio_folders


def test_suffixes_and_classes(put, tmp_path, wav):
    for name in ("yes/a.wav", "yes/b.FLAC", "no/c.ogg", "no/d.mp3"):
        put(name, wav())
    assert audio_folders.sniff(tmp_path)
    assert Counter(record.label for record in audio_folders.read(tmp_path).records) == {"yes": 2, "no": 2}


def test_the_lists_of_speech_commands(put, tmp_path, wav):
    for name in ("yes/a.wav", "yes/b.wav", "no/a.wav", "_background_noise_/hum.wav"):
        put(name, wav())
    put("validation_list.txt", "yes/b.wav\ngone/x.wav\n")
    put("testing_list.txt", "no/a.wav\n")
    reading = audio_folders.read(tmp_path)
    assert {record.id: record.split for record in reading.records} == {
        "yes/a.wav": "train",
        "yes/b.wav": "validation",
        "no/a.wav": "test",
    }
    assert any("_background_noise_" in note for note in reading.notes)
    assert any("1 name in these lists" in note for note in reading.notes)


def test_spoken_digits(real):
    reading = audio_folders.read(real("spoken-digits"), pattern="{digit}_{speaker}_{index}.wav", label="digit")
    assert len(reading.records) == 3000
    assert not reading.bad
    assert Counter(record.label for record in reading.records) == {str(digit): 300 for digit in range(10)}
    assert len({record.fields["speaker"] for record in reading.records}) == 6
    assert reading.records[0].id == "recordings/0_george_0.wav"
