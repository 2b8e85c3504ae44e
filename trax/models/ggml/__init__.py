"""Whisper models in whisper.cpp's ggml format: read, written, quantised, widened, made from Hugging Face's."""
