"""The service: HTTP API, durable jobs, database, accounts, notifications and the workbench."""
