"""A recogniser behind an OpenAI-compatible `/v1/audio/transcriptions` (extra `remote`).

So FunASR, Qwen-ASR, vLLM, whisper.cpp or a city's own recogniser can serve. The sound leaves this
machine: the address is given by whoever runs the toolkit, and nothing else is sent but the order's
words to expect, if `HOTLINE_QC_ASR_PROMPT` allows them.
"""

import io
import wave
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.recogniser import Channel, Segment, Word
from models.voice_activity import SAMPLE_RATE, find_speech
from models.windows import Window, pack, sentences
from models.words import simplify
from qc.errors import RecogniserError, what_is_wrong

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.audio import TranscriptionVerbose

PREFIX = "HOTLINE_QC_ASR_"
WINDOW_SECONDS = 28.0  # of the 30 that Whisper listens to at a time
LOUDEST = 32767  # of 16-bit samples


class RemoteSettings(BaseSettings):
    """How to ask the server, from `HOTLINE_QC_ASR_*`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    model: str = Field(default="whisper-1", min_length=1)  # as the server calls it
    key: SecretStr = SecretStr("none")
    at_once: int = Field(default=4, ge=1, le=64)  # windows asked for at the same time
    timeout: float = Field(default=60.0, gt=0)  # seconds for one window
    retries: int = Field(default=2, ge=0, le=5)  # after no connection, 429 or 5xx
    prompt: bool = False  # whether the order's names and address may be sent, too


class RemoteRecogniser:
    """Sends packed windows of speech; safe to share between threads.

    Args:
        address: of the server, up to and with `/v1`.
        settings: how to ask it.

    Raises:
        RecogniserError: the extra `remote` is not installed.
    """

    def __init__(self, address: str, settings: RemoteSettings) -> None:
        try:
            import openai  # noqa: F401  (slow import)
        except ImportError as error:
            raise RecogniserError(
                "没有安装使用识别服务所需的组件", '请运行 pip install "hotline-qc[remote]"'
            ) from error
        self.name = f"remote:{settings.model}"
        self._address = address
        self._settings = settings

    @classmethod
    def from_environment(cls, address: str) -> "RemoteRecogniser":
        """With the settings of the environment.

        Raises:
            RecogniserError: a setting is wrong.
        """
        try:
            return cls(address, RemoteSettings())
        except ValidationError as error:
            name, reason = what_is_wrong(error)
            raise RecogniserError(
                f"识别服务的设置 {PREFIX}{name.upper()} 有误：{reason}", "请改正后再运行"
            ) from error

    def transcribe(self, channels: Sequence[Channel]) -> list[list[Segment]]:
        """Recognise channels, see `Recogniser.transcribe`."""
        from openai import OpenAI

        found: list[list[Segment]] = []
        with (
            OpenAI(
                base_url=self._address,
                api_key=self._settings.key.get_secret_value(),
                timeout=self._settings.timeout,
                max_retries=self._settings.retries,
            ) as client,
            ThreadPoolExecutor(self._settings.at_once) as pool,
        ):
            for channel in channels:
                windows = pack(find_speech(channel.samples), channel.samples, WINDOW_SECONDS)
                heard = self._ask_all(client, pool, channel, windows)
                found.append([s for window, answer in heard for s in _segments(window, answer)])
        return found

    def _ask_all(
        self,
        client: "OpenAI",
        pool: ThreadPoolExecutor,
        channel: Channel,
        windows: Sequence[Window],
    ) -> Iterator[tuple[Window, "TranscriptionVerbose"]]:
        """Answers in order; as many windows are in memory as are asked for at once."""
        prompt = channel.prompt if self._settings.prompt else ""
        for start in range(0, len(windows), self._settings.at_once):
            batch = windows[start : start + self._settings.at_once]
            sounds = [window.cut_from(channel.samples) for window in batch]
            asked = [pool.submit(self._ask, client, sound, prompt) for sound in sounds]
            yield from ((w, ask.result()) for w, ask in zip(batch, asked, strict=True))

    def _ask(
        self, client: "OpenAI", sound: NDArray[np.float32], prompt: str
    ) -> "TranscriptionVerbose":
        import openai

        try:
            return client.audio.transcriptions.create(
                model=self._settings.model,
                file=("window.wav", _wave(sound), "audio/wav"),
                language="zh",
                prompt=prompt or openai.omit,
                response_format="verbose_json",
                timestamp_granularities=["word", "segment"],
                temperature=0,
            )
        except openai.APIStatusError as error:
            raise RecogniserError(
                f"识别服务拒绝了请求（{error.status_code}）",
                f"请检查网址、模型名称 {PREFIX}MODEL 和密钥 {PREFIX}KEY",
            ) from error
        except openai.OpenAIError as error:
            raise RecogniserError(
                f"识别服务没有应答（{type(error).__name__}）", "请检查网址和网络后再试"
            ) from error


def _wave(sound: NDArray[np.float32]) -> bytes:
    """16-bit WAV at `SAMPLE_RATE`, which every server reads."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes((np.clip(sound, -1, 1) * LOUDEST).astype("<i2").tobytes())
    return file.getvalue()


def _segments(window: Window, answer: "TranscriptionVerbose") -> Iterator[Segment]:
    """Words with their times in the recording, in segments of one sentence at most."""
    stated = answer.segments or []
    for part in sentences(list(_pieces(answer, window.seconds)), window):
        yield Segment(
            text="".join(word.text for word in part),
            start=part[0].start,
            end=part[-1].end,
            words=part,
            confidence=sum(word.confidence for word in part) / len(part),
            no_speech=max((s.no_speech_prob or 0.0 for s in stated), default=0.0),
            compression_ratio=max((s.compression_ratio or 0.0 for s in stated), default=0.0),
        )


def _pieces(answer: "TranscriptionVerbose", seconds: float) -> Iterator[Word]:
    """Characters with times in the window, as exact as the server tells them.

    Servers give times of words, of segments only, or none; then the characters share the time
    evenly. Words come without punctuation, so they only lend their times to the text.
    """
    spans = [(w.word, w.start, w.end) for w in answer.words or ()] or [
        (s.text, s.start, s.end) for s in answer.segments or ()
    ]
    text = answer.text.strip()
    if sum(len(_bare(word)) for word, _, _ in spans) != len(_bare(text)):
        spans = [(text, 0.0, seconds)]
    times = [time for word, start, end in spans for time in _shared(len(_bare(word)), start, end)]
    sure = _confidence(answer)
    clock = iter(times)
    last = (0.0, 0.0)
    (simple,) = simplify([text])
    for character in simple:
        if character.isalnum():
            last = next(clock, last)
        yield Word(character, *last, sure)


def _bare(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _shared(count: int, start: float, end: float) -> Iterator[tuple[float, float]]:
    step = (end - start) / max(1, count)
    for i in range(count):
        yield start + i * step, start + (i + 1) * step


def _confidence(answer: Any) -> float:
    """Mean probability of a token where the server tells it; otherwise it is believed."""
    stated = [s.avg_logprob for s in answer.segments or () if s.avg_logprob is not None]
    return float(np.exp(np.mean(stated))) if stated else 1.0
