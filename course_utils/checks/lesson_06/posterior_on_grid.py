"""posterior-on-grid: the integral of Bayes' rule as a sum over an evenly spaced grid of codes."""

import torch

from course_utils.checks._check import Check, Mistake


def posterior_on_grid(log_joints, step):
    log_evidence = log_joints.logsumexp(dim=1) + torch.tensor(step, dtype=log_joints.dtype).log()
    return log_evidence, (log_joints - log_evidence[:, None]).exp()


def joints(examples, codes, width=6.0):
    """Mixtures of two humps that vanish at both ends of the grid, with the evidence of each row another one."""

    def inputs(g):
        z = torch.linspace(-width, width, codes, dtype=torch.float64)
        centres, heights = torch.randn(2, examples, 2, 1, generator=g, dtype=torch.float64)
        stds = 0.4 + 0.4 * torch.rand(examples, 2, 1, generator=g, dtype=torch.float64)
        humps = heights - 1 - 0.5 * ((z - centres) / stds) ** 2
        return humps.logsumexp(dim=1), 2 * width / (codes - 1)

    return inputs


def of(make):
    """A wrong answer that makes its two results of the joint density (B, G) and the step."""
    return lambda log_joints, step: make(log_joints.exp(), step)


def evidence(joint, step):
    return joint.sum(dim=1) * step


CHECK = Check(
    posterior_on_grid,
    inputs={"": joints(3, 121), "there is one example": joints(1, 81),
            "the grid is finer and longer": joints(4, 301, 7.5)},
    mistakes=[
        Mistake(of(lambda p, step: (p.sum(dim=1).log(), p / p.sum(dim=1, keepdim=True))), "Your sum leaves out the "
            "distance between the codes: on a grid twice as fine it would be twice as large. What is density times "
            "width?"),
        Mistake(of(lambda p, step: (evidence(p, step).log(), p / p.sum(dim=1, keepdim=True))), "log p(x) is right. "
            "But your posterior sums to 1 over the grid, so it is a list of probabilities and no density: by what is "
            "the joint density divided in Bayes' rule?"),
        Mistake(of(lambda p, step: (p.sum(dim=1).log(), p / evidence(p, step)[:, None])), "The posterior is right. "
            "But your evidence leaves out the distance between the codes, step."),
        Mistake(of(lambda p, step: (evidence(p, step), p / evidence(p, step)[:, None])), "You return p(x), and its "
            "logarithm is asked for."),
        Mistake(of(lambda p, step: (-evidence(p, step).log(), p / evidence(p, step)[:, None])), "You return minus "
            "log p(x), as a loss would. The logarithm itself is asked for."),
        Mistake(of(lambda p, step: (evidence(p, step).log2(), p / evidence(p, step)[:, None])), "You take log2, so "
            "your evidence is in bits. Nats come from the natural logarithm."),
        Mistake(of(lambda p, step: (evidence(p, step).log(), (p / evidence(p, step)[:, None]).log())), "You return "
            "the logarithm of the posterior. The density itself is asked for."),
        Mistake(of(lambda p, step: (evidence(p, step).log(), p)), "log p(x) is right. Your posterior is the joint "
            "density as it was: by what does Bayes' rule divide it?"),
        Mistake(of(lambda p, step: (evidence(p, step).log(), p / evidence(p, step).log()[:, None])), "You divide by "
            "log p(x). Bayes' rule divides by p(x) itself."),
        Mistake(of(lambda p, step: (evidence(p, step).log(), p * evidence(p, step)[:, None])), "You multiply by p(x). "
            "In Bayes' rule it stands below the line."),
        Mistake(lambda p, step: (evidence(p, step), p / evidence(p, step)[:, None]), "You sum the logarithms. The "
            "integral is of the density: what undoes the logarithm, before the sum?"),
        Mistake(lambda p, step: (evidence(p, step), p - evidence(p, step)[:, None]), "You work with the logarithms "
            "as if they were densities. What undoes the logarithm, before the sum?"),
        Mistake(of(lambda p, step: ((p.mean(dim=1) * step).log(), p / (p.mean(dim=1, keepdim=True) * step))), "You "
            "average over the codes and multiply by step. An integral is a sum of density times step."),
        Mistake(of(lambda p, step: (p.mean(dim=1).log(), p / p.mean(dim=1, keepdim=True))), "You average over the "
            "codes, so your evidence depends on how long the grid is. An integral is a sum of density times step."),
        Mistake(of(lambda p, step: ((p.sum(dim=1) / step).log(), p / (p.sum(dim=1, keepdim=True) / step))), "You "
            "divide by step. Each code stands for a strip of width step: what is its area?"),
        Mistake(of(lambda p, step: ((p.sum() * step).log(), p / (p.sum() * step))), "You sum over all examples too "
            "and return one evidence. Each row has its own: over which dimension is the sum?"),
        Mistake(of(lambda p, step: ((p.sum() * step).log().expand(len(p)), p / (p.sum() * step))), "All of your "
            "examples have the same evidence. Each row has its own: over which dimension is the sum?"),
        Mistake(of(lambda p, step: ((p.sum(dim=0) * step).log(), p / (p.sum(dim=0) * step))), "You sum over dimension "
            "0, the examples. Along which dimension do the codes lie?"),
        Mistake(of(lambda p, step: ((p.sum(dim=1, keepdim=True) * step).log(),
                                    p / (p.sum(dim=1, keepdim=True) * step))), "Your evidence has shape (B, 1). Leave "
            "out keepdim for what you return, or take [:, 0]."),
        Mistake(of(lambda p, step: (p.amax(dim=1).log(), p / p.amax(dim=1, keepdim=True))), "You take the largest "
            "density in place of the integral. What do the other codes add?"),
        Mistake(of(lambda p, step: evidence(p, step).log()), "You return log p(x) alone. The posterior is the second "
            "thing to return."),
        Mistake(of(lambda p, step: p / evidence(p, step)[:, None]), "You return the posterior alone. log p(x) comes "
            "first, the posterior second."),
        Mistake(of(lambda p, step: (p / evidence(p, step)[:, None], evidence(p, step).log())), "You return the two in "
            "the other order: log p(x) comes first."),
    ],
)  # fmt: skip
