"""Checks of the exercises of notebook 08."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, Wrong, close, name_mistake, verdict
from vae_course.densities import bernoulli_log_likelihood, kl_to_standard_normal


def check_forward(forward: Callable[[Callable, Callable, Tensor], tuple[Tensor, Tensor, Tensor]]) -> Verdict:
    """forward(encode, decode, x) → recon_logits, mu, logvar, with z reparameterized (notebook 08)."""
    def check() -> str:
        mu = torch.tensor([0.5, -2.0, 1.0]).expand(5000, 3).clone().requires_grad_()
        logvar = torch.tensor([-2.0, 1.0, 0.5]).expand(5000, 3).clone().requires_grad_()
        answer = forward(lambda x: (mu, logvar), lambda z: 10 * z, torch.zeros(5000, 1, 28, 28))
        if not isinstance(answer, (tuple, list)) or len(answer) != 3:
            raise Wrong("Return three things: recon_logits, mu, logvar.")
        logits, got_mu, got_logvar = answer
        if not (close(got_mu, mu) and close(got_logvar, logvar)):
            raise Wrong("The second and third value must be mu and logvar, as encode returned them.")
        if logits.min() >= 0 and logits.max() <= 1:
            raise Wrong("These look like probabilities: return the logits; the loss applies the sigmoid.")
        z = logits / 10
        mean, spread, sigma = z.mean(0), z.std(0), torch.exp(0.5 * logvar[0])
        if spread.max() < 1e-6:
            raise Wrong("z has no noise: decoding mu alone is a plain autoencoder. Add sigma·eps." if close(mean, mu[0])
                         else "All examples share one eps: draw it in the shape of mu, torch.randn_like(mu).")
        for hint, wrong in {
            "The spread of z is exp(logvar), the variance: logvar is log σ², so σ = exp(logvar / 2).": torch.exp(logvar[0]),
            "The spread of z is logvar itself: take σ = exp(logvar / 2).": logvar[0].abs(),
            "The spread of z is 1: multiply eps by σ = exp(logvar / 2).": torch.ones(3),
            "eps seems uniform (torch.rand): it must be N(0, 1), torch.randn_like(mu).": sigma / math.sqrt(12),
        }.items():
            if close(spread, wrong, 0.06) and not close(spread, sigma, 0.06):
                raise Wrong(hint)
        if not (close(mean, mu[0], 0.1) and close(spread, sigma, 0.06)):
            raise Wrong(f"z has mean {mean.tolist()} and standard deviation {spread.tolist()}; they should be mu and "
                         f"exp(logvar / 2), which are {mu[0].tolist()} and {sigma.tolist()}.")
        if (torch.corrcoef(z.T) - torch.eye(3)).abs().max() > 0.1:
            raise Wrong("The latents share one eps: draw it in the shape of mu, torch.randn_like(mu).")
        if logits.requires_grad:
            logits.sum().backward()
        if mu.grad is None or logvar.grad is None:
            raise Wrong("No gradient reaches mu and logvar: do not detach them, and do not use torch.no_grad().")
        return "Right: z = mu + exp(logvar / 2)·eps, with gradients to both."
    return verdict(check)


def check_loss(loss: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Verdict:
    """loss(x, recon_logits, mu, logvar) → −ELBO, the scalar mean over the batch, in nats per example (notebook 08)."""
    def check() -> str:
        g = torch.Generator().manual_seed(3)
        x = (torch.rand(5, 1, 7, 6, generator=g) < 0.3).float()
        logits = torch.randn(5, 1, 7, 6, generator=g)
        mu, logvar = torch.randn(5, 3, generator=g), torch.randn(5, 3, generator=g)
        recon, kl = bernoulli_log_likelihood(x, logits), kl_to_standard_normal(mu, logvar)   # (5,), (5,)
        twice = bernoulli_log_likelihood(x, torch.sigmoid(logits))
        answer = loss(x, logits, mu, logvar)
        if not isinstance(answer, Tensor) or answer.ndim != 0:
            raise Wrong("Return one number: the mean over the batch, a tensor without axes.")
        if not close(answer, -(recon - kl).mean()):
            name_mistake(answer, {
                "The sign: this is the ELBO; the loss that is minimised is −ELBO.": (recon - kl).mean(),
                "The sign of the KL: the loss is −recon + kl.": -(recon + kl).mean(),
                "The KL is missing.": -recon.mean(),
                "You averaged over the pixels: sum them, or β becomes 784 (here 42) in disguise.":
                    (-recon / 42 + kl).mean(),
                "You averaged the KL over the latent dimensions: sum them.": (-recon + kl / 3).mean(),
                "You averaged over pixels and latents: sum both; only the batch is averaged.": (-recon / 42 + kl / 3).mean(),
                "You summed over the batch: then the loss grows with the batch size. Average over it.": -(recon - kl).sum(),
                "The ½ of the KL is missing.": (-recon + 2 * kl).mean(),
                "The sigmoid was applied twice: the arguments are logits already.": (-twice + kl).mean(),
                "784 is built in, but these pictures have another size: sum over the axes of x.":
                    (-recon * 784 / 42 + kl).mean(),
            }, f"The value should be {-(recon - kl).mean():.4f} here, got {answer:.4f}.")
        return "Right: −(recon − kl), summed over pixels and latents, averaged over the batch."
    return verdict(check)


def check_kl_gradient(gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Verdict:
    """gradient(mu, log_sigma) → (∂KL/∂mu, ∂KL/∂log_sigma), both as mu (notebook 08; derived in 03)."""
    def check() -> str:
        g = torch.Generator().manual_seed(5)
        mu, log_sigma = (torch.randn(4, 3, generator=g, dtype=torch.float64).requires_grad_() for _ in range(2))
        kl_to_standard_normal(mu, 2 * log_sigma).sum().backward()
        answer = gradient(mu.detach(), log_sigma.detach())
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise Wrong("Return two things: ∂KL/∂mu and ∂KL/∂log_sigma.")
        by_mu, by_log_sigma = answer
        sigma = torch.exp(log_sigma)
        if not close(by_mu, mu.grad):
            name_mistake(by_mu, {"∂(½μ²)/∂μ is μ, not μ/2.": mu / 2, "The sign of ∂KL/∂μ.": -mu},
                          "∂KL/∂μ is wrong: only ½μ² depends on μ.")
        if not close(by_log_sigma, log_sigma.grad):
            name_mistake(by_log_sigma, {
                "That is the derivative with respect to log σ²; log σ is half of that, so the chain rule gives a factor 2.":
                    0.5 * (sigma ** 2 - 1),
                "The argument is log σ, not log σ²: σ² = exp(2·log_sigma).": sigma - 1,
                "That is the formula for log σ² with log σ put in: σ² = exp(2·log_sigma), and the chain rule gives a 2.":
                    0.5 * (sigma - 1),
                "The sign of ∂KL/∂log σ.": -log_sigma.grad,
                "That is the derivative with respect to σ, not to log σ: multiply by σ.": sigma - 1 / sigma,
            }, "∂KL/∂log σ is wrong: differentiate ½(e^{2s} − 1 − 2s) with s = log σ.")
        return "Right: μ and σ² − 1, the same as autograd's, to rounding."
    return verdict(check)


def check_effective_beta(effective_beta: Callable[[int, int], float]) -> Verdict:
    """effective_beta(n_pixels, n_latents) of a loss that averages over both: mean(bce) + mean(kl) (notebook 08)."""
    def check() -> str:
        answer = effective_beta(784, 20)
        if not close(answer, 39.2):
            name_mistake(answer, {
                "The other way round: dividing the reconstruction by 784 makes the KL heavier, so β > 1.": 20 / 784,
                "That forgets the average over the latents, which divides the KL by n_latents.": 784,
                "β is 1 only if neither is averaged.": 1,
            }, f"For 784 pixels and 20 latents the answer is not {answer}: multiply the loss by n_pixels and read off β.")
        if not close(effective_beta(100, 4), 25.0):
            raise Wrong("Right for 784 and 20, but not for 100 and 4: use the arguments.")
        return "Right: n_pixels / n_latents."
    return verdict(check)


def _layers(network: torch.nn.Module) -> list[str]:
    """The network's layers in order: "200" for a linear layer of that width, "act" for an activation."""
    found = []
    for _, module in network.named_modules(remove_duplicate=False):  # one nn.ReLU() may serve in several places
        if isinstance(module, torch.nn.Linear):
            found.append(str(module.out_features))
        elif type(module).__module__ == "torch.nn.modules.activation":
            found.append("act")
    return found


def check_deeper_vae(build: Callable[[], torch.nn.Module]) -> Verdict:
    """build() → an untrained VAE, (1, 28, 28), with two hidden layers of 200 on each side and 10 latents (notebook 08)."""
    def check() -> str:
        model = build()
        if not isinstance(model, torch.nn.Module):
            raise Wrong("Return the model: models.VAE(encoder, decoder).")
        x = (torch.rand(3, 1, 28, 28) < 0.2).float().to(next(model.parameters()).device)
        mu, logvar = model.encode(x)
        if tuple(mu.shape) != (3, 10) or tuple(logvar.shape) != (3, 10):
            raise Wrong(f"encode gave shapes {tuple(mu.shape)} and {tuple(logvar.shape)}: there should be 10 latents.")
        recon_logits = model.decode(mu)
        if recon_logits.shape != x.shape:
            raise Wrong(f"decode gave the shape {tuple(recon_logits.shape)}; it should be that of x, {tuple(x.shape)}.")
        wanted = {"encoder": ["200", "act", "200", "act", "10", "10"], "decoder": ["200", "act", "200", "act", "784"]}
        for side, layers in wanted.items():
            got = _layers(getattr(model, side))
            if got == [*layers, "act"]:
                raise Wrong(f"The {side} ends in an activation: logits must be free to be any number.")
            if got != layers:
                raise Wrong(f"The {side}'s layers are {', '.join(got)}; they should be {', '.join(layers)}, where act is "
                             f"an activation (mlp puts one between its layers, none after its last).")
        return f"Right: {sum(p.numel() for p in model.parameters()):,} parameters, ready for training.fit."
    return verdict(check)
