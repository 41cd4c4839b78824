"""What can be told of codes without any label: whether copies are found, and how well the space is used."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


@torch.no_grad()
def measures(views: Tensor, clean: Tensor) -> dict[str, Tensor]:
    """(n, d) codes of augmented views and of the pictures themselves -> scalars.

    ``copy_recall``: share of views whose own picture is the nearest. ``alignment`` and ``uniformity``: Wang and Isola,
    "Understanding contrastive representation learning" (ICML 2020); less is better of both. ``effective_rank``: how many
    dimensions are in use, of d: Roy and Vetterli, "The effective rank" (EUSIPCO 2007).
    """
    with torch.autocast(clean.device.type, enabled=False):
        middle = clean.float().mean(0)
        one, two = (functional.normalize(codes.float() - middle, dim=1) for codes in (views, clean))
        found = nearest(views, clean) == torch.arange(len(clean), device=clean.device)
        apart = 2 - 2 * (two @ two.T)
        off = ~torch.eye(len(two), dtype=torch.bool, device=two.device)
        pairs = apart[off] if len(two) > 1 else apart.flatten()
        return {
            "copy_recall": found.float().mean(),
            "alignment": (one - two).square().sum(1).mean(),
            "uniformity": pairs.mul(-2).exp().mean().clamp_min(1e-12).log(),
            "effective_rank": effective_rank(clean),
        }


def effective_rank(codes: Tensor) -> Tensor:
    """(n, d) -> the exponential of the entropy of the centred codes' singular values."""
    centred = codes.float() - codes.float().mean(0)
    strengths = torch.linalg.svdvals(torch.nan_to_num(centred))  # of a training that diverged, which is said elsewhere
    shares = strengths / strengths.sum().clamp_min(1e-12)
    return torch.special.entr(shares).sum().exp()


def nearest(queries: Tensor, codes: Tensor) -> Tensor:
    """(q, d), (n, d) -> (q,) positions of the nearest code by cosine, once the codes are centred."""
    middle = codes.float().mean(0)
    one, two = (functional.normalize(t.float() - middle, dim=1) for t in (queries, codes))
    with torch.autocast(one.device.type, enabled=False):
        return (one @ two.T).argmax(1)
