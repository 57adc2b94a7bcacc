"""Which of the words that sound alike was meant: for weights that hear better than they write."""
