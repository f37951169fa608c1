"""Small autoencoders and the comparison of their training, for the exercises of this lesson."""

import torch
from torch import Tensor, nn


class Tiny(nn.Module):
    """Images (B, C, H, W) to codes of 3 numbers and back, with weights from g."""

    def __init__(self, g: torch.Generator, *shape: int):
        super().__init__()
        pixels = torch.zeros(shape).numel()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 3))
        self.decoder = nn.Sequential(nn.Linear(3, pixels), nn.Unflatten(1, shape))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0, 0.4, generator=g)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(z))


def weights(model: nn.Module) -> Tensor:
    """All parameters in a row, as they are now."""
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).clone()


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Summed over the pixels of an image, averaged over the images."""
    return (x_hat - x).square().flatten(1).sum(dim=1).mean()
