"""Right answers to the exercises of lesson 02, in other styles than the reference."""

import io

import ipywidgets
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from verdicts import accepts, says

# ------------------------------------------------------------------------------------------ one step


def step_by_mse_loss(model, optimizer, x):
    optimizer.zero_grad(set_to_none=False)
    x_hat = model.decode(model.encode(x))
    loss = F.mse_loss(x_hat, x, reduction="sum") / x.shape[0]
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def step_cleared_at_the_end(model, optimizer, x):
    error = (x - model.decode(model.encode(x))) ** 2
    loss = torch.mean(error.sum((1, 2, 3)))
    loss.backward()
    optimizer.step()
    model.zero_grad()
    return loss.detach().cpu().item()


def step_by_closure(model, optimizer, x):
    def closure():
        optimizer.zero_grad()
        loss = torch.linalg.vector_norm(model.decode(model.encode(x)) - x, dim=(1, 2, 3)).pow(2).mean()
        loss.backward()
        return loss

    return optimizer.step(closure).item()


def step_image_by_image(model, optimizer, x):
    model.train()
    z = model.encode(x)
    loss = 0
    for one, code in zip(x, z, strict=True):
        loss = loss + ((model.decode(code[None])[0] - one) ** 2).sum() / len(x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# ------------------------------------------------------------------------------------------ the loop


def measured(model, x):
    with torch.no_grad():
        return F.mse_loss(model.decode(model.encode(x)), x, reduction="sum").item() / len(x)


def loop_of_lists(model, optimizer, batches, x_test, epochs):
    train_losses, test_losses = [], []
    for _ in range(epochs):
        pairs = [(step_by_mse_loss(model, optimizer, x), x.shape[0]) for x in batches]
        train_losses += [sum(loss * n for loss, n in pairs) / sum(n for _, n in pairs)]
        test_losses += [measured(model, x_test)]
    return train_losses, test_losses


def loop_in_tensors(model, optimizer, batches, x_test, epochs):
    losses = torch.zeros(epochs, 2)
    for epoch in range(epochs):
        done = 0
        for x in batches:
            losses[epoch, 0] += step_by_closure(model, optimizer, x) * len(x)
            done += len(x)
        losses[epoch, 0] /= done
        losses[epoch, 1] = measured(model, x_test)
    return losses[:, 0].tolist(), losses[:, 1].tolist()


def loop_with_a_running_mean(model, optimizer, batches, x_test, epochs):
    first, second, epoch = [], [], 0
    while epoch < epochs:
        mean, count = 0.0, 0
        for x in batches:
            count += len(x)
            mean += (step_image_by_image(model, optimizer, x) - mean) * len(x) / count
        first.append(mean)
        second.append(measured(model, x_test))
        print(f"epoch {epoch}: {mean:.1f}")
        epoch += 1
    return [first, second]


def loop_that_forgets_no_grad(model, optimizer, batches, x_test, epochs):
    results = []
    for _ in range(epochs):
        total = sum(step_by_mse_loss(model, optimizer, x) * len(x) for x in batches)
        error = (model.decode(model.encode(x_test)) - x_test).square().sum() / len(x_test)
        results.append((total / sum(map(len, batches)), error.item()))
    return tuple(map(list, zip(*results, strict=True)))


# ------------------------------------------------------------------------------------------ the sliders


def show(model, *z):
    plt.imshow(model.decode(torch.tensor([z]))[0, 0].detach(), cmap="gray", vmin=0, vmax=1)
    plt.show()


def two_sliders(start, x_range, y_range, **options):
    ranges = zip(start.tolist(), (x_range, y_range), strict=True)
    return [ipywidgets.FloatSlider(value=z, min=low, max=high, **options) for z, (low, high) in ranges]


def sliders_by_interact(model, start, x_range, y_range):
    first, second = two_sliders(start, x_range, y_range, step=0.05)
    return ipywidgets.interact(lambda x, y: show(model, x, y), x=first, y=second)


def sliders_by_interactive_output(model, start, x_range, y_range):
    x, y = two_sliders(start, x_range, y_range, continuous_update=False)
    out = ipywidgets.interactive_output(lambda **z: show(model, z["x"], z["y"]), {"y": y, "x": x})
    return ipywidgets.VBox([out, ipywidgets.HBox([x, y])])


def sliders_by_observing(model, start, x_range, y_range):
    """One function for both sliders, and an image that keeps its place."""
    from matplotlib.image import imsave

    sliders, image = two_sliders(start, x_range, y_range), ipywidgets.Image()

    def follow(change=None):
        file, z = io.BytesIO(), start.clone()
        for k, slider in enumerate(sliders):
            z[k] = slider.value
        imsave(file, model.decode(z.unsqueeze(0)).squeeze().detach(), format="png")
        image.value = file.getvalue()

    for slider in sliders:
        slider.observe(follow, names="value")
    follow()
    return ipywidgets.HBox([ipywidgets.VBox(sliders), image])


def sliders_with_an_output(model, start, x_range, y_range):
    (x, y), out = two_sliders(start, x_range, y_range), ipywidgets.Output()
    code = start.tolist()

    def moves(k):
        def follow(change):
            code[k] = change["new"]
            with out:
                out.clear_output(wait=True)
                show(model, *code)

        return follow

    with out:
        show(model, *code)
    x.observe(moves(0), "value"), y.observe(moves(1), "value")
    return ipywidgets.HBox([x, y, out])


def one_slider(model, start, x_range, y_range):
    slider = two_sliders(start, x_range, y_range)[0]
    out = ipywidgets.interactive_output(lambda x: show(model, x, start[1].item()), {"x": slider})
    return ipywidgets.VBox([slider, out])


def sliders_in_the_other_order(model, start, x_range, y_range):
    x, y = two_sliders(start, x_range, y_range)
    out = ipywidgets.interactive_output(lambda x, y: show(model, x, y), {"x": x, "y": y})
    return ipywidgets.VBox([y, x, out])


# ------------------------------------------------------------------------------------------ the decoder


def decoder_by_append(latent_dim, channels=64):
    layers = [nn.Linear(latent_dim, channels * 49), nn.ReLU(), nn.Unflatten(1, (channels, 7, 7))]
    for c_in, c_out in ((channels, channels // 2), (channels // 2, 1)):
        layers += [nn.Conv2d(c_in, 4 * c_out, (3, 3), padding="same"), nn.PixelShuffle(upscale_factor=2)]
        layers += [nn.ReLU(inplace=True)] if c_out > 1 else []
    return nn.Sequential(*layers)


def decoder_with_relu_first(latent_dim, channels=64):
    return nn.Sequential(
        nn.Sequential(nn.Linear(latent_dim, channels * 49), nn.ReLU(), nn.Unflatten(1, (channels, 7, 7))),
        nn.Sequential(nn.Conv2d(channels, 2 * channels, 3, 1, 1), nn.ReLU(), nn.PixelShuffle(2)),
        nn.Sequential(nn.Conv2d(channels // 2, 4, 3, 1, 1), nn.PixelShuffle(2)),
    )


class DecoderAsAClass(nn.Module):
    def __init__(self, latent_dim, channels=64):
        super().__init__()
        self.channels = channels
        self.first = nn.Linear(latent_dim, channels * 49)
        self.second = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.third = nn.Conv2d(channels // 2, 4, 3, padding=1)

    def forward(self, z):
        h = F.relu(self.first(z)).view(-1, self.channels, 7, 7)
        h = torch.relu(F.pixel_shuffle(self.second(h), 2))
        return F.pixel_shuffle(self.third(h), 2)


def decoder_by_add_module(latent_dim, channels=64):
    network = nn.Sequential(nn.Linear(latent_dim, channels * 7 * 7), nn.ReLU())
    network.add_module("square", nn.Unflatten(1, torch.Size([channels, 7, 7])))
    network.add_module("twice", nn.Conv2d(channels, channels // 2 * 4, kernel_size=3, padding=1))
    network.add_module("shuffle", nn.PixelShuffle(2))
    network.add_module("relu", nn.LeakyReLU(0.0))
    network.add_module("again", nn.Conv2d(channels // 2, 4, kernel_size=3, padding=1))
    network.add_module("shuffle_again", nn.PixelShuffle(2))
    return network


RIGHT = {
    "training-step": [step_by_mse_loss, step_cleared_at_the_end, step_by_closure, step_image_by_image],
    "training-loop": [loop_of_lists, loop_in_tensors, loop_with_a_running_mean, loop_that_forgets_no_grad],
    "code-sliders": [
        sliders_by_interact,
        sliders_by_interactive_output,
        sliders_by_observing,
        sliders_with_an_output,
    ],
    "conv-decoder": [decoder_by_append, decoder_with_relu_first, DecoderAsAClass, decoder_by_add_module],
}

test_right_answers_are_accepted = accepts(RIGHT)


# ------------------------------------------------------------------------------------------ what else is said


def step_before_backward(model, optimizer, x):
    loss = (model.decode(model.encode(x)) - x).square().sum() / len(x)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def without_gradients(model, optimizer, x):
    with torch.no_grad():
        loss = (model.decode(model.encode(x)) - x).square().sum() / len(x)
    loss.backward()
    return loss.item()


def changes_the_batch(model, optimizer, x):
    return step_by_mse_loss(model, optimizer, x.mul_(0.5))


def too_many_channels(latent_dim, channels=64):
    return nn.Sequential(*decoder_by_append(latent_dim, channels)[:6], nn.Conv2d(channels // 2, 8, 3, padding=1),
                         nn.PixelShuffle(2))  # fmt: skip


def other_hidden_layer(latent_dim, channels=64):
    return nn.Sequential(nn.Linear(latent_dim, 49), nn.Unflatten(1, (1, 7, 7)), nn.Upsample(scale_factor=4))


test_what_else_is_said = says(
    [
        ("training-step", without_gradients, "raises RuntimeError"),
        ("training-step", step_before_backward, "raises RuntimeError"),
        ("training-step", changes_the_batch, "in place"),
        ("training-step", lambda model, optimizer, x: (1.0, 2.0), "tuple"),
        ("training-loop", lambda model, optimizer, batches, x, epochs: ([], []), "In train_losses"),
        ("training-loop", lambda model, optimizer, batches, x, epochs: [1.0] * epochs, "list"),
        ("code-sliders", one_slider, "There is one slider in what it returns where 2 are expected"),
        ("code-sliders", sliders_in_the_other_order, "The slider goes from"),
        ("conv-decoder", too_many_channels, "Print the shape after each layer"),
        ("conv-decoder", other_hidden_layer, "other weights than the reference model's"),
        ("conv-decoder", lambda latent_dim, channels=64: decoder_by_append(3, 8), "raises RuntimeError"),
        ("conv-decoder", lambda latent_dim, channels=64: [nn.ReLU()], "where a network is expected"),
    ]
)
