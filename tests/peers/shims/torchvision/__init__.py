"""Stands in for torchvision, whose wheels need CUDA: robomimic's networks for pictures import it, and are not used."""

from torchvision import models, transforms

__all__ = ["models", "transforms"]
