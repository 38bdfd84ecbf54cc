"""Real servers on loopback for tests and for people: Apache Kafka, PostgreSQL, Prometheus.

Nothing here knows the line: the rig starts servers, stops, kills and pauses them, and leaves nothing running.
"""


class Missing(Exception):
    """Something that a server needs is not installed: one sentence that says what, and what is skipped."""
