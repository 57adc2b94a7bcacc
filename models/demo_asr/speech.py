"""Synthetic Mandarin: espeak-ng in the process, with the time of every character and sound."""

import ctypes
import re
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin

from models.demo_asr.spoken import HAN, PAUSES, spoken
from qc.errors import QcError

SAMPLE_RATE = 16000  # Hz, what every recogniser here takes
LANGUAGE = "cmn-latn-pinyin"  # numbered pinyin; espeak-ng 1.51 reads `cmn` as English letters
VOICES = tuple(f"m{i}" for i in range(1, 8)) + tuple(f"f{i}" for i in range(1, 6)) + ("",)
LIBRARY = "libespeak-ng.so.1"

# From espeak-ng's speak_lib.h
_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8 = 2, 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_END, _WORD, _PHONEME = 0, 1, 7

# Characters whose pinyin has no vowel, which espeak-ng would spell letter by letter.
_VOWELLESS = {"n": "en", "ng": "en", "m": "mu", "hm": "heng", "hng": "heng"}
_SPEECH_MARGIN = (0.03, 0.06)  # seconds kept before the first sound and after the last


@dataclass(frozen=True)
class Phone:
    """One sound as espeak-ng names it; `_` is silence. Times are seconds of the samples."""

    start: float
    end: float
    name: str
    tone: int  # 1..5 of the syllable it belongs to, 0 in silence


@dataclass(frozen=True)
class Utterance:
    """Something said."""

    text: str  # as said: characters and `，。？！`
    samples: NDArray[np.float32]  # (n,) at 16 kHz, -1..1
    characters: tuple[tuple[float, float], ...]  # seconds, one span for each Chinese character
    phones: tuple[Phone, ...]
    exact: bool  # False: the sounds did not match the characters, the spans are spread evenly

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


class _EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Espeak:
    """The library, opened once in a process; it keeps global state, hence the lock."""

    def __init__(self) -> None:
        try:
            self.library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise QcError(
                "没有找到语音合成库 espeak-ng",
                "请先安装：apt install libespeak-ng1 espeak-ng-data（或 espeak-ng）",
            ) from error
        self.lock = threading.Lock()
        self.chunks: list[NDArray[np.int16]] = []
        self.events: list[tuple[str, int]] = []  # ("", sample) a word, (name, sample) a sound
        self.rate = self.library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS)
        self._callback = _Callback(self._receive)  # kept: ctypes does not hold a reference
        self.library.espeak_SetSynthCallback(self._callback)

    def _receive(self, wave, count: int, events) -> int:
        if wave and count > 0:
            self.chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        i = 0
        while events[i].type != _END:
            event = events[i]
            if event.type == _PHONEME:
                name = bytes(event.id.string).split(b"\0")[0].decode("utf8", "replace")
                self.events.append((name or "_", event.sample))
            elif event.type == _WORD:
                self.events.append(("", event.sample))
            i += 1
        return 0

    def synthesise(
        self, pinyin: str, voice: str, rate: int, pitch: int, pitch_range: int
    ) -> tuple[NDArray[np.int16], list[tuple[str, int]]]:
        """Speak numbered pinyin: samples at `self.rate`, and (name, sample) events."""
        name = f"{LANGUAGE}+{voice}" if voice else LANGUAGE
        encoded = pinyin.encode()
        with self.lock:
            self.chunks, self.events = [], []
            if self.library.espeak_SetVoiceByName(name.encode()) != 0:
                raise QcError(f"espeak-ng 没有音色“{name}”", "请安装完整的 espeak-ng-data")
            for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
                self.library.espeak_SetParameter(parameter, int(value), 0)
            self.library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
            self.library.espeak_Synchronize()
            samples = np.concatenate(self.chunks) if self.chunks else np.zeros(0, np.int16)
            return samples, self.events


@cache
def _espeak() -> _Espeak:
    return _Espeak()


def syllables(text: str) -> list[str]:
    """Numbered pinyin of each Chinese character of a spoken text: 你好 → ni3 hao3."""
    numbered: list[str] = []
    for stretch in re.findall(f"[{HAN}]+", text):
        for syllable in lazy_pinyin(
            stretch, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=False
        ):
            numbered.append(_VOWELLESS.get(syllable[:-1], syllable[:-1]) + syllable[-1])
    return numbered


def _pinyin_text(text: str, numbered: list[str]) -> str:
    """Syllables in a line, with the pauses of the text between them."""
    rest = iter(numbered)
    parts = [
        next(rest) if character not in PAUSES else ("," if character == "，" else ".")
        for character in text
    ]
    return re.sub(r" ([,.])", r"\1", " ".join(parts))


def _resample(samples: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """To 16 kHz through the spectrum: exact for the band that is kept."""
    count = round(len(samples) * SAMPLE_RATE / rate)
    spectrum = np.fft.rfft(samples.astype(np.float32))[: count // 2 + 1]
    return (np.fft.irfft(spectrum, count) * (count / len(samples)) / 32768).astype(np.float32)


def _timed_phones(
    events: list[tuple[str, int]], numbered: list[str], rate: int, seconds: float
) -> tuple[list[Phone], list[list[float]]] | None:
    """Sounds with tones and the span of each syllable; None when words and syllables differ."""
    # A word event with no sound before the next one (a pause) is none of ours.
    kept = []
    for i, (name, sample) in enumerate(events):
        following = next((n for n, _ in events[i + 1 :] if not n.startswith("_")), "")
        if name or following:
            kept.append((name, sample))
    phones: list[Phone] = []
    spans: list[list[float]] = []
    for i, (name, sample) in enumerate(kept):
        if not name:
            spans.append([])
            continue
        start = sample / rate
        end = kept[i + 1][1] / rate if i + 1 < len(kept) else seconds
        if name.startswith("_") or not 0 < len(spans) <= len(numbered):
            phones.append(Phone(start, end, "_", 0))
            continue
        phones.append(Phone(start, end, name, int(numbered[len(spans) - 1][-1])))
        spans[-1] = [spans[-1][0] if spans[-1] else start, end]
    if len(spans) != len(numbered) or not all(span and span[1] > span[0] for span in spans):
        return None
    return phones, spans


def speak(
    text: str, voice: str = "f2", rate: int = 180, pitch: int = 50, pitch_range: int = 50
) -> Utterance:
    """Say a text.

    Args:
        text: Chinese; digits, Latin letters and signs are said as `spoken` rewrites them.
        voice: one of `VOICES`; the empty one is espeak-ng's plain voice.
        rate: words a minute in espeak-ng's sense; 180 is about five characters a second.
        pitch: 0..99.
        pitch_range: 0..99, how lively the melody is.

    Raises:
        QcError: espeak-ng is not installed, or the text holds nothing that can be said.
    """
    said = spoken(text)
    numbered = syllables(said)
    if not numbered:
        raise QcError(f"这段文字没有可以念的内容：“{text[:20]}”", "请写中文")
    engine = _espeak()
    raw, events = engine.synthesise(_pinyin_text(said, numbered), voice, rate, pitch, pitch_range)
    seconds = len(raw) / engine.rate
    samples = _resample(raw, engine.rate)
    timed = _timed_phones(events, numbered, engine.rate, seconds)
    if timed is None:
        step = seconds / len(numbered)
        even = tuple((i * step, (i + 1) * step) for i in range(len(numbered)))
        return Utterance(said, samples, even, (), False)
    phones, spans = timed
    low = max(0.0, spans[0][0] - _SPEECH_MARGIN[0])
    high = min(seconds, spans[-1][1] + _SPEECH_MARGIN[1])
    return Utterance(
        said,
        samples[int(low * SAMPLE_RATE) : int(high * SAMPLE_RATE)],
        tuple((start - low, end - low) for start, end in spans),
        tuple(
            Phone(phone.start - low, phone.end - low, phone.name, phone.tone)
            for phone in phones
            if phone.end > low and phone.start < high
        ),
        True,
    )
