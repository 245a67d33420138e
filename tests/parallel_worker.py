"""Started by torchrun in tests/test_parallel.py: trains without noise, and writes the weights that came out.

    torchrun … parallel_worker.py FOLDER CHECKPOINT {whole,stopped,resumed}
"""

import sys
from pathlib import Path

import torch

from vae_course import checkpoints, data, training
from vae_course.conditional import reference_cvae
from vae_course.models import reference_vae
from vae_course.objectives import negative_elbo
from vae_course.training import parallel

EPOCHS, STEPS = 4, 4


def without_noise(model, x, eps):
    """The negative ELBO with the noise given: (B, Z)."""
    mu, logvar = model.encode(x)
    recon = model.likelihood.log_prob(x, model.decode(mu + torch.exp(0.5 * logvar) * eps))
    return {"loss": -(recon - model.kl(mu, logvar)).mean()}


def stop_in_the_third_epoch(model) -> None:
    """Let the encoder press the stop button in the middle of the third epoch."""
    passes = 0

    def count(*_):
        nonlocal passes
        passes += 1
        if passes == 2 * STEPS + 2:
            raise KeyboardInterrupt

    model.encoder.register_forward_hook(count)


def conditional_model(images: torch.Tensor):
    """A conditional model after an epoch; one picture alone is of class 4, and only one process trains on it."""
    labels = torch.zeros(len(images), dtype=torch.long)
    labels[30] = 4
    model = reference_cvae(num_classes=6, latent_dim=3, hidden_dim=8)
    training.fit(model, negative_elbo, (images, labels), epochs=1, prepare=data.grey, batch_size=24, bf16=False,
                 progress=False)
    return model


def main(folder: str, checkpoint: str, how: str) -> None:
    device = parallel.start(torch.device("cpu"))
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (100, 1, 28, 28), generator=generator, dtype=torch.uint8)
    eps = torch.randn(100, 3, generator=generator)
    torch.manual_seed(parallel.rank())                      # rank 0's weights must win
    model = reference_vae(latent_dim=3, hidden_dim=8).to(device)
    if how == "stopped":
        stop_in_the_third_epoch(model)
    history = training.fit(model, without_noise, (images, eps), epochs=EPOCHS, prepare=data.grey, batch_size=24,
                           bf16=False, progress=False, checkpoint=checkpoint, resume=how == "resumed")
    assert len(history) == (2 if how == "stopped" else EPOCHS)
    name = f"{parallel.rank()}_of_{parallel.size()}.safetensors"
    checkpoints.save_weights(model, Path(folder) / f"weights_{name}")
    if how == "whole":
        checkpoints.save_weights(conditional_model(images), Path(folder) / f"classes_{name}")
    if parallel.rank() == 0:
        print("losses", *history.column("train_loss"))
    parallel.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
