"""A model that the tests know exactly, as the source of a notebook's first cell: codes are places of a bright spot."""

SOURCE = '''
import time

import numpy as np

from vae_course import widgets

rows, columns = np.mgrid[0:28, 0:28] / 27

def picture(z):
    right, up = 1 / (1 + np.exp(-np.asarray(z[:2], dtype=float)))
    width = 0.3 * np.exp(0.3 * np.sum(z[2:]))
    return np.exp(-((columns - right)**2 + (1 - rows - up)**2) / width**2)

def ask(z, y):
    image = picture(z)
    image[26:, 2 * y:2 * y + 2] = 1
    return image

def posterior(image):
    weights = image / (image.sum() + 1e-9)
    place = np.clip([(weights * columns).sum(), (weights * (1 - rows)).sum()], 0.05, 0.95)
    return np.array([*np.log(place / (1 - place)), 0.0]), np.array([0.2, 0.3, 0.9])

def draw(ax, height, width):
    ax.bar([0], [height], width=width)
    ax.set(xlim=(-1, 1), ylim=(0, 3))
    return f"height {height:.1f}, width {width:.1f}"

codes = np.random.default_rng(0).standard_normal((60, 3))
images = np.stack([picture(z) for z in codes])
labels = np.arange(60) % 10

many = np.random.default_rng(1).standard_normal((700, 2))
spots = np.stack([picture(z) for z in many])
sectors, others = np.floor(np.arctan2(*many.T) * 2.5 / np.pi).astype(int) + 3, many[:, ::-1] / 2
sectors_of_others = np.floor(np.arctan2(*others.T) * 2.5 / np.pi).astype(int) + 3
'''

CALLS = {  # kind of explorer → the cell that makes it
    "latent-sliders": "widgets.latent_sliders(picture, 3, [0, 2])",
    "figure": 'widgets.figure_sliders(draw, {"height": (0.0, 3.0, 1.0, 0.1), "width": (0.1, 1.9, 0.5, 0.1)})',
    "pad": "widgets.latent_pad(picture, codes[:, :2], labels)",
    "axes": "widgets.axis_sliders(picture, codes, images, axes=3)",
    "interpolation": "widgets.interpolation(picture, codes, images, labels)",
    "posterior": "widgets.posterior_view(posterior, picture, images, labels)",
    "style-pad": "widgets.style_pad(ask, codes, labels)",
    "style-mix": "widgets.style_mix(ask, codes, images, labels)",
    "label-map": "widgets.label_map(many, spots, sectors, range(20), others, sectors_of_others)",
    "proof-pad": 'widgets.proof_pad("Integral(x, (x, 0, 1))", "1/2", title="The area below a line")',
}


def model() -> dict:
    """What the first cell defines, here: the second route to every picture."""
    names: dict = {}
    exec(SOURCE, names)
    return names
