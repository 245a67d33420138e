"""What does it cost to train on more pictures than memory holds? Streamed from a file, and resident, in turns.

    python benchmarks/streaming.py                  # a few minutes on 2 CPU cores, and 1.2 GB of disk
    python benchmarks/streaming.py --device cuda    # also streamed from the computer's memory

100,000 pictures of 3×64×64 bytes, 1.2 GB, are written to a .npy file under build/, and removed afterwards. A VAE of two
small layers trains on them: less arithmetic for each byte than a larger one has, so that the way of the bytes shows. Each
run is a process of its own. The system is asked to forget the file before each run, so that the first epoch reads the disk.
"""

import os
import re
import resource
import statistics
import sys
from pathlib import Path

import common
import numpy as np
import torch

from vae_course import data, models, objectives, training
from vae_course.training import feeding

SHAPE = (3, 64, 64)
BLOCK = 1000        # pictures that are written at once
LIMIT = 1024        # MiB that the streamed run may take
# The shares of the GPU's memory and of the computer's that the data may take: `fit` decides by these.
WAYS = {"file": (0.0, 0.0), "memory": (0.0, 1.0), "resident": (1.0, 1.0)}
TOLD = {"file": "streamed from the file", "memory": "streamed from memory", "resident": "resident"}


def write_pictures(path: Path, n: int) -> None:
    """n pictures as numpy.save writes them, a block at a time: noise around one of ten patterns."""
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 200, (10, *SHAPE), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (n, *SHAPE)})
        for start in range(0, n, BLOCK):
            which = generator.integers(0, 10, min(BLOCK, n - start))
            noise = generator.integers(0, 56, (len(which), *SHAPE), dtype=np.uint8)
            file.write((patterns[which] + noise).tobytes())
        file.flush()
        os.fsync(file.fileno())


def forget(path: Path) -> None:
    """Ask the system to drop the file from its memory, where it can be asked."""
    if hasattr(os, "posix_fadvise"):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def memory() -> tuple[float, float]:
    """The resident set of this process now, where the system tells, and at its peak, in MiB."""
    status = Path("/proc/self/status")
    if not status.is_file():
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return float("nan"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status.read_text(), re.MULTILINE))
    return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024


def train(way: str, path: str, epochs: int, device: torch.device) -> dict:
    """Train on the file; returns the seconds of each epoch, the last ELBO, and MiB before and at the peak."""
    feeding.GPU_SHARE, feeding.MEMORY_SHARE = WAYS[way]
    torch.manual_seed(0)
    likelihood = models.GaussianLikelihood(sigma=0.1)
    model = models.mlp_vae(SHAPE, latent_dim=16, hidden_dim=32, likelihood=likelihood).to(device)
    before = memory()[0]
    history = training.fit(model, objectives.negative_elbo, data.ImageFile(path), epochs=epochs, prepare=data.grey,
                           batch_size=128, learning_rate=1e-3, progress=False)
    return {"seconds": history.column("seconds"), "elbo": history.column("train_elbo")[-1], "before": before,
            "peak": memory()[1]}


def main() -> None:
    """Write the file, run each way in turns, and print the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of each process, beside the one that reads")
    args = parser.parse_args()
    if args.child:
        return common.answer(train(**args.child, device=torch.device(args.device)))
    path, load_before = Path("build") / "streaming.npy", common.load()
    ways = [way for way in WAYS if way != "memory" or args.device != "cpu"]     # on a CPU in memory is resident
    runs: dict[str, list[dict]] = {way: [] for way in ways}
    threads = {"OMP_NUM_THREADS": str(args.threads)}
    try:
        write_pictures(path, args.images)
        size = path.stat().st_size
        for way in ways * args.repeats:
            forget(path)
            work = {"way": way, "path": str(path), "epochs": args.epochs}
            runs[way].append(common.run_child(__file__, work, args, environment=threads)[0])
    finally:
        path.unlink(missing_ok=True)
    report(runs, size, args, load_before)


def report(runs: dict[str, list[dict]], size: int, args, load_before: float) -> None:
    """Print the machine, the table, and the line for machines."""
    print(common.machine(args.device, load_before, threads=f", {args.threads} thread(s) a process"))
    print(f"{args.images:,} pictures of {'×'.join(map(str, SHAPE))}, {size / 1e9:.2f} GB; {args.epochs} epochs, "
          f"{args.repeats} run(s) of each way")
    print(f"\n{'':24}{'first epoch, s':>16}{'later, s':>10}{'MiB before':>12}{'MiB at the peak':>17}{'ELBO':>12}")
    values = {}
    for way, results in runs.items():
        first = statistics.median(result["seconds"][0] for result in results)
        later = statistics.median(s for result in results for s in result["seconds"][1:] or result["seconds"])
        before, peak = (max(result[name] for result in results) for name in ("before", "peak"))
        print(f"{TOLD[way]:24}{first:16.2f}{later:10.2f}{before:12.0f}{peak:17.0f}{results[0]['elbo']:12.2f}")
        values |= {f"{way}_first_s": first, f"{way}_s": later, f"{way}_mib": peak}
    elbos = {result["elbo"] for results in runs.values() for result in results}
    print("\nThe ELBO is the same to the last bit." if len(elbos) == 1 else f"\nTHE ELBO DIFFERS: {sorted(elbos)}")
    if values["file_mib"] >= LIMIT:
        print(f"STREAMED TAKES MORE THAN {LIMIT} MiB.")
    common.print_values((values, ".2f"))


if __name__ == "__main__":
    main()
