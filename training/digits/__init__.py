"""How the built-in digits models are made: Whisper-format models that know English digits, trained from joined clips. See README.md."""
