# /// script
# dependencies = ["keras==3.15.1", "torch==2.13.0"]
# ///
"""The seed's CNN in Keras on PyTorch: `python rival_keras.py FOLDER EPOCHS`, with digits.npz in the folder.

Prints one JSON object: `accuracy` on the test digits and the `seconds` of each epoch.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "torch"

import keras


class _Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start the watch."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self._began)


def main(folder: Path, epochs: int) -> None:
    """Train on the training digits and tell how it went."""
    keras.utils.set_random_seed(0)
    keras.config.set_image_data_format("channels_first")  # the layout that PyTorch is quickest with
    digits = np.load(folder / "digits.npz")
    images = {name: (digits[name] / 255).astype("float32")[:, None] for name in ("train", "test")}
    network = keras.Sequential(
        [
            keras.Input((1, 28, 28)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    clock = _Clock()
    network.fit(images["train"], digits["train_labels"], batch_size=32, epochs=epochs, verbose=0, callbacks=[clock])
    answers = network.predict(images["test"], verbose=0).argmax(1)
    accuracy = float((answers == digits["test_labels"]).mean())
    print(json.dumps({"accuracy": accuracy, "seconds": clock.seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
