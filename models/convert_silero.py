"""Takes the weights for 16 kHz out of silero VAD's ONNX file, for `models.silero`.

    python -m models.convert_silero tests/files/silero_vad.onnx models/weights/silero_vad.npz

Needs the package `onnx`, which nothing else here does.
"""

import sys
from pathlib import Path

import numpy as np
import onnx  # type: ignore[import-not-found, unused-ignore]

CONSTANTS = {  # our name: end of the name in the graph
    "stft": "stft.forward_basis_buffer",
    **{f"conv{i}": f"encoder.{i}.reparam_conv.weight" for i in range(4)},
    **{f"conv{i}_bias": f"encoder.{i}.reparam_conv.bias" for i in range(4)},
    "lstm_input": "decoder.rnn.weight_ih",
    "lstm_input_bias": "decoder.rnn.bias_ih",
    "lstm_state": "decoder.rnn.weight_hh",
    "lstm_state_bias": "decoder.rnn.bias_hh",
    "output": "decoder.decoder.2.weight",
    "output_bias": "decoder.decoder.2.bias",
}


def convert(source: Path, target: Path) -> None:
    """Write the constants of the branch for 16 kHz as float32 arrays, names as in `CONSTANTS`."""
    choice = next(node for node in onnx.load(source).graph.node if node.op_type == "If")
    branch = next(a.g for a in choice.attribute if a.name == "then_branch")
    constants = {
        node.output[0]: onnx.numpy_helper.to_array(node.attribute[0].t)
        for node in branch.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    found = {
        ours: next(value for name, value in constants.items() if name.endswith(end))
        for ours, end in CONSTANTS.items()
    }
    np.savez(target, **found)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
