"""When what is due: working time, each street's deadlines, and the calls that nobody answered."""
