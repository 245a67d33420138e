"""Answers to the exercises that cannot be made of the checks' own data, by chapter.

RIGHT: (name of the check, a right answer by a second route), so that the check's own right function is compared with
another. WRONG: (name, a wrong answer that is no named mistake, a part of what the check must say about it).
"""

import math
from copy import deepcopy
from functools import partial

import torch
from torch import nn
from torch.distributions import Bernoulli, Categorical, Exponential, Independent, MixtureSameFamily, Normal, kl_divergence
from torch.nn import functional as F

from vae_course.data import grey, stochastic
from vae_course.densities import reparameterize
from vae_course.evaluation import test_elbo
from vae_course.linear_gaussian import LinearGaussian
from vae_course.models import reference_vae
from vae_course.objectives import negative_elbo
from vae_course.semi_supervised import choose_labelled, code_model, sampled, semi_supervised_loss
from vae_course.training import fit

STANDARD = Normal(0.0, 1.0)


def bernoullis(x, lam):
    return Bernoulli(lam).log_prob(x[:, None]).sum(-1)


def one_measurement_after_the_other(x, w, b, s):
    mean, variance = torch.tensor(0.0), torch.tensor(1.0)
    for value in x:     # each posterior is the next prior
        total = w ** 2 * variance + s ** 2
        mean, variance = mean + variance * w * (value - b - w * mean) / total, variance * s ** 2 / total
    return mean, variance


def joints_apart(d):
    """All logarithms one by one."""
    first, second = "rho_1*lambda_1*lambda_2", "rho_2*kappa_1*kappa_2"
    d.step(f"log({first}) - log({first} + {second}) - (log({second}) - log({first} + {second}))", because="quotients")
    d.step("(log(rho_1) + log(lambda_1) + log(lambda_2)) - (log(rho_2) + log(kappa_1) + log(kappa_2))", because="products")
    return d.step("log(rho_1/rho_2) + log(lambda_1/kappa_1) + log(lambda_2/kappa_2)", because="in pairs")


def one_leap(d):
    return d.step("log(rho_1/rho_2) + log(lambda_1/kappa_1) + log(lambda_2/kappa_2)", because="algebra")


def merging_by_jensen(d):
    """The mean of logarithms, with the weights q_1 and q_2 over their sum."""
    both = "(q_1 + q_2)"
    d.step(f"-{both}*(q_1/{both}*log(p_1/q_1) + q_2/{both}*log(p_2/q_2))", because="a mean of logarithms")
    d.bound(f"-{both}*log(q_1/{both}*p_1/q_1 + q_2/{both}*p_2/q_2)", because="Jensen", relation=">=")
    return d.step(f"{both}*log({both}/(p_1 + p_2))", because="q cancels")


def merging_by_rows(d):
    """The chain rule: what is left is the sum of both, times a KL, which is never negative."""
    both, beliefs = "(q_1 + q_2)", "(p_1 + p_2)"
    merged = f"{both}*log({both}/{beliefs})"
    shares = [f"(q_{k}/{both})*log((q_{k}/{both})/(p_{k}/{beliefs}))" for k in (1, 2)]
    d.step(f"{merged} + {both}*({' + '.join(shares)})", because="the chain rule")
    d.bound(f"{merged} + {both}*(q_1/{both} - p_1/{beliefs} + q_2/{both} - p_2/{beliefs})", because="the tangent",
            relation=">=")
    return d.step(merged, because="both shares add up to 1")


def side_by_sampling(predicted=2, sigma_p=1.0, start=1.0, steps=500):
    """Reverse fits of an even mixture by reparameterized draws at the middles of 201 equal shares of the noise."""
    def take_a_side(distances):
        eps, found = STANDARD.icdf((torch.arange(201) + 0.5) / 201), []
        for d in distances:
            p = MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.tensor([-d, d]), sigma_p))
            mu, log_sigma = torch.tensor(start * d, requires_grad=True), torch.tensor(0.0, requires_grad=True)
            optimizer = torch.optim.Adam([mu, log_sigma], lr=0.05)
            for _ in range(steps):
                optimizer.zero_grad()
                (-log_sigma - p.log_prob(mu + log_sigma.exp() * eps).mean()).backward()     # KL(q‖p), less a constant
                optimizer.step()
            found.append((mu.item(), log_sigma.exp().item()))
        return predicted, *map(torch.tensor, zip(*found))
    return take_a_side


def by_distributions(predicted=4, log_px=None, points=1000, logarithm_first=False):
    """Prior Monte Carlo with torch.distributions, point by point."""
    def sharper_pictures(s, n_draws, dims):
        errors = []
        for n_dims in dims:
            prior = Independent(Normal(torch.zeros(n_dims), 1.0), 1)
            x = Normal(prior.sample((points,)), s).sample()
            decoded = Independent(Normal(prior.sample((n_draws,)), s), 1)
            values = torch.stack([decoded.log_prob(point) for point in x])
            marginal = Independent(Normal(torch.zeros(n_dims), math.sqrt(1 + s**2)), 1)
            estimate = values.mean(1) if logarithm_first else values.exp().mean(1).log()
            errors.append((estimate - (log_px or marginal.log_prob)(x)).mean())
        return predicted, errors
    return sharper_pictures


OF_Z2 = "(a**2*sigma_1**2 + sigma_2**2)"


def correlation_by_integrals(d):
    """The square's average left as an integral, and the logarithm of the quotient first."""
    square = "Integral(N(z_1; mu_1, sigma_1**2)*(mu_2 + a*(z_1 - mu_1))**2, (z_1, -oo, oo))"
    d.step(f"{square}/2 + (sigma_2**2 - 1)/2 - log(sigma_2)", because="what does not hold z_1 comes out")
    d.step(f"{square}/2 + (sigma_2**2 - 1)/2 + log({OF_Z2}/sigma_2**2)/2 - log{OF_Z2}/2", because="a quotient")
    return d.step(f"(mu_2**2 + {OF_Z2} - 1 - log{OF_Z2})/2 + log({OF_Z2}/sigma_2**2)/2", because="the moments")


def idle_width_by_layers(predicted=(0.7, 1.4), price=lambda formula: formula.sum(1).mean()):
    """By two layers for the encoder, and torch.distributions."""
    class Encoder(nn.Module):
        def __init__(self, n_in, n):
            super().__init__()
            self.to_mu, self.to_logvar = nn.Linear(n_in, n), nn.Linear(n_in, n)

        def forward(self, x):
            return torch.cat([self.to_mu(x), self.to_logvar(x)], 1)

    def idle_width(kl, x, latent_dim):
        encoder, decoder = Encoder(x.shape[1], latent_dim), nn.Linear(latent_dim, x.shape[1])
        optimizer = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], 0.02, weight_decay=0.0)
        for _ in range(800):
            mu, logvar = encoder.to_mu(x), encoder.to_logvar(x)
            recon = Normal(decoder(Normal(mu, torch.exp(0.5 * logvar)).rsample()), 0.5).log_prob(x).sum(1).mean()
            optimizer.zero_grad()
            (price(kl(mu, logvar)) - recon).backward()
            optimizer.step()
        with torch.no_grad():
            return predicted, torch.exp(0.5 * encoder.to_logvar(x)).mean(0), encoder
    return idle_width

def terms(p, q):
    return torch.where(p > 0, p * torch.log(p / q), 0.0)


def table(normal, edges):
    return torch.cat([torch.zeros(1), normal.cdf(edges), torch.ones(1)]).diff()


def tensors(*numbers):
    return (torch.tensor([number], dtype=torch.float64) for number in numbers)


def best_q_by_scaling(w, s, tau, x):
    mean, variance = LinearGaussian(w * tau, 0.0, s).posterior(*tensors(x))     # z = tau·u with u ~ N(0, 1)
    return tau * mean.item(), tau**2 * variance.item()


def two_terms_by_entropy(d):
    """All logarithms apart, the entropy of q in between."""
    over_z = "Integral(q(z)*({}), (z, -oo, oo))".format
    d.step(over_z("log(joint(z)) - log(q(z))"), because="a quotient")
    d.step(f"{over_z('log(likelihood(z))')} + {over_z('log(prior(z))')} - {over_z('log(q(z))')}", because="a product")
    return d.step(f"-{over_z('log(q(z)/prior(z))')} + {over_z('log(likelihood(z))')}", because="a quotient")


def slope_by_draws(predicted=1.0, noise=1.0, steps=600):
    """By the reparameterized ELBO, the encoder's slope given its best value in each step."""
    def learned_slope(x, s, sigma):
        generator = torch.Generator().manual_seed(0)
        w = torch.tensor(1.0, requires_grad=True)
        optimizer = torch.optim.Adam([w], 0.03)
        for step in range(steps):
            a = (w / (w**2 + s**2)).detach()
            eps = torch.randn(32, len(x), generator=generator)
            z = a * x + noise * sigma * eps
            loss = -Normal(w * z, s).log_prob(x).mean()
            optimizer.param_groups[0]["lr"] = 0.03 * (1 - step / steps)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return predicted, w.detach()
    return learned_slope


def distance_by_quadrature(x, w, mu, sigma):
    """By the three-point Gauss–Hermite rule, exact for a square: E f(ε) = (f(−√3) + 4 f(0) + f(√3)) / 6."""
    spread = (w * sigma).square().sum().sqrt()
    errors = [x - (w * mu).sum() - spread * eps for eps in (-math.sqrt(3), 0.0, math.sqrt(3))]
    return (errors[0] ** 2 + 4 * errors[1] ** 2 + errors[2] ** 2) / 6


def best_width_by_the_fraction(d):
    """Term by term, then everything over one denominator, and the product at the end."""
    d.step("w**2*sigma/s**2 + beta*sigma - beta/sigma", because="term by term")
    d.step("((w**2 + beta*s**2)*sigma**2 - beta*s**2)/(s**2*sigma)", because="one fraction")
    d.step("(w**2 + beta*s**2)/(s**2*sigma)*(sigma**2 - beta*s**2/(w**2 + beta*s**2))", because="divide by the factor")
    return d.step("(w**2/s**2 + beta)*(sigma**2 - beta*s**2/(w**2 + beta*s**2))/sigma", because="divide by s²")


def quarter_by_package(predicted=0.6, n=3000, seed=None):
    """With the model's own draws from the prior, and σ by torch.distributions."""
    def quarter_beta(train, x, distance):
        models = {beta: train(beta) for beta in (0.25, 1.0)}
        clouds = {beta: Normal(mu, torch.sqrt(v.exp())) for beta, vae in models.items() for mu, v in [vae.encode(x)]}
        far = {beta: distance(vae.generate(n, seed and torch.Generator().manual_seed(seed))) for beta, vae in models.items()}
        return predicted, clouds[0.25].stddev.mean() / clouds[1.0].stddev.mean(), far[1.0], far[0.25]
    return quarter_beta


def baseline_by_search(f, z, mu, sigma):
    b = torch.zeros((), dtype=f.dtype, requires_grad=True)
    mean_square = (((f - b) * (z - mu) / sigma**2)**2).mean()       # a parabola in b: one Newton step is exact
    slope, = torch.autograd.grad(mean_square, b, create_graph=True)
    curvature, = torch.autograd.grad(slope, b)
    return (b - slope / curvature).detach()


def score_by_logarithm():
    over_z, density = "Integral({}, (z, -oo, oo))".format, "N(z; mu, exp(logvar))"
    return [over_z(f"Derivative(f(z)*{density}, logvar)"), over_z(f"f(z)*{density}*Derivative(log({density}), logvar)"),
            over_z(f"f(z)*{density}*(((z - mu)/exp(logvar/2))**2/2 - 1/2)")]


def equal_means_by_adding_zero(d):
    over_z = "Integral({}, (z, -oo, oo))".format
    ends, score = over_z("Derivative(N(z; mu, sigma**2)*f(z), z)"), over_z("N(z; mu, sigma**2)*f(z)*(z - mu)/sigma**2")
    d.step(f"{over_z('N(z; mu, sigma**2)*Derivative(f(z), z) + N(z; mu, sigma**2)*f(z)*(z - mu)/sigma**2')} - {score}",
           because="add and subtract the score's mean")
    d.step(f"{score} + {over_z('N(z; mu, sigma**2)*(Derivative(f(z), z) - f(z)*(z - mu)/sigma**2)')}", because="sort")
    return d.step(f"{score} + {ends}", because="the product rule, backwards")


def fewer_latents_by_loops(predicted=30, draws=2):
    """With one backward pass for each pair of draws, and the score by autograd of log q."""
    def fewer_latents(model, x, n):
        paths, scores = [], []
        for _ in range(n):
            mu, logvar = (parameter.detach().requires_grad_() for parameter in model.encode(x))
            z = [reparameterize(mu, logvar) for _ in range(draws)]
            f = [-model.likelihood.log_prob(x, model.decode(code)) for code in z]
            paths.append(torch.autograd.grad(f[0].sum(), mu, retain_graph=True)[0])
            log_q = [Normal(mu, torch.exp(logvar / 2)).log_prob(code.detach()).sum(1) for code in z]
            others = [(sum(f) - value) / (draws - 1) for value in f]
            loss = sum((value - other).detach() @ density for value, other, density in zip(f, others, log_q)) / draws
            scores.append(torch.autograd.grad(loss, mu)[0])
        path, score = (torch.stack(gradients).var(0).sum(1).mean() for gradients in (paths, scores))
        return predicted, path, draws * score
    return fewer_latents


def absolute_error_by_symmetry(d):
    """The origin is moved to m, then both sides are the same."""
    d.step("Integral(exp(-Abs(u)/c), (u, -oo, oo))", because="u = x − m")
    d.step("2*Integral(exp(-u/c), (u, 0, oo))", because="both sides are alike")
    return d.step("2*c", because="the exponential distribution has mass 1")


def beta_by_search(predicted=10, betas=(10.0, 16.0, 25.0), n_latents=None):
    """A few values of β by the loop of the course; then the one at which the line through two neighbours has the rate."""
    def find_beta(snippet, images, n):
        def train(loss_fn):
            torch.manual_seed(0)
            model = reference_vae(n_latents or n, hidden_dim=100)
            fit(model, loss_fn, images, epochs=40, batch_size=100, prepare=grey, progress=False)
            return model, test_elbo(model, images, prepare=grey).rate.mean

        def with_beta(beta):
            return train(partial(negative_elbo, beta=beta))

        by_snippet, rate = train(lambda model, x: {"loss": snippet(x, *model(x))})
        rate = math.log(rate)
        points = [(math.log(beta), math.log(with_beta(beta)[1])) for beta in betas]
        found = betas[0]
        for (low, high_rate), (high, low_rate) in zip(points, points[1:]):
            if low_rate <= rate <= high_rate:
                found = math.exp(low + (high - low) * (high_rate - rate) / (high_rate - low_rate))
        return predicted, found, by_snippet, with_beta(found)[0]
    return find_beta


def bce_mass_by_quadrature(lam):
    t = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    return (lam ** t * (1 - lam) ** (1 - t)).mean()


def kl_sum(mu, logvar):
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum()


def loss_of_torch(x, recon_logits, mu, logvar):
    return (F.binary_cross_entropy_with_logits(recon_logits, x, reduction="sum") + kl_sum(mu, logvar)) / len(x)


def step_by_autograd(model, optimizer, loss_fn, x, max_norm):
    """Without backward(): the gradients are scaled by hand and put where the optimizer looks."""
    loss, parameters = loss_fn(model, x), list(model.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient * (max_norm / norm).clamp(max=1)
    optimizer.step()
    return float(loss.detach()), float(norm)


def repeated_picture_by_tangents(d):
    """log u ≤ u − 1 for each of the three, instead of Jensen."""
    d.step("log(2*p_1)/2 + log(4*p_2)/4 + log(4*p_3)/4 - 3/2*log(2)", because="the logarithm of a product")
    d.bound("(2*p_1 - 1)/2 + (4*p_2 - 1)/4 + (4*p_3 - 1)/4 - 3/2*log(2)", because="log u is at most u − 1")
    return d.step("-3/2*log(2)", because="p_1 + p_2 + p_3 = 1")


def sizes_by_fit(predicted=((5, (3.0, 300.0)), (80, (9.0, 200.0))), epochs=40, sizes=(5, 80)):
    """Codes of other lengths by the loop of the course."""
    def code_sizes(train_images, test_images):
        measured, trained = {}, {}
        for asked, size in zip((5, 80), sizes):
            trained[asked] = model = reference_vae(size, hidden_dim=120)
            fit(model, negative_elbo, train_images, epochs=epochs, batch_size=40, prepare=stochastic, learning_rate=6e-3,
                progress=False)
            result = test_elbo(model, test_images, prepare=stochastic)
            measured[asked] = torch.tensor([result.rate.mean, result.distortion.mean])
        return dict(predicted), measured, trained
    return code_sizes


def smoothed_by_weights(values, weight):
    """Each value once with its weight, newest first."""
    curve = []
    for n in range(1, len(values) + 1):
        weights = [weight ** back for back in range(n)]
        curve.append(sum(w * x for w, x in zip(weights, reversed(values[:n]))) / sum(weights))
    return curve


def shares_one_after_the_other(d):
    d.step("Derivative(S_1(theta)/(n_1 + n_2), theta) + n_2/(n_1 + n_2)*Derivative(S_2(theta)/n_2, theta)", because="n_1")
    d.step("Derivative(S_1(theta)/(n_1 + n_2), theta) + Derivative(S_2(theta)/(n_1 + n_2), theta)", because="n_2")
    return d.step("Derivative((S_1(theta) + S_2(theta))/(n_1 + n_2), theta)", because="a sum of derivatives")


def going_on_in_one_model(run, new_model, folder):
    """The straight run last, and vectors of all weights."""
    stopped, resumed = new_model(), new_model()
    run(stopped, stop_after=2, checkpoint=f"{folder}/a file.pt")
    fresh = deepcopy(stopped)
    run(resumed, stop_after=None, checkpoint=f"{folder}/a file.pt", resume=True)
    fresh.encoder._forward_pre_hooks.clear()
    run(fresh, epochs=2)
    run(straight := new_model())
    vectors = [nn.utils.parameters_to_vector(model.parameters()).detach() for model in (straight, resumed, fresh)]
    return 1.0, (vectors[0] - vectors[1]).abs().max(), (vectors[0] - vectors[2]).abs().max()


def forward_of_torch(encode, decode, x):
    mu, logvar = encode(x)
    return decode(Normal(mu, torch.exp(logvar / 2)).rsample()), mu, logvar


def greyness_in_batches(predicted=0.5, seen=lambda decoded: Bernoulli(decoded).entropy()):
    """One scale after the other, 300 codes at a time; or another measure of what was decoded."""
    def greyness(decode, scales, n, latent_dim):
        grey = [torch.cat([seen(decode(z)).flatten(1).sum(1) for z in Normal(0.0, s).sample((n, latent_dim)).split(300)])
                for s in scales]
        return predicted, [one.mean() for one in grey], [one.var().div(n).sqrt() for one in grey]
    return greyness


def entropy(p, axis=-1):
    return -torch.xlogy(p, p).sum(axis)


def angle_between(a, b):
    return torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))


def arc_by_rotation(a, b, t):
    """Turn a in the plane of a and b, in an orthogonal basis; slerp is linear in the lengths of a and b."""
    angle = angle_between(a, b)
    if torch.sin(angle) < 1e-3:
        return a + t * (b - a)
    one = a / a.norm()
    two = b / b.norm() - torch.cos(angle) * one
    weight_a, weight_b = torch.sin((1 - t) * angle) / torch.sin(angle), torch.sin(t * angle) / torch.sin(angle)
    along = weight_a * a.norm() + weight_b * b.norm() * torch.cos(angle)
    return along * one + weight_b * b.norm() * torch.sin(angle) * two / two.norm()


def arc_without_the_special_case(a, b, t):
    angle = angle_between(a, b).double()
    angle = torch.where(angle < 1e-2, 0.0, angle)  # rounding alone decides whether the angle is exactly 0
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def latent(S, T, beta):
    return max(S - beta * T, 0.0), max(0.5 * math.log(S / (beta * T)), 0.0)


def predict_from(above, T, beta):
    return len(above), 0.5 * torch.log(above / (beta * T)).sum()


def falls(column, by):
    return max(column) - column[-1] > by


def steps(column):
    return [after - before for before, after in zip(column, column[1:])]


def diagnose(log, order=("collapse", "no price", "overfitting and gap", "learning rate")):
    """The first illness of `order` whose sign shows, else healthy."""
    falling, gap = falls(log["validation_elbo"], 5), log["train_elbo"][-1] - log["validation_elbo"][-1] > 20
    signs = {"collapse": log["train_kl"][-1] < 1, "no price": log["train_kl"][-1] > 100, "overfitting": falling, "gap": gap,
             "overfitting and gap": falling and gap, "learning rate": min(steps(log["train_elbo"])) < -1}
    found = next((name for name in order if signs[name]), "healthy")
    return "overfitting" if found in ("gap", "overfitting and gap") else found


def diagnose_by_sums(log):
    if log["validation_kl"][-1] < 2:
        return "collapse"
    if log["train_kl"][-1] > 3 * log["train_kl"][0] + 50 or log["train_kl"][-1] > 120:
        return "no price"
    if sum(max(0, -step) for step in steps(log["train_elbo"])) > 4:
        return "learning rate"
    return "overfitting" if falls(log["validation_elbo"], 5) else "healthy"


def diagnose_by_last_epoch(log):
    train, validation, rate = (log[name][-1] for name in ("train_elbo", "validation_elbo", "train_kl"))
    if rate < 1 or rate > 100:
        return "collapse" if rate < 1 else "no price"
    if train - validation > 35:
        return "overfitting"
    return "learning rate" if train < -190 else "healthy"


def means_by_one_hot(mu, labels, num_classes):
    one_hot = F.one_hot(labels, num_classes).float()
    return one_hot.T @ mu / one_hot.sum(0)[:, None]


def bayes(log_px, log_prior, shift=True):
    joint = (log_px - shift * log_px.amax(1, keepdim=True)).exp() * log_prior.exp()
    return (joint / joint.sum(1, keepdim=True)).log()


def mean_square(shift, stretch, variance):
    return stretch / (2 * stretch - 1) ** 0.5 * math.exp(shift ** 2 / ((2 * stretch - 1) * variance))


def draws_by_counting(shift, stretch, variance, loss):
    if stretch <= 0.5:
        return torch.tensor(math.inf)
    m = mean_square(shift, stretch, variance)
    return next(torch.tensor(k) for k in range(1, 10_000) if (m - 1) / (2 * k) <= loss)


def guess_by_tweedie(y, points, weights, sigma):
    y = torch.tensor(float(y), dtype=torch.float64, requires_grad=True)
    log_p = torch.logsumexp(torch.log(weights.double()) - (y - points.double()) ** 2 / (2 * sigma ** 2), 0)
    return (y + sigma ** 2 * torch.autograd.grad(log_p, y)[0]).detach()


def auroc_by_loops(normal, odd):
    pairs = [(o < n) + (o == n) / 2 for n in normal.tolist() for o in odd.tolist()]
    return sum(pairs) / len(pairs)


SUM = "(exp(L_1) + exp(L_2))"


def best_guess_by_adding_zero(d):
    """Add and subtract logsumexp under the mean."""
    shifted = " + ".join(f"q_{k}*(L_{k} - log{SUM} - log(q_{k}))" for k in (1, 2))
    d.step(f"(q_1 + q_2)*log{SUM} + {shifted}", because="add and subtract")
    d.step(f"log{SUM} + {shifted}", because="q is a distribution")
    return d.step(f"log{SUM} - q_1*log(q_1/(exp(L_1)/{SUM})) - q_2*log(q_2/(exp(L_2)/{SUM}))", because="logarithms")


def chain(*lines):
    """The answer that writes these lines, each as a step."""
    def answer(d):
        for line in lines:
            d.step(line, because="a reason")
        return d
    return answer


def bound_by_entropy(logits, bounds):
    """Through torch.distributions and autograd."""
    logits = logits.clone().requires_grad_()
    u = (torch.softmax(logits, 1) * bounds).sum(1) + Categorical(logits=logits).entropy()
    u.sum().backward()
    return u.detach(), logits.grad


def bound_by_table(logits, bounds):
    """The gradient by the softmax's table of slopes, q_y(δ_yk − q_k)."""
    q, log_q = torch.softmax(logits, 1), torch.log_softmax(logits, 1)
    slopes = torch.diag_embed(q) - q[:, :, None] * q[:, None]
    return (q * bounds).sum(1) - (q * log_q).sum(1), torch.einsum("byk,bk->by", slopes, bounds - log_q)


def by_fit(predicted=8, loss=semi_supervised_loss, epochs=30, guess=lambda model, test: model.log_q_y(test[:, 0]).argmax(1)):
    """M1+M2 by the loop of the course."""
    def more_labels(n_per_class, posteriors, labels, test_posteriors):
        chosen, others = choose_labelled(labels, n_per_class, seed=3)
        model = code_model(posteriors.shape[2], labels.unique().numel())
        fit(model, partial(loss, labelled=posteriors[chosen], labels=labels[chosen], prepare=sampled, alpha=3.0,
                           labelled_weight=0.0), posteriors[others], epochs=epochs, batch_size=50, prepare=sampled,
            learning_rate=1e-2, progress=False)
        return predicted, guess(model, test_posteriors)
    return more_labels


def logistic_regression(n_per_class, posteriors, labels, test_posteriors):
    """On the means of the chosen, without the others."""
    chosen, _ = choose_labelled(labels, n_per_class)
    layer = nn.Linear(posteriors.shape[2], int(labels.max()) + 1)
    optimizer = torch.optim.Adam(layer.parameters(), 0.1)
    for _ in range(50):
        loss = F.cross_entropy(layer(posteriors[chosen, 0]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return 5.0, layer(test_posteriors[:, 0]).argmax(1)


RIGHT = [
    ("check_pixel_by_pixel", lambda x, lam: Independent(Bernoulli(lam), lam.ndim).log_prob(x)),
    ("check_logit_line", lambda: "log(exp(ell)/(1 + exp(ell)))"),
    ("check_logit_line", lambda: ["-log(1 + exp(-ell))", "ell - log(1 + exp(ell))"]),
    ("check_greyness", greyness_in_batches()),
    ("check_class_posterior", lambda x, prior, lam: torch.softmax(prior.log() + bernoullis(x[None], lam)[0], 0)),
    ("check_posterior_of_several", one_measurement_after_the_other),
    ("check_effective_sample_size", lambda v: torch.exp(2 * torch.logsumexp(v, 0) - torch.logsumexp(2 * v, 0))),
    ("check_log_odds", joints_apart),
    ("check_sharper_pictures", by_distributions()),
    ("check_categorical_kl", lambda q, p: terms(q, p).sum(-1)),
    ("check_merging", merging_by_jensen),
    ("check_merging", merging_by_rows),
    ("check_binned_normal_kl", lambda q, p, edges: terms(table(q, edges), table(p, edges)).sum()),
    ("check_mixture_moments", lambda w, m, s:
     ((mixed := MixtureSameFamily(Categorical(w), Normal(m, s))).mean, mixed.variance)),
    ("check_take_a_side", side_by_sampling()),
    ("check_kl_from_log_sigma", lambda mu, s: kl_divergence(Normal(mu, s.exp()), STANDARD).sum(-1)),
    ("check_kl_of_batch", lambda mu, v: kl_divergence(Normal(mu, torch.exp(v / 2)), STANDARD).flatten(1).sum(1)),
    ("check_cost_of_halving", lambda s: kl_divergence(Normal(0.0, torch.tensor([s, s / 2])), STANDARD).diff()[0]),
    ("check_price_of_correlation", correlation_by_integrals),
    ("check_idle_width", idle_width_by_layers()),
    ("check_highest_log_px", lambda w, s: LinearGaussian(w, 0.0, s).log_px(*tensors(0.0)).squeeze()),
    ("check_discrete_elbo", lambda joint, q: (torch.special.xlogy(q, joint) - torch.special.xlogy(q, q)).sum().item()),
    ("check_best_q", best_q_by_scaling),
    ("check_prove_two_terms", two_terms_by_entropy),
    ("check_learned_slope", slope_by_draws()),
    ("check_missing_lines", score_by_logarithm),
    ("check_mended_lines", lambda: [(3, "(((mu - m)**2 + sigma**2)/tau**2 - 1 - log(sigma**2/tau**2))/2"),
                                    (2, "(mu**2 + sigma**2 - 1 - log(sigma**2))/2")]),
    ("check_expected_distance", distance_by_quadrature),
    ("check_noise_share", lambda mu, v: v.exp().mean(0) / ((mu ** 2 + v.exp()).mean(0) - mu.mean(0) ** 2)),
    ("check_best_width", best_width_by_the_fraction),
    ("check_quarter_beta", quarter_by_package()),
    ("check_code_information", lambda a, s: Normal(0.0, (a ** 2 + s ** 2) ** 0.5).entropy() - Normal(0.0, s).entropy()),
    ("check_draw_exponential", lambda rate, u: ((z := Exponential(rate).icdf(u)), -z / rate)),
    ("check_best_baseline", baseline_by_search),
    ("check_equal_means", equal_means_by_adding_zero),
    ("check_lost_edges", lambda: [[3, "Integral(N(z; mu, sigma**2)*z*(z - mu)/sigma**2, (z, 1, oo))"],
                                  [2, "Derivative(a/2, a)"]]),
    ("check_fewer_latents", fewer_latents_by_loops()),
    ("check_gaussian_nats", lambda x, mean, sigma: Normal(mean, sigma).log_prob(x).flatten(1).sum(1)),
    ("check_absolute_error", absolute_error_by_symmetry),
    ("check_lost_beta", lambda: [[3, "beta*(S/(2*beta*s**2) + kl) + D/2*log(2*pi*s**2)"], [3, "4*(S/4 + kl/4)"]]),
    ("check_find_beta", beta_by_search()),
    ("check_bce_mass", bce_mass_by_quadrature),
    ("check_forward", forward_of_torch),
    ("check_loss", loss_of_torch),
    ("check_training_step", step_by_autograd),
    ("check_repeated_picture", repeated_picture_by_tangents),
    ("check_code_sizes", sizes_by_fit()),
    ("check_information_of_table", lambda q: entropy(q.mean(0)) - entropy(q).mean()),
    ("check_log_mixture", lambda z, mu, v: MixtureSameFamily(
        Categorical(torch.ones(len(mu))), Independent(Normal(mu, torch.exp(v / 2)), 1)).log_prob(z)),
    ("check_arc", arc_by_rotation),
    ("check_blend", lambda codes, weights: F.normalize(weights, dim=0) @ codes),
    ("check_best_latent", latent),
    ("check_predict", lambda e, T, beta: predict_from(e[e > beta * T], T, beta)),
    ("check_free_bits", lambda kl, floor: torch.maximum(kl.mean(0), torch.tensor(floor)).sum()),
    ("check_diagnose", diagnose),
    ("check_diagnose", diagnose_by_sums),
    ("check_conditional_elbo", lambda x, mu, v, m: x - kl_divergence(Normal(mu, (v / 2).exp()), Normal(m, 1)).sum(1)),
    ("check_conditional_elbo", lambda x, mu, v, m:
     x.sub_(mu.sub_(m).square_().add_(v.exp()).sub_(1).sub_(v).sum(1), alpha=0.5)),
    ("check_best_means", means_by_one_hot),
    ("check_log_class_posterior", bayes),
    ("check_information_given_z", lambda p:
     entropy(p.sum(1), (0, 1)) + entropy(p.sum(0), (0, 1)) - entropy(p, (0, 1, 2)) - entropy(p.sum((0, 1)))),
    ("check_iw_bound", lambda v: v.amax(0) + (v - v.amax(0)).exp().mean(0).log()),
    ("check_draws_needed", draws_by_counting),
    ("check_best_guess", guess_by_tweedie),
    ("check_auroc", auroc_by_loops),
    ("check_best_label_guess", best_guess_by_adding_zero),
    ("check_entropy_lost", lambda: [[2, "L_1/3 + L_2/3 + L_3/3 + log(3)"], [3, "log(A + B)"]]),
    ("check_bound_and_gradient", bound_by_entropy),
    ("check_bound_and_gradient", bound_by_table),
    ("check_more_labels", by_fit()),
    ("check_smoothed", smoothed_by_weights),
    ("check_unequal_shares", shares_one_after_the_other),
    ("check_going_on", going_on_in_one_model),
]

WRONG = [
    ("check_pixel_by_pixel", lambda x, lam: x.flatten(1).sum(1) * lam.mean().log(), "one sum for each picture"),
    ("check_pixel_by_pixel", lambda x, lam: 3.0, "The shape should be (3,)"),
    ("check_logit_line", lambda: "ell - log(1 + exp(-ell))", "does not hold: at ell = 2"),
    ("check_logit_line", lambda: "log(1 - 1/(1 + exp(-ell))) + ell", "is the goal again"),
    ("check_logit_line", lambda: "log(lam)", "not known here"),
    ("check_greyness", greyness_in_batches(predicted="the middle"), "Predict first"),
    ("check_greyness", greyness_in_batches(seen=lambda decoded: decoded), "should be near 3.60"),
    ("check_greyness", lambda decode, scales, n, d: greyness_in_batches()(decode, scales[:2], n, d), "There are 8000 draws"),
    ("check_class_posterior", lambda x, prior, lam: prior.softmax(0), "should be"),
    ("check_effective_sample_size", lambda v: v.exp().sum(0) ** 2 / (v.exp() ** 2).sum(0), "not finite"),
    ("check_log_odds", one_leap, "At least 2 steps are asked for"),
    ("check_sharper_pictures", by_distributions(predicted="four"), "Predict first"),
    ("check_sharper_pictures", by_distributions(logarithm_first=True), "the logarithm comes after the mean"),
    ("check_sharper_pictures", by_distributions(log_px=lambda x: STANDARD.log_prob(x).sum(-1)), "should be near −1.3"),
    ("check_categorical_kl", lambda q, p: (q * torch.log(q / p)).sum(-1), "0·log 0 must not give NaN"),
    ("check_categorical_kl", lambda q, p: torch.nan_to_num(q * torch.log(q / p), posinf=0.0).sum(-1), "where p = 0 < q"),
    ("check_merging", lambda d: d, "the last line is"),
    ("check_merging", lambda d: d.bound("(q_1 + q_2)*log((q_1 + q_2)/(p_1 + p_2))", because="at once", relation=">="),
     "At least 2 steps are asked for"),
    ("check_merging", lambda d: d.bound("q_1 + q_2 - p_1 - p_2", because="the tangent, twice", relation=">="),
     "the last line is"),
    ("check_merging", lambda d: d.bound("(q_1 + q_2)*log(q_1/p_1)", because="the first term", relation=">="),
     "does not hold"),
    ("check_mixture_moments", lambda w, m, s: ((w * m).sum(), (w * (s ** 2 + (m - m.mean()) ** 2)).sum()), "should be"),
    ("check_take_a_side", side_by_sampling(predicted="two"), "Predict first"),
    ("check_take_a_side", side_by_sampling(sigma_p=0.5), "For δ = 4 the fit should be near"),
    ("check_take_a_side", side_by_sampling(start=1.1, steps=3), "For δ = 4 the fit should be near"),
    ("check_kl_from_log_sigma", lambda mu, s: mu.mean(), "The shape should be (5,), and is ()"),
    ("check_kl_from_log_sigma", lambda mu, s: 0 * mu.sum(1), "the answer should be"),
    ("check_price_of_correlation", lambda d: d, "the last line is"),
    ("check_price_of_correlation", chain(f"(mu_2**2 + {OF_Z2} - 1 - log{OF_Z2})/2 + log({OF_Z2}/sigma_2**2)/2"),
     "At least 2 steps are asked for"),
    ("check_price_of_correlation", chain("(mu_2**2 + sigma_1**2 + sigma_2**2 - 1 - log(sigma_2**2))/2"), "not hold: at"),
    ("check_price_of_correlation", chain("Integral(q(z_1), (z_1, -oo, oo))"), "not known here"),
    ("check_idle_width", idle_width_by_layers(predicted="small"), "Predict first"),
    ("check_idle_width", idle_width_by_layers(predicted=1.4), "Predict first"),
    ("check_idle_width", idle_width_by_layers(price=lambda formula: formula.abs().sum(1).mean()), "5 latents are idle"),
    ("check_idle_width", lambda kl, x, n: ((1, 2), torch.full((n,), 1.5), lambda x: torch.zeros(len(x), 2 * n)), "are idle"),
    ("check_idle_width", lambda kl, x, n: 1.5, "Return three things"),
    ("check_kl_of_batch", lambda mu, v: (mu ** 2 + v.exp() - 1 - v).sum((1, 2, 3)) / 2, "Your function raised"),
    ("check_highest_log_px", lambda w, s: 0.0, "largest at x = b"),
    ("check_discrete_elbo", lambda joint, q: (q * (joint / q).log()).sum(), "not NaN"),
    ("check_best_q", lambda *arguments: best_q_by_scaling(*arguments)[::-1], "Return mean, variance"),
    ("check_prove_two_terms", lambda d: d, "the last line is"),
    ("check_prove_two_terms", lambda d: d.step("Integral(q(z)*log(likelihood(z)), (z, -oo, oo)) - "
                                               "Integral(q(z)*log(q(z)/prior(z)), (z, -oo, oo))", because="at once"),
     "At least 2 steps are asked for"),
    ("check_prove_two_terms", chain("Integral(q(z)*log(posterior(z)), (z, -oo, oo))"), "not known here"),
    ("check_learned_slope", slope_by_draws(predicted="smaller"), "Predict first"),
    ("check_learned_slope", slope_by_draws(noise=0.0), "should be near 1.03"),
    ("check_learned_slope", slope_by_draws(steps=1), "should be near 1.03"),
    ("check_missing_lines", lambda: "Derivative(Integral(f(u)*N(u; mu, exp(logvar)), (u, -oo, oo)), logvar)",
     "is the start again"),
    ("check_missing_lines", lambda: "Integral(g(z), (z, -oo, oo))", "is not known here"),
    ("check_missing_lines", lambda: score_by_logarithm()[:2], "a derivative is left in the last line"),
    ("check_missing_lines", lambda: score_by_logarithm()[-1], "At least 2 lines"),
    ("check_mended_lines", lambda: ((2, "0"), (2, "0")), "Line 2 follows from line 1"),
    ("check_mended_lines", lambda: (3, "0"), "Derivation 1. Return a pair"),
    ("check_noise_share", lambda mu, v: (2 * v).exp().mean(0) / ((2 * v).exp().mean(0) + mu.var(0)), "the answer should be"),
    ("check_best_width", lambda d: d, "the last line is"),
    ("check_best_width", lambda d: d.step("(w**2/s**2 + beta)*(sigma**2 - beta*s**2/(w**2 + beta*s**2))/sigma",
                                          because="a leap"), "At least 2 steps are asked for"),
    ("check_best_width", lambda d: d.step("w**2*sigma/s**2 + beta*sigma + beta/sigma", because="a sign"),
     "does not hold: at"),
    ("check_quarter_beta", quarter_by_package(predicted="half"), "Predict first"),
    ("check_quarter_beta", quarter_by_package(n=50), "mostly noise"),
    ("check_quarter_beta", lambda train, x, distance: (0.5, 0.5, 1.0, 1.0), "Train with β = 1"),
    ("check_draw_exponential", lambda rate, u: (Exponential(rate).sample(), -u), "solve for z"),
    ("check_equal_means", lambda d: d, "the last line is"),
    ("check_equal_means", chain("Integral(N(z; mu, sigma**2)*f(z), (z, -oo, oo))"), "does not hold: at"),
    ("check_equal_means", chain("Integral(N(z; mu, sigma**2)*g(z), (z, -oo, oo))"), "not known here"),
    ("check_equal_means", chain("Integral(N(z; mu, sigma**2)*f(z)*(z - mu)/sigma**2, (z, -oo, oo)) + Integral(Derivative("
                                "N(z; mu, sigma**2)*f(z), z), (z, -oo, oo))"), "At least 2 steps"),
    ("check_lost_edges", lambda: ((4, "0"), (2, "1/2")), "Line 4 follows from line 3"),
    ("check_lost_edges", lambda: ((3, "0"), (3, "1/2")), "does not hold: at"),
    ("check_lost_edges", lambda: (3, "0"), "Derivation 1. Return a pair"),
    ("check_fewer_latents", fewer_latents_by_loops(predicted="more"), "Predict first"),
    ("check_fewer_latents", lambda model, x, n: (5.0, 1.0, 1.0), "The pathwise variance should be near"),
    ("check_fewer_latents", lambda model, x, n: (5.0, 11.4, 1e6), "Leave-one-out's variance should be near"),
    ("check_gaussian_nats", lambda x, m, s: torch.full((len(x),), math.nan), "not finite"),
    ("check_absolute_error", chain("2*c"), "At least 2 steps"),
    ("check_absolute_error", lambda d: d, "the last line is"),
    ("check_absolute_error", chain("2*Integral(exp(-u/c), (u, 0, oo))", "c"), "does not hold: at"),
    ("check_lost_beta", lambda: ((2, "S"), (3, "S + kl")), "Line 2 follows from line 1"),
    ("check_lost_beta", lambda: (3, "S + kl"), "Derivation 1. Return a pair"),
    ("check_lost_beta", lambda: ((3, "S"), (3, "S + kl")), "does not hold: at"),
    ("check_find_beta", beta_by_search(predicted="small", betas=(2.0,)), "Predict first"),
    ("check_find_beta", beta_by_search(betas=(2.0,)), "until they agree"),
    ("check_find_beta", beta_by_search(n_latents=3, betas=(2.0,)), "with n_latents latents"),
    ("check_bce_mass", lambda lam: 1.0 if lam == 0.5 else (2 * lam - 1) / math.log(lam / (1 - lam)),
     "For the arguments 0.5 the answer should be 0.5, and is 1."),
    ("check_bce_mass", lambda lam: torch.tensor(2 * lam - 1) / torch.tensor(lam / (1 - lam)).log(), "0/0"),
    ("check_loss", lambda *arguments: loss_of_torch(*arguments).item(), "Return one number"),
    ("check_loss", lambda x, logits, mu, v: loss_of_torch(x, logits, mu, 2 * v), "The value should be"),
    ("check_training_step", lambda model, optimizer, loss_fn, x, max_norm: 1.0, "Return two numbers"),
    ("check_training_step", lambda model, optimizer, loss_fn, x, max_norm: None, "Return two numbers"),
    ("check_training_step", lambda model, optimizer, loss_fn, x, max_norm: (1.0, 1.0), "The weights do not move"),
    ("check_repeated_picture", lambda d: d, "the last line is"),
    ("check_repeated_picture", lambda d: d.bound("-3/2*log(2)", because="at once"), "At least 2 steps are asked for"),
    ("check_repeated_picture", lambda d: d.bound("log(p_1/2 + p_2/4 + p_3/4)", because="Jensen").step(
        "-3/2*log(2)", because="the largest"), "does not hold"),
    ("check_code_sizes", sizes_by_fit(predicted=((5, 10.0), (80, 20.0))), "Predict first"),
    ("check_code_sizes", sizes_by_fit(sizes=(80, 5), epochs=1), "they have [80, 5]"),
    ("check_information_of_table", lambda q: (q * (q / q.mean(1, keepdim=True)).log()).sum(1).mean(), "mean(1) gives it"),
    ("check_information_of_table", lambda q: (q * (q / q.mean(0)).log()).sum(1).mean(), "0·log 0"),
    ("check_log_mixture", lambda z, mu, v: Normal(mu, torch.exp(v / 2)).log_prob(z).sum(1).exp().mean().log(), "underflow"),
    ("check_arc", lambda a, b, t: arc_by_rotation(a, b, t) if angle_between(a, b) > 0.1 else a, "use lerp there"),
    ("check_arc", arc_without_the_special_case, "use lerp there"),
    ("check_best_latent", lambda S, T, beta: latent(S, T, beta) if S > 1 else (0.0, 0.0), ""),
    ("check_best_latent", lambda S, T, beta: latent(S, T, beta) if S > 1.4 * beta * T else (0.0, 0.0), ""),
    ("check_predict", lambda e, T, beta: predict_from(e[:int((e > beta * T).long().cumprod(0).sum())], T, beta), ""),
    ("check_diagnose", lambda log: "healthy", "The rate is near 0"),
    ("check_diagnose", lambda log: diagnose(log, ("collapse", "overfitting", "learning rate", "no price")), "and you said"),
    ("check_diagnose", lambda log: diagnose(log, ("no price", "overfitting", "learning rate")), "The rate is near 0"),
    ("check_diagnose", lambda log: diagnose(log, ("collapse", "no price", "learning rate")), "validation ELBO has fallen"),
    ("check_diagnose", lambda log: diagnose(log, ("collapse", "no price", "gap", "learning rate")), "be there a gap"),
    ("check_diagnose", lambda log: diagnose(log, ("collapse", "no price", "overfitting", "learning rate")), "by nats, and"),
    ("check_diagnose", diagnose_by_last_epoch, "again and again"),
    ("check_diagnose", lambda log: "sick", "Return one of"),
    ("check_best_means", lambda mu, labels, c: torch.stack([mu[labels == y].mean(1) for y in range(c)]), "raised"),
    ("check_best_means", lambda *arguments: means_by_one_hot(*arguments).T, "the answer should be"),
    ("check_log_class_posterior", lambda *arguments: bayes(*arguments, shift=False), "stay in logarithms"),
    ("check_iw_bound", lambda v: torch.zeros(v.shape[1]), ""),
    ("check_draws_needed", lambda shift, stretch, *rest: draws_by_counting(shift, stretch + 0.5, *rest), ""),
    ("check_best_guess", lambda y, points, weights, sigma: y, ""),
    ("check_auroc", lambda n, o: (o[:min(len(n), len(o))] < n[:len(o)]).double().mean(), "should be"),
    ("check_best_label_guess", lambda d: d, "the last line is"),
    ("check_best_label_guess", chain(f"log{SUM} - q_1*log(q_1/(exp(L_1)/{SUM})) - q_2*log(q_2/(exp(L_2)/{SUM}))"),
     "At least 2 steps"),
    ("check_best_label_guess", chain("q_1*L_1 + q_2*L_2 + q_1*log(1/q_1)"), "does not hold: at"),
    ("check_best_label_guess", chain("q*L_1 + (1 - q)*L_2"), "not known here"),
    ("check_entropy_lost", lambda: ((3, "log(3)"), (3, "log(A + B)")), "Line 3 follows from line 2"),
    ("check_entropy_lost", lambda: ((2, "(L_1 + L_2 + L_3)/3 + log(3)"), (2, "log(A + B)")), "Derivation 2. Line 2 follows"),
    ("check_entropy_lost", lambda: (2, "(L_1 + L_2 + L_3)/3 + log(3)"), "Derivation 1. Return a pair"),
    ("check_entropy_lost", lambda: ((2, "Max(L_1, L_2, L_3)"), (3, "log(A + B)")), "does not hold: at"),
    ("check_bound_and_gradient", lambda a, L: (bound_by_entropy(a, L)[0].mean(), 0 * a), "The shape should be (4,)"),
    ("check_bound_and_gradient", lambda a, L: (bound_by_entropy(a, L)[0], torch.zeros_like(a)), "value 2 of the answer"),
    ("check_bound_and_gradient", lambda a, L: (bound_by_table(a, L)[0], L * a.softmax(1)), "value 2 of the answer"),
    ("check_bound_and_gradient", lambda a, L: bound_by_table(a.float(), 0 * L.float()), "the answer should be"),
    ("check_more_labels", logistic_regression, "The labels alone"),
    ("check_more_labels", by_fit(predicted="low"), "Predict first"),
    ("check_more_labels", by_fit(epochs=1, guess=lambda model, test: torch.zeros(len(test))), "% of three clusters"),
    ("check_more_labels", by_fit(guess=lambda model, test: model.log_q_y(test[:, 0])), "The guesses have the shape (60, 3)"),
    ("check_smoothed", lambda values, weight: [sum(values) / len(values)] * len(values), "the answer should be"),
    ("check_smoothed", lambda values, weight: smoothed_by_weights(values, weight)[-1], "The shape should be"),
    ("check_unequal_shares", lambda d: d.step("Derivative((S_1(theta) + S_2(theta))/(n_1 + n_2), theta)", because="at once"),
     "At least 2 steps are asked for"),
    ("check_unequal_shares", lambda d: d, "the last line is"),
    ("check_going_on", lambda run, new_model, folder: (0.1, 0.0, 0.2), "No run was stopped"),
]
