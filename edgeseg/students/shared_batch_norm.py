"""Batch norm over the images of all processes, on a processor, where torch's ``SyncBatchNorm`` does not run."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgeseg.students.reduction import gather_from_processes


class SharedBatchNorm(_BatchNorm):
    """Batch norm (Ioffe and Szegedy, ICML 2015) whose mean and variance are those of the batch of all processes.

    Every process must hold equally many values a channel. With means m_r and variances v_r of the processes, the
    mean of all is mean(m_r), the variance mean(v_r) + mean((m_r - mean(m_r))²): no difference of large squares.
    In evaluation mode it is ``torch.nn.BatchNorm2d``, whose tensors and names it has.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalises (N, C, ...) of any floating type; statistics are float32."""
        if not self.training:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            wide = input.float()
            axes = [axis for axis in range(wide.ndim) if axis != 1]
            variance, mean = torch.var_mean(wide, axes, correction=0)
            each = gather_from_processes(torch.stack((mean, variance)))
            mean, variance = each[:, 0].mean(0), each[:, 1].mean(0) + each[:, 0].var(0, correction=0)
            self._remember(mean.detach(), variance.detach(), len(each) * wide.numel() // wide.shape[1])
            return self._normalized(wide, mean, variance).to(input.dtype)

    def _normalized(self, wide: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (wide.ndim - 2))
        slope = torch.rsqrt(variance + self.eps)
        if not self.affine:
            return (wide - mean.view(shape)) * slope.view(shape)
        return torch.addcmul(self.bias.view(shape), wide - mean.view(shape), (slope * self.weight).view(shape))

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        rate = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance * (count / max(1, count - 1)), rate)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from 2 on."""


def share_batch_norms(net: nn.Module, device: torch.device) -> None:
    """Makes every batch norm inside a network one over all processes; its tensors stay the same objects."""
    for name, child in net.named_children():
        if isinstance(child, _BatchNorm):
            setattr(net, name, _shared(child, device))
        else:
            share_batch_norms(child, device)


def _shared(norm: _BatchNorm, device: torch.device) -> nn.Module:
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return converted
    shared = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    shared._parameters, shared._buffers = norm._parameters, norm._buffers
    return shared.train(norm.training)
