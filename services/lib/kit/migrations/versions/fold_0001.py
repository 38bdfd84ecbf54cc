"""The tables that every fold needs."""

import sqlalchemy as sa
from alembic import op

from services.lib.kit.sql import Moment

revision = "fold_0001"
down_revision = None
branch_labels = ("fold",)
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(450), primary_key=True),
        sa.Column("seen_at", Moment, nullable=False, index=True),
    )
    op.create_table(
        "states",
        sa.Column("key", sa.String(400), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("sequences", sa.JSON, nullable=False),
        sa.Column("changed_at", Moment, nullable=False, index=True),
    )
    op.create_table(
        "outbox",
        sa.Column("n", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(400), nullable=False),
        sa.Column("topic", sa.String(200), nullable=False),
        sa.Column("record_key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("created_at", Moment, nullable=False, index=True),
    )
    op.create_index("outbox_key_n", "outbox", ["key", "n"])
    op.create_table(
        "refused",
        sa.Column("n", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(400), nullable=False),
        sa.Column("topic", sa.String(200), nullable=False),
        sa.Column("record_key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("created_at", Moment, nullable=False, index=True),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_table(
        "timers",
        sa.Column("key", sa.String(400), primary_key=True),
        sa.Column("kind", sa.String(50), primary_key=True),
        sa.Column("turn", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("due", Moment, nullable=False, index=True),
        sa.Column("partition", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    for table in ("timers", "refused", "outbox", "states", "inbox"):
        op.drop_table(table)
