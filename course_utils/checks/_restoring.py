"""What an answer may change beside its result is put back: random streams, settings, and the learner's own objects."""

import contextlib
import copy
import functools
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LARGEST = 2**27  # bytes of one tensor or array; larger ones are not copied


@contextlib.contextmanager
def all_restored(fn: Callable) -> Iterator[None]:
    """A context after which the process and what fn can reach are as they were, whatever happens inside.

    Put back are the global random streams of random, NumPy and PyTorch; PyTorch's default type of numbers, number of
    threads and choice of deterministic algorithms; the working folder, the limit of recursion, the filters of warnings;
    and of the names that fn uses, and of those that the functions it calls use: tensors with their gradients, arrays,
    networks with their modes, optimizers, generators, lists, sets and dictionaries.
    """
    undo = [*_settings(), *_reachable(fn)]
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for put_back in reversed(undo):
            with contextlib.suppress(Exception):  # what cannot be put back must not keep the rest from it
                put_back()


def _settings() -> Iterator[Callable[[], Any]]:
    yield functools.partial(random.setstate, random.getstate())
    yield functools.partial(np.random.set_state, np.random.get_state())
    yield functools.partial(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_initialized():
        yield functools.partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    yield functools.partial(torch.set_default_dtype, torch.get_default_dtype())
    yield functools.partial(torch.set_num_threads, torch.get_num_threads())
    yield functools.partial(_put_back_determinism, torch.are_deterministic_algorithms_enabled())
    yield functools.partial(sys.setrecursionlimit, sys.getrecursionlimit())
    with contextlib.suppress(OSError):
        yield functools.partial(os.chdir, os.getcwd())


def _put_back_determinism(wanted: bool) -> None:
    """Only where it was changed: the call loads PyTorch's compiler, which takes seconds."""
    if torch.are_deterministic_algorithms_enabled() != wanted:
        torch.use_deterministic_algorithms(wanted)


def _reachable(fn: Callable) -> Iterator[Callable[[], Any]]:
    """For everything that fn can reach by name, a function that puts it back."""
    seen, waiting, home = set(), [fn], getattr(fn, "__module__", None)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or len(seen) > 2000:
            continue
        seen.add(id(one))
        if isinstance(one, functools.partial):
            waiting += [one.func, *one.args, *one.keywords.values()]
        elif isinstance(one, MethodType):
            waiting += [one.__func__, one.__self__]
        elif isinstance(one, FunctionType):
            waiting += [*(one.__defaults__ or ()), *(one.__kwdefaults__ or {}).values()]
            for cell in one.__closure__ or ():
                with contextlib.suppress(ValueError):  # still empty
                    waiting.append(cell.cell_contents)
                    yield functools.partial(setattr, cell, "cell_contents", cell.cell_contents)
            if one.__module__ != home and one.__module__ != "__main__":
                continue  # a library's functions and what these use are its own affair
            known = {name: one.__globals__[name] for name in _names(one.__code__) if name in one.__globals__}
            yield functools.partial(one.__globals__.update, known)
            waiting += known.values()
        elif isinstance(one, (list, set, dict)):
            yield functools.partial(_refill, one, copy.copy(one))
            waiting += one.values() if isinstance(one, dict) else one
        elif isinstance(one, tuple):
            waiting += one
        elif isinstance(one, nn.Module):
            yield from [functools.partial(setattr, part, "training", part.training) for part in one.modules()]
            waiting += [*one.parameters(), *one.buffers()]
        else:
            yield from _of_value(one)


def _names(code: CodeType) -> set[str]:
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _of_value(one: Any) -> Iterator[Callable[[], Any]]:
    if isinstance(one, Tensor):
        if one.layout == torch.strided and not one.is_meta and one.nbytes <= LARGEST:
            yield functools.partial(one.data.copy_, one.detach().clone())
        if one.is_leaf:
            yield functools.partial(setattr, one, "requires_grad", one.requires_grad)
            yield functools.partial(setattr, one, "grad", None if one.grad is None else one.grad.clone())
    elif isinstance(one, np.ndarray) and one.nbytes <= LARGEST and one.flags.writeable:
        yield functools.partial(np.copyto, one, one.copy())
    elif isinstance(one, torch.Generator):
        yield functools.partial(one.set_state, one.get_state())
    elif isinstance(one, np.random.Generator):
        yield functools.partial(setattr, one.bit_generator, "state", one.bit_generator.state)
    elif isinstance(one, random.Random):
        yield functools.partial(one.setstate, one.getstate())
    elif isinstance(one, torch.optim.Optimizer):
        yield functools.partial(one.load_state_dict, copy.deepcopy(one.state_dict()))


def _refill(kept: list | set | dict, before: list | set | dict) -> None:
    if isinstance(kept, list):
        kept[:] = before
    else:
        kept.clear()
        kept.update(before)
