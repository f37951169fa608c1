"""inpainting-step: a step of a flow over codes that puts the known pixels back on the way."""

import torch

from course_utils.checks._check import Check, Mistake


def inpaint_step(velocity, x_t, t, t_next, image, known, decode, encode):
    return step()(velocity, x_t, t, t_next, image, known, decode, encode)


def step(
    guess_1=lambda x, t, v: x + (1 - t) * v,
    guess_0=lambda x, t, v: x - t * v,
    paste=torch.where,
    mix=lambda noise, data, t, t_next, x_t: (1 - t_next) * noise + t_next * data,
    told=lambda t, t_next: t,
):
    """The right step, or one with a part of it changed."""

    def answer(velocity, x_t, t, t_next, image, known, decode, encode):
        v = velocity(x_t, torch.full((len(x_t),), told(t, t_next)))
        data = encode(paste(known, image, decode(guess_1(x_t, t, v))))
        return mix(guess_0(x_t, t, v), data, t, t_next, x_t)

    return answer


def plain(velocity, x_t, t, t_next, image, known, decode, encode):
    return x_t + (t_next - t) * velocity(x_t, torch.full((len(x_t),), t))


def decoded_as_it_is(velocity, x_t, t, t_next, image, known, decode, encode):
    """Pastes into what x_t itself decodes to, and lets the flow go on from there."""
    x = encode(torch.where(known, image, decode(x_t)))
    return x + (t_next - t) * velocity(x, torch.full((len(x_t),), t))


def pasted_after(velocity, x_t, t, t_next, image, known, decode, encode):
    """Takes the plain step, and pastes into what the point after it decodes to."""
    x = plain(velocity, x_t, t, t_next, image, known, decode, encode)
    return encode(torch.where(known, image, decode(x)))


def problem(t, t_next):
    def inputs(g):
        shape = (3, 2, 4, 5)
        size = shape[1] * shape[2] * shape[3]
        into, back = torch.randn(6, size, generator=g) / 3, torch.randn(size, 6, generator=g) / 5
        a, b = (0.5 + torch.rand(2, generator=g)).tolist()

        def velocity(x_t, t):
            if not isinstance(t, torch.Tensor) or t.shape != x_t.shape[:1]:
                raise ValueError(f"velocity wants one time for each point, shape ({len(x_t)},)")
            return 2 * (a * x_t + 3 * b * t[:, None]).sin() + 1

        def decode(z):
            return torch.sigmoid(z @ into).reshape(-1, *shape[1:])

        def encode(pictures):
            return pictures.flatten(1) @ back

        known = torch.rand(3, 1, 4, 5, generator=g) < 0.5
        x_t, image = torch.randn(3, 6, generator=g), torch.rand(shape, generator=g)
        return velocity, x_t, t, t_next, image, known, decode, encode

    return inputs


CHECK = Check(
    inpaint_step,
    inputs={"": problem(0.25, 0.4), "the step is the first one": problem(0.0, 0.1),
            "the step is the last one": problem(0.75, 1.0)},
    draws=2,
    mistakes=[
        Mistake(plain, "You take the plain step, and the known pixels have no part in it. Decode the guess, put them "
            "back, and encode."),
        Mistake(step(paste=lambda known, image, made: made), "You decode the guess and encode it again, and no known "
            "pixel is put back. torch.where(known, image, ...) takes them from the image."),
        Mistake(step(paste=lambda known, image, made: torch.where(known, made, image)), "You keep the made pixels "
            "where the image is known, and the image where it is to be made. torch.where takes its first picture where "
            "the mask is True."),
        Mistake(step(mix=lambda noise, data, t, t_next, x_t: data), "You return the pasted code without noise. The "
            "point at t_next is as noisy as t_next says: mix it with the guess of the noise."),
        Mistake(step(mix=lambda noise, data, t, t_next, x_t: (1 - t) * noise + t * data), "You mix for the time t, "
            "where you are. The step ends at t_next."),
        Mistake(step(mix=lambda noise, data, t, t_next, x_t: t_next * noise + (1 - t_next) * data), "Noise and data "
            "have changed places: your first steps are nearly clean. At t = 0 there is only noise."),
        Mistake(step(mix=lambda noise, data, t, t_next, x_t: (1 - t_next) * torch.randn_like(noise) + t_next * data),
            "You draw new noise. The noise of this point is the guess x_t - t v, so that the rest goes on as it was."),
        Mistake(step(mix=lambda noise, data, t, t_next, x_t: (1 - t_next) * x_t + t_next * data), "You mix with x_t "
            "itself, which has some data in it. Mix with the guess of its noise, x_t - t v."),
        Mistake(step(mix=lambda noise, data, t, t_next, x_t: x_t + (t_next - t) * (data - noise)), "You take an Euler "
            "step with a new velocity, so what x_t held before stays. Go to the line between the two guesses at "
            "t_next."),
        Mistake(step(mix=lambda noise, data, t, t_next, x_t: x_t + (t_next - t) / (1 - t) * (data - x_t)), "You walk "
            "from x_t towards the pasted code. A part of the guess before the paste stays in x_t: go to the line from "
            "the guess of the noise to the pasted code, at t_next."),
        Mistake(step(guess_1=lambda x, t, v: x + v), "Your guess of the data adds the whole velocity. From t on only "
            "1 - t of the time is left."),
        Mistake(step(guess_1=lambda x, t, v: x + t * v), "Your guess of the data adds t v. Only 1 - t of the time is "
            "left from here."),
        Mistake(step(guess_1=lambda x, t, v: x), "You paste into what x_t decodes to. x_t is noisy, and the decoder "
            "knows clean codes only: decode the guess x_t + (1 - t) v."),
        Mistake(step(guess_1=lambda x, t, v: x - (1 - t) * v), "Your guess of the data goes against the velocity, "
            "which points to the data."),
        Mistake(step(guess_0=lambda x, t, v: x + t * v), "Your guess of the noise goes along the velocity. The noise "
            "lies behind: x_t - t v."),
        Mistake(step(guess_0=lambda x, t, v: x - (1 - t) * v), "Your guess of the noise goes back by 1 - t. Since the "
            "start the time t has passed."),
        Mistake(step(guess_0=lambda x, t, v: x - v), "Your guess of the noise goes back by a whole velocity. Since the "
            "start only the time t has passed."),
        Mistake(step(told=lambda t, t_next: t_next), "The velocity is told t_next, while x_t belongs to t."),
        Mistake(pasted_after, "You paste after the step, into what a noisy point decodes to, and go on without noise. "
            "Paste into the guess of the clean code; then mix it with the guess of the noise."),
        Mistake(decoded_as_it_is, "You paste before the step, into what the noisy x_t decodes to. First guess the "
            "clean code: x_t + (1 - t) v."),
    ],
)  # fmt: skip
