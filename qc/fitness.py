"""What a recording is worth as evidence of a call; `qc.recording_quality` measures it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from qc.errors import AudioError

CHECK_HINT = "请核对上传的是不是这次通话的录音"


class QualityLevel(StrEnum):
    """How far a recording can be relied on."""

    GOOD = "good"
    POOR = "poor"
    UNUSABLE = "unusable"


LEVEL_TITLES = {
    QualityLevel.GOOD: "良好",
    QualityLevel.POOR: "较差",
    QualityLevel.UNUSABLE: "无效",
}


@dataclass(frozen=True)
class Quality:
    """What a recording is worth as evidence, with the reasons (Chinese; none where it is good)."""

    level: QualityLevel
    reasons: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return LEVEL_TITLES[self.level]

    def to_json(self) -> dict[str, Any]:
        return {"quality": self.level.value, "reasons": list(self.reasons)}


class UnusableRecording(AudioError):
    """The file is whole, but there is no call in it to be judged."""

    def __init__(self, quality: Quality) -> None:
        super().__init__(f"录音无效：{'；'.join(quality.reasons)}", CHECK_HINT)
        self.quality = quality

    def __reduce__(self) -> tuple[type, tuple[Quality]]:
        return UnusableRecording, (self.quality,)
