"""unet-forward: the way through a small UNet, with the time added and the fine features handed over."""

import torch
from torch import nn

from course_utils.checks._check import Check, Mistake


def time_features(t):
    """The lesson's sines and cosines of timesteps (B,), (B, 32)."""
    angle = t[:, None] * 1000 ** (-torch.arange(16, device=t.device) / 16)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class TinyUNet(nn.Module):
    """The lesson's SmallUNet with fewer channels."""

    def __init__(self, g, upper=4, lower=6):
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(1, upper, 3, padding=1), nn.SiLU())
        self.down = nn.Sequential(nn.Conv2d(upper, lower, 3, stride=2, padding=1), nn.SiLU())
        self.time = nn.Sequential(nn.Linear(32, lower), nn.SiLU(), nn.Linear(lower, lower))
        self.middle = nn.Sequential(nn.Conv2d(lower, lower, 3, padding=1), nn.SiLU())
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(lower, upper, 3, padding=1), nn.SiLU())
        self.leave = nn.Conv2d(2 * upper, 1, 3, padding=1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0, 0.4, generator=g)

    def forward(self, x_t, t):
        raise TypeError("the forward pass is what you write: use the layers enter, down, time, middle, up, leave")


def unet_forward(unet, x_t, t):
    return way(unet, x_t, t)


def at_places(vectors):
    return vectors[:, :, None, None]


def way(unet, x_t, t, *, features=time_features, mix=torch.add, after=lambda coarse, time: coarse,
        skip=lambda up, fine: torch.cat([up, fine], dim=1), middle=lambda unet, x: unet.middle(x),
        result=lambda out, x_t: out):  # fmt: skip
    """The way, each part of which a mistake can do otherwise."""
    fine = unet.enter(x_t)
    time = at_places(unet.time(features(t)))
    coarse = mix(unet.down(fine), time)
    up = unet.up(after(middle(unet, coarse), time))
    return result(unet.leave(skip(up, fine)), x_t)


def but(**changes):
    """A wrong answer: the right way with some of it changed."""
    return lambda unet, x_t, t: way(unet, x_t, t, **changes)


def images(count, height, width):
    def inputs(g):
        t = torch.randint(1000, (count,), generator=g)
        return TinyUNet(g), torch.randn(count, 1, height, width, generator=g), t

    return inputs


CHECK = Check(
    unet_forward,
    inputs={"": images(3, 4, 6), "there is one image": images(1, 6, 4),
            "there are as many images as channels": images(6, 2, 4)},
    gradients=("unet",),
    draws=2,
    mistakes=[
        Mistake(but(mix=lambda down, time: down), "The time is not used, so the network cannot know how much of x_t is "
            "noise. What is added between down and middle?"),
        Mistake(but(mix=lambda down, time: time.expand_as(down)), "The time stands in place of the features, so the "
            "image is forgotten. It is added to them."),
        Mistake(but(mix=torch.mul), "The features are multiplied by the numbers of the time. They are added."),
        Mistake(but(mix=lambda down, time: down - time), "The numbers of the time are subtracted. They are added."),
        Mistake(but(mix=lambda down, time: down, after=lambda coarse, time: coarse + time), "The time is added after "
            "middle, so middle cannot use it. It belongs before."),
        Mistake(but(after=lambda coarse, time: coarse + time), "The time is added twice, before and after middle."),
        Mistake(but(mix=lambda down, time: down + time[:1]), "All images get the time of the first one. Each has its "
            "own row."),
        Mistake(but(mix=lambda down, time: down + time.mean(dim=1, keepdim=True)), "All channels get the same number. "
            "Each channel has its own: [:, :, None, None]."),
        Mistake(but(features=lambda t: time_features(t / 1000)), "You divide t by 1000 before the sines and cosines. "
            "time_features takes the timestep itself."),
        Mistake(but(features=lambda t: t[:, None].float().expand(len(t), 32)), "unet.time gets the bare timestep. Give "
            "it time_features(t)."),
        Mistake(but(skip=lambda up, fine: torch.cat([fine, up], dim=1)), "The two halves have changed places: first "
            "the 16 channels of up, then the 16 of enter."),
        Mistake(but(skip=lambda up, fine: torch.cat([up, up], dim=1)), "up stands there twice. The second half comes "
            "from enter, over the skip connection."),
        Mistake(but(skip=lambda up, fine: torch.cat([fine, fine], dim=1)), "enter stands there twice, so all that down "
            "and middle found is lost. The first half comes from up."),
        Mistake(but(skip=lambda up, fine: torch.cat([up, torch.zeros_like(fine)], dim=1)), "The second half is 0: the "
            "fine features of enter belong there."),
        Mistake(but(skip=lambda up, fine: torch.cat([up + fine, fine], dim=1)), "You add the features of enter to "
            "those of up as well. Here they are only put behind them."),
        Mistake(but(skip=lambda up, fine: torch.cat([up, fine.detach()], dim=1)), "The numbers are right, but the skip "
            "connection is cut off from enter: no gradient passes. Where is the detach or the .data?"),
        Mistake(but(middle=lambda unet, x: x), "middle is left out."),
        Mistake(but(middle=lambda unet, x: unet.middle(unet.middle(x))), "middle is called twice."),
        Mistake(but(result=lambda out, x_t: x_t - out), "You return x_t minus the noise. Return the noise, eps_hat, "
            "itself."),
        Mistake(but(result=lambda out, x_t: x_t + out), "You add x_t at the end. What leave returns is eps_hat already."
            ""),
        Mistake(but(result=lambda out, x_t: out.clamp(-1, 1)), "You cut the answer off at -1 and 1. Noise has no such "
            "limits."),
        Mistake(but(result=lambda out, x_t: out.tanh()), "You bend the answer into -1 to 1 (tanh). Noise has no such "
            "limits."),
        Mistake(lambda unet, x_t, t: way(unet, x_t, t).detach(), "The numbers are right, but no gradient reaches the "
            "network. Where is the no_grad or the detach?"),
    ],
)  # fmt: skip
