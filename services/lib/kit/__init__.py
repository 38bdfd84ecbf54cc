"""Runtime that knows no shop and no chat: streams, SQL, HTTP, settings, metrics, health, logs."""
