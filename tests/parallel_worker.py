"""Started by torchrun in tests/test_parallel.py: trains without noise, and writes the weights that came out.

    torchrun … parallel_worker.py FOLDER CHECKPOINT {whole,stopped,resumed}
"""

import sys
from pathlib import Path

import torch

from vae_course import checkpoints, data, training
from vae_course.models import reference_vae
from vae_course.training import parallel

EPOCHS, STEPS = 4, 4


def without_noise(model, x, eps):
    """The negative ELBO with the noise given: (B, Z)."""
    mu, logvar = model.encode(x)
    recon = model.likelihood.log_prob(x, model.decode(mu + torch.exp(0.5 * logvar) * eps))
    return {"loss": -(recon - model.kl(mu, logvar)).mean()}


def stopped_after_two_epochs():
    """`without_noise`, with a press of the stop button in the middle of the third epoch."""
    calls = 0

    def loss(*batch):
        nonlocal calls
        calls += 1
        if calls == 2 * STEPS + 2:
            raise KeyboardInterrupt
        return without_noise(*batch)

    return loss


def main(folder: str, checkpoint: str, how: str) -> None:
    device = parallel.start(torch.device("cpu"))
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (100, 1, 28, 28), generator=generator, dtype=torch.uint8)
    eps = torch.randn(100, 3, generator=generator)
    torch.manual_seed(parallel.rank())                      # rank 0's weights must win
    model = reference_vae(latent_dim=3, hidden_dim=8).to(device)
    loss = stopped_after_two_epochs() if how == "stopped" else without_noise
    history = training.fit(model, loss, (images, eps), epochs=EPOCHS, prepare=data.grey, batch_size=24,
                           bf16=False, progress=False, checkpoint=checkpoint, resume=how == "resumed")
    assert len(history) == (2 if how == "stopped" else EPOCHS)
    checkpoints.save_weights(model, Path(folder) / f"weights_{parallel.rank()}_of_{parallel.size()}.safetensors")
    if parallel.rank() == 0:
        print("losses", *history.column("train_loss"))
    parallel.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
