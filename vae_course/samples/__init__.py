"""How good are generated pictures: were they memorized, and how far are they from real ones in features trained here?

    made, features = model.generate(2000), samples.pca_features(train.images)
    print(samples.compare(made, train.images, test.images, features))
    print(samples.memorization(made, train.images, test.images))

No FID and no KID: those are taken in the features of one Inception network, trained on ImageNet, and cannot be computed
offline. The numbers here are not comparable with published ones. They compare two models where the features, the data and
the numbers of pictures are the same, and mean something beside the floor: what real test pictures get.
"""

# torchmetrics computes KID in features of one's own too, but not without torch-fidelity; neither is in a Colab session, and
# its spread over random subsets is no standard error. What is needed of it is a dozen lines in measures.py.

from vae_course.samples.features import PCA, network_features, pca_features
from vae_course.samples.measures import (
    Comparison,
    KernelDistance,
    PrecisionRecall,
    compare,
    kernel_distance,
    precision_recall,
)
from vae_course.samples.neighbours import Memorization, Neighbours, memorization, nearest

__all__ = ["PCA", "Comparison", "KernelDistance", "Memorization", "Neighbours", "PrecisionRecall", "compare",
           "kernel_distance", "memorization", "nearest", "network_features", "pca_features", "precision_recall"]
