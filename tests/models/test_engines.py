"""Every engine hears the same words, under one protocol."""

import itertools
import json
import wave
from collections.abc import Iterator
from email import message_from_bytes
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.conversion import convert
from models.recogniser import DEMO_WEIGHTS, Channel, Recogniser, Segment, load_recogniser
from models.torch_whisper import open_checkpoint
from models.voice_activity import SAMPLE_RATE
from qc.audio import read_recording
from qc.errors import RecogniserError
from tests.models.endpoint import Connection, Endpoint, Reply, serve, silent, status

FILES = Path(__file__).parent.parent / "files"
SECOND_SENTENCE = 4.39  # seconds, where 我是 begins in speech.amr


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return np.array(read_recording(FILES / "speech.amr").samples[0])


@pytest.fixture(scope="module")
def plain() -> Recogniser:
    return load_recogniser("demo", device="cpu", rewrite=False)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted")
    convert(open_checkpoint(DEMO_WEIGHTS, "cpu"), folder)
    return folder


@pytest.fixture(scope="module")
def fast(converted: Path) -> Recogniser:
    return load_recogniser(
        f"fast:{converted}", device="cpu", threads=1, tell_language=False, padded_seconds=22.0
    )


def text(segments: list[Segment]) -> str:
    return "".join(segment.text for segment in segments)


def said_at(character: str, segments: list[Segment]) -> float:
    return next(w.start for s in segments for w in s.words if w.text.startswith(character))


def differing(left: str, right: str) -> int:
    return sum(a != b for a, b in itertools.zip_longest(left, right))


# --- faster-whisper


def test_faster_whisper_hears_what_whisper_hears(plain, fast, speech):
    """Integers of eight bits may tip a character over, no more."""
    (by_plain,), (by_fast,) = (r.transcribe([Channel(speech)]) for r in (plain, fast))
    assert differing(text(by_plain), text(by_fast)) <= 1
    second = next(s for s in by_fast if s.start > SECOND_SENTENCE - 0.5)
    assert second.start == pytest.approx(SECOND_SENTENCE, abs=0.25)
    words = [word for segment in by_fast for word in segment.words]
    assert all(a.start <= b.start for a, b in itertools.pairwise(words))
    assert all(word.start <= word.end and 0 <= word.confidence <= 1 for word in words)
    assert np.mean([word.confidence for word in words]) > 0.5


def test_a_checkpoint_is_converted_for_the_run_where_no_folder_is_given(speech, fast):
    here = load_recogniser("fast:demo", device="cpu", threads=1, rewrite=False)
    assert here.name == "faster-whisper:demo"
    assert here.transcribe([Channel(speech)]) == fast.transcribe([Channel(speech)])


def test_the_converted_folder_serves_faster_whisper_itself(converted, speech):
    from faster_whisper import WhisperModel

    model = WhisperModel(str(converted), device="cpu", compute_type="int8", cpu_threads=1)
    assert model.model.is_multilingual
    segments, _ = model.transcribe(speech, language="zh", beam_size=1)
    assert "城管执法队" in "".join(segment.text for segment in segments)


def test_channels_are_recognised_together_as_they_are_alone(fast, speech):
    silence = np.zeros(SAMPLE_RATE, np.float32)
    longer = np.concatenate([silence, speech, silence, speech])
    channels = [Channel(speech), Channel(silence), Channel(longer)]
    together = fast.transcribe(channels)
    assert together[1] == []
    assert [text(s) for s in together] == [text(*fast.transcribe([c])) for c in channels]


def test_language_is_told_where_the_weights_know_more_than_one(converted, speech):
    asked = load_recogniser(f"fast:{converted}", device="cpu", threads=1)
    (segments,) = asked.transcribe([Channel(speech)])
    assert all(s.mandarin is not None and 0 <= s.mandarin <= 1 for s in segments)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(RecogniserError, match="打不开") as caught:
        load_recogniser(f"fast:{tmp_path}")
    assert "hotline-qc convert" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecogniserError, match="写不进"):
        convert(open_checkpoint(DEMO_WEIGHTS, "cpu"), tmp_path / "file" / "folder")


# --- a server


def asked(endpoint: Endpoint, number: int = -1) -> dict[str, bytes]:
    """The fields of a form that was sent."""
    head = f"Content-Type: {endpoint.headers[number]['Content-Type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + endpoint.bodies[number]).get_payload()
    assert isinstance(parts, list)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in parts
    }  # type: ignore[return-value,union-attr]


def answering(recogniser: Recogniser, times: str) -> Reply:
    """A real recogniser behind the endpoint, which tells as much of the times as it is told to."""

    def reply(connection: Connection) -> None:
        with wave.open(BytesIO(asked(connection.endpoint)["file"])) as sound:
            assert (sound.getframerate(), sound.getnchannels()) == (SAMPLE_RATE, 1)
            data = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
        (segments,) = recogniser.transcribe([Channel(data.astype(np.float32))])
        words = [w for s in segments for w in s.words]
        body: dict[str, Any] = {"text": text(segments), "language": "zh", "duration": 1.0}
        if times == "words":
            body["words"] = [
                {"word": w.text.strip("，。？"), "start": w.start, "end": w.end} for w in words
            ]
        if times == "segments":
            body["segments"] = [
                {"id": 0, "text": s.text, "start": s.start, "end": s.end} for s in segments
            ]
        connection.send(json.dumps(body, ensure_ascii=False))

    return reply


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("HOTLINE_QC_ASR_MODEL", "city-asr")
    monkeypatch.setenv("HOTLINE_QC_ASR_RETRIES", "0")
    yield monkeypatch


@pytest.mark.parametrize(("times", "within"), [("words", 0.25), ("segments", 0.4), ("none", 1.5)])
def test_a_server_is_heard_with_as_exact_times_as_it_gives(
    environment, plain, speech, times, within
):
    with serve(answering(plain, times)) as endpoint:
        (segments,) = load_recogniser(endpoint.url).transcribe([Channel(speech)])
    (expected,) = plain.transcribe([Channel(speech)])
    assert text(segments) == text(expected)
    assert said_at("城", segments) == pytest.approx(said_at("城", expected), abs=within)
    assert asked(endpoint)["model"] == b"city-asr"
    assert asked(endpoint)["language"] == b"zh"


def test_personal_words_go_to_the_server_only_if_allowed(environment, plain, speech):
    channel = Channel(speech, ("王小明", "潍坊路一百号"))
    with serve(answering(plain, "words")) as endpoint:
        load_recogniser(endpoint.url).transcribe([channel])
        environment.setenv("HOTLINE_QC_ASR_PROMPT", "true")
        load_recogniser(endpoint.url).transcribe([channel])
    assert "prompt" not in asked(endpoint, 0)
    assert asked(endpoint, 1)["prompt"].decode() == channel.prompt


@pytest.mark.parametrize(
    ("reply", "reason"), [(status(401), "拒绝了请求（401）"), (silent, "没有应答")]
)
def test_a_server_that_fails_is_one_sentence(environment, speech, reply, reason):
    environment.setenv("HOTLINE_QC_ASR_TIMEOUT", "0.5")
    with serve(reply) as endpoint, pytest.raises(RecogniserError, match=reason):
        load_recogniser(endpoint.url).transcribe([Channel(speech)])


def test_a_wrong_setting_is_named(environment):
    environment.setenv("HOTLINE_QC_ASR_TIMEOUT", "soon")
    with pytest.raises(RecogniserError, match="HOTLINE_QC_ASR_TIMEOUT"):
        load_recogniser("http://127.0.0.1:9/v1")


def test_without_a_network_a_name_cannot_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))  # nothing downloaded before
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(RecogniserError, match="turbo”打不开"):
        load_recogniser("fast:turbo")
