"""hotline-qc: from a recording of a 12345 hotline call to an explained inspection."""
