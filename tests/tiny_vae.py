"""A VAE so small that an epoch takes milliseconds. Pixels 1×5×3, hidden 7 and 6, latents 2: all different."""

import torch
from torch import Tensor, nn

from vae_course.models import VAE, GaussianEncoder

PIXELS = (1, 5, 3)
Z = 2


def tiny_vae(seed: int = 0, hidden_dim: int = 7, activation=nn.Tanh, likelihood: nn.Module | None = None) -> VAE:
    """The same weights for the same seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = GaussianEncoder(nn.Sequential(nn.Flatten(), nn.Linear(15, hidden_dim), activation()), hidden_dim, Z)
        decoder = nn.Sequential(nn.Linear(Z, 6), activation(), nn.Linear(6, 15), nn.Unflatten(1, PIXELS))
        return VAE(encoder, decoder, likelihood, input_shape=PIXELS)


def tiny_images(n: int, seed: int = 0) -> Tensor:
    """(n, 1, 5, 3) uint8 with something to learn: each is one of three patterns, with noise."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randint(0, 200, (3, *PIXELS), generator=torch.Generator().manual_seed(7))
    noise = torch.randint(0, 56, (n, *PIXELS), generator=generator)
    return (patterns[torch.randint(0, 3, (n,), generator=generator)] + noise).to(torch.uint8)
