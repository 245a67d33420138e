"""Right and wrong answers to the exercises of notebook 08."""

import torch
from torch import nn
from torch.nn import functional as F

from vae_course.models import VAE, GaussianEncoder, mlp, reference_vae


def right_forward(encode, decode, x):
    mu, logvar = encode(x)
    return decode(mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)), mu, logvar


def bce(x, recon_logits, reduction="sum"):
    return F.binary_cross_entropy_with_logits(recon_logits, x, reduction=reduction)


def kl_sum(mu, logvar):
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum()


def right_loss(x, recon_logits, mu, logvar):
    return (bce(x, recon_logits) + kl_sum(mu, logvar)) / len(x)


def right_kl_gradient(mu, log_sigma):
    return mu, torch.exp(2 * log_sigma) - 1


def deeper_vae(latent_dim=10, decoder_widths=(200, 200), features=None, last=nn.Identity) -> VAE:
    """784 – 200 – 200 – 10 – 200 – 200 – 784, or that with something wrong."""
    features = features or nn.Sequential(nn.Flatten(), mlp([784, 200, 200]), nn.ReLU())
    decoder = nn.Sequential(mlp([latent_dim, *decoder_widths, 784]), last(), nn.Unflatten(1, (1, 28, 28)))
    return VAE(GaussianEncoder(features, 200, latent_dim), decoder)


def vae_with_one_activation_for_all() -> VAE:
    relu = nn.ReLU()
    model = deeper_vae(features=nn.Sequential(nn.Flatten(), nn.Linear(784, 200), relu, nn.Linear(200, 200), relu))
    model.decoder[0][1] = model.decoder[0][3] = relu
    return model


def forward_with(draw, use=lambda mu, logvar, eps: mu + torch.exp(0.5 * logvar) * eps):
    """forward with another noise, or another use of it."""
    def forward(encode, decode, x):
        mu, logvar = encode(x)
        return decode(use(mu, logvar, draw(mu))), mu, logvar
    return forward


def forward_without_grad(encode, decode, x):
    with torch.no_grad():
        return right_forward(encode, decode, x)


def forward_with_sigmoid(encode, decode, x):
    recon_logits, mu, logvar = right_forward(encode, decode, x)
    return torch.sigmoid(recon_logits), mu, logvar


def forward_that_returns_sigma(encode, decode, x):
    recon_logits, mu, logvar = right_forward(encode, decode, x)
    return recon_logits, mu, torch.exp(0.5 * logvar)


RIGHT = [
    ("check_forward", right_forward),
    ("check_loss", right_loss),
    ("check_kl_gradient", right_kl_gradient),
    ("check_kl_gradient", lambda mu, s: torch.func.grad(lambda mu, s: kl_sum(mu, 2 * s), argnums=(0, 1))(mu, s)),
    ("check_effective_beta", lambda n_pixels, n_latents: n_pixels / n_latents),
    ("check_deeper_vae", deeper_vae),
    ("check_deeper_vae", vae_with_one_activation_for_all),
]

WRONG = [
    ("check_forward", lambda encode, decode, x: right_forward(encode, decode, x)[0], "Return three things"),
    ("check_forward", forward_that_returns_sigma, "must be mu and logvar"),
    ("check_forward", lambda *args: tuple(right_forward(*args)[i] for i in (0, 2, 1)), "must be mu and logvar"),
    ("check_forward", forward_with_sigmoid, "look like probabilities"),
    ("check_forward", forward_with(torch.zeros_like), "plain autoencoder"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu + logvar.exp() * eps), "exp(logvar), the"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu + logvar * eps), "logvar itself"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu + eps), "The spread of z is 1"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: logvar.exp().sqrt() * eps), "z has mean"),
    ("check_forward", forward_with(torch.rand_like), "torch.rand"),
    ("check_forward", forward_with(lambda mu: torch.randn(mu.shape[1])), "All examples share one eps"),
    ("check_forward", forward_with(lambda mu: torch.randn(len(mu), 1)), "The latents share one eps"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: (mu + eps * torch.exp(logvar / 2)).detach()),
     "No gradient"),
    ("check_forward", forward_with(torch.randn_like, lambda mu, logvar, eps: mu.detach() + torch.exp(logvar / 2) * eps),
     "No gradient"),
    ("check_forward", forward_without_grad, "No gradient"),

    ("check_loss", lambda x, logits, mu, v: -right_loss(x, logits, mu, v), "this is the ELBO"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits) - kl_sum(mu, v)) / len(x), "The sign of the KL"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits) / len(x), "The KL is missing"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits, "mean") + kl_sum(mu, v) / len(x), "averaged over the pixels"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits) + kl_sum(mu, v) / 3) / len(x), "the KL over the latent"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits, "mean") + kl_sum(mu, v) / mu.numel(), "over pixels and latents"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits) + kl_sum(mu, v), "summed over the batch"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits) + 2 * kl_sum(mu, v)) / len(x), "The ½ of the KL"),
    ("check_loss", lambda x, logits, mu, v: (bce(x, logits.sigmoid()) + kl_sum(mu, v)) / len(x), "sigmoid was applied"),
    ("check_loss", lambda x, logits, mu, v: bce(x, logits, "none").sum((1, 2, 3)), "Return one number"),
    ("check_loss", lambda x, logits, mu, v: right_loss(x, logits, mu, v).item(), "Return one number"),
    ("check_loss", lambda x, logits, mu, v: right_loss(x, logits, mu, 2 * v), "The value should be"),

    ("check_kl_gradient", lambda mu, s: mu, "Return two things"),
    ("check_kl_gradient", lambda mu, s: (mu / 2, (2 * s).exp() - 1), "is μ, not μ/2"),
    ("check_kl_gradient", lambda mu, s: (-mu, (2 * s).exp() - 1), "The sign of ∂KL/∂μ"),
    ("check_kl_gradient", lambda mu, s: (mu ** 2, (2 * s).exp() - 1), "only ½μ² depends on μ"),
    ("check_kl_gradient", lambda mu, s: (mu, 0.5 * ((2 * s).exp() - 1)), "chain rule gives a factor 2"),
    ("check_kl_gradient", lambda mu, s: (mu, s.exp() - 1), "The argument is log σ, not log σ²"),
    ("check_kl_gradient", lambda mu, s: (mu, 0.5 * (s.exp() - 1)), "formula for log σ² with log σ put in"),
    ("check_kl_gradient", lambda mu, s: (mu, 1 - (2 * s).exp()), "The sign of ∂KL/∂log σ"),
    ("check_kl_gradient", lambda mu, s: (mu, s.exp() - (-s).exp()), "with respect to σ, not to log σ"),
    ("check_kl_gradient", lambda mu, s: (mu, (2 * s).exp()), "differentiate ½(e^{2s} − 1 − 2s)"),

    ("check_effective_beta", lambda n_pixels, n_latents: n_latents / n_pixels, "The other way round"),
    ("check_effective_beta", lambda n_pixels, n_latents: n_pixels, "forgets the average over the latents"),
    ("check_effective_beta", lambda n_pixels, n_latents: 1.0, "only if neither is averaged"),
    ("check_effective_beta", lambda n_pixels, n_latents: 39.2, "use the arguments"),
    ("check_effective_beta", lambda n_pixels, n_latents: n_pixels * n_latents, "the answer is not 15680"),

    ("check_deeper_vae", lambda: None, "Return the model"),
    ("check_deeper_vae", lambda: deeper_vae(latent_dim=20), "there should be 10 latents"),
    ("check_deeper_vae", lambda: reference_vae(latent_dim=10), "The encoder's layers are 400, act, 10, 10"),
    ("check_deeper_vae", lambda: deeper_vae(decoder_widths=(400,)), "The decoder's layers are 400, act, 784"),
    ("check_deeper_vae", lambda: deeper_vae(decoder_widths=(200, 3)), "The decoder's layers are 200, act, 3, act, 784"),
    ("check_deeper_vae", lambda: deeper_vae(features=nn.Sequential(nn.Flatten(), mlp([784, 200, 200]))),
     "The encoder's layers are 200, act, 200, 10, 10"),
    ("check_deeper_vae", lambda: deeper_vae(last=nn.Sigmoid), "The decoder ends in an activation"),
    ("check_deeper_vae", lambda: deeper_vae(last=nn.Tanh), "The decoder ends in an activation"),
    ("check_deeper_vae", lambda: deeper_vae(last=lambda: nn.Unflatten(1, (28, 28))), "Your function raised"),
]
