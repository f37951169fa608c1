"""look-at-words: cross-attention from the places of a code to the words of a caption."""

import torch

from course_utils.checks._check import Check, Mistake


def look_at_words(q, k, v, counts):
    return look()(q, k, v, counts)


def hide(score, left_out, low=-torch.inf):
    """The scores of the words that do not count become so low that their weight is 0."""
    return score.masked_fill(left_out, low)


def lowest(score, left_out):
    """As `hide`, by the lowest finite number, which gives even weights where no word counts."""
    return hide(score, left_out, torch.finfo(score.dtype).min)


def drop(weights, left_out):
    """Weights of 0 for the words that do not count, also where none does."""
    return weights.masked_fill(left_out, 0.0)


def as_it_is(numbers, left_out):
    return numbers


def size(q, k):
    return q.shape[2] ** 0.5


def look(divisor=size, before=hide, normalise=lambda score: score.softmax(dim=2), after=drop,
         mask=lambda counts: counts, roles=lambda k, v: (k, v)):  # fmt: skip
    """The right answer, or one with a part of it changed."""

    def answer(q, k, v, counts):
        left_out = ~mask(counts)[:, None]  # (B, 1, T)
        k, v = roles(k, v)
        score = q @ k.transpose(1, 2) / divisor(q, k)  # (B, N, T)
        return after(normalise(before(score, left_out)), left_out) @ v

    return answer


def unstable(score):
    """A softmax written out without the maximum; 0 where no word counts, as a learner may mend it."""
    e = score.exp()
    total = e.sum(dim=2, keepdim=True)
    return e / torch.where(total == 0, 1.0, total)


def the_weights(q, k, v, counts):
    left_out = ~counts[:, None]
    return drop(hide(q @ k.transpose(1, 2) / size(q, k), left_out).softmax(dim=2), left_out)


def the_first_words(q, k, v, counts):
    """Takes as many words as count, from the first one on."""
    number = counts.sum(dim=1, keepdim=True)  # (B, 1)
    return look_at_words(q, k, v, torch.arange(counts.shape[1]) < number)


def captions(b, n, t, d, *, empty=False, gaps=False, large=False):
    """Places that ask and words that answer; captions of several lengths, the first of them shorter than T."""

    def inputs(g):
        lengths = torch.randint(1, t + 1, (b,), generator=g)
        lengths[0], lengths[-1] = t - 1, t  # one caption by itself is full
        counts = torch.arange(t) < lengths[:, None]
        if gaps:
            counts = torch.rand(b, t, generator=g) < 0.5
            counts[:, 1], counts[:, -1] = False, True
        if empty:
            counts[1] = False
        q, k = torch.randn(b, n, d, generator=g), torch.randn(b, t, d, generator=g)
        if large:  # all scores are about 170, and e to the power of 89 is beyond float32
            q, k = 100 + 25 * q.tanh(), 1 + 0.25 * k.tanh()
        return q, k, torch.randn(b, t, d, generator=g), counts

    return inputs


ZERO = (
    "The scores of the words that do not count become 0, and softmax gives them weight all the same: e to the power of "
    "0 is 1. A weight of 0 belongs to a score of minus infinity, -torch.inf."
)
PLACES = (
    "Your softmax goes over the places, so that the places share out each word. Each place shares out its weights "
    "among the words: dim=2 of scores (B, N, T)."
)
INVERTED = (
    "You hide the words that count, and the filling is left. counts is True where a word counts: hide where it is not, "
    "~counts."
)

CHECK = Check(
    look_at_words,
    inputs={"": captions(3, 5, 4, 6), "there is one caption": captions(1, 3, 4, 2),
            "the words that count are not the first": captions(2, 3, 5, 4, gaps=True),
            "a caption is empty": captions(3, 2, 4, 5, empty=True),
            "the scores are large": captions(2, 5, 4, 3, large=True)},
    draws=2,
    mistakes=[
        Mistake(look(lambda q, k: 1), "You do not divide by sqrt(D). A product is a sum of D numbers, so it is large "
            "where D is, and one word gets nearly all of the weight."),
        Mistake(look(lambda q, k: q.shape[2]), "You divide by D itself, so all words get nearly the same weight. "
            "Divide by its square root."),
        Mistake(look(lambda q, k: 1 / q.shape[2] ** 0.5), "You multiply by sqrt(D). The products are too large "
            "already: divide."),
        Mistake(look(lambda q, k: k.shape[1] ** 0.5), "You divide by the square root of T, the number of words. It is "
            "D, the length of a vector: q.shape[2]."),
        Mistake(look(lambda q, k: q.shape[1] ** 0.5), "You divide by the square root of N, the number of places. It is "
            "D, the length of a vector: q.shape[2]."),
        Mistake(look(lambda q, k: q.shape[0] ** 0.5), "You divide by the square root of B, the number of captions. It "
            "is D, the length of a vector: q.shape[2]."),
        Mistake(look(normalise=lambda score: score.softmax(dim=1)), PLACES),
        Mistake(look(normalise=lambda score: score.softmax(dim=1), after=as_it_is), PLACES),
        Mistake(look(before=lowest, normalise=lambda score: score.softmax(dim=1), after=as_it_is), PLACES),
        Mistake(look(before=as_it_is, normalise=lambda score: score.softmax(dim=1)), PLACES),
        Mistake(look(normalise=lambda score: score.softmax(dim=0)), "Your softmax goes over the captions of the batch. "
            "Each place shares out its weights among the words: dim=2 of scores (B, N, T)."),
        Mistake(look(before=as_it_is, after=as_it_is), "You do not use counts, so the filling gets weight as if it "
            "were words."),
        Mistake(look(before=as_it_is), "You set weights to 0 after the softmax, and those of the other words no "
            "longer add up to 1. Hide the scores before it, by -torch.inf."),
        Mistake(look(before=lambda score, left_out: hide(score, left_out, 0.0), after=as_it_is), ZERO),
        Mistake(look(before=lambda score, left_out: hide(score, left_out, 0.0)), ZERO),
        Mistake(look(before=lambda score, left_out: score + ~left_out, after=as_it_is), "You add counts to the scores: "
            "1 more where a word counts, nothing where it does not. (scaled_dot_product_attention adds a mask of "
            "floats too: give it True and False.)"),
        Mistake(look(mask=lambda counts: ~counts), INVERTED),
        Mistake(look(mask=lambda counts: ~counts, after=as_it_is), INVERTED),
        Mistake(look(mask=lambda counts: ~counts, before=lowest, after=as_it_is), INVERTED),
        Mistake(look(mask=lambda counts: counts[:1].expand_as(counts)), "You hide for all captions what does not count "
            "in the first. Each caption has its own row of counts: counts[:, None] is (B, 1, T)."),
        Mistake(look(roles=lambda k, v: (v, k)), "k and v have changed places. The product with k says how well a word "
            "fits, and v is what is taken from it."),
        Mistake(look(roles=lambda k, v: (k, k)), "You take the vectors k from the words. k says only how well a word "
            "fits; what is taken from it is v."),
        Mistake(look(roles=lambda k, v: (v, v)), "You compare q with v. How well a word fits is its product with k."),
        Mistake(look(before=lambda score, left_out: hide(score, left_out, 0.0), normalise=lambda score: score),
            "The softmax is missing: you sum with the scores themselves. Weights are positive and add up to 1."),
        Mistake(look(normalise=lambda score: score.softmax(dim=2).mean(dim=1, keepdim=True).expand_as(score)),
            "All places get the same: you take the mean of the weights over the places. Each place has its own."),
        Mistake(the_weights, "You return the weights (B, N, T). With them each place sums the vectors v of the words: "
            "weights @ v."),
        Mistake(the_first_words, "You take as many words as count, from the first one on. counts says which they "
            "are, and they need not be the first."),
        Mistake(look(after=as_it_is), "Of an empty caption all scores are -inf, and softmax divides 0 by 0. There each "
            "place gets zeros: after the softmax, .masked_fill(~counts[:, None], 0)."),
        Mistake(look(before=lowest, after=as_it_is), "Of an empty caption the places get the mean of the filling, "
            "since all its scores are equally low. There each place gets zeros: set the weights to 0 after "
            "the softmax too."),
        Mistake(look(normalise=unstable), "e to the power of a large score is infinite. Subtract the largest score of "
            "the place first, which changes no weight; .softmax(dim=2) does so."),
    ],
)  # fmt: skip
