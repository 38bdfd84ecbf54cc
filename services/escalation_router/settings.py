"""Settings of the escalation router."""

from pathlib import Path

from services.escalation_router import notices, policy
from services.lib.kit.settings import StatefulSettings


class Settings(StatefulSettings):
    database_url: str = "sqlite+aiosqlite:///var/escalation-router.db"
    policy_file: Path = policy.PACKAGED
    """TOML file of the policy."""
    notices_folder: Path = notices.PACKAGED
    """Folder of the notice files, `<language>.toml`."""
