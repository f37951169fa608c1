"""flow-guidance: the two velocities, with and without a caption, and what lies beyond them."""

import torch

from course_utils.checks._check import Check, Mistake
from course_utils.checks.lesson_14.flow_matching_loss import like


def guided_velocity(velocity, x_t, t, bag, weight):
    any_face, of_caption = answers(velocity, x_t, t, bag)
    return any_face + weight * (of_caption - any_face)


def answers(velocity, x_t, t, bag):
    """The answer without a caption, and that for this one."""
    return velocity(x_t, t, torch.zeros_like(bag)), velocity(x_t, t, bag)


def combined(combine):
    """An answer from that for any face, that for the caption, and the weight."""
    return lambda velocity, x_t, t, bag, weight: combine(*answers(velocity, x_t, t, bag), weight)


def without(empty):
    """A wrong answer: another bag in place of that without a caption."""

    def answer(velocity, x_t, t, bag, weight):
        any_face, of_caption = velocity(x_t, t, empty(bag)), velocity(x_t, t, bag)
        return any_face + weight * (of_caption - any_face)

    return answer


def question(weight, *shape, phrases):
    def inputs(g):
        mix = torch.randn(phrases, shape[1], generator=g)
        a, b = (0.5 + torch.rand(2, generator=g)).tolist()

        def velocity(x_t, t, bag):
            if bag is None or bag.shape != (len(x_t), phrases):
                shape = None if bag is None else tuple(bag.shape)
                raise ValueError(f"the bags have shape {shape}, and one row for each point is wanted")
            return (a * x_t + 3 * b * like(t, x_t)).sin() + 2 * (bag @ mix + 0.3).sin() * x_t.cos()

        bag = (torch.rand(shape[0], phrases, generator=g) < 0.5).float()
        bag[:, 0] = 1  # no caption is empty
        return velocity, torch.randn(shape, generator=g), torch.rand(shape[0], generator=g), bag, weight(
            torch.rand((), generator=g).item()
        )

    return inputs


CHECK = Check(
    guided_velocity,
    inputs={"": question(lambda share: 2 + 3 * share, 3, 4, phrases=5), "the weight is between 0 and 1":
            question(lambda share: 0.2 + 0.6 * share, 4, 2, phrases=3), "the weight is 0":
            question(lambda share: 0.0, 3, 2, phrases=4), "the weight is 1":
            question(lambda share: 1.0, 2, 5, phrases=3)},
    draws=2,
    mistakes=[
        Mistake(combined(lambda some, this, w: this + w * (some - this)), "The two answers have changed places: your "
            "weight of 0 gives the caption, and 1 ignores it. Towards which do you go?"),
        Mistake(combined(lambda some, this, w: some + w * this), "You add the whole answer for the caption. The arrow "
            "from one answer to the other is their difference."),
        Mistake(combined(lambda some, this, w: this + w * (this - some)), "You start from the answer for the caption. "
            "That is the paper's own w, smaller by one: what must weight 1 give?"),
        Mistake(combined(lambda some, this, w: some + w * (some - this)), "Your arrow points away from the caption. "
            "Which of the two answers is its end?"),
        Mistake(combined(lambda some, this, w: some + (w - 1) * (this - some)), "Your weight is smaller by one than "
            "the one given. What must weight 1 give?"),
        Mistake(combined(lambda some, this, w: this), "You return the answer for the caption whatever the weight is. "
            "Where does that for no caption come in?"),
        Mistake(combined(lambda some, this, w: some), "You return the answer for no caption, so the words never "
            "matter. Which bag goes into which call?"),
        Mistake(combined(lambda some, this, w: w * (this - some)), "You return the arrow alone. At weight 0 nothing "
            "would be left: what is it added to?"),
        Mistake(combined(lambda some, this, w: w * this), "You multiply the caption's answer by the weight, so the "
            "points move too fast. What should be stretched instead?"),
        Mistake(combined(lambda some, this, w: w * this - some), "You subtract the answer for no caption once, "
            "whatever the weight is. The two factors must add up to 1."),
        Mistake(combined(lambda some, this, w: some + w * (this - some) if w > 1 else this), "For weights of 1 and "
            "less you return the answer for the caption. What should weight 0 give?"),
        Mistake(combined(lambda some, this, w: some + min(w, 1) * (this - some)), "You cut the weight off at 1, so the "
            "caption is never exaggerated. A weight above 1 is allowed."),
        Mistake(combined(lambda some, this, w: some + int(w) * (this - some)), "Your weight is made a whole number. It "
            "may have a fraction, such as 1.5."),
        Mistake(without(torch.ones_like), "For no caption you say all phrases at once, a bag of ones. No caption is a "
            "row of zeros."),
        Mistake(without(lambda bag: 1 - bag), "For no caption you say all that the caption does not say. No caption is "
            "a row of zeros."),
        Mistake(without(lambda bag: bag.roll(1, dims=0) if len(bag) > 1 else bag), "For no caption you take that of "
            "another face of the batch. No caption is a row of zeros."),
        Mistake(lambda velocity, x_t, t, bag, weight: velocity(x_t, t, weight * bag), "You multiply the caption by the "
            "weight, which the network has never seen in training. Ask twice, and go on along the difference."),
    ],
)  # fmt: skip
