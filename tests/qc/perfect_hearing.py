"""What a recogniser without errors would hear in a rendered call, punctuation included."""

from models.demo_asr.dialogue import SpokenCall, SpokenTurn
from models.recogniser import Word
from qc.order import CallKind
from qc.prosody import with_prosody
from qc.roles import build_transcript
from qc.speech import Utterance, utterances
from qc.transcript import Transcript

CONFIDENCE = 0.9


def heard(call: SpokenCall) -> list[Utterance]:
    """Utterances of speaker 0, the handler, and 1."""
    found = [
        utterance
        for turn in call.turns
        for utterance in utterances(int(turn.turn.role == "citizen"), words_of(turn))
    ]
    return sorted(found, key=lambda utterance: utterance.start)


def words_of(said: SpokenTurn) -> list[Word]:
    """The characters of a turn at their true times, marks joined to the one before."""
    words: list[Word] = []
    times = iter(said.characters)
    for character in said.turn.text:
        if character.isalnum():
            words.append(Word(character, *next(times), CONFIDENCE))
        else:
            last = words[-1]
            words[-1] = Word(last.text + character, last.start, last.end, last.confidence)
    return words


def transcript_of(call: SpokenCall) -> Transcript:
    """Turns with all that the sound tells of them."""
    kind = CallKind.FIRST_CONTACT
    return with_prosody(build_transcript(heard(call), kind), call.samples)
