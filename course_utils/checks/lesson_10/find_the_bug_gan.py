"""find-the-bug-gan: the line of a GAN's training script that is wrong, and what it should be."""

import torch
from torch import nn

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "G = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2))",
    2: "D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid())",
    3: "bce = nn.BCEWithLogitsLoss()",
    4: "opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=3e-3) for net in (G, D))",
    5: "x = ring[torch.randint(len(ring), (128,))]",
    6: "fake = G(torch.randn(128, 2))",
    7: "loss_d = bce(D(x), torch.ones(128, 1)) + bce(D(fake.detach()), torch.zeros(128, 1))",
    8: "opt_d.zero_grad(), loss_d.backward(), opt_d.step()",
    9: "loss_g = bce(D(fake), torch.ones(128, 1))",
    10: "opt_g.zero_grad(), loss_g.backward(), opt_g.step()",
}
RIGHT = (2, "D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))")

AGAINST = {
    1: "Line 1 is right: codes of two numbers to points. The strange numbers are the discriminator's: they stay where "
       "they are even when the generator is bad.",
    4: "Line 4 is right: each optimizer has the weights of its own network. Were they swapped, the losses would not "
       "fall below where they started.",
    5: "Line 5 is right: 128 real points. With wrong data the losses would still be free to fall to 0.",
    6: "Line 6 is right: codes from N(0, I), and their points.",
    7: "Line 7 is right: the label 1 for real, 0 for fakes, and the fakes are detached. It can reach 0 if D(x) can be "
       "any number. Can it?",
    8: "Line 8 is right: clear, backward, step. The loss falls at first, so the discriminator does learn. What keeps "
       "it from falling further?",
    9: "Line 9 is right: the generator's fakes get the label 1, and are not detached.",
    10: "Line 10 is right: clear, backward, step, with the generator's optimizer.",
}  # fmt: skip
BOTH = (
    "You have the pair that does not fit, and changed the other half too: with a Sigmoid in D the loss takes "
    "probabilities, without one it takes logits. Change one of the two lines only."
)


SQUASHED = (
    "Line 2 it may be, but your D still cannot return every number: something squashes or cuts off its logit at the "
    "end."
)
PROBABILITIES = (
    "Line 3 it may be, but D returns probabilities there, after its Sigmoid. Which loss of torch.nn takes "
    "probabilities, and averages over the batch?"
)


def fault_of_d(line):
    """What is wrong with a mended line 2."""
    names = names_after(line)
    if "D" in names and "bce" in names:
        return BOTH
    network = names.get("D")
    if not isinstance(network, nn.Module):
        return "Line 2 it may be. Yours gives no network D: write it out, with the name and the equals sign."
    if sum(isinstance(part, nn.Linear) for part in network.modules()) < 2:
        return "Line 2 it may be, but yours lost a layer. Only the end has to change."
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(1.0)
        at = network(torch.tensor([[3.0, 2.0], [-300.0, -200.0]])).flatten()
    if len(at) != 2:
        return "Line 2 it may be, but D has to give one number a point: the last layer is Linear(64, 1)."
    if at[0] <= 1 or at[1] >= 0:
        return SQUASHED
    return None


def fault_of_bce(line):
    """What is wrong with a mended line 3."""
    names = names_after(line)
    if "D" in names and "bce" in names:
        return BOTH
    bce = names.get("bce")
    if not callable(bce):
        return "Line 3 it may be. Yours gives no loss bce: write it out, with the name and the equals sign."
    shares, labels = torch.tensor([[0.2], [0.9], [0.6]]), torch.tensor([[1.0], [0.0], [1.0]])
    right = nn.functional.binary_cross_entropy(shares, labels)
    value = bce(shares, labels)
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not torch.allclose(value, right, atol=1e-4):
        return PROBABILITIES
    return None


CHECK = script(
    LINES,
    RIGHT,
    wrong={2: fault_of_d, 3: fault_of_bce},  # either may be mended
    against=AGAINST,
    mistakes=[
        mended(2, LINES[2], SQUASHED),
        mended(2, LINES[2].replace("nn.Sigmoid()", "nn.Tanh()"), SQUASHED),
        mended(2, LINES[2].replace("nn.Sigmoid()", "nn.ReLU()"), SQUASHED),
        mended(2, LINES[2].replace("nn.Sigmoid()", "nn.LogSigmoid()"), SQUASHED),
        mended(3, LINES[3], PROBABILITIES),
        mended(3, "bce = nn.MSELoss()", PROBABILITIES),
        mended(3, 'bce = nn.BCELoss(reduction="sum")', PROBABILITIES),
        mended(2, RIGHT[1] + "; bce = nn.BCELoss()", BOTH),
        mended(2, "D = nn.Sequential(nn.Linear(2, 1))", "Line 2 it may be, but yours lost a layer. Only the "
            "end has to change."),
        mended(2, RIGHT[1].removeprefix("D = "), "Line 2 it may be. Yours gives no network D: write "
            "it out, with the name and the equals sign."),
        mended(3, "nn.BCELoss()", "Line 3 it may be. Yours gives no loss bce: write it out, with the name "
            "and the equals sign."),
    ],
)  # fmt: skip
