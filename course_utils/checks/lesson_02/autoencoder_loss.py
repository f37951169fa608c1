"""autoencoder-loss: the forward pass of an autoencoder and its squared error."""

import torch
from torch import nn

from course_utils.checks._check import Check, Mistake


def forward(encoder, decoder, x):
    z = encoder(x)
    return z, torch.sigmoid(decoder(z))


def squared_error(x_hat, x):
    return (x_hat - x).square().flatten(1).sum(dim=1).mean()


def forward_and_loss(encoder, decoder, x):
    z, x_hat = forward(encoder, decoder, x)
    return z, x_hat, squared_error(x_hat, x)


def loss_is(loss):
    """A wrong answer whose loss is another function of x_hat and x."""
    return lambda encoder, decoder, x: (*forward(encoder, decoder, x), loss(forward(encoder, decoder, x)[1], x))


def passes(encode, decode):
    """A wrong answer whose code is made otherwise from the encoder's output, and x_hat from the decoder's."""

    def answer(encoder, decoder, x):
        z = encode(encoder(x))
        x_hat = decode(decoder(z))
        return z, x_hat, squared_error(x_hat, x)

    return answer


def same(value):
    return value


def with_second_pass(encoder, decoder, x):
    z, x_hat = forward(encoder, decoder, x)
    return z, x_hat, squared_error(x_hat, forward(encoder, decoder, x_hat)[1])


def without_encoder(encoder, decoder, x):
    z = encoder(x)
    x_hat = torch.sigmoid(decoder(z.detach()))
    return z, x_hat, squared_error(x_hat, x)


def images(*shape):
    """Small networks with random weights, and images that are neither square nor as many as anything else."""

    def inputs(g):
        pixels = torch.zeros(shape[1:]).numel()
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 3))
        decoder = nn.Sequential(nn.Linear(3, pixels), nn.Unflatten(1, shape[1:]))
        with torch.no_grad():
            for parameter in [*encoder.parameters(), *decoder.parameters()]:
                parameter.normal_(0, 0.5, generator=g)
        return encoder, decoder, torch.rand(shape, generator=g)

    return inputs


CHECK = Check(
    forward_and_loss,
    inputs={"": images(7, 1, 4, 5), "there is one image": images(1, 1, 3, 6)},
    gradients=("encoder", "decoder"),
    mistakes=[
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).square().mean()),
            "Your loss is averaged over the pixels as well: it is too small by their number. Sum over the pixels of an "
            "image first. Over what, then, do you take the mean?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).square().sum()), "Your loss is summed over the images of the "
            "batch too, so a larger batch would take larger steps. Sum over pixels; what should happen to the B sums?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).square().mean() * 784), "You multiply the mean by 784, and these "
            "images have another number of pixels. What sums over the pixels of any image?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).square().sum() / 256), "You divide by a fixed batch size. Batches "
            "can be smaller, as an epoch's last one is: what gives the size of x?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).square().flatten(1).sum(dim=1)), "Your loss is one number for "
            "each image, but backward() needs a single one. What is still to be done with the B numbers?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).flatten(1).norm(dim=1).mean()),
            "You take the root of each image's sum of squares, which is a length. The squared error has no root."),
        Mistake(loss_is(lambda x_hat, x: squared_error(x_hat, x).item()), "Your loss is a plain Python number. It must "
            "stay a tensor, or backward() cannot train the networks: where is the .item() or float()?"),
        Mistake(passes(same, same), "Your x_hat is the decoder's raw output x_logits, which is not confined to [0, 1]. "
            "Which function maps any number into [0, 1]?"),
        Mistake(passes(same, lambda x_logits: x_logits.clamp(0, 1)), "You cut x_logits off at 0 and 1, so most pixels "
            "end at black or white and have no gradient. Which smooth function maps any number into [0, 1]?"),
        Mistake(lambda encoder, decoder, x: (*forward(encoder, decoder, x), squared_error(decoder(encoder(x)), x)),
            "Your x_hat is right, but the loss compares x with the decoder's raw output. Which of the two is the "
            "reconstruction?"),
        Mistake(lambda e, d, x: (e(x), d(e(x)), forward_and_loss(e, d, x)[2]), "Your loss is right, but the second "
            "thing that you return is x_logits, before the sigmoid. Which is the reconstruction?"),
        Mistake(passes(same, lambda x_logits: x_logits.sigmoid().sigmoid()), "The sigmoid is applied twice, so no "
            "pixel can be darker than 0.5. Where is the first, and where the second?"),
        Mistake(passes(torch.sigmoid, torch.sigmoid), "There is a sigmoid on the code z as well. Codes may be any "
            "numbers; which of the two tensors has to lie in [0, 1]?"),
        Mistake(passes(torch.sigmoid, same),
            "The sigmoid stands on the code instead of the decoder's output. Which of the two has to lie in [0, 1]?"),
        Mistake(loss_is(lambda x_hat, x: squared_error(x_hat, x_hat.detach())),
            "Your loss compares x_hat with x_hat, and is 0 for every network. What should x_hat look like?"),
        Mistake(with_second_pass, "Your loss compares x_hat with its own reconstruction, not with the image that went "
            "in. A network that paints everything grey would do well. What is the target?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x.squeeze(1)).square().sum() / len(x)),
            "Broadcasting has compared every reconstruction with every image: (B, 1, H, W) minus (B, H, W) has shape "
            "(B, B, H, W). Print the shape of your difference; what should it be?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).abs().flatten(1).sum(dim=1).mean()),
            "You took absolute values of the differences. The formula has squares: what does a square do to a large "
            "error?"),
        Mistake(loss_is(lambda x_hat, x: (x_hat - x).flatten(1).sum(dim=1).mean()), "You sum the differences as they "
            "are, so errors of both signs cancel. What does the formula do to each of them?"),
        Mistake(loss_is(lambda x_hat, x: nn.functional.binary_cross_entropy(x_hat, x, reduction="sum") / len(x)),
            "That is binary cross-entropy, the subject of section 5. It is a fair loss, but which one does the formula "
            "above name?"),
        Mistake(without_encoder, "The numbers are right, but the code is cut from the encoder, which gets no gradient "
            "and would never learn. Where is the detach, the .data or the no_grad?", part="gradient for encoder"),
        Mistake(loss_is(lambda x_hat, x: squared_error(x_hat, x).detach()),
            "The numbers are right, but the loss is cut off from the networks, so loss.backward() cannot train them: "
            "is there a no_grad, a detach or an item too early?"),
        Mistake(lambda *inputs: forward_and_loss(*inputs)[::-1],
            "You return the right three things in the reverse order: z first, then x_hat, then the loss."),
        Mistake(lambda *inputs: forward_and_loss(*inputs)[2], "You return the loss alone. The lesson goes on with the "
            "code and the reconstruction too: return z, x_hat and the loss."),
    ],
)  # fmt: skip
