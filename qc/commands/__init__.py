"""The commands of `hotline-qc`, one file each."""
