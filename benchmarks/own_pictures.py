"""Does a convolutional VAE reconstruct colour patches better than PCA with as many numbers? On two photographs.

    python benchmarks/own_pictures.py                  # minutes on 2 CPU cores
    python benchmarks/own_pictures.py --held-out       # the same on the fifth of the tiles on which the settings were chosen

Both photographs of scikit-learn are cut into tiles of 64×64 pixels, and the tiles into fifths. Four times a fifth is for the
test, and the others are trained on, each time with another seed. Patches of 3×32×32 are cut within a tile, so no pixel is in
a training and a test patch. PCA and the VAE see the same patches, mirrored too, and have the same number of latents. A test
patch is encoded (the VAE: to the mean of its posterior) and decoded; an error is a mean square over the 3,072 numbers of a
patch, in units of the range 0 to 1.

Then samples: decoder means of draws from the VAE's prior, and of draws from the Gaussian that PCA fits, both beside training
patches, and beside what test patches get.
"""

from pathlib import Path
from typing import NamedTuple

import common
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor

from vae_course import data, evaluation, models, objectives, plots, runtime, samples, training
from vae_course.evaluation import Estimate

TILE, SIDE = 64, 32
TESTS, HELD_OUT = (0, 2, 3, 4), 1   # fifths of the tiles
FEATURES = 30                       # principal components in which samples are compared
SHOWN = 12


class Patches(NamedTuple):
    """Patches (N, 3, 32, 32) uint8; what is tested is another fifth of the tiles than what is trained on."""

    fifth: int
    train: Tensor
    test: Tensor            # beside each other, without an overlap
    tile: Tensor            # (M,) int64, the tile from which each test patch is
    more_test: Tensor       # from the same tiles, with overlaps: for the measures of samples


class Errors(NamedTuple):
    """Mean squared errors (M,) of the same patches by PCA and by the VAE."""

    pca: Tensor
    vae: Tensor


def tiles() -> tuple[Tensor, Tensor]:
    """All tiles of both photographs (T, 3, 64, 64), and which fifth each belongs to (T,)."""
    cut, fifths = [], []
    for photo in load_sample_images().images:
        grid = torch.from_numpy(photo.copy()).unfold(0, TILE, TILE).unfold(1, TILE, TILE)   # (rows, columns, 3, 64, 64)
        row, column = torch.meshgrid(*map(torch.arange, grid.shape[:2]), indexing="ij")
        cut.append(grid.flatten(0, 1))
        fifths.append(((row + 2 * column) % 5).flatten())
    return torch.cat(cut), torch.cat(fifths)


def patches_of(part: Tensor, stride: int) -> Tensor:
    """Patches at every `stride` pixels of tiles: (T, 3, 64, 64) to (T, n, 3, 32, 32)."""
    return part.unfold(2, SIDE, stride).unfold(3, SIDE, stride).permute(0, 2, 3, 1, 4, 5).flatten(1, 2)


def cut_patches(stride: int, fifth: int) -> Patches:
    """Training patches, mirrored both ways, and those of the fifth that is tested on."""
    cut, fifths = tiles()
    train = patches_of(cut[fifths != fifth], stride).flatten(0, 1)
    train = torch.cat([train, train.flip(3)])
    test, more = (patches_of(cut[fifths == fifth], step) for step in (SIDE, 8))
    tile = (fifths == fifth).nonzero().flatten().repeat_interleave(test.shape[1])
    return Patches(fifth, torch.cat([train, train.flip(2)]), test.flatten(0, 1), tile, more.flatten(0, 1))


def trained(patches: Patches, latents: int, args) -> models.VAE:
    """A convolutional VAE with a Gaussian likelihood of fixed s."""
    torch.manual_seed(patches.fifth)
    model = models.conv_vae((3, SIDE, SIDE), latents, channels=8, likelihood=models.GaussianLikelihood(args.sigma),
                            mean_image=data.grey(patches.train).mean(0)).to(args.device)
    training.fit(model, objectives.negative_elbo, patches.train.to(args.device), epochs=args.epochs, prepare=data.grey,
                 batch_size=64, learning_rate=5e-3, seed=patches.fifth, bf16=False, progress=False)
    return model


# ---------------------------------------------------------------- reconstructions

def reconstructed(model, patches: Tensor) -> Tensor:
    """(M, 3, 32, 32) uint8 to the decoder's means at the means of the posteriors, held to [0, 1]."""
    device = next(model.parameters()).device
    return torch.cat([model.reconstruct(data.grey(x).to(device)) for x in patches.split(500)]).cpu().clamp(0, 1)


def squared_errors(patches: Tensor, guess: Tensor) -> Tensor:
    """(M,) float64: mean squared error of each patch."""
    return (data.grey(patches) - guess).double().square().mean((1, 2, 3))


def errors_of_both(pca: samples.PCA, vae: models.VAE, patches: Tensor) -> Errors:
    """Of patches (M, 3, 32, 32), both held to [0, 1]."""
    return Errors(squared_errors(patches, pca.decode(pca(patches)).clamp(0, 1)),
                  squared_errors(patches, reconstructed(vae, patches)))


def rms(errors: Tensor) -> float:
    """Root of the mean of squared errors."""
    return errors.mean().sqrt().item()


def decibels(errors: Tensor) -> Tensor:
    """PSNR of each patch; that of an error of 0 is held to 100 dB."""
    return -10 * torch.log10(errors.clamp(min=1e-10))


def paired(differences: Tensor, tile: Tensor, fifth: Tensor) -> Estimate:
    """The mean of differences (M,); its error is the larger of those over tiles, whose patches are alike, and trainings."""
    spreads = [evaluation.estimate(torch.stack([differences[group == k].mean() for k in group.unique()])).standard_error
               for group in (tile, fifth) if len(group.unique()) > 1]
    return Estimate(differences.mean().item(), max(spreads))


def compare_with_pca(folds: list[Patches], latents: int, args) -> tuple[dict[str, float], samples.PCA, models.VAE]:
    """Prints a row of the table; returns its numbers, and PCA and VAE of the first fold."""
    both = [(samples.pca_features(patches.train, latents), trained(patches, latents, args)) for patches in folds]
    found = [errors_of_both(*pair, patches.test) for pair, patches in zip(both, folds)]
    on_train = [errors_of_both(*pair, patches.train[::7]) for pair, patches in zip(both, folds)]    # enough of them
    test, train = (Errors(*map(torch.cat, zip(*errors))) for errors in (found, on_train))
    groups = (torch.cat([patches.tile for patches in folds]),
              torch.cat([torch.full_like(patches.tile, patches.fifth) for patches in folds]))
    gain, gain_db = paired(test.pca - test.vae, *groups), paired(decibels(test.vae) - decibels(test.pca), *groups)
    print(f"{latents:7}{rms(train.pca):10.4f}{rms(train.vae):8.4f}{rms(test.pca):10.4f}{rms(test.vae):8.4f}"
          f"{decibels(test.pca).mean():9.2f}{decibels(test.vae).mean():7.2f}"
          f"{1e4 * gain.mean:12.2f} ± {1e4 * gain.standard_error:<4.2f}{gain_db.mean:9.2f} ± {gain_db.standard_error:.2f}"
          f"{(test.vae < test.pca).double().mean():8.0%}", flush=True)
    values = {"pca": rms(test.pca), "vae": rms(test.vae), "gain_in_errors": gain.mean / gain.standard_error}
    return {f"{name}_{latents}": value for name, value in values.items()}, *both[0]


# ---------------------------------------------------------------- samples and a picture

def sampled(pca: samples.PCA, vae: models.VAE, n: int) -> dict[str, Tensor]:
    """n decoder means (n, 3, 32, 32) each: of draws from the VAE's prior, and from the Gaussian that PCA fits."""
    codes = torch.randn(n, len(pca.sigma), generator=torch.Generator().manual_seed(0))
    made = {"VAE": vae.generate(n, torch.Generator().manual_seed(0)).cpu(), "PCA": pca.decode(codes)}
    return {f"{name}, {len(pca.sigma)} latents": pictures.clamp(0, 1) for name, pictures in made.items()}


def judge_samples(patches: Patches, both: list[tuple[samples.PCA, models.VAE]]) -> None:
    """Prints how samples compare with training patches, beside what test patches get, and how near they are to them."""
    n, features = len(patches.more_test), samples.pca_features(patches.train, FEATURES)
    print(f"\n{f'{n} beside {n} training patches':28}{'kernel distance':>20}{'precision':>15}{'recall':>15}"
          f"   ({FEATURES} principal components)")

    def row(name: str, measures) -> None:
        distance, shares = measures
        print(f"{name:28}{distance.number():>20}{shares.precision!s:>15}{shares.recall!s:>15}")
    for pca, vae in both:
        for name, pictures in sampled(pca, vae, n).items():
            comparison = samples.compare(pictures, patches.train, patches.more_test, features)
            row(f"samples, {name}", comparison.made)
    row("test patches: the floor", comparison.floor)
    print(f"({samples.measures.WARNING})")
    for pca, vae in both:
        name, pictures = next(iter(sampled(pca, vae, n).items()))
        print(f"\n{name}: was it memorized?\n{samples.memorization(pictures, patches.train, patches.more_test)}")


def save_figure(patches: Patches, both: list[tuple[samples.PCA, models.VAE]], path: Path) -> None:
    """Rows of test patches, of their reconstructions by PCA and the VAE for each number of latents, and of samples."""
    chosen = patches.test[torch.linspace(0, len(patches.test) - 1, SHOWN).long()]
    rows, names = [data.grey(chosen)], ["test patches"]
    for pca, vae in both:
        rows += [pca.decode(pca(chosen)).clamp(0, 1), reconstructed(vae, chosen)]
        names += [f"PCA and VAE with {len(pca.sigma)} latents"]
    for name, pictures in sampled(*both[-1], SHOWN).items():
        rows, names = [*rows, pictures], [*names, f"samples of the {name}"]
    plots.save_png(plots.image_grid(torch.cat(rows).numpy(), columns=SHOWN), path, scale=2)
    print(f"\n{path}, from above: {'; '.join(names)}")


def main() -> None:
    """Print the tables, and write the picture."""
    parser = common.parser(__doc__, trains=False)
    parser.add_argument("--device", default=str(runtime.pick_device()))
    parser.add_argument("--latents", type=int, nargs="+", default=[2, 4, 8, 16])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--sigma", type=float, default=0.02, help="s of the Gaussian likelihood")
    parser.add_argument("--stride", type=int, default=8, help="pixels from one training patch to the next")
    parser.add_argument("--held-out", action="store_true", help="judge on the fifth on which settings were chosen")
    parser.add_argument("--figure", type=Path, default=Path("build/own_pictures.png"))
    args = parser.parse_args()
    print(common.machine(args.device, common.load()))
    folds = [cut_patches(args.stride, fifth) for fifth in ((HELD_OUT,) if args.held_out else TESTS)]
    judged = "held-out" if args.held_out else "test"
    print(f"\n{len(folds)} training(s) on {len(folds[0].train):,} patches; {sum(len(fold.test) for fold in folds)} {judged} "
          f"patches of {sum(len(fold.tile.unique()) for fold in folds)} tiles; {args.epochs} epochs, s = {args.sigma}\n"
          f"{'':7}{'RMSE, training':>18}{f'RMSE, {judged}':>18}{'mean PSNR, dB':>16}{'PCA − VAE,':>17}"
          f"{'VAE − PCA,':>15}{'VAE':>9}\n"
          f"{'latents':7}{'PCA':>10}{'VAE':>8}{'PCA':>10}{'VAE':>8}{'PCA':>9}{'VAE':>7}{'squares, 1e-4':>19}{'PSNR, dB':>14}"
          f"{'better':>10}")
    values: dict[str, float] = {}
    both = []
    for latents in args.latents:
        found, *pair = compare_with_pca(folds, latents, args)
        values, both = values | found, [*both, pair]
    judge_samples(folds[0], both)
    save_figure(folds[0], both, args.figure)
    common.print_values((values, ".4f"))


if __name__ == "__main__":
    main()
