"""The service (HTTP API, jobs, workbench): not built yet; `qc` is complete without it."""
