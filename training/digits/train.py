"""Train a digits model: `python -m training.digits.train SIZE --data DIR --work DIR`. Broken off, the same command goes on where it was.

What it learns first is short windows anywhere in the thirty seconds, then whole ones; README.md says how long it takes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from training.digits.batches import batch
from training.digits.clips import trained
from training.digits.learning import Learner, Measured
from training.digits.mixtures import Cast, cast_of
from training.digits.network import MELS, Network
from training.digits.recipes import RARE, RATE, RECIPES, Recipe
from trax.models.mel import mel_filters

_REPORT, _KEEP = 50, 200  # steps


def main() -> None:
    """Train, print what is learnt, and write `weights.npz` into the work folder."""
    options = _options()
    work = options.work / options.size
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    cast = cast_of(trained(options.data, options.work / "synthetic.npz"), RARE)
    _train(RECIPES[options.size], cast, work, options.seed)


def _train(recipe: Recipe, cast: Cast, work: Path, seed: int) -> None:
    network = Network(recipe.size)
    optimizer = torch.optim.AdamW(_groups(network), lr=RATE, betas=(0.9, 0.98))
    step = _restored(network, optimizer, work / "checkpoint.pt")
    learner = Learner(network, optimizer, torch.from_numpy(mel_filters(MELS)))
    since, measured = time.monotonic(), list[Measured]()
    while step < recipe.steps:
        stage = recipe.stage(step)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        shown = batch(seed, step, cast, stage.lengths)
        measured.append(learner.learn(stage.learns, shown, np.random.default_rng([seed, step, 1])))
        step += 1
        if step % _REPORT == 0:
            pace, since = (time.monotonic() - since) / len(measured), time.monotonic()
            tokens, encoder, listening, right = np.mean(measured, axis=0)
            measured.clear()
            print(f"{step}: tokens {tokens:.3f} encoder {encoder:.3f} listening {listening:.3f} right {right:.2%} {pace:.2f} s", flush=True)
        if step % _KEEP == 0 or step == recipe.steps:
            _keep({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, work / "checkpoint.pt")
            np.savez(work / "weights.npz", **{name: tensor.numpy() for name, tensor in network.state_dict().items()})


def _restored(network: Network, optimizer: torch.optim.Optimizer, kept: Path) -> int:
    """The step to go on from."""
    if not kept.exists():
        return 0
    state = torch.load(kept, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _groups(network: Network) -> list[dict[str, object]]:
    """Matrices decay; norms, biases and embeddings do not."""
    named = dict(network.named_parameters())
    decaying = [each for name, each in named.items() if each.ndim > 1 and "embedding" not in name]
    rest = [each for name, each in named.items() if each.ndim == 1 or "embedding" in name]
    return [{"params": decaying, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]


def _keep(state: dict[str, object], path: Path) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(".new")
    torch.save(state, beside)
    beside.replace(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds fsdd and speech_commands")
    parser.add_argument("--work", type=Path, required=True, help="where checkpoints and synthetic clips are kept")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
