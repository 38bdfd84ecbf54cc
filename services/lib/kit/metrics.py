"""Every metric of Baton, with help, unit and closed labels. Nothing else declares one."""

from prometheus_client import Counter, Gauge, Histogram

AGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900, 3600)
"""Seconds. Up to the deadline of a turn (30 s) in detail, then coarsely: an outage is counted in minutes."""

WORK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds of work on one record."""

EVENT_AGE = Histogram(
    "baton_event_age_seconds",
    "Time from an event's `time` to the end of its handling, per stage",
    ["service", "type"],
    buckets=AGE_BUCKETS,
)
HANDLED = Counter("baton_events_total", "Events read, by what became of them", ["service", "type", "result"])
"""result: done, duplicate, skipped, dead_lettered."""
WORK = Histogram("baton_work_seconds", "Time spent on one event or batch", ["service"], buckets=WORK_BUCKETS)
LAG = Gauge("baton_lag_records", "Records not yet read, per consumed topic", ["service", "topic"])
DEAD_LETTERS = Counter("baton_dead_letters_total", "Records put aside", ["service", "topic", "cause"])
RETRIES = Counter("baton_retries_total", "Further tries after a passing error", ["service"])
PAUSED = Gauge("baton_paused", "1 while the service waits for its own SQL or Kafka", ["service"])
IN_FLIGHT = Gauge("baton_in_flight_records", "Records being worked on", ["service"])
COMMIT_FAILURES = Counter("baton_commit_failures_total", "Offset commits that a rebalance overtook", ["service"])
OUTBOX_AGE = Gauge("baton_outbox_age_seconds", "Age of the oldest unsent row", ["service"])
OUTBOX_RELAYED = Counter("baton_outbox_relayed_total", "Rows sent by the relay, not by their batch", ["service"])
OUTBOX_REFUSED = Counter("baton_outbox_refused_total", "Rows that Kafka will never take", ["service", "topic"])
TIMERS_FIRED = Counter("baton_timers_fired_total", "Timers that fired", ["service", "kind"])
TIMER_DELAY = Histogram(
    "baton_timer_delay_seconds",
    "Time from a timer's due moment to its firing",
    ["service"],
    buckets=AGE_BUCKETS,
)

DECISIONS = Counter("baton_decisions_total", "Decided turns", ["decision", "reason", "arm"])
"""reason: a Reason, or `none`."""
DECISION_SECONDS = Histogram(
    "baton_decision_seconds", "Time from acceptance to decision", ["decision"], buckets=AGE_BUCKETS
)
HANDOFF_WAIT = Histogram(
    "baton_handoff_wait_seconds",
    "Time from a raised escalation to its claim",
    buckets=(5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400),
)
REJECTIONS = Counter("baton_rejections_total", "Messages not accepted", ["cause"])
ANSWERS = Counter("baton_answers_total", "What retrieval-answer had to say", ["intent", "result"])
"""result: proposed, clarification, withheld, unavailable."""
ANSWER_SECONDS = Histogram(
    "baton_answer_seconds", "Time retrieval-answer spent on one message", ["intent"], buckets=WORK_BUCKETS
)
CLAIMS_REFUSED = Counter("baton_claims_refused_total", "Claims without proof, by kind", ["kind"])
"""kind: of the claim; `card` or `text` where what says it is no claim."""
FACTS_READ = Counter("baton_facts_read_total", "Facts read from the shop", ["kind", "result"])
"""kind: live (price and stock of a product), orders, customer. result: read, cached, unavailable."""
INDEXED = Gauge("baton_indexed_documents", "Documents in the search index", ["kind"])
"""kind: product, passage; of all store views."""
BRIEFS = Counter("baton_briefs_total", "Briefs published", ["complete"])
"""complete: yes, no (something is named as missing)."""
