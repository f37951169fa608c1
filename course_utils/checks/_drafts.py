"""Drafts of a control of plain ipywidgets: sliders, and one picture that follows them; right, or with one slip.

The exercises of `control` (see `_controls`) differ in what is pictured and in where their sliders go. The slips with
ipywidgets itself are the same in all of them: `slips` has these with their messages.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks._check import Mistake


@dataclass(frozen=True)
class Draft:
    """One way to make the control; what is left as it is makes it right.

    Attributes:
        picture: Function of the inputs and of each slider's value to the picture, (H, W); it asks the model.
        ranges: Function of the inputs, with the names that they have in the lesson, to the fields of each slider:
            [{"value": ..., "min": ..., "max": ...}, ...].
        make: Name of the sliders' class.
        without: Fields that are not given to the sliders.
        tied: Places of the sliders that a function is tied to; all by default.
        names: What is observed of them; None for every change.
        late: Whether it takes where the slider was for where it is.
        once: Whether the picture is computed once, before a slider is moved.
        first: Whether there is a picture before a slider is moved.
        kept: Whether the new picture is shown.
        parts: What stands in the box, of the sliders and the picture.
        options: What a Dropdown offers beside the sliders; what is chosen is the last argument of `picture`.
        chosen: Whether a function is tied to the Dropdown.
        output: Whether the picture stands in an Output; then `clear`, `inside` and `shown` count.
    """

    picture: Callable[..., Tensor]
    ranges: Callable[..., Sequence[Mapping[str, float]]]
    make: str = "FloatSlider"
    without: Sequence[str] = ()
    tied: Sequence[int] | None = None
    names: str | None = "value"
    late: bool = False
    once: bool = False
    first: bool = True
    kept: bool = True
    parts: Callable[[list], list] = list
    options: Sequence[str] = ()
    chosen: bool = True
    output: bool = False
    clear: bool = True
    inside: bool = True
    shown: bool = True

    def answer(self, **changes: Any) -> Callable:
        """The answer as a function of the arguments that `ranges` names, with some of the fields changed."""
        draft, arguments = replace(self, **changes), signature(self.ranges)

        def answer(*given, **named):
            return draft._made(*arguments.bind(*given, **named).args)

        answer.__signature__ = arguments
        return answer

    def reaching(self, *changes: Mapping[str, float]) -> Callable:
        """An answer with other fields for the first slider, the second, ..."""

        def ranges(*inputs):
            return [right | new for right, new in zip(self.ranges(*inputs), changes, strict=True)]

        return self.answer(ranges=ranges)

    def _made(self, *inputs):
        import ipywidgets

        sliders = self._sliders(*inputs)
        choices = [ipywidgets.Dropdown(options=self.options)] if self.options else []
        start = self.picture(*inputs, *(one.value for one in (*sliders, *choices)))
        place = ipywidgets.Output() if self.output else ipywidgets.Image(width=300)
        if self.first:
            self._show(place, start, True)

        def places() -> list[float]:
            return [float(one.value) for one in sliders]

        def follow(now):
            picture = start if self.once else self.picture(*inputs, *now, *(one.value for one in choices))
            if self.kept:
                self._show(place, picture)

        def moved(change, k):
            now = places()
            if self.late:
                now[k] = float(change["old"])
            elif self.names is None:
                now[k] = float(change["new"])
            follow(now)

        for k in range(len(sliders)) if self.tied is None else self.tied:
            observed = {"names": self.names} if self.names else {}
            sliders[k].observe(lambda change, k=k: moved(change, k), **observed)
        for choice in choices if self.chosen else ():
            choice.observe(lambda change: follow(places()), names="value")
        return ipywidgets.VBox(self.parts([*sliders, *choices, place]))

    def _sliders(self, *inputs) -> list:
        import ipywidgets

        make, whole = getattr(ipywidgets, self.make), self.make == "IntSlider"
        fields = [
            {name: round(one) if whole else one for name, one in some.items() if name not in self.without}
            for some in self.ranges(*inputs)
        ]
        return [make(**some) for some in fields]

    def _show(self, place, picture: Tensor, start: bool = False) -> None:
        if not self.output:
            place.value = png(picture)
            return
        import matplotlib.pyplot as plt

        if self.clear and not start:
            place.clear_output(wait=True)
        with place if self.inside or start else nullcontext():
            plt.imshow(picture.detach(), cmap="gray")
            if self.shown or start:
                plt.show()


def png(picture: Tensor) -> bytes:
    """A picture (H, W) as a file, for ipywidgets' Image."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, picture.detach(), format="png", cmap="gray", vmin=0, vmax=1)
    return file.getvalue()


def side_by_side(images: Tensor) -> Tensor:
    """Images (B, 1, H, W) as one picture (H, B * W)."""
    return torch.cat(list(images[:, 0]), dim=1)


def slips(draft: Draft) -> list[Mistake]:
    """The slips with ipywidgets that a control of any model can have."""
    kind = "an IntSlider" if draft.make == "IntSlider" else f"a {draft.make}"
    return [
        Mistake(draft.answer(tied=()), "Nothing happens when the slider is moved: no function is tied to it. Which of "
            "interact, interactive_output and slider.observe do you want?"),
        Mistake(draft.answer(once=True, output=True), "The function that is tied to the slider draws the same picture "
            "each time: it was computed once, before. What has to be computed inside the function?"),
        Mistake(draft.answer(names=None), "Your function listens to every change of the slider, and fails at one whose "
            'new value is no number. Name the change that you want: slider.observe(f, names="value").'),
        Mistake(draft.answer(late=True), 'The picture is one move late: change["old"] is where the slider was. Where '
            "does the new value stand?"),
        *_of_another_kind(draft),
        Mistake(draft.answer(output=True, clear=False), "The pictures pile up: each move adds one below the others. "
            "What clears an Output before the next picture? (out.clear_output(wait=True))"),
        Mistake(draft.answer(output=True, inside=False), "When the slider is moved the picture is drawn outside of the "
            "box, where no reader sees it. Which line says that it belongs into the Output?"),
        Mistake(draft.answer(output=True, shown=False), "When the slider is moved a figure is drawn and never shown. "
            "In a cell the notebook shows it at the end; in a function that a slider calls, plt.show() must."),
        Mistake(draft.answer(first=False), "There is no picture until the slider is moved. Draw the start as well."),
        Mistake(draft.answer(kept=False), "The right picture is computed at each move, and thrown away. What has to "
            "get it: image.value, or an Output?"),
        Mistake(draft.answer(parts=lambda made: made[:-1]), "You return no picture beside what is to be moved. Put "
            "both into one box: HBox([slider, picture])."),
        Mistake(draft.answer(parts=lambda made: made[-1:]), f"There is no slider in what you return. Put {kind} and "
            "the picture into one box: HBox([slider, picture])."),
    ]  # fmt: skip


def _of_another_kind(draft: Draft) -> list[Mistake]:
    """The slips with the kind of slider."""
    if draft.make == "IntSlider":
        return [
            Mistake(draft.answer(make="FloatSlider"), "A FloatSlider stops between the whole numbers too. Which slider "
                "knows whole numbers only?"),
        ]  # fmt: skip
    return [
        Mistake(draft.answer(without=("min", "max")), "Without min and max a FloatSlider goes from 0 to 10. The "
            "docstring says from where to where yours goes."),
        Mistake(draft.answer(make="IntSlider"), "An IntSlider stops at whole numbers only. Which slider takes all "
            "numbers?"),
    ]  # fmt: skip


class Small(nn.Module):
    """An autoencoder of 4 x 6 pixels whose every pixel depends on every number of the code."""

    def __init__(self, latent_dim: int, g: torch.Generator):
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(4 * 6, latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, 4 * 6), nn.Unflatten(1, (1, 4, 6)))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0, 0.5, generator=g)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))
