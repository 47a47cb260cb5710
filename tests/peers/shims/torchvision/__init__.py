"""Stands in for torchvision, whose wheels need CUDA.

robomimic imports its networks for pictures, which are not used; LeRobot makes tensors of pictures and reads videos.
"""

from torchvision import io, models, transforms

__all__ = ["io", "models", "set_video_backend", "transforms"]


def set_video_backend(backend):
    assert backend == "pyav"
