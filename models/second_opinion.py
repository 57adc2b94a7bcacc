"""A second opinion on doubtful findings from a language model behind an OpenAI-compatible endpoint.

Off unless an address is given. Whatever the endpoint does, `ask` returns in bounded time with
bounded cost: no answer, a wrong one or one to another question counts as no opinion.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.opinion_prompt import Answer, Question
from qc.errors import QcError, what_is_wrong

if TYPE_CHECKING:
    from openai import AsyncOpenAI

PREFIX = "HOTLINE_QC_LLM_"
DAY = 24 * 3600.0  # seconds
MAX_BODY = 256 * 1024  # bytes of an answer, over a hundred times what a good one needs

log = logging.getLogger(__name__)


class OpinionSettings(BaseSettings):
    """The endpoint and its limits, from `HOTLINE_QC_LLM_*`. Limits hold for each process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    url: AnyHttpUrl  # up to and with /v1
    model: str = Field(min_length=1)
    key: SecretStr = SecretStr("")
    band: float = Field(default=0.15, ge=0, le=0.5)  # doubtful: that near the threshold
    timeout: float = Field(default=30.0, gt=0)  # seconds for one question with its retries
    retries: int = Field(default=2, ge=0, le=5)  # after no connection, 429 or 5xx
    answer_tokens: int = Field(default=300, gt=0)
    max_questions_a_call: int = Field(default=6, gt=0)
    max_questions_a_day: int = Field(default=2_000, gt=0)
    max_tokens_a_day: int = Field(default=2_000_000, gt=0)
    failures: int = Field(default=3, gt=0)  # in a row, then no question for `pause` seconds
    pause: float = Field(default=600.0, ge=0)

    @property
    def identity(self) -> str:
        """What a result may depend on."""
        return f"llm {self.url} {self.model} {self.band}"


def settings_from_environment() -> OpinionSettings | None:
    """The settings, None where `HOTLINE_QC_LLM_URL` is not set.

    Raises:
        QcError: a setting is missing or wrong.
    """
    if not os.environ.get(PREFIX + "URL"):
        return None
    try:
        return OpinionSettings()  # type: ignore[call-arg]  # from the environment
    except ValidationError as error:
        name, reason = what_is_wrong(error)
        raise QcError(
            f"大模型第二意见的设置 {PREFIX}{name.upper()} 有误：{reason}",
            f"请改正；不用第二意见时去掉 {PREFIX}URL",
        ) from error


class SecondOpinion:
    """Asks a language model, within limits of time and cost.

    Args:
        settings: the endpoint and the limits.
        clock: seconds that only grow.

    Raises:
        QcError: the extra `llm` is not installed.
    """

    def __init__(
        self, settings: OpinionSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        try:
            import openai  # noqa: F401  (slow import)
        except ImportError as error:
            raise QcError(
                "没有安装大模型第二意见所需的组件", '请运行 pip install "hotline-qc[llm]"'
            ) from error
        self.settings = settings
        self._limits = _Limits(settings, clock)

    @property
    def band(self) -> float:
        """Distance from the threshold up to which a finding is doubtful."""
        return self.settings.band

    @property
    def max_questions(self) -> int:
        """How many questions one call may cost."""
        return self.settings.max_questions_a_call

    def ask(self, questions: Sequence[Question]) -> list[Answer | None]:
        """The answer to each question, None where there is none that can be used."""
        if not questions or self._limits.resting:
            return [None] * len(questions)
        from anyio.from_thread import start_blocking_portal

        with start_blocking_portal() as portal:  # its own thread: the caller may run in a loop
            return portal.call(self._ask_all, questions)

    async def _ask_all(self, questions: Sequence[Question]) -> list[Answer | None]:
        async with self._client() as client:
            return [await self._ask(client, question) for question in questions]

    def _client(self) -> "AsyncOpenAI":
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        settings = self.settings
        http = DefaultAsyncHttpxClient(  # nothing is sent on to where a redirect points
            follow_redirects=False, event_hooks={"response": [_leave_failure_unread]}
        )
        return AsyncOpenAI(
            base_url=str(settings.url),
            api_key=settings.key.get_secret_value() or "none",
            timeout=settings.timeout,
            max_retries=settings.retries,
            http_client=http,
        )

    async def _ask(self, client: "AsyncOpenAI", question: Question) -> Answer | None:
        import anyio

        tokens = _most_tokens(question) + self.settings.answer_tokens
        reserved = tokens * (1 + self.settings.retries)
        if not self._limits.allow(reserved):
            return None
        try:
            with anyio.fail_after(self.settings.timeout):
                body = await self._request(client, question)
            answer, used = _read(body, question)
        except Exception as error:  # whatever the endpoint does, the inspection goes on
            log.warning("no second opinion: %s", type(error).__name__)
            self._limits.failed()
            return None
        self._limits.answered((used or tokens) - reserved)
        return answer

    async def _request(self, client: "AsyncOpenAI", question: Question) -> bytes:
        """Body of the response, never more than `MAX_BODY`."""
        request: dict[str, Any] = {
            "model": self.settings.model,
            "messages": question.messages(),
            "response_format": question.response_format(),
            "max_tokens": self.settings.answer_tokens,
            "temperature": 0,
        }
        body = bytearray()
        async with client.chat.completions.with_streaming_response.create(**request) as response:
            async for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BODY:
                    raise ValueError("answer too long")
        return bytes(body)


async def _leave_failure_unread(response: Any) -> None:
    """The text of a refusal is of no use and may have no end."""
    if not response.is_success:
        await response.aclose()


def _most_tokens(question: Question) -> int:
    """No fewer tokens than the question takes: a Chinese character is about one, others less."""
    return sum(len(message["content"]) for message in question.messages())


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    total_tokens: int = Field(default=0, ge=0)


class _Completion(BaseModel):
    choices: tuple[_Choice, ...] = Field(min_length=1)
    usage: _Usage | None = None


def _read(body: bytes, question: Question) -> tuple[Answer, int]:
    """The answer, and the tokens used where the endpoint says so.

    Raises:
        ValueError: not an answer by the schema, or one to another question.
    """
    completion = _Completion.model_validate_json(body)
    answer = Answer.model_validate_json(completion.choices[0].message.content)
    if answer.question != question.id:
        raise ValueError("answer to another question")
    return answer, completion.usage.total_tokens if completion.usage else 0


class _Limits:
    """Counts questions, tokens and failures, and says when to stop asking."""

    def __init__(self, settings: OpinionSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._day_from = clock()
        self._questions = self._tokens = self._failures = 0
        self._rest_until = clock()

    @property
    def resting(self) -> bool:
        """Whether the endpoint failed so often that it is left alone for a while."""
        return self._clock() < self._rest_until

    def allow(self, tokens: int) -> bool:
        """Reserve a question of at most that many tokens; False where a limit is reached."""
        if self._clock() - self._day_from >= DAY:
            self._day_from = self._clock()
            self._questions = self._tokens = 0
        spent = (
            self._questions >= self._settings.max_questions_a_day
            or self._tokens + tokens > self._settings.max_tokens_a_day
        )
        if self.resting or spent:
            return False
        self._questions += 1
        self._tokens += tokens
        return True

    def answered(self, difference: int) -> None:
        """Settle a question by the tokens it took beyond those reserved (mostly negative)."""
        self._tokens += difference
        self._failures = 0

    def failed(self) -> None:
        """Nothing came of the reserved question; it counts as taken in full."""
        self._failures += 1
        if self._failures >= self._settings.failures:
            self._rest_until = self._clock() + self._settings.pause
            log.warning("second opinion: left alone for %g s", self._settings.pause)
