"""Silences inside a call: dead air, and time on hold that was announced."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qc.conditions import Silence
from qc.scene import Scene, is_excused, silence_before
from qc.transcript import Role


@dataclass(frozen=True)
class Gap:
    """Seconds in which nobody speaks. `waited_for`: whose turn to speak it was."""

    start: float
    seconds: float
    waited_for: Role
    excused: bool  # announced, as by 您稍等一下


@dataclass(frozen=True)
class DeadAir:
    """The long silences of a call, in order."""

    gaps: tuple[Gap, ...]

    @property
    def seconds(self) -> float:
        """Of all that nothing excuses."""
        return round(sum(gap.seconds for gap in self.gaps if not gap.excused), 1)

    @property
    def longest(self) -> float:
        """Seconds of the longest that nothing excuses; 0 where there is none."""
        return max((gap.seconds for gap in self.gaps if not gap.excused), default=0.0)

    @property
    def hold(self) -> float:
        """Seconds that were announced."""
        return round(sum(gap.seconds for gap in self.gaps if gap.excused), 1)

    @property
    def text(self) -> str:
        """In a few words, for the report."""
        silent = f"共 {self.seconds:g} 秒，最长 {self.longest:g} 秒" if self.seconds else "无"
        return f"{silent}；另请市民等候 {self.hold:g} 秒" if self.hold else silent

    def to_json(self) -> dict[str, Any]:
        """As an inspection stores it."""
        return {
            "seconds": self.seconds,
            "longest": self.longest,
            "hold": self.hold,
            "gaps": [
                {
                    "start": gap.start,
                    "seconds": gap.seconds,
                    "waited_for": gap.waited_for.value,
                    "excused": gap.excused,
                }
                for gap in self.gaps
            ],
        }


def measure_dead_air(scene: Scene, rule: Silence) -> DeadAir | None:
    """Find the silences longer than `rule.over`; None where the turns have no times."""
    turns = scene.transcript.turns
    if not turns or any(turn.start is None or turn.end is None for turn in turns):
        return None
    return DeadAir(tuple(_gaps(scene, rule)))


def _gaps(scene: Scene, rule: Silence) -> Iterator[Gap]:
    turns = scene.transcript.turns
    for turn in turns[1:]:
        seconds = silence_before(scene, turn)
        if seconds > rule.over and turn.start is not None:
            last = max(turns[: turn.index], key=lambda earlier: earlier.end or 0.0)
            yield Gap(
                start=round(turn.start - seconds, 2),
                seconds=round(seconds, 1),
                waited_for=Role.CITIZEN if last.is_agent else Role.AGENT,
                excused=is_excused(rule, scene, turn),
            )
