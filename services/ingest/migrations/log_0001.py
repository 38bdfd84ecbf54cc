"""The conversation log."""

import sqlalchemy as sa
from alembic import op

from services.lib.kit.sql import Moment

revision = "log_0001"
down_revision = None
branch_labels = ("ingest",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log",
        sa.Column("key", sa.String(400), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("masked", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("event", sa.String(450), nullable=False),
        sa.Column("position", sa.Integer),
        sa.Column("attachments", sa.JSON, nullable=False),
        sa.Column("received_at", Moment, nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("log")
