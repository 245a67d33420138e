"""How soon does an explorer follow the hand? Kernel side for each explorer, and from pointer to picture in a browser.

    python benchmarks/explorer_latency.py                # about two minutes on 2 CPU cores
    python benchmarks/explorer_latency.py --no-browser   # the kernel's side alone

All explorers look at the VAE 784–400–20–400–784 after one epoch; the pad at one with two latent
dimensions, the two of styles at the CVAE of the same widths. Kernel side is the time in which a moved control becomes a new
picture and new words: decoding, drawing and PNG, without the messages to the browser. Browser-to-browser is the time from a
pointer event on the pad to the new picture in the page, through a real JupyterLab.
"""

import sys
import tempfile
import time
from pathlib import Path

import common
import ipywidgets
import numpy as np
import torch
from torch import nn

from vae_course import conditional, data, models, objectives, runtime, training, widgets

ROOT = Path(__file__).resolve().parents[1]
FRAMES, WARM_UP = 300, 20
LIMIT_MS, LIMIT_RATE, LIMIT_LAST_MS = 33, 30, 200
MOVES, DRAG_SECONDS = 100, 10
NOTEBOOK = [
    "import sys\nsys.path.insert(0, {folder!r})\nimport torch\nimport explorer_latency\ntorch.set_num_threads(1)",
    "vae, mnist = explorer_latency.trained(2)",
    "explorer_latency.explorers(vae, vae, mnist)['latent_pad']",
]


def trained(latent_dim: int) -> tuple[models.VAE, data.ImageData]:
    """The reference VAE with that many latents after one epoch of 60,000 images, and the images at hand."""
    mnist = data.load_mnist(runtime.pick_device())
    torch.manual_seed(0)
    vae = models.reference_vae(latent_dim=latent_dim, activation=nn.SiLU, mean_image=data.grey(mnist.train.images).mean(0))
    vae = vae.to(mnist.train.images.device)
    training.fit(vae, objectives.negative_elbo, mnist.train.images, epochs=max(1, 60_000 // len(mnist.train)),
                 prepare=data.grey, seed=0, progress=False)
    return vae, mnist


def codes_of(vae: models.VAE, images: torch.Tensor) -> np.ndarray:
    """(n, Z) posterior means."""
    with torch.no_grad():
        return vae.encode(data.grey(images))[0].cpu().numpy()


def draw_curve(ax, mu: float, sigma: float) -> str:
    """What a chapter's figure explorer draws: a density and its words."""
    x = np.linspace(-4, 4, 200)
    ax.plot(x, np.exp(-0.5 * ((x - mu) / sigma) ** 2) / sigma)
    ax.set(xlim=(-4, 4), ylim=(0, 5), xlabel="z")
    return f"mu = {mu:.2f}, sigma = {sigma:.2f}"


def explorers(vae: models.VAE, flat: models.VAE, mnist: data.ImageData) -> dict[str, widgets.Explorer]:
    """Each explorer by its name; `flat` has two latents."""
    images, labels = mnist.test.images[:2000], mnist.test.labels[:2000]
    codes, plane = codes_of(vae, images), codes_of(flat, images)
    return {
        "latent_sliders": widgets.latent_sliders(vae.picture, codes.shape[1], [0, 1]),
        "figure_sliders": widgets.figure_sliders(draw_curve, {"mu": (-3.0, 3.0, 0.0), "sigma": (0.2, 2.0, 1.0)}),
        "latent_pad": widgets.latent_pad(flat.picture, plane, labels),
        "axis_sliders": widgets.axis_sliders(vae.picture, codes, mnist.train.images[:2000]),
        "interpolation": widgets.interpolation(vae.picture, codes, images, labels),
        "posterior_view": widgets.posterior_view(vae.posterior, vae.picture, images, labels),
    }


def style_explorers(mnist: data.ImageData) -> dict[str, widgets.Explorer]:
    """The explorers of a conditional model, by name, around the reference CVAE after one epoch."""
    torch.manual_seed(0)
    cvae = conditional.reference_cvae(activation=nn.SiLU, mean_image=data.grey(mnist.train.images).mean(0))
    cvae = cvae.to(mnist.train.images.device)
    training.fit(cvae, objectives.negative_elbo, (mnist.train.images, mnist.train.labels),
                 epochs=max(1, 60_000 // len(mnist.train)), prepare=data.grey, seed=0, progress=False)
    images, labels = mnist.test.images[:2000], mnist.test.labels[:2000]
    with torch.no_grad():
        codes = cvae.encode(data.grey(images), labels)[0]
    return {"style_pad": widgets.style_pad(cvae.picture, codes, labels),
            "style_mix": widgets.style_mix(cvae.picture, codes, images, labels)}


# ---------------------------------------------------------------- the kernel's side

def frame_times(explorer: widgets.Explorer) -> np.ndarray:
    """Milliseconds from setting a slider to the new picture, over all its numeric controls in turn."""
    sliders = [control for control in explorer.controls.values()
               if isinstance(control, (ipywidgets.FloatSlider, ipywidgets.IntSlider))]
    rng, times = np.random.default_rng(0), []
    for k in range(WARM_UP + FRAMES):
        slider = sliders[k % len(sliders)]
        steps = round((slider.max - slider.min) / slider.step)
        value = slider.value
        while value == slider.value:
            value = type(slider.value)(slider.min + slider.step * rng.integers(0, steps + 1))
        started, before = time.perf_counter(), explorer.image.value
        slider.value = value
        times.append(1000 * (time.perf_counter() - started))
        assert explorer.image.value is not before, f"{slider.description} made no new picture"
    return np.array(times[WARM_UP:])


def kernel_side() -> dict[str, float]:
    """Print the table; returns the median of each explorer."""
    torch.set_num_threads(1)
    vae, mnist = trained(20)
    flat, _ = trained(2)
    print(f"\n{'kernel side, ms a frame':24}{'median':>9}{'95 %':>9}")
    medians = {}
    for name, explorer in {**explorers(vae, flat, mnist), **style_explorers(mnist)}.items():
        if isinstance(explorer, widgets.Notice):
            sys.exit(f"{name}: {explorer.message}")
        times = frame_times(explorer)
        medians[name] = float(np.median(times))
        print(f"{name:24}{medians[name]:9.2f}{np.quantile(times, 0.95):9.2f}")
    print(f"{FRAMES} frames each, one CPU thread; the limit for the median is {LIMIT_MS} ms")
    return medians


# ---------------------------------------------------------------- through a browser

def browser_side() -> dict[str, float] | None:
    """Print the latency and the rate of the pad in a real JupyterLab; None where there is no browser."""
    sys.path.insert(0, str(ROOT / "tests" / "browser"))  # how the tests start JupyterLab and drag
    try:
        import lab
        from playwright.sync_api import sync_playwright
    except ImportError as missing:
        return print(f"\nno browser: {missing}; pip install playwright nbformat jupyterlab")
    if lab.find_chromium() is None:
        return print("\nno browser: apt-get install chromium")
    cells = [cell.format(folder=str(ROOT / "benchmarks")) for cell in NOTEBOOK]
    with tempfile.TemporaryDirectory() as folder, lab.jupyterlab(Path(folder)) as server, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=lab.find_chromium(), args=lab.CHROMIUM_ARGS)
        notebook = lab.Notebook(chromium.new_page(viewport={"width": 1280, "height": 1000}), *server)
        notebook.open(cells, "latency")
        notebook.run_all(300)
        [explorer] = notebook.explorers()
        numbers = long_drag(explorer)
        latencies = single_moves(notebook, explorer)
        version = chromium.version
        notebook.close()
        chromium.close()
    print(f"\n{'pad, browser to browser':24}{'median':>9}{'95 %':>9}")
    print(f"{'pointer to picture, ms':24}{np.median(latencies):9.1f}{np.quantile(latencies, 0.95):9.1f}")
    print(f"drag of {DRAG_SECONDS} s: {numbers['moves']:.1f} moves a second reach the page, "
          f"{numbers['rate']:.1f} pictures a second (limit {LIMIT_RATE}), the last one "
          f"{numbers['last']:.0f} ms after the last move (limit {LIMIT_LAST_MS}); chromium {version}")
    return {"pointer_ms": float(np.median(latencies)), **numbers}


def single_moves(notebook, explorer) -> np.ndarray:
    """Milliseconds from one pointer event to the picture in the page, one at a time, for MOVES of them."""
    from views import until

    times = []
    centre = explorer.pad.point(0.5, 0.5)
    notebook.page.mouse.move(*centre)
    notebook.page.mouse.down()
    for k in range(WARM_UP + MOVES):
        explorer.record()
        notebook.page.mouse.move(centre[0] + 100 * np.cos(k), centre[1] + 100 * np.sin(k))
        seen = until(notebook.page, lambda: (found := explorer.recorded())["loads"] and found, "a picture")
        times.append(seen["loads"][0] - seen["moves"][0])
    notebook.page.mouse.up()
    return np.array(times[WARM_UP:])


def long_drag(explorer) -> dict[str, float]:
    """Pictures a second in a drag, and milliseconds from its last move to its last picture."""
    from views import settle

    explorer.record()
    explorer.pad.drag_round(DRAG_SECONDS, explorer.pad.point(0.3, 0.7))
    settle(explorer.page)
    seen = explorer.recorded()
    during = [t for t in seen["loads"] if t <= seen["moves"][-1]]
    return {"moves": len(seen["moves"]) / DRAG_SECONDS, "rate": len(during) / DRAG_SECONDS,
            "last": seen["loads"][-1] - seen["moves"][-1]}


def main() -> None:
    """Print the machine, both tables, and the line for machines."""
    parser = common.parser(__doc__, trains=False)
    parser.add_argument("--no-browser", action="store_true")
    args = parser.parse_args()
    print(common.machine(runtime.pick_device(), common.load(), versions=f", ipywidgets {ipywidgets.__version__}"))
    medians = kernel_side()
    measured = None if args.no_browser else browser_side()
    common.print_values(({f"{name}_ms": value for name, value in medians.items()}, ".2f"), (measured or {}, ".1f"))


if __name__ == "__main__":
    main()
