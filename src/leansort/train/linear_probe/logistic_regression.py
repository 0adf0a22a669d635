"""Multinomial logistic regression on features, with the strength of its L2 penalty chosen by cross-validation.

The problem is convex, so that equal features give equal classifiers however it is begun. Neighbouring features are
nearly the same, which makes it a long narrow valley and L-BFGS (Liu and Nocedal 1989) slow. So the features are first
turned to their principal axes, and each axis is stretched until the valley is about round: fewer steps then do
where hundreds did not. The penalty is that of the unstretched weights, and turning changes no length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

# Of the mean loss, strongest first: half-decades around what standardized features of a few hundred crops need.
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_WORSE = 2  # penalties in turn that do no better than the best one, after which weaker ones are not tried
_STEPS, _SLOPE = 40, 2e-4  # most steps of a fit, and the largest slope that it may end with
_CURVATURE = 0.1  # of the loss, about: p (1 - p) of a class that is still unsure
_FLAT = 1e-7  # of the largest variance: axes below it hold nothing but rounding


@dataclass(frozen=True)
class LabelledFeatures:
    """Features with their classes.

    Attributes:
        x_nf: float32 (n, f), standardized.
        labels_n: (n,) class indices.
        weights_n: (n,) what each crop counts in the loss; 0 leaves it out.
        margin_c: (classes,) what is added to the logits in fitting alone (logit adjustment, arXiv:2007.07314).
    """

    x_nf: Tensor
    labels_n: Tensor
    weights_n: Tensor
    margin_c: Tensor


@dataclass(frozen=True)
class LinearClassifier:
    """A linear layer: logits are `x_nf @ weight_cf.T + bias_c`."""

    weight_cf: Tensor
    bias_c: Tensor

    def __call__(self, x_nf: Tensor) -> Tensor:
        """Map (n, f) features to (n, classes) logits."""
        return F.linear(x_nf, self.weight_cf, self.bias_c)


@dataclass(frozen=True)
class PenaltyScore:
    """What a penalty comes to on crops that were held out.

    Attributes:
        penalty: factor of half the squared weights, beside the mean loss.
        loss: weighted mean cross-entropy of the held-out crops.
        accuracy: fraction of them that are classified correctly.
    """

    penalty: float
    loss: float
    accuracy: float


def standardize(x_nf: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Give each feature mean 0 and deviation 1 over the first tensor's rows; a constant feature becomes 0."""
    mean_f, std_f = x_nf.mean(0), x_nf.std(0, correction=0)
    scale_f = torch.where(std_f > 1e-6, 1 / std_f.clamp_min(1e-6), torch.zeros_like(std_f))
    return tuple((part - mean_f) * scale_f for part in (x_nf, *others))


class LogisticRegression:
    """Fits classifiers on crops of one set, with any penalty and on any part of them.

    Args:
        data: the crops.
    """

    def __init__(self, data: LabelledFeatures) -> None:
        self.axes_fk, self.variance_k = _principal_axes(data.x_nf)
        self.data = replace(data, x_nf=data.x_nf @ self.axes_fk)

    def fit(self, penalty: float) -> LinearClassifier:
        """Fit on all crops: weighted mean cross-entropy plus `penalty / 2` times the squared weights; the bias is free.

        Args:
            penalty: above 0.
        """
        turned = self._fit(penalty, self.data.weights_n, None)
        return LinearClassifier(turned.weight_cf @ self.axes_fk.T, turned.bias_c)

    def choose_penalty(
        self, folds_n: Tensor, penalties: Sequence[float] = PENALTIES
    ) -> tuple[float, tuple[PenaltyScore, ...]]:
        """Choose the strength of the penalty by cross-validation.

        Args:
            folds_n: (n,) the fold that each crop is held out in, from 0; -1: in every fit, and never held out.
            penalties: what to try, strongest first; once two in turn do no better, the rest is left out.

        Returns:
            The penalty with the least loss on held-out crops, and what each one tried came to.
        """
        starts: list[LinearClassifier | None] = [None] * (int(folds_n.max()) + 1)
        scores: list[PenaltyScore] = []
        best = 0
        for penalty in penalties:
            scores.append(self._held_out(penalty, folds_n, starts))
            best = min(range(len(scores)), key=lambda at: scores[at].loss)
            if len(scores) - 1 - best >= _WORSE:
                break
        return scores[best].penalty, tuple(scores)

    def held_out_logits(self, penalty: float, folds_n: Tensor) -> Tensor:
        """Logits (n, classes) of each crop by a classifier that was fitted on the other folds; 0 for crops of none.

        Args:
            penalty: above 0.
            folds_n: as for `choose_penalty`.
        """
        logits_nc = torch.zeros(len(folds_n), len(self.data.margin_c))
        for fold in range(int(folds_n.max()) + 1):
            held_n = folds_n == fold
            fitted = self._fit(penalty, self.data.weights_n * ~held_n, None)
            logits_nc[held_n] = fitted(self.data.x_nf[held_n])
        return logits_nc

    def _held_out(self, penalty: float, folds_n: Tensor, starts: list[LinearClassifier | None]) -> PenaltyScore:
        """Score a penalty; `starts` has the classifier of each fold to begin with, and gets the new one."""
        loss = right = 0.0
        for fold in range(len(starts)):
            held_n = folds_n == fold
            starts[fold] = made = self._fit(penalty, self.data.weights_n * ~held_n, starts[fold])
            logits_nc, labels_n = made(self.data.x_nf[held_n]), self.data.labels_n[held_n]
            each_n = F.cross_entropy(logits_nc + self.data.margin_c, labels_n, reduction="none")
            loss += float((each_n * self.data.weights_n[held_n]).sum())
            right += float((logits_nc.argmax(1) == labels_n).sum())
        held_n = folds_n >= 0
        return PenaltyScore(penalty, loss / float(self.data.weights_n[held_n].sum()), right / int(held_n.sum()))

    def _fit(self, penalty: float, weights_n: Tensor, start: LinearClassifier | None) -> LinearClassifier:
        """Fit on the turned features; `start` changes how long it takes, and not the outcome."""
        classes, scale_k = len(self.data.margin_c), (_CURVATURE * self.variance_k + penalty).rsqrt()
        x_nk, ridge_k = self.data.x_nf * scale_k, penalty / 2 * scale_k.square()
        stretched_ck = (start.weight_cf / scale_k if start else torch.zeros(classes, len(scale_k))).requires_grad_()
        bias_c = (start.bias_c.clone() if start else torch.zeros(classes)).requires_grad_()
        fractions_n = weights_n / weights_n.sum()
        solver = torch.optim.LBFGS(
            [stretched_ck, bias_c], max_iter=_STEPS, tolerance_grad=_SLOPE, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            solver.zero_grad()
            logits_nc = F.linear(x_nk, stretched_ck, bias_c) + self.data.margin_c
            each_n = F.cross_entropy(logits_nc, self.data.labels_n, reduction="none")
            value = (each_n * fractions_n).sum() + (ridge_k * stretched_ck.square()).sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        solver.step(loss)  # type: ignore[no-untyped-call]
        return LinearClassifier(stretched_ck.detach() * scale_k, bias_c.detach())


def _principal_axes(x_nf: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal axes (f, k) that the features vary along, and the mean square along each.

    Of features and crops the fewer decide how large the matrix is that is taken apart: the best weights lie in the span
    of the crops.
    """
    crops, features = x_nf.shape
    if features <= crops:
        variance_k, axes_fk = torch.linalg.eigh(x_nf.T @ x_nf / crops)
        kept = variance_k > _FLAT * variance_k.max()
        return axes_fk[:, kept], variance_k[kept]
    variance_k, sides_nk = torch.linalg.eigh(x_nf @ x_nf.T / crops)
    kept = variance_k > _FLAT * variance_k.max()
    variance_k = variance_k[kept]
    return x_nf.T @ sides_nk[:, kept] / (variance_k * crops).sqrt(), variance_k
