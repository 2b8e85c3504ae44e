"""A checkpoint as the network that it was in pyannote.audio, and that network as ONNX. Runs torch."""

from __future__ import annotations

import inspect
import io
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError
from trax.worker.export import libraries
from trax.worker.export.checkpoint import PyannoteCheckpoint

#: What the network of each engine takes and makes, in words of its axes; the axes that are not numbers may be of any size.
INPUTS: Final = {"wespeaker": ("feats", ("batch", "frames", 80)), "xvector": ("waveform", ("batch", "samples")),
                 "pyannet": ("waveform", ("batch", "samples"))}
OUTPUTS: Final = {"wespeaker": "embs", "xvector": "embs", "pyannet": "scores"}

#: Fixed, so that the same checkpoint gives the same network whatever version of torch writes it.
_OPSET: Final = 17


class Original:
    """pyannote's own network with the weights of a checkpoint, as far as ONNX Runtime will run it: its front end, if any, left out.

    Raises ModelError when the extra is not installed, or the weights are not those of the class.
    """

    def __init__(self, checkpoint: PyannoteCheckpoint) -> None:
        self.checkpoint = checkpoint
        self._torch = libraries.torch()
        self.model = _rebuilt(checkpoint, self._torch)
        self._network = _network(self.model, checkpoint.engine, self._torch)

    def __call__(self, given: NDArray[np.float32]) -> NDArray[np.float32]:
        """What torch makes of what ONNX Runtime is given."""
        with self._torch.inference_mode():
            return np.asarray(self._network(self._torch.from_numpy(given)).numpy())

    def front_end(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What pyannote's own front end makes of sound (b, samples) for the network."""
        if self.checkpoint.engine != "wespeaker":
            return samples
        with self._torch.inference_mode():
            return np.asarray(self.model.compute_fbank(self._torch.from_numpy(samples)[:, None]).numpy())

    def frames(self) -> tuple[float, float]:
        """The step and the duration of the network's frames, in seconds: its receptive field."""
        field = self.model.receptive_field
        return float(field.step), float(field.duration)

    def to_onnx(self, example: NDArray[np.float32]) -> bytes:
        """The network as ONNX, for any number of pieces of any length. `example` is an input to follow it with."""
        name, axes = INPUTS[self.checkpoint.engine]
        output = OUTPUTS[self.checkpoint.engine]
        free = {number: axis for number, axis in enumerate(axes) if isinstance(axis, str)}
        gives = {0: "batch", 1: "frames"} if self.checkpoint.kind == "segmentation" else {0: "batch"}
        made = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of what the check afterwards looks at: that lengths and batches are free
            self._torch.onnx.export(
                self._network,
                (self._torch.from_numpy(example),),
                made,
                input_names=[name],
                output_names=[output],
                dynamic_axes={name: free, output: gives},
                opset_version=_OPSET,
                dynamo=False,
            )
        return made.getvalue()


def _rebuilt(checkpoint: PyannoteCheckpoint, torch: Any) -> Any:  # noqa: ANN401 - torch has no types where it is not installed
    classes = libraries.pyannote()
    make = classes.networks[checkpoint.architecture]
    takes = inspect.signature(make).parameters
    arguments = {name: value for name, value in checkpoint.arguments.items() if name in takes and name != "task"}
    try:
        model = make(**arguments)
        if (segments := checkpoint.segments) is not None:
            model.specifications = classes.specifications(segments.speakers, segments.at_once, segments.seconds)
            model.build()
        weights = {name: torch.from_numpy(np.array(array)) for name, array in checkpoint.weights.items()}
        model.load_state_dict(weights)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        what = f"The checkpoint does not fit pyannote's class {checkpoint.architecture}: {str(error).splitlines()[0]}"
        raise ModelError(what, advice="It may be of another version of pyannote.audio, or not what it says.") from error
    return model.eval()


def _network(model: Any, engine: str, torch: Any) -> Any:  # noqa: ANN401 - as above
    """The part of the model that is exported, as a module of its own."""
    if hasattr(model, "mfcc"):
        model.mfcc = _module(torch, _mfcc(model.mfcc, torch))
    if engine == "wespeaker":
        return _module(torch, lambda feats: model.resnet(feats)[1], model.resnet)
    return _module(torch, lambda waveform: model(waveform[:, None]), model)


def _module(torch: Any, function: Callable[[Any], Any], *parts: Any) -> Any:  # noqa: ANN401 - as above
    """A function as a module; `parts` are those whose weights it uses."""

    class Module(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList(parts)

        def forward(self, given: Any) -> Any:  # noqa: ANN401 - as above
            return function(given)

    return Module().eval()


def _mfcc(mfcc: Any, torch: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - as above
    """The MFCC of torchaudio in operations that every ONNX runtime has: the Fourier transform is a convolution with its own waves.

    Complex numbers, in which torchaudio computes it, cannot be exported. The steps are those of `torchaudio.transforms.MFCC`.
    """
    spectrogram = mfcc.MelSpectrogram.spectrogram
    points, hop, window = spectrogram.n_fft, spectrogram.hop_length, spectrogram.window
    if not spectrogram.center or spectrogram.power != 2.0 or spectrogram.normalized or spectrogram.pad or len(window) != points:  # noqa: PLR2004
        raise ModelError("The network's MFCC are of a kind that Trax cannot export.")
    angles = 2 * np.pi * np.outer(np.arange(1 + points // 2), np.arange(points)) / points
    waves = np.concatenate([np.cos(angles), np.sin(angles)]) * window.double().numpy()
    kernel = torch.from_numpy(waves.astype(np.float32))[:, None]
    filters, cosines, log_mels = mfcc.MelSpectrogram.mel_scale.fb, mfcc.dct_mat, mfcc.log_mels

    def forward(waveform: Any) -> Any:  # noqa: ANN401 - as above
        padded = torch.nn.functional.pad(waveform, (points // 2, points // 2), mode="reflect")
        waved = torch.nn.functional.conv1d(padded, kernel, stride=hop)
        real, imaginary = waved[:, : 1 + points // 2], waved[:, 1 + points // 2 :]
        mel = torch.matmul((real**2 + imaginary**2).transpose(1, 2), filters)
        if log_mels:
            level = torch.log(mel + 1e-6)
        else:
            level = 10.0 * torch.log10(torch.clamp(mel, min=mfcc.amplitude_to_DB.amin))
            level = torch.maximum(level, level.amax(dim=(1, 2), keepdim=True) - mfcc.amplitude_to_DB.top_db)
        return torch.matmul(level, cosines).transpose(1, 2)[:, None]

    return forward
