"""training-loop: steps over all batches and epochs, and the error on test images after each epoch."""

import copy

import torch

from course_utils.checks._check import Check, Mistake, Parts
from course_utils.checks.lesson_02._networks import Tiny, squared_error, weights
from course_utils.checks.lesson_02.training_step import training_step


def error(model, x):
    with torch.no_grad():
        return squared_error(model.decode(model.encode(x)), x).item()


def mean_over_images(losses, sizes):
    return sum(loss * n for loss, n in zip(losses, sizes, strict=True)) / sum(sizes)


def loop(summary=mean_over_images, measure=error, before=False, test_too=False, epochs=lambda epochs: epochs):
    """The right answer, or a wrong one with one part changed."""

    def answer(model, optimizer, batches, x_test, epochs_asked):
        train_losses, test_losses = [], []
        for _ in range(epochs(epochs_asked)):
            if before:
                test_losses.append(measure(model, x_test))
            losses = [training_step(model, optimizer, x) for x in batches]
            if test_too:
                training_step(model, optimizer, x_test)
            train_losses.append(summary(losses, [len(x) for x in batches]))
            if not before:
                test_losses.append(measure(model, x_test))
        return train_losses, test_losses

    return answer


def train(model, optimizer, batches, x_test, epochs):
    return loop()(model, optimizer, batches, x_test, epochs)


def never_reset(model, optimizer, batches, x_test, epochs):
    total, train_losses, test_losses = 0.0, [], []
    for _ in range(epochs):
        for x in batches:
            total += training_step(model, optimizer, x) * len(x)
        train_losses.append(total / sum(len(x) for x in batches))
        test_losses.append(error(model, x_test))
    return train_losses, test_losses


def after_training(model, optimizer, batches, x_test, epochs):
    train_losses, _ = train(model, optimizer, batches, x_test, epochs)
    with torch.no_grad():
        for_all = [mean_over_images([error(model, x) for x in batches], [len(x) for x in batches])]
    return for_all * len(train_losses), [error(model, x_test)] * epochs


def after_each_batch(model, optimizer, batches, x_test, epochs):
    train_losses, test_losses = [], []
    for _ in range(epochs):
        for x in batches:
            train_losses.append(training_step(model, optimizer, x))
            test_losses.append(error(model, x_test))
    return train_losses, test_losses


def without_learning(model, optimizer, batches, x_test, epochs):
    return tuple([mean_over_images([error(model, x) for x in some], list(map(len, some)))] * epochs
                 for some in (batches, [x_test]))  # fmt: skip


def measured_anew(model, optimizer, batches, x_test, epochs):
    train_losses, test_losses = [], []
    for _ in range(epochs):
        for x in batches:
            training_step(model, optimizer, x)
        train_losses.append(mean_over_images([error(model, x) for x in batches], [len(x) for x in batches]))
        test_losses.append(error(model, x_test))
    return train_losses, test_losses


def as_tensor(model, x):
    with torch.no_grad():
        return squared_error(model.decode(model.encode(x)), x)


def over_pixels_too(model, x):
    return (model.decode(model.encode(x)) - x).square().mean().item()


def summed(model, x):
    return (model.decode(model.encode(x)) - x).square().sum().item()


def images(*sizes, test, epochs):
    """A network and batches of uneven size, in no relation to the number of test images."""

    def inputs(g):
        some = [0.5 * torch.rand(n, 1, 4, 5, generator=g) for n in sizes]
        return Tiny(g, 1, 4, 5), some, torch.rand(test, 1, 4, 5, generator=g), epochs

    return inputs


def observe(fn, model, batches, x_test, epochs):
    """Both lists as tensors, and the weights at the end."""
    model = copy.deepcopy(model)
    out = fn(model, torch.optim.SGD(model.parameters(), lr=0.1), batches, x_test, epochs)
    if not (isinstance(out, (tuple, list)) and len(out) == 2 and all(isinstance(one, list) for one in out)):
        return out
    if not all(isinstance(value, (int, float)) for one in out for value in one):
        return tuple(out)
    train_losses, test_losses = (torch.tensor([float(value) for value in one]) for one in out)
    return Parts({"in train_losses": train_losses, "in test_losses": test_losses,
                  "in the model's weights afterwards": weights(model)})  # fmt: skip


CHECK = Check(
    train,
    inputs={"": images(7, 7, 2, test=5, epochs=3),
            "there are two batches and four epochs": images(6, 3, test=4, epochs=4),
            "there is one epoch": images(4, 4, 1, test=3, epochs=1),
            "there are 300 test images": images(3, 2, test=300, epochs=1)},
    observe=observe,
    draws=2,
    mistakes=[
        Mistake(loop(lambda losses, sizes: sum(losses) / len(losses)), "You average the batches' losses as if all "
            "batches were of one size. An epoch's last one is smaller: weight each loss by the number of its images."),
        Mistake(loop(lambda losses, sizes: sum(losses) / sum(sizes)), "You divide by the number of images, but what "
            "you added up are means over batches. By what must each be multiplied before it is added?"),
        Mistake(loop(lambda losses, sizes: sum(loss * n for loss, n in zip(losses, sizes, strict=True)) / len(sizes)),
            "You divide the sum over all images by the number of batches. By what number should it be divided?"),
        Mistake(loop(lambda losses, sizes: sum(loss * n for loss, n in zip(losses, sizes, strict=True))),
            "train_losses holds the sum over all images of the epoch. What is still to be divided by?"),
        Mistake(loop(lambda losses, sizes: sum(losses)), "train_losses holds the sum of the batches' losses. It should "
            "be the mean over the images of the epoch."),
        Mistake(loop(lambda losses, sizes: losses[-1]), "train_losses holds the loss of each epoch's last batch alone. "
            "Add up over all batches of the epoch."),
        Mistake(loop(lambda losses, sizes: losses[0]), "train_losses holds the loss of each epoch's first batch alone. "
            "Add up over all batches of the epoch."),
        Mistake(loop(lambda losses, sizes: losses), "train_losses holds a list of losses for each epoch. One number an "
            "epoch is asked for: the mean over its images."),
        Mistake(never_reset, "The training losses of earlier epochs are still in the sum. Where does the total go back "
            "to 0?"),
        Mistake(measured_anew, "You measure the training error anew after the epoch. train_losses is the mean of what "
            "training_step returned on the way, which costs nothing."),
        Mistake(loop(test_too=True), "You train on the test images as well. Then they say nothing about unseen "
            "pictures any more: measure on them without a step."),
        Mistake(loop(before=True), "test_losses is measured before each epoch. Measure it after the epoch's steps."),
        Mistake(after_training, "You measure once at the end and repeat that number. Measure after each epoch, inside "
            "the loop over epochs."),
        Mistake(after_each_batch, "You append after each batch. One number an epoch is asked for: how far should those "
            "lines be indented?"),
        Mistake(loop(epochs=lambda epochs: 1), "Only one epoch is trained: is the return inside the loop, or epochs "
            "not used?"),
        Mistake(loop(epochs=lambda epochs: 8), "You train for 8 epochs, whatever `epochs` is."),
        Mistake(loop(measure=as_tensor), "test_losses holds tensors. Which method makes a Python number of each?"),
        Mistake(loop(measure=over_pixels_too), "Your test error is averaged over the pixels as well. It should be the "
            "same measure as the loss: summed over pixels, averaged over images."),
        Mistake(loop(measure=summed), "Your test error is summed over all test images. Average over them."),
        Mistake(without_learning, "The model does not learn: is training_step called for each batch?"),
        Mistake(lambda *inputs: train(*inputs)[::-1], "You return the right two lists in the reverse order: "
            "train_losses first."),
        Mistake(lambda *inputs: train(*inputs)[0], "You return the training losses alone. Return both lists."),
    ],
)  # fmt: skip
