"""The standards as data: YAML that `qc.catalogue` reads."""
