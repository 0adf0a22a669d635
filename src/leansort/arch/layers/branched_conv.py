"""Convolutions that train as several parallel branches and run as one (RepVGG, arXiv:2101.03697).

While training, smaller kernels, copies of the whole kernel and the input itself are each normalized by a batch norm of
their own and added up. All of that is linear, so for the robot it is folded into one kernel with one bias, exactly.

Shapes: b batch, c channels, h height, w width; o channels out, i channels in of a group, k side of the kernel.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution for both, in evaluation mode; its bias learns where its weight does, which PyTorch leaves out."""
    folded = fuse_conv_bn_eval(conv, norm)
    assert folded.bias is not None
    folded.bias.requires_grad_(folded.weight.requires_grad)
    return folded


def branch_kernels(kernel: int, copies: int) -> list[int]:
    """Sides of the kernels that are added up: the whole one `copies` times, 3 x 3 where that is smaller, and 1 x 1."""
    return [kernel] * copies + [side for side in (3, 1) if side < kernel]


class BranchedConv(nn.Module):
    """Convolution and batch norm, trained as branches; `fuse` gives the one convolution that they are.

    Padded by half the kernel, so that every branch looks at the same centres. The input is a branch of its own, with a
    batch norm, where the shape stays.

    Args:
        cin: channels in.
        out: channels out.
        kernel: side of the kernel, odd.
        stride: of the convolution.
        groups: of channels.
        copies: branches with the whole kernel; more than one over-parameterizes it, as in MobileOne (arXiv:2206.04040).

    Raises:
        ValueError: the kernel has no centre.
    """

    def __init__(self, cin: int, out: int, kernel: int, stride: int, groups: int, copies: int) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"branches need an odd kernel, got {kernel}")
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(cin, out, side, stride, side // 2, groups=groups, bias=False), nn.BatchNorm2d(out))
            for side in branch_kernels(kernel, copies)
        )
        self.identity = nn.BatchNorm2d(out) if stride == 1 and cin == out else None

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, cin, h, w) to (b, out, h/stride, w/stride): the sum of all branches."""
        total = cast(Tensor, self.branches[0](x_bchw))
        for branch in self.branches[1:]:
            total = total + branch(x_bchw)
        return total if self.identity is None else total + self.identity(x_bchw)

    @torch.no_grad()
    def fuse(self) -> nn.Conv2d:
        """The convolution with a bias that gives, in evaluation mode, what all branches together do.

        Channels may have been pruned since: shapes are those of the layers as they are.
        """
        folded = [fold_norm(cast(nn.Conv2d, conv), cast(nn.BatchNorm2d, norm)) for conv, norm in self._pairs()]
        whole = folded[0]
        assert whole.bias is not None
        for part in folded[1:]:
            assert part.bias is not None
            border = (whole.kernel_size[0] - part.kernel_size[0]) // 2
            whole.weight += functional.pad(part.weight, [border] * 4)
            whole.bias += part.bias
        return whole

    def _pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        pairs = [(branch[0], branch[1]) for branch in cast(list[nn.Sequential], list(self.branches))]
        return pairs if self.identity is None else [*pairs, (self._as_it_came(), self.identity)]

    def _as_it_came(self) -> nn.Conv2d:
        """The 1 x 1 convolution that changes nothing."""
        like = cast(nn.Conv2d, cast(nn.Sequential, self.branches[0])[0])
        conv = nn.Conv2d(like.in_channels, like.out_channels, 1, groups=like.groups, bias=False).to(like.weight)
        w_oi11 = nn.init.dirac_(conv.weight, groups=like.groups)
        w_oi11.requires_grad_(like.weight.requires_grad)
        return conv.eval()
