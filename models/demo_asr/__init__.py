"""The bundled demo recogniser: a small Whisper that was trained on synthetic Mandarin only."""
