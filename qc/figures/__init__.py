"""The one place that computes numbers: dashboards, reports and digests read them here."""
