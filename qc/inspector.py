"""The whole chain for recordings: audio in, inspection out. Loads everything once."""

import hashlib
from functools import cached_property
from pathlib import Path

from models.judge.classifier import WEIGHTS, UtteranceClassifier, load_classifier
from models.recogniser import Recogniser, load_recogniser
from qc.audio import Recording, read_recording
from qc.batch import BatchItem
from qc.catalogue import CATALOGUE_FOLDER, DEFAULT_PROFILE, Catalogue, load_catalogue
from qc.inspect import guess_kind, inspect_transcript
from qc.inspection import Inspection
from qc.listen import listen, prompt_for
from qc.order import CallKind, Order


class Inspector:
    """Inspects recordings by one street's standards with one recogniser.

    Nothing is loaded before it is needed; instances can be pickled to worker processes.
    """

    def __init__(self, asr: str = "demo", profile: str = DEFAULT_PROFILE) -> None:
        self.asr = asr
        self.profile = profile

    @cached_property
    def recogniser(self) -> Recogniser:
        return load_recogniser(self.asr)

    @cached_property
    def catalogue(self) -> Catalogue:
        return load_catalogue(profile=self.profile)

    @cached_property
    def classifier(self) -> UtteranceClassifier:
        return load_classifier()

    def __getstate__(self) -> dict[str, str]:
        return {"asr": self.asr, "profile": self.profile}

    @property
    def setup(self) -> str:
        """What a result depends on besides the recording and its order."""
        made_of = hashlib.sha256()
        for path in (*sorted(CATALOGUE_FOLDER.rglob("*.yaml")), WEIGHTS):
            made_of.update(path.read_bytes())
        checkpoint = Path(self.asr)
        if checkpoint.is_file():
            stat = checkpoint.stat()
            made_of.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
        return f"{self.asr} {self.profile} {made_of.hexdigest()[:16]}"

    def load(self) -> None:
        """Load everything now, so that what is missing shows before the first recording."""
        assert self.catalogue and self.classifier and self.recogniser

    def inspect_item(self, item: BatchItem) -> Inspection:
        """Inspect one recording of a spot check."""
        return self.inspect_file(item.recording, item.kind, item.order)

    def inspect_file(self, path: Path, kind: CallKind | None, order: Order) -> Inspection:
        """Inspect one recording.

        Raises:
            AudioError: the file is missing, broken or no audio.
            RecogniserError: the recogniser cannot be loaded.
        """
        return self.inspect_recording(read_recording(path), kind, order)

    def inspect_recording(
        self, recording: Recording, kind: CallKind | None, order: Order
    ) -> Inspection:
        """Inspect a recording already read. A kind that is not given is read off the words."""
        assumed = kind or (CallKind.FIRST_CONTACT if order.resolved is None else CallKind.REPLY)
        heard = listen(recording, assumed, self.recogniser, prompt_for(order))
        if kind is None and order.resolved is None:
            assumed = guess_kind(heard.transcript, order, self.catalogue, self.classifier)
        return inspect_transcript(
            heard.transcript,
            assumed,
            order,
            self.catalogue,
            self.classifier,
            call_id=recording.path.name,
            warnings=heard.warnings,
        )
