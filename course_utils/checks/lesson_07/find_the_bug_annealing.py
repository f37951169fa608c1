"""find-the-bug-annealing: the line of a training script that is wrong, and what it should be."""

from course_utils.checks._scripts import mended, names_after, script

LINES = {
    1: "optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)",
    2: "step, ramp_steps = 0, 200",
    3: "mu, logvar = vae.posterior(x)",
    4: "z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)",
    5: "recon = vae.negative_log_likelihood(x, z).mean()",
    6: "kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1).mean()",
    7: "weight = min(epoch / ramp_steps, 1.0)",
    8: "loss = recon + weight * kl",
    9: "optimizer.zero_grad()",
    10: "loss.backward()",
    11: "optimizer.step()",
    12: "step += 1",
}
RIGHT = (7, "weight = min(step / ramp_steps, 1.0)")

AGAINST = {
    1: "Line 1 is right: it is the optimizer and the rate of all our runs. Which line decides what a nat of KL costs?",
    2: "Line 2 is right: 200 steps of 344 is a usual length. Is the ramp counted in what it says?",
    3: "Line 3 is right: the clouds of the batch.",
    4: "Line 4 is right: a draw from each cloud. Were it wrong, recon would not be so low.",
    5: "Line 5 is right: nats summed over the pixels, averaged over the batch. The printed recon is low, as it should "
       "be when a code of 80 nats is allowed.",
    6: "Line 6 is right: with dim=1 it sums over the dimensions, then it averages over the batch. The printed KL is "
       "the true one; why does nothing hold it down?",
    8: "Line 8 is right: recon plus the weighted KL. How large is the weight in the last epoch?",
    9: "Line 9 is right: gradients are cleared before backward().",
    10: "Line 10 is right. What is differentiated was made in line 8.",
    11: "Line 11 is right: the model learns.",
    12: "Line 12 is right: it counts the steps. Where is the count used?",
}  # fmt: skip


def weights(line):
    """The weight that the line makes at several steps of 86 an epoch; None where it makes none."""
    found = []
    for step in (0, 1, 43, 86, 172, 199, 200, 300, 343):
        builtins = {"min": min, "max": max, "float": float, "int": int}
        names = names_after(line, step=step, epoch=step // 86, ramp_steps=200, __builtins__=builtins)
        found.append(names.get("weight"))
    return found


def fault(line):
    """What is wrong with a mended line 7."""
    found, right = weights(line), weights(RIGHT[1])
    if None in found:
        return "Line 7 it is. Your line makes no weight: write it out, with the name and the equals sign."
    if all(abs(a - b) < 1e-6 for a, b in zip(found, right, strict=True)):
        return None
    said = ", ".join(f"{float(one):.3g}" for one in (found[0], found[4], found[-1]))
    return (
        f"Line 7 it is, but at the steps 0, 172 and 343 your weight is {said}. It should be 0, 0.86 and 1: the share "
        "of the ramp that is done, at most 1."
    )


CHECK = script(
    LINES,
    RIGHT,
    wrong={7: fault},
    against=AGAINST,
    mistakes=[
        mended(7, LINES[7], "Line 7 it is, and yours is the line as it was. What does the ramp count, and "
            "what does epoch count?"),
        mended(7, "weight = step / ramp_steps", "Line 7 it is, and step is right. But now the weight goes on "
            "rising after the ramp, to 1.7: what keeps it at 1?"),
        mended(7, "weight = min(epoch / 4, 1.0)", "Line 7 it is. In quarters of the training the weight never "
            "reaches 1, and goes up in stairs. The script counts the steps: use that count."),
        mended(7, "weight = max(step / ramp_steps, 1.0)", "Line 7 it is, and step is right. But the "
            "LARGER of the share and 1 is 1 from the start: no annealing."),
        mended(7, "weight = 1.0", "Line 7 it is. A constant weight would hold the KL down, but it is no "
            "annealing: keep the ramp, and count it rightly."),
        mended(7, "weight = min(ramp_steps / step, 1.0)", "Line 7 it is, but your share is upside down; at "
            "step 0 it divides by 0. How much of the ramp is done?"),
        mended(7, "weight = min(step, ramp_steps)", "Line 7 it is, and step is right. Which SHARE of the "
            "ramp is done: by what must the step be divided?"),
        mended(7, "min(step / ramp_steps, 1.0)", "The ramp is right. Write the whole line, with weight and "
            "the equals sign."),
    ],
)  # fmt: skip
