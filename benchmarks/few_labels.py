"""How does the error at few labels depend on the weights of the loss, on the labels, and on the unlabelled pictures?

    python benchmarks/few_labels.py                # an hour on 2 CPU cores
    python benchmarks/few_labels.py --draws 2      # less

M2 on 14×14 pixels and M1+M2 on the sampled codes of a VAE, as notebooks/13 trains them. The weights of the labelled bound
and of the classification term, and then, one at a time, the learning rate, the sizes and the number of steps, are compared
on validation pictures: ten more labels a class of each draw, which no training uses. Then, with the chapter's settings,
M1+M2's error on the test pictures, for other numbers of labels and of unlabelled codes (the VAE below has seen all
pictures); the number of steps is always the same.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import common
import torch
from torch import Tensor, nn

from vae_course import data, evaluation, models, objectives, semi_supervised, training

ALPHAS, WEIGHTS = (0.0, 0.1, 1.0, 3.0, 10.0), (100 / 59_900, 0.1)    # Kingma et al.: 0.1 and the first weight
CHOSEN = {"alpha": 1.0, "labelled_weight": 0.1}
SETTINGS = {"learning_rate": (5e-3, 1e-2, 4e-2), "latent_dim": (5, 20), "hidden_dim": (100, 400),
            "classifier_dim": (100, 600), "steps": (0.5, 2)}    # other than the chapter's; steps: times the chapter's
LABELS, UNLABELLED = (1, 2, 5, 10, 30, 100), (1_000, 5_000, 20_000)
BATCH = 200


def shrunk(images: Tensor) -> Tensor:
    """(N, 1, 28, 28) uint8 to (N, 1, 14, 14) uint8: the means of 2×2 pixels."""
    return nn.functional.avg_pool2d(images.float(), 2).round().to(torch.uint8)


def codes(mnist: data.ImageData) -> tuple[Tensor, Tensor]:
    """The posteriors (N, 2, 20) of the training and of the test pictures, of a VAE that is trained without labels."""
    torch.manual_seed(0)
    vae = models.reference_vae(activation=nn.SiLU, mean_image=data.grey(mnist.train.images).mean(0))
    vae.to(mnist.train.images.device)
    training.fit(vae, objectives.negative_elbo, mnist.train.images, epochs=10, prepare=data.stochastic, batch_size=256,
                 learning_rate=5e-3, progress=False)
    train, test = (semi_supervised.posteriors(vae, part.images, data.grey) for part in mnist[1:3])
    return train, test


class Task(NamedTuple):
    """What is learnt from: examples, whose labels are known for some, and by what model."""

    name: str
    steps: int
    new_model: Callable[..., semi_supervised.SemiSupervisedVAE]
    prepare: Callable[[Tensor], Tensor]     # what the model is trained on
    seen: Callable[[Tensor], Tensor]        # what is classified
    examples: Tensor
    labels: Tensor
    learning_rate: float = 2e-2

    def train(self, labelled: Tensor, unlabelled: Tensor, draw: int, alpha: float, labelled_weight: float):
        """A model of the examples with these indices."""
        torch.manual_seed(draw)
        model = self.new_model().to(self.examples.device)
        # The loss is that of the chapter; the batches are drawn beforehand, so that every run has as many steps.
        n = BATCH * self.steps
        order = torch.cat([unlabelled[torch.randperm(len(unlabelled))] for _ in range(-(-n // len(unlabelled)))])[:n]
        loss = partial(semi_supervised.semi_supervised_loss, labelled=self.examples[labelled], labels=self.labels[labelled],
                       prepare=self.prepare, alpha=alpha, labelled_weight=labelled_weight)
        training.fit(model, loss, self.examples[order], epochs=1, prepare=self.prepare, batch_size=BATCH,
                     learning_rate=self.learning_rate, seed=draw, progress=False)
        return model

    def with_setting(self, setting: str, value: float) -> "Task":
        """The same with one of SETTINGS at another value."""
        if setting == "steps":
            value = int(value * self.steps)
        if setting in self._fields:
            return self._replace(**{setting: value})
        return self._replace(new_model=partial(self.new_model, **{setting: value}))

    def error(self, model, examples: Tensor, labels: Tensor) -> float:
        """In %; codes are taken at their means, pixels as they are."""
        return 100 * evaluation.error_rate(lambda x: model.log_q_y(self.seen(x)), examples, labels).mean


def on_pixels(images: Tensor, labels: Tensor) -> Task:
    """M2, on binarized pixels."""
    new_model = partial(semi_supervised.SemiSupervisedVAE, tuple(images.shape[1:]))
    return Task("M2", 600, new_model, data.stochastic, data.grey, images, labels)


def on_codes(posteriors: Tensor, labels: Tensor) -> Task:
    """M1+M2, on sampled codes."""
    def new_model(latent_dim: int = 10, **sizes) -> semi_supervised.SemiSupervisedVAE:
        return semi_supervised.code_model(posteriors.shape[2], top_dim=latent_dim, **sizes)

    return Task("M1+M2", 1200, new_model, semi_supervised.sampled, lambda x: x[:, 0], posteriors, labels)


def in_words(errors: list[float]) -> str:
    """Mean ± standard deviation over the draws."""
    values = torch.tensor(errors)
    return f"{values.mean():.1f} ± {values.std():.1f} %" if len(errors) > 1 else f"{values.mean():.1f} %"


def validation_error(task: Task, draws: int, alpha: float, labelled_weight: float) -> str:
    """The error on pictures that are not among the labelled ones, in words."""
    errors = []
    for draw in range(draws):
        labelled, unlabelled = semi_supervised.choose_labelled(task.labels, 10, draw)
        # Of twenty chosen with the same seed, the first ten of each class are these.
        held_out = semi_supervised.choose_labelled(task.labels, 20, draw)[0].view(10, 20)[:, 10:].flatten()
        model = task.train(labelled, unlabelled, draw, alpha, labelled_weight)
        errors.append(task.error(model, task.examples[held_out], task.labels[held_out]))
    return in_words(errors)


def choose_weights(task: Task, draws: int) -> None:
    """A table of the error on validation pictures."""
    for weight in WEIGHTS:
        for alpha in ALPHAS:
            print(f"{task.name:8}{weight:18.4f}{alpha:8g}{validation_error(task, draws, alpha, weight):>22}", flush=True)


def choose_settings(tasks: tuple[Task, ...], draws: int) -> None:
    """The same for the chosen weights with the chapter's settings, and with one of them at another value at a time."""
    rows = {"as in the chapter": tasks} | {
        f"{setting:20}{'× ' * (setting == 'steps')}{value:g}": [task.with_setting(setting, value) for task in tasks]
        for setting, values in SETTINGS.items() for value in values}
    for words, varied in rows.items():
        errors = [validation_error(task, draws, **CHOSEN) for task in varied]
        print(f"{words:28}{''.join(f'{error:>16}' for error in errors)}", flush=True)


def curve(task: Task, test: Tensor, labels: Tensor, per_class: int, n_unlabelled: int | None, draws: int) -> float:
    """The mean error on the test pictures; prints it with its spread."""
    errors = []
    for draw in range(draws):
        labelled, unlabelled = semi_supervised.choose_labelled(task.labels, per_class, draw)
        some = unlabelled[torch.randperm(len(unlabelled), generator=torch.Generator().manual_seed(draw))[:n_unlabelled]]
        model = task.train(labelled, some, draw, **CHOSEN)
        errors.append(task.error(model, test, labels))
    print(f"{10 * per_class:10,}{n_unlabelled or len(unlabelled):14,}{in_words(errors):>18}", flush=True)
    return sum(errors) / len(errors)


def main() -> None:
    """Train everything, and print the tables."""
    parser = common.parser(__doc__)
    parser.add_argument("--draws", type=int, default=5, help="choices of labels")
    args = parser.parse_args()
    print(common.machine(args.device, common.load()))
    mnist = common.full_mnist(args.device, args.folder)
    train, test = codes(mnist)
    images, labels = mnist.train.images, mnist.train.labels
    m2, m1_m2 = on_pixels(shrunk(images), labels), on_codes(train, labels)
    print(f"\n{'':8}{'labelled weight':>18}{'alpha':>8}{'validation error':>22}")
    for task in (m2, m1_m2):
        choose_weights(task, args.draws)
    print(f"\n{'validation error':28}{''.join(f'{task.name:>16}' for task in (m2, m1_m2))}")
    choose_settings((m2, m1_m2), args.draws)
    print(f"{'all 784 pixels':28}{validation_error(on_pixels(images, labels), args.draws, **CHOSEN):>16}", flush=True)
    print(f"\n{'labels':>10}{'unlabelled':>14}{'test error':>18}   (M1+M2)")
    points = [(n, None) for n in LABELS] + [(10, n) for n in UNLABELLED]
    values = {f"error_{10 * n}_{m or 'all'}": curve(m1_m2, test, mnist.test.labels, n, m, args.draws) for n, m in points}
    common.print_values((values, ".2f"))


if __name__ == "__main__":
    main()
