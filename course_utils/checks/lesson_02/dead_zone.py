"""dead-zone: the codes of a grid that lie far from every training code."""

import torch

from course_utils.checks._check import Check, Mistake


def nearest(grid, codes):
    return torch.cdist(grid, codes).amin(dim=1)


def find_dead_zone(grid, codes, threshold):
    return grid[nearest(grid, codes) > threshold]


def clusters(g):
    """Three clusters and a grid around them; the threshold leaves both kinds of grid codes."""
    centers = torch.tensor([[0.5, -1.0], [2.0, 0.7], [-0.5, 0.5]])
    codes = centers[torch.randint(3, (40,), generator=g)] + 0.2 * torch.randn(40, 2, generator=g)
    grid = torch.cartesian_prod(torch.linspace(-2, 4, 9), torch.linspace(-3, 3, 7))
    return grid, codes, 1.2 + 0.3 * torch.rand(1, generator=g).item()


def three_numbers(g):
    """Codes of three numbers, and a grid in no order; far fewer training codes than places."""
    return 2 * torch.randn(23, 3, generator=g), torch.randn(4, 3, generator=g), 1.7


def dead_places(count):
    def inputs(g):
        codes = torch.randn(11, 2, generator=g)
        return torch.cat([codes[:4] + 0.01, torch.tensor([[19.0, -18.0]])[:count], codes[5:7]]), codes, 2.5

    return inputs


def at_the_threshold(g):
    """Distances of exactly 0, 5 and 10 on whole numbers, whichever formula is used."""
    return torch.tensor([[6.0, 8.0], [3.0, 4.0], [0.0, 0.0], [0.0, -7.0]]), torch.zeros(2, 2), 5.0


def zone(distance):
    """A wrong answer whose distance, from grid and codes, is another one."""
    return lambda grid, codes, threshold: grid[distance(grid, codes) > threshold]


CHECK = Check(
    find_dead_zone,
    inputs={"": clusters, "a code has three numbers": three_numbers, "no place is dead": dead_places(0),
            "one place is dead": dead_places(1), "a distance is exactly the threshold": at_the_threshold},
    mistakes=[
        Mistake(lambda grid, codes, t: grid[nearest(grid, codes) <= t], "These are the grid codes that lie close to a "
            "training code: the living ones. Which side of the threshold is dead?"),
        Mistake(lambda grid, codes, t: grid[nearest(grid, codes) >= t],
            "A place at exactly the threshold is not farther than it. Which comparison leaves it out?"),
        Mistake(lambda *inputs: find_dead_zone(*inputs).squeeze(),
            "squeeze() takes away the first dimension when a single place is dead. Return (M, D) for every M."),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes).amax(dim=1)),
            "You measured the distance to the farthest training code, which is large nearly everywhere. Which training "
            "code decides whether the decoder has seen this place?"),
        Mistake(lambda grid, codes, t: grid[(torch.cdist(grid, codes) > t).nonzero()[:, 0]],
            "A place comes once for each training code that is far from it. It is dead, once, if ALL of them are far: "
            "any, all, or amin?"),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes).mean(dim=1)),
            "You took the mean distance to all training codes. A place inside one cluster is far from all the others "
            "and yet well trained. Which single distance matters?"),
        Mistake(zone(lambda grid, codes: (grid - codes.mean(dim=0)).norm(dim=1)), "You measured the distance from the "
            "middle of all training codes. The middle itself may be empty. To what should the distance be measured?"),
        Mistake(zone(lambda grid, codes: nearest(grid, codes).square()),
            "You compare squared distances with a threshold that is a distance. What is missing?"),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes).argmin(dim=1)), "You compare the POSITION of the "
            "nearest training code with the threshold. What is to be compared is its distance."),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes, p=1).amin(dim=1)), "You add up the absolute "
            "differences of the coordinates (p=1). A Euclidean distance has squares and a root: p=2."),
        Mistake(zone(lambda grid, codes: torch.cdist(grid, codes, p=torch.inf).amin(dim=1)),
            "You take the largest difference of a coordinate. A Euclidean distance has squares, their sum and a root."),
        Mistake(lambda grid, codes, t: codes[nearest(codes, grid) > t],
            "You return training codes that are far from the grid: the minimum was taken over the wrong axis. "
            "torch.cdist(grid, codes) has shape (G, N); which axis counts the training codes?"),
        Mistake(lambda grid, codes, t: nearest(grid, codes) > t,
            "You return a mask of True and False, which is nearly all of the work. How does a mask pick rows of grid?"),
        Mistake(lambda grid, codes, t: (nearest(grid, codes) > t).nonzero().flatten(),
            "You return the positions of the dead places. How do positions pick rows of grid?"),
        Mistake(lambda grid, codes, t: find_dead_zone(grid[(-nearest(grid, codes)).argsort()], codes, t),
            "These are the right places, sorted by their distance. The grid's order was asked for: what selects "
            "without sorting?"),
    ],
)  # fmt: skip
