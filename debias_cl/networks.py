"""The package's own networks, each without a classifier: pictures in, features out."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional as F


class ConvNet(nn.Module):
    """Stacked convolutions with batch norm and ReLU, then the global average.

    Args:
        kernels, strides, channels: one entry a convolution; the padding is half the kernel.
    """

    def __init__(
        self, kernels: Iterable[int], strides: Iterable[int], channels: Iterable[int]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for kernel, stride, out in zip(kernels, strides, channels, strict=True):
            layers += [
                nn.Conv2d(width, out, kernel, stride, kernel // 2),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
            ]
            width = out
        self.extracter = nn.Sequential(*layers)  # the name in ReBias: its checkpoints fit
        _kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, channels[-1]) global averages of (n, 3, H, W) pictures."""
        features: Tensor = self.extracter(images).mean(dim=(2, 3))
        return features


class _CifarBlock(nn.Module):
    """Two 3x3 convolutions; the shortcut subsamples and pads with zeros (option A)."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.pad = stride, (out - width) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        short = x[:, :, :: self.stride, :: self.stride]
        return F.relu(y + F.pad(short, (0, 0, 0, 0, self.pad, self.pad)))


class CifarResNet(nn.Module):
    """The three-stage 16-32-64 ResNet for 32 px pictures (He et al. 2016, section 4.2).

    Args:
        depth: 6 n + 2 layers (20, 32, 44, 56, 110).
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks = (depth - 2) // 6
        widths = (16, 16, 32, 64)
        for stage in (1, 2, 3):
            first = _CifarBlock(widths[stage - 1], widths[stage], 1 if stage == 1 else 2)
            rest = [_CifarBlock(widths[stage], widths[stage], 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(first, *rest))
        _kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, 64) features of (n, 3, H, W) pictures."""
        x = F.relu(self.bn1(self.conv1(images)))
        for stage in (1, 2, 3):
            x = self.get_submodule(f"layer{stage}")(x)
        return x.mean(dim=(2, 3))


def _kaiming(network: nn.Module) -> None:
    """Initialise convolutions as ReBias and He et al. do: normal, fan out."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
