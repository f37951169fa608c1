"""dead-zone: the codes of a grid that lie far from every training code."""

import torch

from course_utils.checks._check import Check, Mistake


def find_dead_zone(grid, codes, threshold):
    return grid[torch.cdist(grid, codes).amin(dim=1) > threshold]


def clusters(g):
    """Three clusters and a grid around them; the threshold leaves both kinds of grid codes."""
    centers = torch.tensor([[0.5, -1.0], [2.0, 0.7], [-0.5, 0.5]])
    codes = centers[torch.randint(3, (40,), generator=g)] + 0.2 * torch.randn(40, 2, generator=g)
    grid = torch.cartesian_prod(torch.linspace(-2, 4, 9), torch.linspace(-3, 3, 7))
    return grid, codes, 1.2 + 0.3 * torch.rand(1, generator=g).item()


def three_numbers(g):
    """Codes of three numbers, and a grid in no order; far fewer training codes than places."""
    return 2 * torch.randn(23, 3, generator=g), torch.randn(4, 3, generator=g), 1.7


def nothing_dead(g):
    codes = torch.randn(11, 2, generator=g)
    return codes[:6] + 0.01, codes, 0.5


def zone(distance):
    """A wrong answer whose distance, from grid and codes, is another one."""
    return lambda grid, codes, threshold: grid[distance(grid, codes) > threshold]


CHECK = Check(
    find_dead_zone,
    inputs={"": clusters, "a code has three numbers": three_numbers, "no place is dead": nothing_dead},
    mistakes=[
        Mistake(lambda grid, codes, threshold: grid[torch.cdist(grid, codes).amin(dim=1) <= threshold],
                "These are the grid codes that lie close to a training code: the living ones. Which side of the "
                "threshold is dead?"),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes).amax(dim=1)),
                "You measured the distance to the farthest training code, which is large nearly everywhere. Which "
                "training code decides whether the decoder has seen this place?"),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes).mean(dim=1)),
                "You took the mean distance to all training codes. A place inside one cluster is far from all the "
                "others and yet well trained. Which single distance matters?"),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes).median(dim=1).values),
                "You took the median distance to the training codes. A place inside one cluster is far from most "
                "others and yet well trained. Which single distance matters?"),
        Mistake(zone(lambda grid, codes: (grid - codes.mean(dim=0)).norm(dim=1)),
                "You measured the distance from the middle of all training codes. The middle itself may be empty. To "
                "what should the distance be measured?"),
        Mistake(zone(lambda grid, codes: grid.norm(dim=1)),
                "You measured the distance from the origin; the training codes do not enter. To what should the "
                "distance be measured?"),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes).square().amin(dim=1)),
                "You compare squared distances with a threshold that is a distance. What is missing?"),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes, p=1).amin(dim=1)),
                "You add up the absolute differences of the coordinates (p=1). A Euclidean distance has squares and a "
                "root: p=2."),
        Mistake(zone(lambda grid, codes: (grid[:, None] - codes).abs().amax(dim=2).amin(dim=1)),
                "You take the largest difference of a coordinate. A Euclidean distance has squares, their sum and a "
                "root."),
        Mistake(lambda grid, codes, threshold: codes[torch.cdist(grid, codes).amin(dim=0) > threshold],
                "You return training codes that are far from the grid: the minimum was taken over the wrong axis. "
                "torch.cdist(grid, codes) has shape (G, N); which axis counts the training codes?"),
        Mistake(lambda grid, codes, threshold: torch.cdist(grid, codes).amin(dim=1) > threshold,
                "You return a mask of True and False, which is nearly all of the work. How does a mask pick rows of "
                "grid?"),
        Mistake(lambda grid, codes, threshold: (torch.cdist(grid, codes).amin(dim=1) > threshold).nonzero().flatten(),
                "You return the positions of the dead places. How do positions pick rows of grid?"),
        Mistake(lambda grid, codes, threshold: torch.cdist(grid, codes).amin(dim=1),
                "You return the distances. Which of them are above the threshold, and which rows of grid are those?"),
    ],
)  # fmt: skip
