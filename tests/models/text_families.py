"""What the tests of text families share: tiny batches, and the exported graph beside PyTorch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from lepton.export.onnx import export
from lepton.models._network import Network
from lepton.models._shape import Shape

TOKENS = Shape({"input_ids": (0,), "attention_mask": (0,)}, outputs=3, vocabulary=50, task="text-classification")
TAGGED = Shape({"input_ids": (0,), "attention_mask": (0,)}, outputs=5, vocabulary=50, task="token-classification")
NGRAMS = Shape({"ngrams": (0,), "weights": (0,)}, outputs=3, vocabulary=50, task="text-classification")
LENGTHS = (3, 9, 6)


def tokens(seed: int = 0) -> dict[str, Tensor]:
    """Three texts of `LENGTHS` tokens, padded."""
    ids = np.zeros((len(LENGTHS), max(LENGTHS)), np.int64)
    mask = np.zeros_like(ids)
    random = np.random.default_rng(seed)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = random.integers(2, 50, length)
        mask[row, :length] = 1
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}


def ngrams(seed: int = 0) -> dict[str, Tensor]:
    """Three texts of `LENGTHS` n-grams, padded."""
    given = tokens(seed)
    weights = torch.rand(given["input_ids"].shape, generator=torch.Generator().manual_seed(seed))
    return {"ngrams": given["input_ids"], "weights": weights * given["attention_mask"]}


def moved(network: nn.Module) -> nn.Module:
    """`network` with weights that are not zero anywhere, so that every part has a say."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def without_gradient(network: nn.Module, batch: dict[str, Tensor]) -> list[str]:
    """Names of the parameters that no gradient reaches."""
    network.train()
    network(*batch.values()).square().sum().backward()
    return [name for name, each in network.named_parameters() if each.grad is None or not each.grad.abs().sum()]


def check_graph(network: nn.Module, batch: dict[str, Tensor], path: Path) -> None:
    """The exported graph answers as PyTorch does, and a text alone as the same text padded in a batch."""
    export(Network(network), batch, path, lengths=list(batch))
    session = onnxruntime.InferenceSession(path)
    with torch.no_grad():
        wanted = network(*batch.values()).numpy()
    together = session.run(None, {name: each.numpy() for name, each in batch.items()})[0]
    np.testing.assert_allclose(together, wanted, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        alone = session.run(None, {name: each[row : row + 1, :length].numpy() for name, each in batch.items()})[0]
        padded = together[row : row + 1]
        np.testing.assert_allclose(alone, padded[:, :length] if padded.ndim == 3 else padded, atol=1e-5)


def count(network: nn.Module) -> int:
    """The number of parameters."""
    return sum(each.numel() for each in network.parameters())


def solved(initialise: Callable[..., None]) -> tuple[LinearSVC, csr_matrix, dict[str, Tensor]]:
    """Initialise with 60 texts of three classes: scikit-learn's machine on the same texts, and they as arrays."""
    random = np.random.default_rng(0)
    targets = [np.array(index % 3) for index in range(60)]
    samples = [
        {"ngrams": random.choice(np.arange(1 + 5 * int(target), 30), 6, replace=False), "weights": random.random(6)}
        for target in targets
    ]
    initialise(samples, targets)
    batch = {name: np.stack([sample[name] for sample in samples]) for name in ("ngrams", "weights")}
    rows = np.repeat(np.arange(60), 6)
    matrix = csr_matrix((batch["weights"].ravel(), (rows, batch["ngrams"].ravel())), (60, 50))
    given = {name: torch.from_numpy(each) for name, each in batch.items()}
    given["weights"] = given["weights"].float()
    return LinearSVC(random_state=0).fit(matrix, np.array(targets)), matrix, given
