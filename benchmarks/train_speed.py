"""How long until a VAE is as good as the textbook script's? Runs that script and `vae_course.training.fit` in turns.

    python benchmarks/train_speed.py                  # under five minutes on 2 CPU cores
    python benchmarks/train_speed.py --device cuda    # on a GPU

Both train the network 784–400–20–400–784 on the 60,000 grey MNIST images: the textbook script at batch 128, `fit` at batch
128, to compare an epoch, and at 256, which is sooner at the textbook script's test ELBO. That script is the one that
tutorials print: DataLoader and ToTensor, a sigmoid and binary cross-entropy, Adam, clipping, `.item()` and TensorBoard in
each step. Each run is a process of its own, so that its peak memory is its own too. Evaluation is not timed.
"""

import resource
import statistics
import sys
import tempfile
import time

import common
import torch
from torch import nn

from vae_course import data, evaluation, models, objectives, runtime, training
from vae_course.training import schedules

TEXTBOOK_EPOCHS = 10
BATCH_SIZE = 128
OUR_BATCH_SIZES = (128, 256)
LEARNING_RATES = {128: 1.2e-2, 256: 1.5e-2}  # of about 18 settings tried with seed 0, judged by the test ELBO
FLOP_PER_IMAGE = 2 * (3 * (784 * 400 + 400 * 40 + 20 * 400 + 400 * 784) - 784 * 400)  # no gradient for the pixels


# ---------------------------------------------------------------- the textbook script

class TextbookVAE(nn.Module):
    """The network as tutorials write it."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 400)
        self.fc_mean = nn.Linear(400, 20)
        self.fc_logvar = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)

    def forward(self, x):
        h = torch.relu(self.fc1(x.view(-1, 784)))
        mu, logvar = self.fc_mean(h), self.fc_logvar(h)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z)))), mu, logvar


def textbook_loss(probabilities, x, mu, logvar):
    """Binary cross-entropy plus KL, summed over the batch."""
    bce = nn.functional.binary_cross_entropy(probabilities, x.view(-1, 784), reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


def run_textbook(device: torch.device, epochs: int, folder: str | None, seed: int) -> dict:
    """Train as tutorials do; returns the seconds of each epoch and the test ELBO after the last."""
    from torch.utils.data import DataLoader
    from torch.utils.tensorboard import SummaryWriter
    from torchvision import datasets, transforms

    torch.manual_seed(seed)
    make = lambda train: datasets.MNIST(folder or data.DEFAULT_FOLDER, train, transforms.ToTensor(),  # noqa: E731
                                        download=True)
    loader = DataLoader(make(True), batch_size=BATCH_SIZE, shuffle=True)
    model = TextbookVAE().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    seconds = []
    with tempfile.TemporaryDirectory() as log_dir, SummaryWriter(log_dir) as writer:
        for epoch in range(epochs):
            started = time.perf_counter()
            for step, (x, _) in enumerate(loader):
                x = x.to(device)
                optimizer.zero_grad()
                probabilities, mu, logvar = model(x)
                loss = textbook_loss(probabilities, x, mu, logvar)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)
                optimizer.step()
                writer.add_scalar("loss/train", loss.item(), epoch * len(loader) + step)
            seconds.append(time.perf_counter() - started)
    with torch.no_grad():
        total = 0.0
        for x, _ in DataLoader(make(False), batch_size=1000):
            x = x.to(device)
            probabilities, mu, logvar = model(x)
            total += textbook_loss(probabilities, x, mu, logvar).item()
    return {"seconds": seconds, "elbo": -total / 10_000}


# ---------------------------------------------------------------- the course

def run_ours(device: torch.device, epochs: int, folder: str | None, seed: int, batch_size: int) -> dict:
    """Train with `fit`; returns the seconds of each epoch and the test ELBO after the last."""
    mnist = data.load_mnist(device, folder)
    torch.manual_seed(seed)
    model = models.reference_vae(activation=nn.SiLU, mean_image=data.grey(mnist.train.images).mean(0)).to(device)
    history = training.fit(model, objectives.negative_elbo, mnist.train.images, epochs=epochs, prepare=data.grey,
                           batch_size=batch_size, learning_rate=LEARNING_RATES[batch_size],
                           schedule=schedules.warm_cosine, seed=seed, progress=False)
    result = evaluation.test_elbo(model, mnist.test.images, prepare=data.grey)
    return {"seconds": history.column("seconds"), "elbo": result.elbo.mean}


# ---------------------------------------------------------------- the comparison

def matmul_peak(device: torch.device, dtype: torch.dtype, n: int = 2048) -> float:
    """FLOP/s of the best of five times: of a product of two n×n matrices, or on a GPU of 50 products in a row."""
    a = torch.randn(n, n, device=device).to(dtype)
    products = 1 if device.type == "cpu" else 50  # one takes a GPU less time than to start it and to read a number
    best = float("inf")
    for _ in range(6):  # the first warms up
        started = time.perf_counter()
        for _ in range(products):
            product = a @ a
        product.sum().item()  # reading a number waits for a GPU
        best = min(best, time.perf_counter() - started)
    return 2 * n ** 3 * products / best


def run_child(which: str | int, epochs: int, args, seed: int) -> dict:
    """Run one training in a process of its own: the textbook's, or `fit` at the batch size that `which` is."""
    return common.run_child(__file__, {"which": which, "epochs": epochs, "seed": seed}, args)[0]


def child(args) -> None:
    """The other side of `run_child`."""
    device, which, epochs, seed = torch.device(args.device), *(args.child[name] for name in ("which", "epochs", "seed"))
    if which == "textbook":
        result = run_textbook(device, epochs, args.folder, seed)
    else:
        result = run_ours(device, epochs, args.folder, seed, which)
    used = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["gpu_memory"] = used / 2 ** 20
    common.answer(result)


def epochs_needed(args, target: float, batch_size: int) -> int:
    """The smallest number of epochs, from 2, for which one run of `fit` reaches the target; its seed is not timed."""
    for epochs in range(2, TEXTBOOK_EPOCHS + 1):
        if run_child(batch_size, epochs, args, seed=100)["elbo"] >= target:
            return epochs
    sys.exit(f"fit did not reach a test ELBO of {target:.2f} in {TEXTBOOK_EPOCHS} epochs")


def main() -> None:
    """Run both in turns and print the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    if args.child:
        return child(args)

    common.full_mnist("cpu", args.folder)
    load_before = common.load()
    runs = {"textbook": [run_child("textbook", TEXTBOOK_EPOCHS, args, seed=0)]}
    target = runs["textbook"][0]["elbo"]
    n_epochs = epochs_needed(args, target, OUR_BATCH_SIZES[-1])
    for seed in range(args.repeats):
        if seed > 0:
            runs["textbook"].append(run_child("textbook", TEXTBOOK_EPOCHS, args, seed))
        for size in OUR_BATCH_SIZES:
            runs.setdefault(size, []).append(run_child(size, n_epochs, args, seed))
    report(runs, args, load_before)


def report(runs: dict, args, load_before: float) -> None:
    """Print the machine, the table, and the line for machines."""
    device = torch.device(args.device)
    peaks = {str(dtype).removeprefix("torch."): matmul_peak(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    ours_dtype = "bfloat16" if runtime.bf16_is_fast(device) else "float32"
    print("\n" + common.machine(device, load_before))
    print("peak of a 2048×2048 product: " + ", ".join(f"{p / 1e9:,.0f} GFLOP/s {name}" for name, p in peaks.items()))
    print(f"\n{'median of ' + str(args.repeats) + ' runs':24}{'s per epoch':>12}{'epochs':>8}{'s to target':>13}"
          f"{'test ELBO':>11}{'peak MiB':>10}{'of peak':>9}")
    medians = {}
    for which, results in runs.items():
        name = "textbook script" if which == "textbook" else f"fit, batch {which}"
        epoch = statistics.median(s for result in results for s in result["seconds"])
        total = statistics.median(sum(result["seconds"]) for result in results)
        elbo = statistics.median(result["elbo"] for result in results)
        memory = statistics.median(result["memory"] + result["gpu_memory"] for result in results)
        share = 60_000 * FLOP_PER_IMAGE / epoch / peaks["float32" if which == "textbook" else ours_dtype]
        print(f"{name:24}{epoch:12.3f}{len(results[0]['seconds']):8d}{total:13.2f}{elbo:11.2f}{memory:10.0f}{share:9.0%}")
        medians[which] = (epoch, total, elbo)
    print("\nTarget: the test ELBO (grey pixels, nats) that the textbook script has after its 10 epochs. "
          "Each ELBO here has a standard error of about 0.26 from the test set, the same images for both.")
    target = medians["textbook"][2]
    reached = [total for which, (_, total, elbo) in medians.items() if which != "textbook" and elbo >= target]
    soonest = min(reached, default=float("inf"))  # a ratio of 0 says that no run of fit reached the target
    common.print_values(({"time_to_elbo_ratio": medians["textbook"][1] / soonest,
                          "epoch_ratio": medians["textbook"][0] / medians[BATCH_SIZE][0]}, ".2f"))


if __name__ == "__main__":
    main()
