"""How good the judgement is, measured on labelled calls, and what reviews teach it."""
