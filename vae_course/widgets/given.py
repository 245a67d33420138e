"""What explorers are given: codes, pictures, a function that draws, in the one form that they use; words for bad input."""

from collections.abc import Callable, Iterator

import numpy as np

from vae_course import pixels
from vae_course.pixels import as_array, as_pictures, in_one_layout, in_unit_interval
from vae_course.widgets.explorer import CannotExplore

PROBES = 32          # how many codes are decoded to see whether a model is trained
LEAST_CHANGE = 0.06  # mean standard deviation of a pixel over codes: about 0.15 for MNIST, below 0.05 before training
IN_PLACES = 0.12     # the same in the hundredth part of the pixels that change most, where the rest is the same: below 0.1
TOGETHER = 0.02      # the same for pixels that change with their neighbours, as untrained pixels do not: below 0.012
BLOCK = 1 << 24      # numbers that are looked at together, 64 MB

Decode = Callable[..., np.ndarray]  # z (Z,) → picture (H, W) or (H, W, 3) in [0, 1]


def check_codes(codes) -> np.ndarray:
    """codes as an array (n, Z) with n ≥ 2 and finite numbers.

    Raises:
        CannotExplore: if they are not.
    """
    codes = as_array(codes)
    if codes.ndim != 2 or len(codes) < 2:
        raise CannotExplore(f"An explorer needs the codes of several images, an array of shape (n, Z), and got one of shape "
                            f"{codes.shape}. Encode a data set first:  mu, logvar = vae.encode(test.images)")
    if not np.isfinite(codes).all():
        raise CannotExplore("Some codes are NaN or infinite: training diverged. Train again with a smaller learning_rate.")
    return codes


class Pictures:
    """Pictures of one size: one by one in [0, 1], or in blocks of their numbers. `shape` is (H, W) or (H, W, 3).

    Args:
        images: as `pixels.as_pictures` takes them, or an object with `shape` and `len` whose slices are such, as
            `data.ImageFile`, of which only what is asked for is read.

    Raises:
        ValueError: if they have another shape or other numbers.
    """

    def __init__(self, images):
        self._in_a_file = not isinstance(images, (np.ndarray, list, tuple)) and not hasattr(images, "detach") and hasattr(
            images, "shape")
        self._images = images if self._in_a_file else as_pictures(images)
        self.shape = self._part(0, 1).shape[1:]

    def _part(self, start: int, stop: int) -> np.ndarray:
        part = self._images[start:stop]
        return in_one_layout(part) if self._in_a_file else part  # a few may be dark; data.from_… has looked at all

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, k: int) -> np.ndarray:
        return in_unit_interval(self._part(k, k + 1)[0])

    def some(self, n: int) -> np.ndarray:
        """Their places: at most n of them, from the first to the last."""
        return np.linspace(0, len(self) - 1, min(n, len(self))).astype(int)

    def blocks(self) -> Iterator[tuple[np.ndarray, float]]:
        """Each block as float32 (b, H·W) or (b, 3·H·W), with its number for white, 255 or 1."""
        rows = max(1, BLOCK // int(np.prod(self.shape)))
        for start in range(0, len(self), rows):
            part = self._part(start, start + rows)
            yield part.reshape(len(part), -1).astype(np.float32), 255.0 if part.dtype == np.uint8 else 1.0


def check_pixels(images) -> Pictures:
    """The images, if there are some and they are pictures. Raises CannotExplore if not."""
    if hasattr(images, "__len__") and len(images) == 0:
        raise CannotExplore("The data set is empty. Take the images of data.load_mnist(), e.g. its test.images.")
    try:
        return Pictures(images)
    except ValueError as error:
        raise CannotExplore(f"The {error}") from error


def check_one_code_each(codes: np.ndarray, images: Pictures) -> None:
    """Raise CannotExplore unless there is one code for each image."""
    if len(codes) != len(images):
        raise CannotExplore(f"There are {len(codes)} codes and {len(images)} images: encode the same images that you give.")


def check_same_size(images: Pictures, shape: tuple[int, ...]) -> None:
    """Raise CannotExplore unless the images have the shape of the decoder's pictures."""
    if images.shape != shape:
        raise CannotExplore(f"The images have {images.shape} pixels and the decoder's pictures {shape}. "
                            f"Use images like those it was trained on.")


# ---------------------------------------------------------------- the function that draws

def drawn_by(picture: Decode) -> Decode:
    """The same function, whose pictures are NumPy, (H, W) or (H, W, 3), whatever layout they come in."""
    def draw(*code) -> np.ndarray:
        image = picture(*code)
        try:
            return pixels.one_picture(image, "picture(z)")
        except ValueError as error:
            raise CannotExplore(f"The function that draws does not give a picture: {error}") from error
    return draw


def check_pictures(picture: Decode, codes: np.ndarray) -> tuple[int, ...]:
    """Decode some of the codes, to see that the decoder takes them and answers to them; the shape of its pictures.

    Raises:
        CannotExplore: if it refuses them, or its pictures hardly change from code to code, or do not lie in [0, 1].
    """
    some = codes[np.linspace(0, len(codes) - 1, min(PROBES, len(codes))).astype(int)]
    try:
        decoded = [picture(code) for code in some]
    except CannotExplore:
        raise  # it says already what to do
    except ValueError as error:
        raise CannotExplore(f"The decoder does not take these codes of {codes.shape[1]} numbers ({error}). "
                            f"Encode the images with the same model that decodes.") from error
    except Exception as error:
        raise CannotExplore(f"The decoder failed with {type(error).__name__}: {error}") from error
    if len({image.shape for image in decoded}) > 1:
        raise CannotExplore(f"The decoder's pictures must have one size, and one is {decoded[0].shape}, another "
                            f"{next(image.shape for image in decoded if image.shape != decoded[0].shape)}.")
    _check_decoded(np.stack(decoded))
    return decoded[0].shape


def _check_decoded(decoded: np.ndarray) -> None:
    """Raise CannotExplore unless the pictures (k, H, W) or (k, H, W, 3) lie in [0, 1], but for a little, and differ."""
    low, high = decoded.min(), decoded.max()
    # A linear decoder goes somewhat beyond black and white; what is drawn is cut off there.
    if not (np.isfinite([low, high]).all() and max(-low, high) < 4 and ((decoded < -0.1) | (decoded > 1.1)).mean() < 0.25):
        raise CannotExplore(f"The decoder's pictures must lie in [0, 1], and go from {low:g} to {high:g}. "
                            f"{pixels.way_into_range(low, high, 'picture(z)')}")
    away = decoded - decoded.mean(axis=0)
    change = np.sqrt((away**2).mean(axis=0))
    with_neighbours = (away[:, :, 1:] * away[:, :, :-1]).sum() > 0.5 * (away**2).sum()
    if not (change.mean() >= LEAST_CHANGE or np.quantile(change, 0.99) >= IN_PLACES
            or with_neighbours and change.mean() >= TOGETHER):
        raise CannotExplore(f"The decoder's pictures hardly change from code to code (a pixel's standard deviation is "
                            f"{change.mean():.3f} of 1), so there is nothing to explore: the model is not trained, or its "
                            f"latents have collapsed. Train it with training.fit(…), for more epochs if they were few, or "
                            f"read trained weights with checkpoints.load_weights(…), and run this cell again.")
