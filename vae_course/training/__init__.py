"""Training: `fit` is one plain loop, fast on CPU and GPU. `__main__` is its command: python -m vae_course.training --help

loop         fit(), and the validation after each epoch
step         one step: a batch, its loss, its gradients, Adam; recorded once and replayed on a GPU
run          the history, and what must survive a stop: the checkpoint, and how to go on from it
identity     what makes a run that run: a checkpoint of another one is refused, or extended by epochs of its own schedule
schedules    how the learning rate rises and falls
parallel     several processes or GPUs that share each batch, started by torchrun
tensorboard  what TensorBoard shows
"""

from vae_course.training import parallel, schedules
from vae_course.training.loop import evaluate, fit
from vae_course.training.run import History
from vae_course.training.step import TrainingDiverged

__all__ = ["History", "TrainingDiverged", "evaluate", "fit", "parallel", "schedules"]
