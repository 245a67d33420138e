"""Pictures as uint8 tensors, or in a file where there are too many; their labels, and the ways to pixels in [0, 1].

images  ImageSet and ImageData; grey, stochastic and fixed pixels; a part held out
stored  ImageFile: pictures that stay in a file
mnist   MNIST and Fashion-MNIST, downloaded or from the disk
"""

from vae_course.data.images import ImageData, ImageSet, check_images, fixed, grey, hold_out, stochastic, unchanged
from vae_course.data.mnist import (
    DATA_FOLDER_VARIABLE,
    DEFAULT_FOLDER,
    FIXED_FILE,
    MIRRORS,
    UNPACKED_MD5,
    load_fashion_mnist,
    load_fixed_mnist,
    load_mnist,
)
from vae_course.data.stored import DataError, ImageFile

__all__ = ["DATA_FOLDER_VARIABLE", "DEFAULT_FOLDER", "FIXED_FILE", "MIRRORS", "UNPACKED_MD5", "DataError", "ImageData",
           "ImageFile", "ImageSet", "check_images", "fixed", "grey", "hold_out", "load_fashion_mnist", "load_fixed_mnist",
           "load_mnist", "stochastic", "unchanged"]

# A checkpoint and an error name each of them as the reader does: data.grey, wherever it stands in this folder.
for _thing in [globals()[name] for name in __all__]:
    if callable(_thing):
        _thing.__module__ = __name__
