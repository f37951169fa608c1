"""edit-in-w: the shortest move that raises a fitted value, added to the codes of some layers."""

import torch

from course_utils.checks._check import Check, Mistake


def fitted(w, values):
    """The slope (D,) of the least-squares line values = slope . w + intercept."""
    return torch.linalg.lstsq((w - w.mean(0)).double(), (values - values.mean())[:, None].double()).solution[:, 0]


def edit_in_w(w, values, codes, amount, layers):
    return edited(w, values, codes, amount, layers)


def shortest(slope, spread):
    """The shortest move that raises the fitted value by 1; the covariance matrix of the codes has no part in it."""
    return slope / slope.square().sum()


def edited(w, values, codes, amount, layers, *, fit=fitted, move=shortest, scale=lambda amount, layers: amount,
           where=lambda layers, codes: layers, put=lambda old, new: old + new):  # fmt: skip
    """The right answer, each part of which a mistake can do otherwise."""
    step = (scale(amount, layers) * move(fit(w, values), w.double().T.cov())).to(codes.dtype)
    moved, place = codes.clone(), list(where(layers, codes))
    moved[:, place] = put(moved[:, place], step)
    return moved


def but(**changes):
    return lambda *inputs: edited(*inputs, **changes)


def through_the_origin(w, values):
    return torch.linalg.lstsq(w.double(), values[:, None].double()).solution[:, 0]


def covariance(w, values):
    return ((w - w.mean(0)).T @ (values - values.mean())).double() / len(w)


def correlation(w, values):
    return covariance(w, values) / w.double().var(dim=0, correction=0)


def data(size, count, num_layers, layers, amount, many=40):
    """Codes far from 0 whose numbers hang together, a value that follows them not quite, and codes to edit."""

    def inputs(g):
        mix = torch.eye(size) + 0.4 * torch.randn(size, size, generator=g)
        w = torch.randn(many, size, generator=g) @ mix + 2 * torch.randn(size, generator=g)
        slope = 0.5 * torch.randn(size, generator=g)
        values = w @ slope + 3 + 0.2 * torch.randn(many, generator=g)
        return w, values, torch.randn(count, num_layers, size, generator=g), amount, layers

    return inputs


CHECK = Check(
    edit_in_w,
    inputs={"": data(4, 3, 6, [1, 2, 4], 0.7), "one layer is moved": data(3, 5, 4, [3], 1.6),
            "amount is negative": data(5, 2, 3, [0, 2], -0.6), "all layers are moved": data(3, 4, 2, [0, 1], 0.4)},
    tolerance=2e-3,
    draws=2,
    mistakes=[
        Mistake(but(move=lambda slope, spread: slope), "You move by amount times the slope. Then the fitted value "
            "rises by amount times b . b: divide by it."),
        Mistake(but(move=lambda slope, spread: slope / slope.norm()), "Your step is the slope with the length amount. "
            "Asked for is that the fitted value rises by amount: divide the slope by b . b."),
        Mistake(but(move=lambda slope, spread: slope / slope.square().sum().square()), "You divide twice by b . b. The "
            "move is amount times b, divided by it once."),
        Mistake(but(move=lambda slope, spread: spread @ slope / (slope @ spread @ slope)), "You move along C b, with C "
            "the covariance matrix of w. Asked for is the shortest move, along the slope b itself."),
        Mistake(but(move=lambda slope, spread: spread @ slope), "You move by amount times C b, with C the covariance "
            "matrix of w. Asked for is the slope b itself, divided by b . b."),
        Mistake(but(move=lambda slope, spread: torch.linalg.solve(spread, slope) / (slope @ torch.linalg.solve(spread,
            slope))), "You multiply by the inverse of the covariance matrix. The shortest move goes along the slope b "
            "itself."),
        Mistake(but(move=lambda slope, spread: slope / slope.abs().sum()), "You divide by the sum of the slopes' "
            "sizes. It is b . b, the sum of their squares."),
        Mistake(but(scale=lambda amount, layers: 1.0), "You move by the same step whatever amount is."),
        Mistake(but(scale=lambda amount, layers: -amount), "The fitted value falls by amount. It should rise."),
        Mistake(but(scale=lambda amount, layers: abs(amount)), "You take amount without its sign. A negative amount "
            "lets the value fall."),
        Mistake(but(scale=lambda amount, layers: amount / len(layers)), "You share the step among the layers. Each of "
            "them gets the whole step, as it would with one code for all layers."),
        Mistake(but(fit=through_the_origin), "Your line has no intercept, and the codes do not lie around 0. Take the "
            "means of w and of values off first, or add a column of ones."),
        Mistake(but(fit=covariance), "You take the covariances for the slopes. The numbers of w hang together, so the "
            "least-squares line has other slopes: torch.linalg.lstsq finds them."),
        Mistake(but(fit=correlation), "You fit each number of w by itself. They hang together: fit all of them in one "
            "least-squares line."),
        Mistake(lambda w, values, codes, amount, layers: edited(w, values, codes, amount, range(codes.shape[1])),
            "All layers are moved. Only those in layers are asked for."),
        Mistake(but(where=lambda layers, codes: [k for k in range(codes.shape[1]) if k not in layers]), "You move the "
            "layers that are not in layers."),
        Mistake(but(where=lambda layers, codes: layers[:1]), "Only the first of the layers is moved."),
        Mistake(but(where=lambda layers, codes: range(layers[0], codes.shape[1])), "You move all layers from the first "
            "of layers on. Only those in layers are asked for."),
        Mistake(but(put=lambda old, new: new.expand_as(old)), "The step stands in place of the codes. It is added to "
            "them."),
        Mistake(but(put=lambda old, new: old * (1 + new)), "The codes are multiplied. A step along a direction is "
            "added."),
        Mistake(lambda w, values, codes, amount, layers: edited(w, values, codes, amount, layers)[:, layers], "You "
            "return the moved layers only. The others belong to the face too: (B, L, D)."),
        Mistake(lambda w, values, codes, amount, layers: edited(w, values, codes, amount, layers) - codes, "You return "
            "the step. Return the codes after it."),
    ],
)  # fmt: skip
