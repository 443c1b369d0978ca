"""Modules of torch that tests bring as a user does, and what makes them for `module:factory`."""

import torch
from torch import nn


class Everything(nn.Module):
    """A convolution over frames, two recurrent layers, normalisation, a choice: x (B, T, 6) to (B, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(6, 8, 3, padding=1), nn.BatchNorm1d(8)
        self.gru = nn.GRU(8, 10, bidirectional=True, batch_first=True)
        self.lstm, self.layer_norm = nn.LSTM(20, 7, batch_first=True), nn.LayerNorm(7)
        self.out = nn.Linear(7, 3)
        self.norm.running_mean = torch.linspace(-1, 1, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.leaky_relu(self.norm(self.conv(x.transpose(1, 2))), 0.1).transpose(1, 2)
        y = self.layer_norm(self.lstm(self.gru(y)[0])[0])
        return torch.sigmoid(self.out(y[:, -1])) * 2 + torch.softmax(self.out(y.mean(1)), -1)


class Cells(nn.Module):
    """Cells of LSTM and GRU in a loop of Python: x (T, 1, 4) to (T, 1, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(4, 5), nn.GRUCell(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, c, g, made = x.new_zeros(1, 5), x.new_zeros(1, 5), x.new_zeros(1, 3), []
        for frame in x:
            h, c = self.lstm(frame, (h, c))
            g = self.gru(h, g)
            made.append(g)
        return torch.stack(made)


class Maps(nn.Module):
    """Images: convolutions with groups and strides, pooling, activations of many kinds; x (B, 2, H, W) to (B, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding="same"), nn.PReLU(4), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, groups=2, stride=2),
            nn.BatchNorm2d(8), nn.SiLU(), nn.ConvTranspose2d(8, 4, 3, stride=2, output_padding=1), nn.GELU(),
            nn.AvgPool2d(2), nn.Hardtanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4), nn.ELU(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class Streaming(nn.Module):
    """A cell that is given its state and gives it back, as deployed networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(4, 6), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y, h = self.gru(x, h)
        return self.out(y), h


def made() -> nn.Module:
    """What `module:factory` calls."""
    torch.manual_seed(3)
    return Everything()


def broken() -> nn.Module:
    raise ValueError("no weights\nat all")


def number() -> int:
    return 4
