"""The VAE and what it is made of.

likelihoods  what the decoder's output means: Bernoulli, continuous Bernoulli, Gaussian
vae          the model: an encoder, a decoder and a likelihood
networks     fully connected and convolutional encoders and decoders
"""

from vae_course.models.likelihoods import BernoulliLikelihood, ContinuousBernoulliLikelihood, GaussianLikelihood
from vae_course.models.networks import GaussianEncoder, PixelBias, conv_vae, mlp, reference_vae, start_at_mean_image
from vae_course.models.vae import VAE

__all__ = ["VAE", "BernoulliLikelihood", "ContinuousBernoulliLikelihood", "GaussianEncoder", "GaussianLikelihood",
           "PixelBias", "conv_vae", "mlp", "reference_vae", "start_at_mean_image"]
