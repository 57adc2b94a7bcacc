"""All that is known of one order together: its calls, what was filed, what was promised."""
