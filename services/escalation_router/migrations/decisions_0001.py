"""One row a decided turn."""

import sqlalchemy as sa
from alembic import op

from services.lib.kit.sql import Moment

revision = "decisions_0001"
down_revision = None
branch_labels = ("router",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("key", sa.String(400), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("decision", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("decided_at", Moment, nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("decisions")
