"""The conditional VAE: p(x|y) = ∫ p(x|z, y) p(z|y) dz, with the label y given to the networks, to the prior, or to both.

parts     labels as vectors, networks that see the condition or not, a prior for each class
cvae      the model
networks  the conditional networks of the course
"""

from vae_course.conditional.cvae import CVAE
from vae_course.conditional.networks import class_mean_vae, conv_cvae, mlp_cvae, reference_cvae
from vae_course.conditional.parts import ClassMeans, ConcatCondition, ConditionAfter, IgnoreCondition, OneHot

__all__ = ["CVAE", "ClassMeans", "ConcatCondition", "ConditionAfter", "IgnoreCondition", "OneHot", "class_mean_vae",
           "conv_cvae", "mlp_cvae", "reference_cvae"]
