"""The VAE and what it is made of.

likelihoods  what the decoder's output means: Bernoulli, continuous Bernoulli, Gaussian, discretized logistic
priors       p(z) beyond N(0, I): a mixture of Gaussians
vae          the model: an encoder, a decoder, a likelihood and a prior
networks     fully connected and convolutional encoders and decoders, for examples of any shape
files        a model in a file from which it is built again, and a decoder for programs without Python
"""

from vae_course.models.files import export_decoder, load, remembers, save
from vae_course.models.likelihoods import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    DiscretizedLogisticLikelihood,
    GaussianLikelihood,
)
from vae_course.models.networks import (
    GaussianEncoder,
    PixelBias,
    conv_vae,
    mlp,
    mlp_vae,
    reference_vae,
    start_at_mean_image,
)
from vae_course.models.priors import MixturePrior
from vae_course.models.vae import VAE

__all__ = ["VAE", "BernoulliLikelihood", "ContinuousBernoulliLikelihood", "DiscretizedLogisticLikelihood", "GaussianEncoder",
           "GaussianLikelihood", "MixturePrior", "PixelBias", "conv_vae", "export_decoder", "load", "mlp", "mlp_vae",
           "reference_vae", "remembers", "save", "start_at_mean_image"]
