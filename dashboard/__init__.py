"""The analysts' page: it reads through Athena's SQL and nothing else."""
