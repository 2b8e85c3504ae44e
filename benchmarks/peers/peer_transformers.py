"""transformers on PyTorch, float32, on the speech that faster-whisper's voice activity filter finds: transformers has none of its own."""

from __future__ import annotations

from pathlib import Path

from peers.peer import Hear, arguments, measure

_WINDOW = 30.0  # seconds
_RATE = 16_000


def load(model: Path, threads: int, batch: int) -> Hear:
    """Greedy, without falling back to higher temperatures; windows packed from speech, `batch` of them at once."""
    import torch
    from faster_whisper.audio import decode_audio
    from faster_whisper.vad import collect_chunks, get_speech_timestamps
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizerFast

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    features, tokenizer = WhisperFeatureExtractor.from_pretrained(model), WhisperTokenizerFast.from_pretrained(model)
    whisper = WhisperForConditionalGeneration.from_pretrained(model, dtype=torch.float32).eval()

    def hear(recording: Path) -> str:
        sound = decode_audio(str(recording), sampling_rate=_RATE)
        windows, _ = collect_chunks(sound, get_speech_timestamps(sound), max_duration=_WINDOW)
        heard: list[str] = []
        for first in range(0, len(windows), batch):
            inputs = features(windows[first : first + batch], sampling_rate=_RATE, return_tensors="pt")
            tokens = whisper.generate(inputs.input_features, return_timestamps=True, num_beams=1, do_sample=False)
            heard += tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return " ".join(heard)

    return hear


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--batch", type=int, required=True)
    asked = parser.parse_args()
    measure(asked.recording, lambda: load(asked.model, asked.threads, asked.batch))
