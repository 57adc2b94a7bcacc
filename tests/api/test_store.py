"""The store of recordings, in a folder and in an S3-compatible bucket over HTTP."""

import hashlib
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pytest

from api.database import now
from api.store import BLOCK, ChecksumError, RecordingStore, TooLarge
from qc.errors import QcError

BYTES = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a bucket on a local server that speaks S3."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        _wait_for(port)
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="calls")
        yield "s3://calls/hotline"
    server.terminate()
    server.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the S3 server does not answer")


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RecordingStore:
    if request.param == "folder":
        return RecordingStore(f"file://{tmp_path / 'recordings'}")
    return RecordingStore(request.getfixturevalue("s3"))


def keep(store: RecordingStore, path: str, data: bytes = BYTES) -> None:
    with store.receive() as incoming:
        incoming.write(data)
        incoming.finish()
        incoming.keep(path)


def test_what_is_kept_can_be_read_whole_and_in_parts(store: RecordingStore) -> None:
    with store.receive() as incoming:
        incoming.write(BYTES[:1000])
        incoming.write(BYTES[1000:])
        incoming.finish(hashlib.sha256(BYTES).hexdigest())
        stored = incoming.keep("ab/one.wav")
    assert (stored.sha256, stored.size) == (hashlib.sha256(BYTES).hexdigest(), len(BYTES))
    assert b"".join(store.read("ab/one.wav")) == BYTES
    assert b"".join(store.read("ab/one.wav", 10, 300)) == BYTES[10:300]
    assert store.size("ab/one.wav") == len(BYTES)
    with store.local_path("ab/one.wav") as path:
        assert path.read_bytes() == BYTES
        assert path.suffix == ".wav"


def test_a_wrong_checksum_leaves_nothing_behind(store: RecordingStore) -> None:
    with pytest.raises(ChecksumError), store.receive() as incoming:
        incoming.write(BYTES)
        incoming.finish("0" * 64)
    assert store.paths("incoming") == []


def test_an_empty_file_is_refused(store: RecordingStore) -> None:
    with pytest.raises(ChecksumError, match="空"), store.receive() as incoming:
        incoming.finish()


def test_a_file_above_the_limit_is_refused_before_its_end(store: RecordingStore) -> None:
    with pytest.raises(TooLarge), store.receive(limit=1000) as incoming:
        incoming.write(BYTES[:900])
        incoming.write(BYTES[900:1100])
    assert store.paths("incoming") == []


def test_a_deleted_file_is_gone_and_deleting_it_again_does_no_harm(store: RecordingStore) -> None:
    keep(store, "cd/two.wav")
    store.delete("cd/two.wav")
    store.delete("cd/two.wav")
    with pytest.raises(QcError, match="不在存放处"):
        store.size("cd/two.wav")
    with pytest.raises(QcError, match="不在存放处"), store.local_path("cd/two.wav"):
        pass


def test_the_store_says_whether_it_can_be_written(store: RecordingStore) -> None:
    store.check()


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(QcError, match="写不进去"):
        RecordingStore(f"file://{tmp_path / 'file'}").check()


def test_what_was_left_half_received_can_be_found_by_its_age(store: RecordingStore) -> None:
    keep(store, "incoming/left")
    assert "incoming/left" in store.older_than("incoming", now() + timedelta(hours=1))
    assert store.older_than("incoming", now() - timedelta(hours=1)) == []
    store.delete("incoming/left")


def test_500_mb_are_received_in_constant_memory(tmp_path: Path) -> None:
    store, block = RecordingStore(f"file://{tmp_path}"), bytes(BLOCK)
    tracemalloc.start()
    with store.receive() as incoming:
        for _ in range(500):
            incoming.write(block)
        incoming.finish()
        assert incoming.keep("large.wav").size == 500 * BLOCK
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    store.delete("large.wav")
    assert peak < 20 * BLOCK
