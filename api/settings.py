"""How the service is set up, from environment variables `HOTLINE_QC_*` (table in the README)."""

from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every field is one variable: `data_folder` is HOTLINE_QC_DATA_FOLDER."""

    model_config = SettingsConfigDict(env_prefix="HOTLINE_QC_", env_file=".env", extra="ignore")

    data_folder: Path = Field(
        default=Path("data"), description="数据文件夹：数据库和录音默认放在这里"
    )
    database_url: str = Field(default="", description="数据库地址；空则用数据文件夹里的 SQLite")
    recordings_url: str = Field(
        default="", description="录音存放处（file:// 或 s3://）；空则用数据文件夹"
    )
    host: str = Field(default="127.0.0.1", description="监听地址；只有写明时才对外开放")
    port: int = Field(default=8012, description="监听端口")
    public_url: str = Field(default="", description="通知里链接所用的网址；空则用监听地址")
    profile: str = Field(default="weifang", description="默认街镇配置")
    asr: str = Field(
        default="demo",
        description="识别引擎：demo、Whisper 名称、权重文件路径或识别服务的网址，前面可加 fast:",
    )
    workers: int = Field(
        default=1, ge=0, description="serve 启动的工作进程数；0 表示只在别处运行 worker"
    )
    worker_concurrency: int = Field(default=1, ge=1, description="每个工作进程同时检查几段录音")
    max_queued: int = Field(
        default=2000, ge=1, description="排队超过这个数就回 429，请对方稍后再来"
    )
    max_upload_mb: int = Field(default=1024, ge=1, description="单个录音的上限（MB）")
    upload_hosts: tuple[str, ...] = Field(
        default=(), description="允许按网址取录音的主机名，JSON 列表"
    )
    session_hours: float = Field(default=12, gt=0, description="网页登录的有效时间（小时）")
    requests_per_minute: int = Field(default=600, ge=1, description="每个账号或密钥每分钟的请求数")
    logins_per_minute: int = Field(default=10, ge=1, description="每个地址每分钟的登录尝试数")
    retention_days: int = Field(
        default=0, ge=0, description="录音和个人信息保留天数，0 为不删；结论保留"
    )
    admin_password: SecretStr | None = Field(
        default=None, description="首次启动时建立管理员 admin 的密码；不给则随机生成并只显示一次"
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="给 webhook 签名的密钥（whsec_…），HMAC-SHA256"
    )
    secure_cookies: bool = Field(default=False, description="网站走 HTTPS 时设为 true")

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database; PostgreSQL always by psycopg 3."""
        if not self.database_url:
            return f"sqlite:///{(self.data_folder / 'hotline-qc.db').resolve()}"
        scheme, _, rest = self.database_url.partition("://")
        known = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
        return f"{known.get(scheme, scheme)}://{rest}"

    @property
    def recordings(self) -> str:
        """fsspec URL of the folder of recordings."""
        return self.recordings_url or f"file://{(self.data_folder / 'recordings').resolve()}"

    @property
    def site(self) -> str:
        """Address that links in notifications begin with."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
