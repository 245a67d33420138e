"""Training: `fit` is one plain loop, fast on CPU and GPU. `__main__` is its command: python -m vae_course.training --help

loop         fit(), and the validation after each epoch
arguments    what fit is given, and the errors that name the way out
feeding      where the data lie, and how a step comes by its batch
step         one step: a batch, its loss, its gradients, Adam; recorded once and replayed on a GPU
run          the history, and what must survive a stop: the checkpoint, and how to go on from it
identity     what makes a run that run: a checkpoint of another one is refused, or extended by epochs of its own schedule
diagnosis    what went wrong in a training, and what people do about it
schedules    how the learning rate rises and falls
parallel     several processes or GPUs that share each batch, started by torchrun
tensorboard  what TensorBoard shows
"""

from vae_course.training import parallel, schedules
from vae_course.training.diagnosis import TrainingDiverged
from vae_course.training.loop import evaluate, fit
from vae_course.training.run import History

__all__ = ["History", "TrainingDiverged", "evaluate", "fit", "parallel", "schedules"]
