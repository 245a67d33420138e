"""Explorers: ipywidgets around plain functions, latent in, picture out, with a still picture for pages without a kernel."""

from vae_course.widgets.classifiers import CLASSIFIERS, nearest_label, spread_labels
from vae_course.widgets.codes import axis_sliders, latent_sliders
from vae_course.widgets.explorer import Explorer, Notice
from vae_course.widgets.figures import figure_sliders
from vae_course.widgets.images import interpolation, posterior_view
from vae_course.widgets.labels import label_map
from vae_course.widgets.pad import latent_pad
from vae_course.widgets.proofs import proof_pad
from vae_course.widgets.styles import style_mix, style_pad

__all__ = ["CLASSIFIERS", "Explorer", "Notice", "axis_sliders", "figure_sliders", "interpolation", "label_map", "latent_pad",
           "latent_sliders", "nearest_label", "posterior_view", "proof_pad", "spread_labels", "style_mix", "style_pad"]
