"""Recognisers are loaded by name, fail in one Chinese sentence, and time what they hear."""

import itertools
import pickle
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from whisper.model import ModelDimensions, Whisper

from models.recogniser import DEMO_WEIGHTS, Channel, Recogniser, Segment, load_recogniser
from models.voice_activity import SAMPLE_RATE, find_speech
from qc.audio import read_recording
from qc.errors import RecogniserError

torch.set_num_threads(1)  # these networks are too small to share out
FILES = Path(__file__).parent.parent / "files"
SPOKEN = "您好请问您是王先生吗我是城管执法队的工作人员"  # in speech.amr, by espeak-ng
SECOND_SENTENCE = 4.39  # seconds, where 我是 begins
TINY = ModelDimensions(
    n_mels=80,
    n_audio_ctx=1500,
    n_audio_state=32,
    n_audio_head=2,
    n_audio_layer=1,
    n_vocab=51865,
    n_text_ctx=32,
    n_text_state=32,
    n_text_head=2,
    n_text_layer=2,
)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return np.array(read_recording(FILES / "speech.amr").samples[0])


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> Path:
    """A checkpoint that babbles: what it says is of no interest, that it says it is."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.pt"
    model = Whisper(TINY)
    torch.nn.init.normal_(model.decoder.positional_embedding)  # whisper leaves it to chance
    torch.save({"dims": asdict(TINY), "model_state_dict": model.state_dict()}, path)
    return path


def hear(recogniser: Recogniser, samples: np.ndarray, *hot_words: str) -> list[Segment]:
    (segments,) = recogniser.transcribe([Channel(samples, hot_words)])
    return segments


def check_times(segments: list[Segment], samples: np.ndarray) -> None:
    """Segments and words are in order, and inside what voice activity let through."""
    assert all(a.start <= b.start for a, b in itertools.pairwise(segments))
    spans = find_speech(samples)
    for segment in segments:
        assert segment.text == "".join(word.text for word in segment.words)
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
        assert any(s.start - 0.01 <= segment.start <= segment.end <= s.end + 0.01 for s in spans)
        assert all(a.start <= b.start for a, b in itertools.pairwise(segment.words))
        assert all(word.start <= word.end and 0 <= word.confidence <= 1 for word in segment.words)


# --- any checkpoint


def test_a_checkpoint_is_loaded_by_its_path(untrained, speech):
    recogniser = load_recogniser(str(untrained))
    assert recogniser.name == "whisper:untrained"
    segments = hear(recogniser, speech)
    assert segments
    check_times(segments, speech)


def test_the_same_recording_gives_the_same_transcript(untrained, speech):
    """Also with the random fallback, which a babbling model always needs."""
    recogniser = load_recogniser(str(untrained))
    torch.manual_seed(1)
    first = hear(recogniser, speech)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    assert hear(recogniser, speech) == first
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_long_prompt_is_no_trouble(untrained, speech):
    check_times(hear(load_recogniser(str(untrained)), speech, "王先生" * 500), speech)


def test_a_prompt_changes_what_is_heard_unless_switched_off(untrained, speech):
    def heard(prompt: str, **options: bool) -> list[Segment]:
        return hear(load_recogniser(str(untrained), **options), speech, *prompt.split())

    plain = heard("")
    assert heard("王先生，城管执法队") != plain
    assert heard("王先生，城管执法队", use_prompt=False) == plain


def test_batches_and_short_windows(untrained, speech):
    recogniser = load_recogniser(str(untrained), batch=2, window_seconds=5.0)
    samples = np.tile(speech, 2)
    check_times(hear(recogniser, samples), samples)


@pytest.mark.parametrize("n", [0, 100, 10 * SAMPLE_RATE])
def test_silence_has_no_segments(untrained, n):
    assert hear(load_recogniser(str(untrained)), np.zeros(n, np.float32)) == []


# --- the bundled checkpoint


@pytest.fixture(scope="module")
def demo():
    return load_recogniser("demo", device="cpu")


def errors(heard: str, said: str) -> float:
    """Character error rate by edit distance."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1] / len(said)


@pytest.mark.skipif(not DEMO_WEIGHTS.exists(), reason="bundled weights are not in this checkout")
def test_the_demo_recogniser_understands_its_voice(demo, speech):
    segments = hear(demo, speech)
    check_times(segments, speech)
    heard = "".join(c for s in segments for c in s.text if c not in "，。？！")
    assert errors(heard, SPOKEN) < 0.3
    second = next(segment for segment in segments if segment.start > SECOND_SENTENCE - 0.5)
    assert second.start == pytest.approx(SECOND_SENTENCE, abs=0.25)
    assert all(len(word.text.strip("，。？！")) == 1 for s in segments for word in s.words)


@pytest.mark.skipif(not DEMO_WEIGHTS.exists(), reason="bundled weights are not in this checkout")
def test_times_hold_after_a_long_pause(demo, speech):
    pause = np.zeros(40 * SAMPLE_RATE, np.float32)
    samples = np.concatenate([speech, pause, speech])
    segments = hear(demo, samples)
    check_times(segments, samples)
    assert segments[-1].start == pytest.approx(
        len(speech) / SAMPLE_RATE + 40 + SECOND_SENTENCE, abs=0.25
    )


# --- what cannot be loaded


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(RecogniserError, match=r"demo、tiny、base.*turbo"):
        load_recogniser("huge")


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(RecogniserError, match="找不到"):
        load_recogniser(str(tmp_path))


class Intruder:
    """A pickle that would run a command when opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_does_not_run(tmp_path):
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    path.write_bytes(pickle.dumps(Intruder(trace)))
    with pytest.raises(RecogniserError, match="不是可用的"):
        load_recogniser(str(path))
    assert not trace.exists()


def make_text(path: Path, untrained: Path) -> None:
    path.write_text("您好" * 100)


def make_empty(path: Path, untrained: Path) -> None:
    path.write_bytes(b"")


def make_zip(path: Path, untrained: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")


def make_half(path: Path, untrained: Path) -> None:
    data = untrained.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def make_other_network(path: Path, untrained: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, path)


def make_tensor(path: Path, untrained: Path) -> None:
    torch.save(torch.zeros(3), path)


def make_wrong_dimensions(path: Path, untrained: Path) -> None:
    checkpoint = torch.load(untrained, weights_only=True)
    checkpoint["dims"]["n_text_state"] = 64
    torch.save(checkpoint, path)


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize(
    "make",
    [
        make_text,
        make_empty,
        make_zip,
        make_half,
        make_other_network,
        make_tensor,
        make_wrong_dimensions,
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, untrained, make):
    path = tmp_path / "model.pt"
    make(path, untrained)
    with pytest.raises(RecogniserError, match="不是可用的 Whisper 模型") as caught:
        load_recogniser(str(path))
    assert ".pt" in caught.value.hint


def test_an_english_checkpoint_is_refused(tmp_path, untrained):
    dims = ModelDimensions(**{**asdict(TINY), "n_vocab": 51864})  # without the languages
    path = tmp_path / "tiny.en.pt"
    torch.save({"dims": asdict(dims), "model_state_dict": Whisper(dims).state_dict()}, path)
    with pytest.raises(RecogniserError, match="只懂英语"):
        load_recogniser(str(path))


def test_without_a_network_the_hint_is_to_copy_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nothing downloaded before
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(RecogniserError, match="下载失败") as caught:
        load_recogniser("tiny")
    assert "复制到本机" in caught.value.hint


def test_importing_is_quick():
    """torch, whisper and onnxruntime take seconds: only who recognises pays."""
    program = (
        "import sys, qc.errors, qc.audio, models.recogniser, models.voice_activity;"
        "print([m for m in ('torch', 'whisper', 'onnxruntime', 'opencc') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
