"""Recordings know their quality and their fingerprint, and which others hold the same sound."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recordings", schema=None) as batch_op:
        for name, kind in (("quality", sa.String(length=10)), ("fingerprint", sa.Text())):
            batch_op.add_column(sa.Column(name, kind, nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_recordings_seconds"), ["seconds"], unique=False)
    with op.batch_alter_table("recordings", schema=None) as batch_op:
        for name in ("quality", "fingerprint"):
            batch_op.alter_column(name, server_default=None)
    op.create_table(
        "same_sounds",
        sa.Column("recording_id", sa.String(length=32), nullable=False),
        sa.Column("other_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["other_id"], ["recordings.id"], name=op.f("fk_same_sounds_other_id_recordings")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.id"], name=op.f("fk_same_sounds_recording_id_recordings")
        ),
        sa.PrimaryKeyConstraint("recording_id", "other_id", name=op.f("pk_same_sounds")),
    )
    with op.batch_alter_table("same_sounds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_same_sounds_other_id"), ["other_id"], unique=False)


def downgrade() -> None:
    op.drop_table("same_sounds")
    with op.batch_alter_table("recordings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recordings_seconds"))
        batch_op.drop_column("fingerprint")
        batch_op.drop_column("quality")
