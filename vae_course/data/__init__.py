"""Pictures as uint8 tensors, or in a file where there are too many; their labels, and the ways to pixels in [0, 1].

images     ImageSet and ImageData; grey, stochastic and fixed pixels; labels, and splits
stored     ImageFile: pictures that stay in a file
mnist      MNIST and Fashion-MNIST, downloaded or from the disk
arrays     from_arrays: your own, from NumPy, torch or a list
folders    from_folder: your own, from files
datasets   from_dataset: your own, from torch's Dataset
pixels     values of all kinds to uint8
"""

from vae_course.data.arrays import from_arrays
from vae_course.data.datasets import from_dataset
from vae_course.data.folders import from_folder
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
           "ImageFile", "ImageSet", "check_images", "fixed", "from_arrays", "from_dataset", "from_folder", "grey",
           "hold_out", "load_fashion_mnist", "load_fixed_mnist", "load_mnist", "stochastic", "unchanged"]
