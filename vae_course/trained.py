"""The model that several chapters look into: the VAE that chapter 08 trains."""

import os
from pathlib import Path

import torch

from vae_course import checkpoints, data, models, objectives, runtime, training

WEIGHTS = "vae_mnist.safetensors"       # what chapter 08 calls it, in its folder build/


def chapter_08_vae(mnist: data.ImageData, device: torch.device | str | None = None,
                   folder: str | os.PathLike = "build") -> models.VAE:
    """The VAE of chapter 08: read from the file that the chapter wrote, else trained here in the same way.

    It is `models.reference_vae()`, 784–400–20–400–784, trained on the binarized pictures that `data.hold_out` leaves of five
    sixths of the training set, so that the other sixth may choose, and the test pictures report.

    Args:
        mnist: the pictures, as `data.load_mnist` gives them.
        device: where the model is to be; the pictures' if None.
        folder: where chapter 08 left its file.

    Returns:
        The model, ready to be evaluated. Prints whether it was read or trained.

    Trained in notebooks/08; explored in notebooks/09 and 12.
    """
    device = torch.device(device if device is not None else mnist.train.images.device)
    path = Path(folder) / WEIGHTS
    with runtime.seeded(0, device):
        model = models.reference_vae().to(device)
    try:
        checkpoints.load_weights(model, path)
        print(f"read from {path}: the VAE that chapter 08 trained")
        return model.eval()
    except checkpoints.CheckpointError:
        train, _ = data.hold_out(mnist.train, len(mnist.train) // 6)
    n_epochs = 8 if len(train) > 10_000 else 80
    print(f"{path} is not there: {n_epochs} epochs of the training of chapter 08")
    with runtime.seeded(0, device):
        training.fit(model, objectives.negative_elbo, train.images, epochs=n_epochs, prepare=data.stochastic, batch_size=256,
                     learning_rate=5e-3)
    return model.eval()
