"""The schedulers of diffusers, which the course's diffusion is compared with."""

import torch

KINDS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
PREDICTIONS = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}
SHAPE = (3, 2, 5, 4)


def theirs(scheduler: str, kind: str, prediction: str = "eps", clip: float | None = None, **options):
    """A scheduler of diffusers, as it comes."""
    import diffusers  # takes seconds, which collecting tests need not wait for

    return getattr(diffusers, scheduler)(
        num_train_timesteps=1000,
        beta_schedule=KINDS[kind],
        prediction_type=PREDICTIONS[prediction],
        clip_sample=clip is not None,
        clip_sample_range=clip or 1.0,
        **options,
    )


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
