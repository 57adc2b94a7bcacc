"""Fetching a recording from an address that the administrator allows, and from nowhere else."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import httpx
from anyio import to_thread

from qc.errors import QcError

MAX_REDIRECTS = 3
TIMEOUT = httpx.Timeout(30.0, connect=10.0)  # seconds

Address = IPv4Address | IPv6Address


class RefusedAddress(QcError):
    """The address is not one that recordings may be fetched from."""


@dataclass(frozen=True)
class Fetched:
    """A recording on its way in."""

    file_name: str
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def fetch(url: str, allowed: Sequence[str]) -> AsyncIterator[Fetched]:
    """Open a recording by its address.

    Args:
        allowed: host names, addresses and networks (HOTLINE_QC_UPLOAD_HOSTS). A host that is
            listed by name and has a private address needs that address or network listed, too.

    Raises:
        RefusedAddress: the host or its address is not allowed, also after a redirect.
        QcError: the host does not answer, or not with a recording.
    """
    place = _parsed(url)
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
            for _ in range(MAX_REDIRECTS + 1):
                address = await to_thread.run_sync(resolve, place, allowed)
                async with client.stream("GET", **_request(place, address)) as answer:
                    if answer.is_redirect and "location" in answer.headers:
                        place = _parsed(str(place.join(answer.headers["location"])))
                        continue
                    if answer.status_code != httpx.codes.OK:
                        raise QcError(
                            f"对方主机回答 {answer.status_code}，取不到录音", "请检查网址是否仍有效"
                        )
                    yield Fetched(_file_name(place), answer.aiter_bytes())
                    return
            raise RefusedAddress("网址转来转去，已停止", "请给出录音文件的直接网址")
    except httpx.HTTPError as error:
        raise QcError(f"取不到录音（{type(error).__name__}）", "请检查网址，或稍后再试") from error


def _parsed(url: str) -> httpx.URL:
    try:
        place = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise RefusedAddress("这不是有效的网址", "应为 https://主机/路径") from error
    if place.scheme not in ("http", "https") or not place.host or place.userinfo:
        raise RefusedAddress("只能取 http 或 https 网址上的录音", "网址里不要写账号和密码")
    return place


def resolve(place: httpx.URL, allowed: Sequence[str]) -> Address:
    """The address to connect to, checked: what is connected to is what was looked at.

    Raises:
        RefusedAddress: the host or its address is not allowed.
        QcError: there is no such host.
    """
    host = place.host.lower().rstrip(".")
    networks = [network for entry in allowed if (network := _network(entry)) is not None]
    try:
        found = socket.getaddrinfo(host, place.port or place.scheme, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedAddress(f"找不到主机 {host}", "请检查网址") from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    listed = [a for a in addresses if any(a in network for network in networks)]
    if host not in {entry.lower() for entry in allowed} and not listed:
        raise RefusedAddress(f"不允许从 {host} 取录音", "请管理员把它写进 HOTLINE_QC_UPLOAD_HOSTS")
    usable = listed or [a for a in addresses if a.is_global]
    if not usable:
        raise RefusedAddress(
            f"{host} 是内部地址，不能从那里取录音",
            "确需使用时请管理员把这个地址或网段也写进 HOTLINE_QC_UPLOAD_HOSTS",
        )
    return usable[0]


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:  # a name
        return None


def _request(place: httpx.URL, address: Address) -> dict[str, Any]:
    """A request to just that address, in the name of the host."""
    return {
        "url": place.copy_with(host=str(address)),
        "headers": {"Host": place.netloc.decode("ascii"), "Accept-Encoding": "identity"},
        "extensions": {"sni_hostname": place.raw_host.decode("ascii")},
    }


def _file_name(place: httpx.URL) -> str:
    return PurePosixPath(unquote(place.path)).name or "录音"
