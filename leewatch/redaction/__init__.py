"""Personal data and secrets: one table of patterns, the redactor of texts, and the SQL that redacts what is ingested."""
