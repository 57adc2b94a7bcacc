"""The network in NumPy says what the authors' ONNX file says."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.demo_asr.channel import send
from models.demo_asr.dialogue import Turn, render
from models.silero import CONTEXT, FRAME
from models.voice_activity import SAMPLE_RATE, speech_probabilities

ONNX = Path(__file__).parents[1] / "files" / "silero_vad.onnx"
CALL = (
    Turn("agent", "您好，我是潍坊新村街道城管执法队的工作人员，请问您是王先生吗？"),
    Turn("citizen", "是的，你说。"),
    Turn("agent", "您反映的噪音问题我们收到了，明天上午到现场核实。"),
)


def original(samples: np.ndarray) -> np.ndarray:
    """Frame by frame through the ONNX file, as its authors do."""
    session = onnxruntime.InferenceSession(str(ONNX), providers=["CPUExecutionProvider"])
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32)
    said = []
    for frame in np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME):
        window = np.concatenate([context, frame])[None]
        inputs = {"input": window, "state": state, "sr": np.array(SAMPLE_RATE)}
        probability, state = session.run(None, inputs)
        context = frame[-CONTEXT:]
        said.append(probability[0, 0])
    return np.array(said)


def noise(seconds: float, level: float) -> np.ndarray:
    random = np.random.default_rng(0)
    return (level * random.standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)


@pytest.mark.parametrize("sound", ["clean", "telephone", "noise", "full scale", "odd length"])
def test_probabilities_are_those_of_the_original(sound):
    call = render(CALL, seed=3).mono
    samples = {
        "clean": call,
        "telephone": send(call, seed=1),
        "noise": noise(10, 0.05),
        "full scale": np.clip(call * 20, -1, 1),
        "odd length": call[: 5 * SAMPLE_RATE + 77],
    }[sound]
    assert list(speech_probabilities(samples)) == pytest.approx(original(samples), abs=1e-3)


def test_probabilities_carry_on_from_block_to_block():
    """A minute is read in eight blocks."""
    samples = np.tile(send(render(CALL, seed=4).mono, seed=2), 6)[: 60 * SAMPLE_RATE]
    assert list(speech_probabilities(samples)) == pytest.approx(original(samples), abs=1e-3)
