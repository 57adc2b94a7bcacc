"""The whole chain for recordings: audio in, inspection out. Loads everything once."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from models.homophones.word_model import WEIGHTS as WORDS
from models.judge.classifier import WEIGHTS, UtteranceClassifier, load_classifier
from models.recogniser import DEMO_WEIGHTS, FAST, Recogniser, load_recogniser
from models.second_opinion import OpinionSettings, SecondOpinion, settings_from_environment
from models.semantic import SemanticLayer, load_encoder
from models.semantic import fingerprint as encoder_fingerprint
from qc.audio import Recording, read_recording
from qc.batch import BatchItem
from qc.catalogue import (
    CATALOGUE_FOLDER,
    DEFAULT_PROFILE,
    Behaviour,
    Catalogue,
    Example,
    Facet,
    Signal,
    load_catalogue,
)
from qc.fingerprint import fingerprint, to_text
from qc.fitness import QualityLevel, UnusableRecording
from qc.inspect import guess_kind, inspect_call, inspect_transcript
from qc.inspection import Inspection
from qc.listen import hot_words_of, listen
from qc.order import Call, CallKind, Order

BUNDLED = (DEMO_WEIGHTS, WORDS)  # of the recogniser


class Inspector:
    """Inspects recordings by one street's standards with one recogniser.

    Nothing is loaded before it is needed; instances can be pickled to worker processes.

    Args:
        asr: the recogniser, see `load_recogniser`.
        profile: the street.
        second_opinion: endpoint of a language model to ask about doubtful findings; None: off.
        encoder: folder of a sentence-transformers model for the semantic layer; None: off.
    """

    def __init__(
        self,
        asr: str = "demo",
        profile: str = DEFAULT_PROFILE,
        *,
        second_opinion: OpinionSettings | None = None,
        encoder: Path | None = None,
    ) -> None:
        self.asr = asr
        self.profile = profile
        self.second_opinion = second_opinion
        self.encoder = encoder

    @classmethod
    def from_environment(cls, asr: str = "demo", profile: str = DEFAULT_PROFILE) -> "Inspector":
        """With a second opinion where HOTLINE_QC_LLM_URL, and an encoder where HOTLINE_QC_ENCODER.

        Raises:
            QcError: one of these variables makes no sense.
        """
        encoder = os.environ.get("HOTLINE_QC_ENCODER", "").strip()
        return cls(
            asr,
            profile,
            second_opinion=settings_from_environment(),
            encoder=Path(encoder) if encoder else None,
        )

    @cached_property
    def recogniser(self) -> Recogniser:
        return load_recogniser(self.asr)

    @cached_property
    def catalogue(self) -> Catalogue:
        return load_catalogue(profile=self.profile)

    @cached_property
    def classifier(self) -> UtteranceClassifier:
        return load_classifier()

    @cached_property
    def adviser(self) -> SecondOpinion | None:
        return SecondOpinion(self.second_opinion) if self.second_opinion else None

    @cached_property
    def semantic(self) -> SemanticLayer | None:
        if self.encoder is None:
            return None
        return SemanticLayer(load_encoder(self.encoder), _example_texts(self.catalogue))

    def __getstate__(self) -> dict[str, Any]:
        options = ("asr", "profile", "second_opinion", "encoder")
        return {name: getattr(self, name) for name in options}

    @property
    def setup(self) -> str:
        """What a result depends on besides the recording and its order."""
        made_of = hashlib.sha256()
        for path in (*sorted(CATALOGUE_FOLDER.rglob("*.yaml")), WEIGHTS, *BUNDLED):
            made_of.update(path.read_bytes())
        checkpoint = Path(self.asr.removeprefix(FAST))
        if checkpoint.exists():
            stat = checkpoint.stat()
            made_of.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
        for name in ("HOTLINE_QC_SPEAKERS", "HOTLINE_QC_ASR_MODEL"):
            made_of.update(os.environ.get(name, "").encode())
        if self.second_opinion is not None:
            made_of.update(self.second_opinion.identity.encode())
        if self.encoder is not None:
            made_of.update(encoder_fingerprint(self.encoder).encode())
        return f"{self.asr} {self.profile} {made_of.hexdigest()[:16]}"

    def load(self) -> None:
        """Load everything now, so that what is missing shows before the first recording."""
        assert self.catalogue and self.classifier and self.recogniser
        _ = self.adviser, self.semantic

    def inspect_call(self, call: Call) -> Inspection:
        """Inspect a call whose turns are given."""
        return inspect_call(
            call, self.catalogue, self.classifier, semantic=self.semantic, adviser=self.adviser
        )

    def inspect_item(self, item: BatchItem) -> Inspection:
        """Inspect one recording of a spot check."""
        return self.inspect_file(item.recording, item.kind, item.order)

    def inspect_file(self, path: Path, kind: CallKind | None, order: Order) -> Inspection:
        """Inspect one recording.

        Raises:
            AudioError: the file is missing, broken or no audio, or holds no call.
            RecogniserError: the recogniser cannot be loaded.
        """
        return self.inspect_recording(read_recording(path), kind, order)

    def inspect_recording(
        self, recording: Recording, kind: CallKind | None, order: Order
    ) -> Inspection:
        """Inspect a recording already read. A kind that is not given is read off the words.

        Raises:
            UnusableRecording: it holds no call that could be judged.
        """
        assumed = kind or (CallKind.FIRST_CONTACT if order.resolved is None else CallKind.REPLY)
        heard = listen(recording, assumed, self.recogniser, hot_words_of(order))
        if heard.quality.level is QualityLevel.UNUSABLE:
            raise UnusableRecording(heard.quality)
        if kind is None and order.resolved is None:
            assumed = guess_kind(heard.transcript, order, self.catalogue, self.classifier)
        found = inspect_transcript(
            heard.transcript,
            assumed,
            order,
            self.catalogue,
            self.classifier,
            call_id=recording.path.name,
            semantic=self.semantic,
            adviser=self.adviser,
            warnings=heard.warnings,
        )
        printed = to_text(fingerprint(recording.samples))
        return replace(found, recording=heard.quality, fingerprint=printed)


def _example_texts(catalogue: Catalogue) -> dict[str, tuple[list[str], list[str]]]:
    """Positive and negative example turns of everything that can be heard."""
    rules: list[Facet | Behaviour | Signal] = [
        *catalogue.facets.values(), *catalogue.behaviours, *catalogue.signals
    ]  # fmt: skip
    return {rule.id: (_texts(rule.examples.yes), _texts(rule.examples.no)) for rule in rules}


def _texts(examples: Sequence[str | Example]) -> list[str]:
    return [example if isinstance(example, str) else example.text for example in examples]
