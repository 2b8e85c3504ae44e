"""Whisper's front end in torch: 80 log-mel bands, every 10 ms, as whisper.cpp computes them from a window that zeros follow."""

from __future__ import annotations

import torch
from torch import Tensor

_FFT, _HOP = 400, 160
_DYNAMIC_RANGE = 8.0


def log_mel(samples: Tensor, filters: Tensor) -> Tensor:
    """Samples (batch, samples at 16 kHz) and mel filters (80, 201) to features (batch, 80, samples / 160)."""
    spectrum = torch.stft(samples, _FFT, _HOP, window=torch.hann_window(_FFT), return_complex=True)[..., :-1]
    power = torch.view_as_real(spectrum).square().sum(dim=-1)
    mel = torch.log10((filters @ power).clamp(min=1e-10))
    loudest = mel.amax(dim=(1, 2), keepdim=True)
    return (torch.maximum(mel, loudest - _DYNAMIC_RANGE) + 4) / 4
